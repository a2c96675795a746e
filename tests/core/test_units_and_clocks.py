"""Durations that were converted to one unit, and an event index that counts another one."""

import warnings

import pytest
from cases import for_each
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer
from torch.utils.data import DataLoader

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    BatchRamp,
    ConcatScheduler,
    ConstantScheduler,
    CooldownPolicy,
    LinearScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ResumeWarning,
    RunLength,
    SampleClock,
    TimeClock,
    TokenClock,
    as_torch_scheduler,
    dry_run,
)

NUMBERS = {"total_tokens": "10k", "tokens_per_step": 100, "samples_per_step": 2}
CLOCKS = {
    "tokens": lambda: TokenClock(lambda engine: 100),
    "samples": SampleClock,
    "milliseconds": TimeClock,
    "steps": lambda: None,
}


@for_each("counts", CLOCKS)
@for_each("clock", CLOCKS)
def test_texts_need_the_unit_of_the_clock(counts, clock):
    more = {"total_time": "1 h"} if counts == "milliseconds" else {}
    run = RunLength(**NUMBERS, **more, counts=counts)
    scheduler = LinearScheduler(make_optimizer(), "lr", "50%", run=run)
    trainer = make_trainer()
    if counts == clock:
        scheduler.attach(trainer, clock=CLOCKS[clock]())
        return
    with pytest.raises(ValueError, match=f"run must have counts='{clock}' where .* given counts='{counts}'"):
        scheduler.attach(trainer, clock=CLOCKS[clock]())
    assert not trainer.has_event_handler(scheduler)
    LinearScheduler(make_optimizer(), "lr", 50, run=run).attach(trainer, clock=CLOCKS[clock]())  # a number is no text


def test_epochs_are_counted_without_a_clock():
    run = RunLength(max_epochs=10, counts="epochs")
    LinearScheduler(make_optimizer(), "lr", "50%", run=run).attach(make_trainer(), Events.EPOCH_STARTED)


STEPS, EPOCHS = RunLength(total_steps=100), RunLength(max_epochs=10, counts="epochs")
TOKENS = RunLength(total_tokens=1000, counts="tokens")


def decay(run, optimizer=None):
    return LinearScheduler(optimizer or make_optimizer(), "lr", "50%", start_value=1.0, end_value=0.0, run=run)


@for_each(
    ("run", "event", "counts"),
    [
        (EPOCHS, Events.ITERATION_STARTED, "steps"),
        (EPOCHS, "iteration_started", "steps"),
        (EPOCHS, Events.GET_BATCH_STARTED, "steps"),
        (EPOCHS, OptimizerEvents.STEP_STARTED, "steps"),
        (STEPS, Events.EPOCH_STARTED, "epochs"),
        (STEPS, "EPOCH_STARTED", "epochs"),
        (STEPS, Events.EPOCH_COMPLETED(every=2), "epochs"),
        (STEPS, Events.EPOCH_STARTED | Events.EPOCH_COMPLETED, "epochs"),
        (STEPS, Events.ITERATION_STARTED, None),
        (STEPS, OptimizerEvents.STEP_STARTED, None),
        (EPOCHS, Events.EPOCH_STARTED, None),
        (EPOCHS, Events.ITERATION_STARTED(every=10), None),  # which may be epochs
        (EPOCHS, Events.COMPLETED, None),
    ],
)
def test_texts_need_the_unit_of_the_event(run, event, counts):
    scheduler, trainer = decay(run), make_trainer()
    if counts is None:
        scheduler.attach(trainer, event)
        return
    with pytest.raises(
        ValueError, match=f"run must have counts='{counts}' where the scheduler is attached to "
    ) as error:
        scheduler.attach(trainer, event)
    assert len(str(error.value)) <= 500
    assert not trainer.has_event_handler(scheduler)


