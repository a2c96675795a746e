"""BatchRamp: the batch size grows in steps, and the learning rate and the betas are scaled to fit it."""

import json
from itertools import accumulate

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader, TensorDataset

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    BatchRamp,
    CooldownPolicy,
    CosineDecayScheduler,
    LinearScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ResumeWarning,
    RunLength,
    SampleClock,
    TokenClock,
    check_plan,
    dry_run,
)
from lehr.handlers.schedulers.batch_thresholds import as_thresholds, in_events
from lehr.handlers.schedules import Anneal, Constant

DATA = TensorDataset(torch.arange(4096.0))
BETAS = (0.9, 0.99)


def make_adam(groups=1, lr=0.1, betas=BETAS):
    params = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr / (1 + at), "betas": (betas[0] + at / 100, betas[1])}
        for at in range(groups)
    ]
    return torch.optim.Adam(params)


def make_loader(batch_size=8, data=DATA, **options):
    return DataLoader(data, batch_size=batch_size, **options)


def milestones_of(sizes, run=None):
    found = in_events(as_thresholds(sizes), run)
    return found.milestones, found.sizes


RUN = RunLength(max_epochs=4, epoch_length=25, tokens_per_step=1000, samples_per_step=8)


@for_each(
    ("sizes", "run", "milestones"),
    [
        ([(0, 8), (10, 16), (20, 32)], None, [10, 20]),
        ("0: 8, 10: 16, 20 events: 32", None, [10, 20]),
        ("0 steps: 8, 1_000: 16", None, [1000]),
        ("0%: 8, 10: 16, 50: 32", RUN, [10, 50]),
        ("0: 8, 1 epochs: 16, 3: 32", RUN, [25, 75]),
        ("0 epochs: 8, 0.1: 16", RunLength(epoch_length=10), [1]),  # exactly 1, although the float 0.1 is above 1/10
        ("0%: 8, 0.1: 16", RunLength(total_steps=1000), [1]),
        # A step has 8 samples, then 16: 80 samples after 10 steps, 240 after 20.
        ("0 samples: 8, 80: 16, 240: 32", None, [10, 20]),
        ("0 samples: 8, 81: 16, 240: 32", None, [11, 21]),
        ("0 samples: 8, 80: 16, 241: 32", None, [10, 21]),
        # A step of the first size has 1000 tokens, then a step has 2000.
        ("0 tokens: 8, 10k: 16, 30k: 32", RUN, [10, 20]),
        ("0 tokens: 8, 9_001: 16, 30k: 32", RUN, [9 + 1, 20]),
        # With two ranks, a step has 16 samples.
        ("0 samples: 8, 160: 16, 480: 32", RunLength(samples_per_step=16), [10, 20]),
        # Units may be mixed: 80 samples until step 10, then 16 samples a step until 400 samples.
        ([(0, 8), (10, 16), ("400 samples", 32)], None, [10, 30]),
        # A percentage is one of the tokens, since the number of steps depends on the ramp.
        ("0%: 8, 10%: 16, 30%: 32", RunLength(tokens_per_step=1000, total_tokens="100k"), [10, 20]),
        ("0%: 8, 10%: 16", RunLength(total_samples=800), [10]),
        # With a clock, the event index has the unit of the thresholds.
        ("0 tokens: 8, 10k: 16, 30k: 32", RunLength(counts="tokens"), [10_000, 30_000]),
        ("0%: 8, 10%: 16", RunLength(counts="tokens", total_tokens="1M"), [100_000]),
        ("0 samples: 8, 1.5k: 16", RunLength(counts="samples"), [1500]),
        ("0 s: 8, 90 s: 16", RunLength(counts="milliseconds"), [90_000]),
        ([(0, 64), (5, 8)], None, [5]),  # batches may also become smaller
        ([(0, 8)], None, []),
    ],
)
def test_thresholds_in_any_unit(sizes, run, milestones):
    found, own = milestones_of(sizes, run)
    assert found == milestones
    assert len(own) == len(milestones) + 1


