"""Plans of schedulers whose event index counts tokens, samples or time."""

import itertools
import random

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events
from optimizers import make_optimizer, values_of

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    ConcatScheduler,
    ConstantScheduler,
    CosineDecayScheduler,
    LinearScheduler,
    LRScheduler,
    SampleClock,
    TimeClock,
    TokenClock,
    WarmupStableDecayScheduler,
    check_plan,
    dry_run,
)

DRAW = random.Random(3)
AMOUNTS = [DRAW.randint(0, 4000) for _ in range(24)]
SECONDS = [DRAW.randint(1, 900) / 1000 for _ in range(24)]
EVENTS = [
    Events.ITERATION_STARTED,
    Events.ITERATION_STARTED(every=5),
    Events.EPOCH_STARTED,
    Events.EPOCH_STARTED(every=2),
    Events.GET_BATCH_STARTED,
    OptimizerEvents.STEP_STARTED,
    OptimizerEvents.STEP_STARTED(every=2),
]


def training(event, clock_of, accumulated=3):
    """Return a trainer, its scheduler, and a list of the learning rates that it trains with."""
    optimizer, seen = make_optimizer(), []

    def train(engine, batch):
        if engine.state.iteration % accumulated == 0:
            optimizer.step()
        seen.append(values_of(optimizer)[0])

    trainer = Engine(train)
    scheduler = CosineDecayScheduler(optimizer, "lr", 40_000)
    scheduler.attach(trainer, event, clock=clock_of(trainer))
    return trainer, scheduler, seen


def tokens(trainer, lag=0):
    return TokenClock(lambda engine: AMOUNTS[engine.state.iteration - 1], lag=lag)


def seconds(trainer):
    def now():
        return sum(SECONDS[: trainer.state.iteration - (trainer.last_event_name == Events.ITERATION_STARTED)])

    return TimeClock(now=now)


@for_each("event", EVENTS)
@for_each("lag", [0, 2])
def test_the_plan_is_what_training_writes(event, lag):
    trainer, scheduler, seen = training(event, lambda trainer: tokens(trainer, lag))
    plan = dry_run(trainer, 4, 6, gradient_accumulation_steps=3, amounts=AMOUNTS)
    assert scheduler.event_index == 0
    trainer.run([0] * 6, max_epochs=4)
    assert plan["lr"][:, 0].tolist() == seen
    counted = [0, *itertools.accumulate(AMOUNTS)]
    assert set(plan.columns["lr"].counts) <= set(counted)
    assert plan.unforeseen == ()


@pytest.mark.parametrize("event", [EVENTS[0], EVENTS[1]])
def test_the_plan_over_time_is_what_training_writes(event):
    trainer, _, seen = training(event, seconds)
    plan = dry_run(trainer, 4, 6, seconds_per_step=SECONDS)
    trainer.run([0] * 6, max_epochs=4)
    assert plan["lr"][:, 0].tolist() == seen
    assert len(set(seen)) > 3


@for_each("event", EVENTS)
@for_each("done", [1, 6, 8, 15])
def test_a_resumed_run_goes_on_with_its_plan(event, done):
    first, saved, _ = training(event, tokens)
    state = {}

    def save(engine):
        if engine.state.iteration == done:
            state.update(trainer=first.state_dict(), scheduler=saved.state_dict())
            state.update(lr=values_of(saved.optimizer)[0])

    first.add_event_handler(Events.ITERATION_COMPLETED, save)
    first.run([0] * 6, max_epochs=4)
    trainer, scheduler, seen = training(event, tokens)
    trainer.load_state_dict(state["trainer"])
    scheduler.load_state_dict(state["scheduler"])
    scheduler.optimizer.param_groups[0]["lr"] = state["lr"]
    plan = dry_run(trainer, 4, 6, gradient_accumulation_steps=3, amounts=AMOUNTS)
    findings = check_plan(trainer, 4, 6, gradient_accumulation_steps=3, amounts=AMOUNTS)
    trainer.run([0] * 6, max_epochs=4)
    assert plan["lr"][done:, 0].tolist() == seen
    assert "not-restored" not in {finding.code for finding in findings}


def test_an_amount_for_each_clock_and_one_for_all():
    optimizer = make_optimizer()
    trainer = Engine(lambda engine, batch: None)
    tokens_clock, samples = TokenClock(lambda engine: 0), SampleClock()
    LinearScheduler(optimizer, "lr", 1000, start_value=1.0, end_value=0.0).attach(trainer, clock=tokens_clock)
    LinearScheduler(optimizer, "momentum", 100, start_value=1.0, end_value=0.0).attach(trainer, clock=samples)
    plan = dry_run(trainer, 1, 3, amounts={tokens_clock: 200, samples: [5, 10, 20]})
    assert plan["lr"][:, 0].tolist() == pytest.approx([1.0, 0.8, 0.6])
    assert plan["momentum"][:, 0].tolist() == pytest.approx([1.0, 0.95, 0.85])
    plan = dry_run(trainer, 1, 3, amounts=50)
    assert plan["lr"][:, 0].tolist() == pytest.approx([1.0, 0.95, 0.9])
    assert plan["momentum"][:, 0].tolist() == pytest.approx([1.0, 0.5, 0.0])
    plan = dry_run(trainer, 1, 3, amounts={samples: 10})
    assert [*plan] == ["momentum"]
    assert len(plan.unforeseen) == 1