@pytest.mark.parametrize("runs", [(STEPS, TOKENS), (TOKENS, STEPS)])
@pytest.mark.parametrize("clock", [None, TokenClock(lambda engine: 1)])
def test_the_texts_of_all_combined_schedulers_need_that_unit(runs, clock):
    optimizer = make_optimizer()
    both = ConcatScheduler([decay(run, optimizer) for run in runs], durations=[50])
    with pytest.raises(ValueError, match="run must have counts="):
        both.attach(make_trainer(), clock=clock)


def ramp(run, optimizer):
    sizes = "0 samples: 8, 20: 16" if run is STEPS else "0 tokens: 8, 20: 16"
    return BatchRamp(optimizer, DataLoader(range(100), batch_size=8), sizes, run=run)


@for_each("make", [decay, ramp])
@for_each(
    ("run", "call", "message"),
    [
        (TOKENS, lambda scheduler, optimizer: scheduler.apply(), "run must have counts='steps' where"),
        (TOKENS, lambda scheduler, optimizer: scheduler(None), "run must have counts='steps' where"),
        (TOKENS, lambda scheduler, optimizer: dry_run(scheduler, 1, 10), "run must have counts='steps' where"),
        (STEPS, lambda scheduler, optimizer: scheduler.apply(amount=8), "run must count what the amounts"),
        (STEPS, lambda scheduler, optimizer: dry_run(scheduler, 1, 10, amounts=8), "run must count what"),
    ],
)
def test_texts_need_the_unit_of_a_plain_loop(make, run, call, message):
    optimizer = make_optimizer()
    scheduler, before = make(run, optimizer), optimizer.param_groups[0]["lr"]
    with pytest.raises(ValueError, match=message) as error:
        call(scheduler, optimizer)
    assert len(str(error.value)) <= 500
    assert (optimizer.param_groups[0]["lr"], scheduler.event_index) == (before, 0)


@pytest.mark.parametrize("kind", ["pure", "with a function"])
def test_the_members_of_a_scheduler_with_a_clock_count_with_it(kind):
    optimizer, trainer = make_optimizer(), make_trainer()
    rate = decay(TOKENS, optimizer)
    other = ParamScheduler(optimizer, "momentum", schedule=lambda index: 0.9) if kind != "pure" else rate
    both = ParamGroupScheduler([rate, other])
    both.attach(trainer, clock=TokenClock(lambda engine: 100))
    trainer.run([0] * 4)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.4)


def test_steps_of_an_optimizer_count_no_tokens():
    optimizer = make_optimizer()
    decay(TOKENS, optimizer).apply_at_steps()
    with pytest.raises(ValueError, match="run must have counts='steps' where the scheduler counts events"):
        optimizer.step()
    optimizer = make_optimizer()
    with pytest.raises(ValueError, match="run must have counts='steps' where the scheduler counts events"):
        as_torch_scheduler(decay(TOKENS, optimizer))


def test_a_plain_loop_with_the_unit_of_its_texts():
    by_tokens, by_steps = decay(TOKENS), decay(STEPS)
    for _ in range(3):
        by_tokens.apply(amount=100)
        by_steps.apply()
    assert (by_tokens.event_index, by_steps.event_index) == (300, 3)
    ones = decay(TOKENS)
    ones.apply(amount=1)  # a batch of one token
    assert ones.event_index == 1
    again = decay(TOKENS)
    again.load_state_dict(by_tokens.state_dict())
    again.apply(amount=100)
    assert again.event_index == 400


ATTACHED = {
    "events": lambda: None,
    "tokens": lambda: TokenClock(lambda engine: 5),
    "samples": lambda: SampleClock(lambda engine: 5),
    "ms": TimeClock,
}