@given(
    sizes=st.lists(st.integers(1, 64), min_size=2, max_size=5),
    gaps=st.lists(st.integers(64, 1000), min_size=4, max_size=4),
)
def test_a_size_begins_at_the_first_event_after_its_threshold_is_reached(sizes, gaps):
    thresholds = [0, *accumulate(gaps[: len(sizes) - 1])]
    pairs = [(f"{threshold} samples", size) for threshold, size in zip(thresholds, sizes, strict=True)]
    milestones, _ = milestones_of(pairs)
    starts, count, event, at = [], 0, 0, 0
    while at < len(sizes) - 1:  # count the samples step by step
        if count >= thresholds[at + 1]:
            starts.append(event)
            at += 1
        count, event = count + sizes[at], event + 1
    assert milestones == starts


REFUSED = [
    ("", None, ValueError, "sizes must be thresholds with batch sizes"),
    ("0: 8, 10", None, ValueError, "sizes must be thresholds with batch sizes such as .* given '10' at position 1"),
    ("0: 8, 10: big", None, ValueError, "given '10: big' at position 1"),
    ("0: 8, 10: 0", None, ValueError, r"sizes\[1\]\[1\] must be a whole number of at least 1"),
    ("5: 8, 10: 16", None, ValueError, "sizes must begin with the threshold 0"),
    ([], None, ValueError, "sizes must begin with the threshold 0"),
    ([(0, 8), (10, 16), (10, 32)], None, ValueError, r"sizes\[2\]\[0\] must be reached at least one event after"),
    ([(0, 8), (10, 16), (5, 32)], None, ValueError, "which is reached at event 10, given 5 events"),
    ("0 samples: 8, 100: 16, 101: 32", None, ValueError, "at least one event after the threshold before it"),
    ([(0, 8), (10, 16.5)], None, ValueError, r"sizes\[1\]\[1\]"),
    ([(0, 8), 10], None, ValueError, r"sizes\[1\] must be a pair of a threshold and a batch size"),
    ([(0, 8), (-1, 16)], None, ValueError, r"sizes\[1\]\[0\] must be a whole number of at least 0"),
    ({0: 8}, None, TypeError, "sizes must be thresholds with batch sizes"),
    (8, None, TypeError, "sizes must be thresholds with batch sizes"),
    ("0: 8, 10%: 16", None, ValueError, "give the run total_steps"),
    ("0: 8, 2 epochs: 16", None, ValueError, "give the run epoch_length"),
    ("0: 8, 1M tokens: 16", None, ValueError, "give a run with the tokens_per_step of the first"),
    ("0: 8, 30 min: 16", RUN, ValueError, "must be in steps, events or percent"),
    ("0: 8, 3 epochs: 16", RunLength(counts="tokens"), ValueError, "must be in tokens, events or percent"),
    ("0: 8, 1 furlong: 16", None, ValueError, "must have a known unit"),
]


@for_each(("sizes", "run", "error", "match"), REFUSED)
def test_illegal_thresholds_raise_an_error_before_the_first_step(sizes, run, error, match):
    with pytest.raises(error, match=match) as raised:
        BatchRamp(make_adam(), make_loader(), sizes, run=run)
    assert len(str(raised.value)) <= 500


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"lr_rule": "cubic"}, ValueError, "lr_rule must be one of 'sqrt', 'linear'"),
        ({"run": 100}, TypeError, "run must be a RunLength or None"),
        ({"lr": 0.1}, TypeError, "lr must be a scheduler of the learning rate, a Schedule or None"),
        ({"scale_betas": 1}, TypeError, "scale_betas must be"),
        ({"scale_betas": True, "sizes": [(0, 8), (5, 128)]}, ValueError, "scale_betas must be False .* given 16 times"),
    ],
)
def test_wrong_arguments_are_refused(options, error, match):
    arguments = {"sizes": [(0, 8), (5, 16)], **options}
    with pytest.raises(error, match=match):
        BatchRamp(make_adam(), make_loader(), **arguments)