def test_a_plan_without_amounts_says_what_to_give():
    trainer, _, _ = training(Events.EPOCH_STARTED, tokens)
    (words,) = dry_run(trainer, 4, 6).unforeseen
    assert words.endswith("on EPOCH_STARTED by TokenClock: give amounts=..., the tokens of an iteration over all ranks")
    trainer, _, _ = training(Events.ITERATION_STARTED, seconds)
    (words,) = dry_run(trainer, 4, 6, amounts=3).unforeseen
    assert words.endswith("by TimeClock: give seconds_per_step=..., the seconds of an iteration")
    findings = check_plan(trainer, 4, 6)
    assert [(finding.code, finding.severity) for finding in findings] == [("unforeseen", "info")]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"amounts": -1}, ValueError, "amounts must be at least 0, given -1"),
        ({"amounts": 0.5}, ValueError, "amounts must be a whole number of at least 0, given 0.5"),
        ({"amounts": [1, 2]}, ValueError, "amounts must be one number, or one for each of the 24 iterations, given 2"),
        ({"amounts": "2B"}, TypeError, "amounts must be a number, given '2B'"),
        ({"amounts": {"tokens": 3}}, TypeError, "amounts must have clocks that count batches as keys, given 'tokens'"),
        ({"seconds_per_step": -0.5}, ValueError, "seconds_per_step must be at least 0, given -0.5"),
    ],
)
def test_wrong_amounts(given, error, message):
    trainer, _, _ = training(Events.ITERATION_STARTED, tokens)
    for function in (dry_run, check_plan):
        with pytest.raises(error, match=message):
            function(trainer, 4, 6, **given)


def test_a_run_that_ends_before_the_schedule_is_found_in_tokens():
    trainer, _, _ = training(Events.ITERATION_STARTED, tokens)
    (finding,) = check_plan(trainer, 4, 6, amounts=1000)
    assert (finding.code, finding.severity) == ("end-not-reached", "warning")
    assert finding.message.startswith("the schedule takes 40000 tokens, but the run has 24000 of them, 60%")
    assert not check_plan(trainer, 4, 6, amounts=40_000 / 24 // 1 + 1)
    assert not check_plan(trainer, 4, 6, amounts=10_000)


def test_phases_are_where_the_count_reaches_them():
    optimizer = make_optimizer()
    trainer = Engine(lambda engine, batch: None)
    scheduler = WarmupStableDecayScheduler(optimizer, "lr", 2000, 5000, 3000, peak_value=0.5)
    scheduler.attach(trainer, clock=TokenClock(lambda engine: 0))
    plan = dry_run(trainer, 2, 10, amounts=500)
    assert [(span.first, span.stop) for span in plan.columns["lr"].spans] == [(0, 4), (4, 14), (14, 20)]
    assert plan.columns["lr"].counts.tolist() == list(range(0, 10_000, 500))


def test_jumps_are_found_by_the_count():
    optimizer = make_optimizer()
    trainer = Engine(lambda engine, batch: None)
    parts = [ConstantScheduler(optimizer, "lr", value) for value in (0.1, 0.9)]
    ConcatScheduler(parts, [3000]).attach(trainer, clock=TokenClock(lambda engine: 0))
    (finding,) = check_plan(trainer, 1, 20, amounts=500)
    assert finding.code == "jump"
    assert finding.numbers["iteration"] == 6


def test_a_clock_that_waits_for_a_gpu_is_found():
    parameter = torch.nn.Parameter(torch.zeros(2, device="meta"))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    trainer = Engine(lambda engine, batch: None)
    handle = LinearScheduler(optimizer, "lr", 2400).attach(trainer, clock=TokenClock(lambda engine: 0))
    for given in ({"amounts": 100}, {}):
        findings = [finding for finding in check_plan(trainer, 4, 6, **given) if finding.code == "reads-gpu"]
        assert [finding.severity for finding in findings] == ["info"]
        assert "lag=2" in findings[0].suggestion
    handle.remove()
    LinearScheduler(optimizer, "lr", 2400).attach(trainer, clock=TokenClock(lambda engine: 0, lag=2))
    assert not check_plan(trainer, 4, 6, amounts=120)
    trainer, _, _ = training(Events.ITERATION_STARTED, tokens)
    assert not check_plan(trainer, 4, 6, amounts=2000)


def test_a_plan_leaves_everything_as_it_is():
    trainer, scheduler, _ = training(OptimizerEvents.STEP_STARTED, tokens)
    before = scheduler.state_dict(), values_of(scheduler.optimizer)
    dry_run(trainer, 4, 6, amounts=AMOUNTS)
    assert (scheduler.state_dict(), values_of(scheduler.optimizer)) == before
    assert np.isfinite(dry_run(trainer, 4, 6, amounts=np.array(AMOUNTS))["lr"]).all()


def test_a_plain_loop_is_planned_with_the_amounts_that_it_passes():
    scheduler = CosineDecayScheduler(make_optimizer(), "lr", 40_000)
    plan, seen = dry_run(scheduler, 4, 6, amounts=AMOUNTS), []
    for at, amount in enumerate(AMOUNTS):
        if at == 10:
            rest = dry_run(scheduler, 4, 6, amounts=AMOUNTS)
        scheduler.apply(amount=amount)
        seen.append(values_of(scheduler.optimizer)[0])
    assert plan["lr"][:, 0].tolist() == seen
    assert rest.start == 10
    assert rest["lr"][10:, 0].tolist() == seen[10:]
    with pytest.raises(
        ValueError, match="amounts must be amounts of optimizer steps if the loop accumulates gradients"
    ):
        dry_run(scheduler, 4, 6, amounts=AMOUNTS, gradient_accumulation_steps=2)
    wrapped = LRScheduler(torch.optim.lr_scheduler.StepLR(make_optimizer(), 3))
    with pytest.raises(ValueError, match="amounts must be left out for a schedule that is computed event by event"):
        dry_run(wrapped, 4, 6, amounts=AMOUNTS)