@for_each("now", ATTACHED)
@for_each("before", ATTACHED)
def test_a_run_that_resumes_with_another_clock_warns(before, now):
    def make(clock):
        trainer, scheduler = make_trainer(), LinearScheduler(make_optimizer(), "lr", 10**6)
        scheduler.attach(trainer, clock=ATTACHED[clock]())
        return trainer, scheduler

    trainer, scheduler = make(before)
    trainer.run([0] * 20, max_epochs=1)
    scheduler._event_index = max(scheduler.event_index, 1)  # 20 iterations may take less than a millisecond
    state = scheduler.state_dict()
    assert state.get("counts", "events") == before
    resumed, again = make(now)
    again.load_state_dict(state)
    resumed.load_state_dict(trainer.state_dict())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResumeWarning)
        resumed.run([0] * 20, max_epochs=2)
    texts = [str(one.message) for one in caught if "so far, and now counts" in str(one.message)]
    assert len(texts) == (before != now)
    assert all(f"has counted {before} so far, and now counts {now}" in text and len(text) <= 500 for text in texts)
    assert again.state_dict().get("counts", "events") == now
    again.seek(7)  # which says that the count is right
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResumeWarning)
        resumed.run([0] * 20, max_epochs=3)


def test_a_loop_that_passed_amounts_may_go_on_with_a_clock():
    scheduler, trainer = LinearScheduler(make_optimizer(), "lr", 1000), make_trainer()
    scheduler.apply(amount=50)
    state = scheduler.state_dict()
    assert state["counts"] == "amounts"
    again = LinearScheduler(make_optimizer(), "lr", 1000)
    again.load_state_dict(state)
    again.attach(trainer, clock=TokenClock(lambda engine: 5))
    trainer.load_state_dict({"iteration": 1, "epoch_length": 2, "max_epochs": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResumeWarning)
        trainer.run([0] * 2)
    assert again.state_dict()["counts"] == "tokens"


def test_the_saved_value_is_the_last_one_after_the_clock_is_taken_away():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = LinearScheduler(optimizer, "lr", 1000, start_value=1.0, end_value=0.0)
    handle = scheduler.attach(trainer, clock=TokenClock(lambda engine: engine.state.batch))
    trainer.run([100, 200, 50])
    handle.remove()
    scheduler.attach(trainer)
    assert scheduler.state_dict()["value"] == optimizer.param_groups[0]["lr"] == 0.7
    scheduler.seek(350)
    trainer.run([0] * 10, max_epochs=2, epoch_length=3)
    assert scheduler.state_dict()["value"] == optimizer.param_groups[0]["lr"] < 0.66


@pytest.mark.parametrize(
    ("policy", "is_refused"),
    [
        (CooldownPolicy("1000 tokens", run=RunLength(tokens_per_step=100)), True),
        (CooldownPolicy("2 epochs", run=RunLength(counts="epochs")), True),
        (CooldownPolicy("1000 samples", run=RunLength(counts="samples")), True),
        (CooldownPolicy("1000 tokens", run=RunLength(counts="tokens")), False),
        (CooldownPolicy("1000 events"), False),
        (CooldownPolicy(1000), False),
    ],
)
def test_a_cool_down_is_in_the_unit_of_the_trunk(policy, is_refused):
    trainer, trunk = make_trainer(), ConstantScheduler(make_optimizer(), "lr", 0.1)
    trunk.attach(trainer, clock=TokenClock(lambda engine: 100))
    trainer.run([0] * 20)
    branch = ConstantScheduler(make_optimizer(), "lr", 0.1)
    if is_refused:
        with pytest.raises(ValueError, match="run must count what the saved event index counts, which is tokens"):
            branch.load_state_dict(trunk.state_dict(), resume_policy=policy)
        assert branch.event_index == 0
        return
    branch.load_state_dict(trunk.state_dict(), resume_policy=policy)
    assert branch.state_dict()["cooldown"][:2] == [2000, 1000.0]


def test_a_state_with_another_unit_is_refused():
    scheduler = ConstantScheduler(make_optimizer(), "lr", 0.1)
    with pytest.raises(TypeError, match="counts.* must be a unit or None, given 3"):
        scheduler.load_state_dict({**scheduler.state_dict(), "counts": 3})


def test_a_run_takes_time():
    with pytest.raises(ValueError, match="total_time must be more than 0, given '0 s'"):
        RunLength(counts="milliseconds", total_time="0 s")