def test_the_schedule_of_another_optimizer_is_refused():
    adam, other = make_adam(), make_adam()
    for lr in (
        LinearScheduler(other, "lr", 10, start_value=1.0, end_value=0.0),
        LinearScheduler(adam, "weight_decay", 10, start_value=1.0, end_value=0.0),
    ):
        with pytest.raises(ValueError, match="lr must be a scheduler of 'lr' for the same optimizer"):
            BatchRamp(adam, make_loader(), [(0, 8)], lr=lr)
    with pytest.raises(ValueError, match="scale_betas must be False .* given SGD"):
        BatchRamp(
            torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1), make_loader(), [(0, 8)], scale_betas=True
        )


RULES = {"sqrt": [1, 2**0.5, 2], "linear": [1, 2, 4], None: [1, 1, 1]}


@for_each("rule", RULES)
@for_each("kind", ["own", "schedule", "scheduler", "schedulers of groups"])
def test_the_rate_is_its_schedule_times_the_rule(rule, kind):
    optimizer = make_adam(2)
    plan = Anneal(0.3, 0.1, 30)
    lr = {
        "own": None,
        "schedule": plan,
        "scheduler": ParamScheduler(optimizer, "lr", schedule=plan),
        "schedulers of groups": ParamGroupScheduler(
            [ParamScheduler(optimizer, "lr", param_group_index=at, schedule=plan) for at in (0, 1)]
        ),
    }[kind]
    ramp = BatchRamp(optimizer, make_loader(), "0: 8, 10: 16, 20: 32", lr=lr, lr_rule=rule, scale_betas=True)
    table = ramp.simulate(30)
    factors = np.repeat(RULES[rule], 10)
    assert table[:, 0].tolist() == np.repeat([8, 16, 32], 10).tolist()
    own = np.array([0.1, 0.05]) if kind == "own" else plan(np.arange(30))[:, None]
    width = 0 if kind == "own" and rule is None else table.shape[1] - 4
    if width:
        np.testing.assert_allclose(table[:, 1 : 1 + width], np.broadcast_to(own * factors[:, None], (30, 2))[:, :width])
    for at, betas in enumerate(([0.9, 0.91], [0.99])):
        ratios = np.repeat([1, 2, 4], 10)[:, None]
        columns = table[:, 1 + width : 3 + width] if at == 0 else table[:, 3 + width :]
        np.testing.assert_allclose(columns, 1 - ratios * (1 - np.array(betas)), rtol=1e-12)


SEEN = [(8, 0.1, 0.9, 0.99)] * 5 + [(16, 0.1 * 2**0.5, 0.8, 0.98)] * 5 + [(32, 0.2, 0.6, 0.96)] * 10


def training(sizes="0: 8, 5: 16, 10: 32", clock=None, data=DATA, tokens_of=None, lr=None, **options):
    """Return a trainer, its ramp and loader, and a list of each step's batch size, learning rate and betas."""
    optimizer, loader, seen = make_adam(), make_loader(data=data), []

    def step(engine, batch):
        group = optimizer.param_groups[0]
        seen.append((len(batch[0]), group["lr"], *group["betas"]))

    trainer = Engine(step)
    ramp = BatchRamp(optimizer, loader, sizes, lr=lr, scale_betas=True, save_history=True, **options)
    ramp.attach(trainer, clock=clock)
    return trainer, ramp, loader, seen


def test_each_step_has_the_batch_size_the_rate_and_the_betas_of_its_event():
    trainer, ramp, loader, seen = training()
    plan = dry_run(trainer, max_epochs=4, epoch_length=5)
    assert not [finding for finding in check_plan(trainer, max_epochs=4, epoch_length=5) if finding.severity == "error"]
    trainer.run(loader, max_epochs=4, epoch_length=5)
    np.testing.assert_allclose(seen, SEEN, rtol=1e-12)
    table = np.column_stack([plan[name] for name in ("batch_size", "lr", "betas[0]", "betas[1]")])
    assert table.tolist() == [list(row) for row in seen]
    assert (ramp.simulate(20) == table).all()
    assert trainer.state.param_history.to_numpy("batch_size")[:, 0].tolist() == [row[0] for row in seen]


def test_in_a_plain_loop():
    optimizer, loader = make_adam(), make_loader()
    ramp = BatchRamp(optimizer, loader, "0: 8, 5: 16, 10: 32", scale_betas=True)
    seen = []
    ramp.apply()
    for (batch,) in loader:
        seen.append((len(batch), optimizer.param_groups[0]["lr"], *optimizer.param_groups[0]["betas"]))
        ramp.apply()
        if len(seen) == 20:
            break
    np.testing.assert_allclose(seen, SEEN, rtol=1e-12)


@pytest.mark.parametrize("sizes", ["0: 8, 5: 16, 10: 32", "0 samples: 8, 40: 16, 120: 32"])
def test_a_run_that_is_resumed_at_any_event_has_the_values_of_the_unbroken_run(sizes):
    trainer, _, loader, expected = training(sizes)
    trainer.run(loader, max_epochs=4, epoch_length=5)
    for stop in range(1, 20):
        trainer, ramp, loader, seen = training(sizes)

        def end(engine, stop=stop):
            if engine.state.iteration == stop:
                engine.terminate()

        trainer.add_event_handler(Events.ITERATION_COMPLETED, end)
        trainer.run(loader, max_epochs=4, epoch_length=5)
        saved = trainer.state_dict() if stop % 5 == 0 else {"iteration": stop, "epoch_length": 5, "max_epochs": 4}
        state = json.loads(
            json.dumps([saved, ramp.state_dict(), ramp._members[1].optimizer.state_dict()["param_groups"]])
        )
        trainer, ramp, loader, rest = training(sizes)
        trainer.load_state_dict(state[0])
        ramp.load_state_dict(state[1])
        trainer.run(loader)
        assert seen[:stop] + rest == expected


def test_an_optimizer_that_loaded_scaled_betas_starts_from_the_saved_original_betas():
    optimizer = make_adam()
    ramp = BatchRamp(optimizer, make_loader(), "0: 8, 5: 16, 10: 32", scale_betas=True)
    for _ in range(12):
        ramp.apply()
    loaded = make_adam()
    loaded.load_state_dict(optimizer.state_dict())
    again = BatchRamp(loaded, make_loader(), "0: 8, 5: 16, 10: 32", scale_betas=True)
    again.load_state_dict(json.loads(json.dumps(ramp.state_dict())))
    assert (again.simulate(20) == ramp.simulate(20)).all()
    np.testing.assert_allclose(again.simulate(20), SEEN, rtol=1e-12)


def test_loading_the_state_of_another_ramp_warns():
    ramp, other = (
        BatchRamp(make_adam(), make_loader(), sizes, scale_betas=True) for sizes in ("0: 8, 5: 16", "0: 8, 6: 16")
    )
    for _ in range(3):
        ramp.apply()
    with pytest.warns(ResumeWarning, match="the saved schedule differs"):
        other.load_state_dict(ramp.state_dict())


def test_a_ramp_in_samples_with_a_clock_counts_the_batches_as_they_are():
    """With the clock, a short batch at the end of the data counts its samples; without a clock, a full batch."""
    data = TensorDataset(torch.arange(100.0))
    sizes, run = "0 samples: 8, 150: 16, 400: 32", RunLength(counts="samples")
    lr = Anneal(0.1, 0.0, 1000)
    trainer, ramp, loader, seen = training(sizes, SampleClock(), data, lr=lr, run=run)
    trainer.run(loader, max_epochs=6, epoch_length=10)
    count = 0
    for size, rate, *_ in seen:
        wanted = 8 if count < 150 else 16 if count < 400 else 32
        assert size == wanted or size in (100 % 8, 100 % 16, 100 % 32, 4, 12)
        assert rate == pytest.approx(lr(count) * (wanted / 8) ** 0.5)
        count += size
    assert ramp.event_index == count
    assert {size for size, *_ in seen} >= {8, 16, 32}


@given(tokens=st.lists(st.integers(1, 400), min_size=8, max_size=30))
def test_the_rate_at_a_number_of_tokens_is_the_same_however_they_are_batched(tokens):
    lr, run = Anneal(0.1, 0.0, 5000), RunLength(counts="tokens")
    data = [torch.zeros(1)] * 4096
    trainer, _, loader, seen = training(
        "0 tokens: 8, 1k: 16, 2k: 32",
        TokenClock(lambda engine: tokens[engine.state.iteration - 1]),
        data,
        lr=lr,
        run=run,
    )
    trainer.run(loader, max_epochs=1, epoch_length=len(tokens))
    before = [0, *accumulate(tokens)]
    for (_, rate, *_betas), count in zip(seen, before, strict=False):
        size = 8 if count < 1000 else 16 if count < 2000 else 32
        assert rate == pytest.approx(lr(count) * (size / 8) ** 0.5, rel=1e-12)


def test_thresholds_must_have_the_unit_of_the_clock():
    in_steps = BatchRamp(make_adam(), make_loader(), "0 samples: 8, 80: 16")
    with pytest.raises(ValueError, match="counts='samples' where the scheduler is attached with a clock"):
        in_steps.attach(Engine(lambda engine, batch: None), clock=SampleClock())
    in_tokens = BatchRamp(make_adam(), make_loader(), "0 tokens: 8, 1M: 16", run=RunLength(counts="tokens"))
    for clock in (None, SampleClock()):
        with pytest.raises(ValueError, match="given counts='tokens', to which the durations of"):
            in_tokens.attach(Engine(lambda engine, batch: None), clock=clock)
    numbers = BatchRamp(make_adam(), make_loader(), [(0, 8), (1000, 16)])
    numbers.attach(Engine(lambda engine, batch: None), clock=SampleClock())


@pytest.mark.parametrize("sizes", ["0 epochs: 8, 2 epochs: 16", [(0, 8), (2, 16)]], ids=["text", "numbers"])
def test_thresholds_in_epochs_are_reached_at_the_start_of_epochs(sizes):
    seen, run = [], RunLength(max_epochs=3, epoch_length=4, counts="epochs")
    loader = make_loader()
    trainer = Engine(lambda engine, batch: seen.append(len(batch[0])))
    BatchRamp(make_adam(), loader, sizes, run=run).attach(trainer, Events.EPOCH_STARTED)
    trainer.run(loader, max_epochs=3, epoch_length=4)
    assert seen == [8] * 8 + [16] * 4


def test_thresholds_in_steps_are_an_error_at_the_start_of_epochs():
    run = RunLength(max_epochs=3, epoch_length=4)
    ramp = BatchRamp(make_adam(), make_loader(), "0 epochs: 8, 2 epochs: 16", run=run)
    with pytest.raises(ValueError, match="counts='epochs' where the scheduler is attached to EPOCH_STARTED"):
        ramp.attach(Engine(lambda engine, batch: None), Events.EPOCH_STARTED)


@pytest.mark.parametrize(
    "event",
    [
        Events.ITERATION_STARTED,
        Events.ITERATION_STARTED(every=2),
        "iteration_started",
        Events.GET_BATCH_COMPLETED,
        OptimizerEvents.STEP_STARTED,
        Events.GET_BATCH_STARTED | Events.ITERATION_STARTED,
    ],
)
def test_an_event_after_a_batch_is_fetched_is_refused(event):
    ramp, trainer = BatchRamp(make_adam(), make_loader(), [(0, 8), (2, 16)]), Engine(lambda engine, batch: None)
    with pytest.raises(ValueError, match="event must be GET_BATCH_STARTED or EPOCH_STARTED"):
        ramp.attach(trainer, event)
    ramp.attach(trainer, Events.GET_BATCH_STARTED(every=2))


@pytest.mark.parametrize("options", [{"drop_last": True}, {"num_workers": 1}])
def test_a_loader_that_prefetches_batches_is_only_allowed_at_the_start_of_epochs(options):
    ramp = BatchRamp(make_adam(), make_loader(**options), [(0, 8), (2, 16)])
    trainer = Engine(lambda engine, batch: None)
    with pytest.raises(ValueError, match="dataloader must have num_workers=0 and drop_last=False"):
        ramp.attach(trainer)
    assert not trainer.has_event_handler(ramp)
    ramp.attach(trainer, Events.EPOCH_STARTED)


def test_a_ramp_that_reads_no_groups_is_simulated_without_an_optimizer():
    rows = BatchRamp.simulate_values(4, sizes="0: 8, 2: 16", lr_rule=None)
    assert rows == [[0, 8.0], [1, 8.0], [2, 16.0], [3, 16.0]]
    rows = BatchRamp.simulate_values(3, sizes="0: 8, 2: 32", lr=Constant(0.1))
    assert rows == [[0, 8.0, 0.1], [1, 8.0, 0.1], [2, 32.0, 0.2]]
    with pytest.raises(ValueError, match="needs an optimizer to read present values from"):
        BatchRamp.simulate_values(4, sizes="0: 8, 2: 16")


def test_a_ramp_ends_its_schedule_with_the_run():
    optimizer = make_adam()
    lr = CosineDecayScheduler(optimizer, "lr", duration=20, start_value=0.1)
    ramp = BatchRamp(optimizer, make_loader(), "0: 8, 10: 32", lr=lr)
    trainer = Engine(lambda engine, batch: None)
    ramp.attach(trainer)
    assert [finding.code for finding in check_plan(trainer, max_epochs=2, epoch_length=5)] == ["end-not-reached"]
    assert not list(check_plan(trainer, max_epochs=4, epoch_length=5))


def test_a_run_that_resumes_without_the_state_of_its_ramp_warns():
    trainer, _, loader, _ = training()
    trainer.run(loader, max_epochs=2, epoch_length=5)
    state = trainer.state_dict()
    trainer, ramp, loader, _ = training()
    trainer.load_state_dict({**state, "max_epochs": 4})
    with pytest.warns(
        ResumeWarning, match="is at event 0, but the engine, which resumes after iteration 10, has had 10"
    ):
        trainer.run(loader)
    trainer, ramp, loader, _ = training()
    trainer.load_state_dict({**state, "max_epochs": 4})
    ramp.seek(10)
    trainer.run(loader)


def test_a_dry_run_with_a_clock_has_the_values_of_training():
    sizes, run = "0 samples: 8, 150: 16, 400: 32", RunLength(counts="samples")
    make = lambda: training(sizes, SampleClock(), lr=Anneal(0.1, 0.0, 2000), run=run)  # noqa: E731
    amounts, count = [], 0
    while len(amounts) < 40:  # the count before a batch determines the size of the batch
        amounts.append(8 if count < 150 else 16 if count < 400 else 32)
        count += amounts[-1]
    trainer, _, loader, seen = make()
    plan = dry_run(make()[0], max_epochs=4, epoch_length=10, amounts=amounts)
    trainer.run(loader, max_epochs=4, epoch_length=10)
    table = np.column_stack([plan[name] for name in ("batch_size", "lr", "betas[0]", "betas[1]")])
    assert table.tolist() == [list(row) for row in seen]


def test_a_cooldown_of_a_ramp_changes_only_the_learning_rate():
    make = lambda: BatchRamp(make_adam(), make_loader(), "0: 8, 5: 16, 20: 32", lr=Constant(0.1), scale_betas=True)  # noqa: E731
    trunk, branch = make(), make()
    trunk.seek(10)
    branch.load_state_dict(trunk.state_dict(), resume_policy=CooldownPolicy(20, "linear", end_value={"lr": 0.0}))
    table, own = branch.simulate(31), trunk.simulate(31)
    assert (table[:, [0, 2, 3]] == own[:, [0, 2, 3]]).all()
    np.testing.assert_allclose(table[10:, 1], own[10:, 1] * np.linspace(1, 0, 21), atol=1e-12)
    again = make()
    again.load_state_dict(json.loads(json.dumps(branch.state_dict())))
    assert (again.simulate(31) == table).all()
