"""A scheduler with durations as texts equals the scheduler with numbers, in values, config and state."""

import dataclasses
import inspect
import json
import pickle
import warnings

import numpy as np
import pytest
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from legal_arguments import SCHEDULERS, SCHEDULES, arguments_of
from optimizers import make_optimizer

from lehr import handlers
from lehr.handlers import (
    BatchSizeScheduler,
    ConcatScheduler,
    CosineDecayScheduler,
    CosineRestartScheduler,
    MultiStepScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    RunLength,
    StateParamScheduler,
    StepScheduler,
    WarmupStableDecayScheduler,
    configure_scheduler,
    create_lr_scheduler_with_warmup,
)
from lehr.handlers import schedules as all_schedules
from lehr.handlers.schedules import Anneal, Concatenation, Constant, LinearInterpolation, Product, Schedule
from lehr.handlers.schedules.awaiting_run_length import InUnits
from lehr.handlers.schedules.durations_to_events import durations_of

RUN = RunLength(max_epochs=4, epoch_length=50, tokens_per_step=1000, samples_per_step=8)  # 200 steps
# The arguments of all schedules and schedulers that are numbers of events.
DURATIONS = {name for one in all_schedules.__all__ for name in durations_of(getattr(all_schedules, one))}
DURATIONS |= {"T_0", "warmup_duration"}
# More arguments, so that each scheduler has a duration, and each duration is given once at least.
MORE = {
    "ConstantScheduler": {"begin": 20, "end": 60, "interval": 2},
    "ExponentialScheduler": {"decay_events": 30},
    "LambdaScheduler": {"begin": 20},
    "MultiplicativeScheduler": {"begin": 20},
    "PhaseScheduler": {"end": 100, "starts": [20]},
    "CyclicScheduler": {"step_size_down": 10},
    "CosineAnnealingScheduler": {"warmup_duration": 10},
    "LinearCyclicalScheduler": {"warmup_duration": 10, "monotonic": True},
}
# These schedulers count metrics, take other schedulers, or have no duration.
WITHOUT = {"ChainedScheduler", "LRScheduler", "ParamGroupScheduler", "ReduceLROnPlateauScheduler"}
WITHOUT |= {"ReduceOnPlateauScheduler", "LambdaStateScheduler", "ExpStateScheduler", "configure_scheduler"}
TAKE_A_SCHEDULE = {"ParamScheduler", "StateParamScheduler", "BatchSizeScheduler", "MetricScheduler"}


def as_text(value, unit):
    """Return durations as texts in a unit, for the run of 200 steps."""
    size = {"events": 1, "steps": 1, "%": 0.5, "epochs": 1 / 50, "tokens": 1000, "samples": 8}[unit]
    if isinstance(value, list | tuple):
        return [(as_text(one[0], unit), *one[1:]) if isinstance(one, tuple) else as_text(one, unit) for one in value]
    return f"{value * size:.6f} {unit}"


WITH_ITS_OWN_TEXTS = {"BatchRamp"}
CASES = [name for name in SCHEDULERS if name not in WITHOUT | TAKE_A_SCHEDULE | WITH_ITS_OWN_TEXTS]


@for_each("unit", ["events", "steps", "%", "epochs", "tokens", "samples"])
@for_each("name", CASES)
def test_each_scheduler_takes_its_durations_in_any_unit(name, unit):
    optimizer = make_optimizer()
    make = getattr(handlers, name)
    numbers = {**SCHEDULERS[name](optimizer), **MORE.get(name, {})}
    textual = [key for key in numbers if key in DURATIONS]
    assert textual, "a duration to give as a text"
    texts = {**numbers, **{key: as_text(numbers[key], unit) for key in textual}}
    with_numbers, with_texts = make(**numbers), make(**texts, run=RUN)
    assert type(with_texts) is type(with_numbers)
    assert with_texts.run_length == RUN
    assert with_texts.schedule == with_numbers.schedule
    assert np.array_equal(with_texts.simulate(250), with_numbers.simulate(250))
    with pytest.raises(ValueError, match=r"must be a number of events if no run is given, given '.*; pass run="):
        make(**texts)
    with pytest.raises(TypeError, match="run must be a RunLength or None, given 200"):
        make(**texts, run=200)


def test_every_scheduler_with_a_duration_is_tested():
    # "begin" of ReduceOnPlateauScheduler counts metrics.
    for name in set(SCHEDULERS) - {"ReduceOnPlateauScheduler", "configure_scheduler"}:
        has = {one for one in arguments_of(name) if one in DURATIONS}
        assert bool(has) == (name in CASES), (name, has)
        assert ("run" in arguments_of(name)) == (name in CASES or name in TAKE_A_SCHEDULE | WITH_ITS_OWN_TEXTS)


# A config cannot contain a function. The configs of the other two contain schedulers; see the tests below.
NOT_AS_CONFIG = {"LambdaScheduler", "MultiplicativeScheduler", "create_lr_scheduler_with_warmup", "ConcatScheduler"}


@for_each("name", [name for name in CASES if name not in NOT_AS_CONFIG])
def test_config_and_state_of_a_scheduler_with_texts(name):
    optimizer = make_optimizer()
    numbers = {**SCHEDULERS[name](optimizer), **MORE.get(name, {})}
    texts = {**numbers, **{key: as_text(numbers[key], "%") for key in numbers if key in DURATIONS}}
    scheduler, twin = getattr(handlers, name)(**texts, run=RUN), getattr(handlers, name)(**numbers)
    config = json.loads(json.dumps(scheduler.config()))
    assert config["run"] == {
        "max_epochs": 4, "epoch_length": 50, "tokens_per_step": 1000, "samples_per_step": 8, "counts": "steps",
    }  # fmt: skip
    again = configure_scheduler(optimizer, config)
    assert again.schedule == scheduler.schedule
    assert configure_scheduler(optimizer, again.config()).schedule == scheduler.schedule
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.seek(3)
        twin.load_state_dict(scheduler.state_dict())
        scheduler.load_state_dict(twin.state_dict())
    assert twin.state_dict() == scheduler.state_dict()
    assert pickle.loads(pickle.dumps(scheduler)).run_length == RUN


def test_schedules_with_texts_take_the_run_of_their_scheduler():
    optimizer = make_optimizer()
    decay = Anneal(0.1, 0.0, "50%")
    assert ParamScheduler(optimizer, "lr", schedule=decay, run=RUN).schedule == Anneal(0.1, 0.0, 100)
    nested = Product([Constant(2.0), Concatenation([Anneal(0.0, 1.0, "5%"), decay], ["10 steps"])])
    expected = Product([Constant(2.0), Concatenation([Anneal(0.0, 1.0, 10), Anneal(0.1, 0.0, 100)], [10])])
    assert nested.in_run(RUN) == expected
    assert StateParamScheduler("p", schedule=nested, run=RUN).schedule == expected
    assert BatchSizeScheduler.simulate_values(
        "100%", scheduler_fn=LinearInterpolation([("0%", 8), ("100%", 64)]), run=RUN
    )[-1] == [199, 64]
    phases = PhaseScheduler(optimizer, "lr", [Constant(0.1), Anneal(1.0, 0.0, "20%")], run=RUN)
    assert phases.schedule.phases[1] == Anneal(1.0, 0.0, 40)
    assert phases.config()["phases"][1] == {"type": "Anneal", "start_value": 1.0, "end_value": 0.0, "duration": "20%"}
    assert configure_scheduler(optimizer, phases.config()).schedule == phases.schedule
    relative = ParamScheduler(optimizer, "lr", schedule=decay, relative=True, run=RUN)
    assert relative.simulate(1).tolist() == [[0.05]]


@for_each("name", [name for name in SCHEDULES if durations_of(getattr(all_schedules, name))])
def test_each_schedule_waits_for_its_run(name):
    cls, numbers = getattr(all_schedules, name), SCHEDULES[name]
    textual = [key for key in numbers if key in durations_of(cls)]
    texts = {**numbers, **{key: as_text(numbers[key], "tokens") for key in textual}}
    if "by" in textual or not textual:
        return
    schedule = cls(**texts)
    assert isinstance(schedule, InUnits)
    assert schedule.in_run(RUN) == cls(**numbers)
    assert repr(schedule).startswith(f"{name}(")
    for read in (lambda: schedule(0), lambda: schedule.is_pure, lambda: schedule.in_run(None)):
        with pytest.raises(ValueError, match="must be a number of events if no run is given"):
            read()
    assert pickle.loads(pickle.dumps(schedule)).in_run(RUN) == cls(**numbers)


def test_a_users_subclass_takes_texts_for_the_durations_that_it_declares():
    @dataclasses.dataclass(frozen=True)
    class Later(Schedule):
        schedule: Schedule
        label: str = "10%"

        def values(self, indices):
            return self.schedule.values(indices)

    assert isinstance(Later(Constant(1.0)), Later)
    assert Later(Constant(1.0), "3 epochs").label == "3 epochs"
    assert Later(Anneal(1.0, 0.0, "10%")).in_run(RUN).schedule == Anneal(1.0, 0.0, 20)


def test_signatures_are_as_before():
    assert [*inspect.signature(Anneal).parameters][:3] == ["start_value", "end_value", "duration"]
    assert inspect.signature(WarmupStableDecayScheduler).parameters["num_warmup_events"].annotation == int | str


ENDS = st.lists(st.integers(1, 97), min_size=2, max_size=2).filter(lambda two: sum(two) < 100)


@given(total=st.integers(100, 10**9), parts=ENDS)
def test_a_plan_of_percentages_ends_exactly_with_the_run(total, parts):
    optimizer, run = make_optimizer(), RunLength(total_steps=total)
    texts = [f"{one}%" for one in (*parts, 100 - sum(parts))]
    schedule = WarmupStableDecayScheduler(optimizer, "lr", *texts, peak_value=0.1, run=run).schedule
    assert schedule.length == total
    assert schedule(total) == 0.0
    assert schedule(total - 1) > 0.0
    joined = ConcatScheduler([PiecewiseLinear(optimizer, "lr", [(0, 0.1)])] * 4, texts, run=run)
    assert sum(joined.durations) == total
    restarts = CosineRestartScheduler(optimizer, "lr", periods=texts, run=run)
    assert restarts.schedule.length == total


@given(total=st.integers(200, 10**7), begin=st.integers(1, 99))
def test_a_decay_that_begins_later_ends_exactly_with_the_run(total, begin):
    optimizer, run = make_optimizer(), RunLength(total_steps=total)
    scheduler = CosineDecayScheduler(optimizer, "lr", f"{100 - begin}%", begin=f"{begin}%", run=run)
    window = scheduler.schedule
    assert window.begin + window.schedule.duration == total
    scheduler = MultiStepScheduler(optimizer, "lr", [0, f"{100 - begin}%"], begin=f"{begin}%", run=run)
    assert scheduler.schedule.begin + scheduler.schedule.schedule.milestones[1] == total


def test_texts_together_with_durations_in_epochs():
    optimizer = make_optimizer()
    scheduler = StepScheduler(optimizer, "lr", "2 epochs", begin=1, epoch_length=100)
    assert scheduler.schedule.schedule.step_size == 200
    assert scheduler.schedule.begin == 100
    run = RunLength(total_steps=1000)
    assert StepScheduler(optimizer, "lr", "10%", end=3, epoch_length=100, run=run).schedule.schedule.step_size == 100
    with pytest.raises(ValueError, match="epoch_length must be equal to run.epoch_length=50, given 100"):
        StepScheduler(optimizer, "lr", "10%", epoch_length=100, run=RUN)


def test_simulations_take_a_text_for_their_length():
    rows = PiecewiseLinear.simulate_values(
        "10%", param_name="lr", milestones_values=[("0%", 0.0), ("100%", 2.0)], run=RUN
    )
    assert rows[-1] == [19, 0.19]
    with pytest.raises(ValueError, match="num_events must be a number of events if no run is given, given '10%'"):
        PiecewiseLinear.simulate_values("10%", param_name="lr", milestones_values=[(0, 0.0)])


def test_a_warmup_in_front_of_a_scheduler():
    optimizer = make_optimizer()
    main = CosineDecayScheduler(optimizer, "lr", "90%", run=RUN)
    made = create_lr_scheduler_with_warmup(main, 0.0, "10%", run=RUN)
    assert made.durations == (19,)
    assert np.array_equal(made.simulate(200), create_lr_scheduler_with_warmup(main, 0.0, 20).simulate(200))
    concat = ConcatScheduler([main, main], ["30%"], run=RUN)
    assert concat.durations == (60,)
    assert configure_scheduler(optimizer, concat.config()).schedule == concat.schedule


def test_errors_name_argument_and_remedy():
    optimizer = make_optimizer()
    with pytest.raises(
        ValueError, match="num_warmup_events must convert to steps, given '2B tokens': give the run tokens"
    ):
        WarmupStableDecayScheduler(optimizer, "lr", "2B tokens", 3, 4, run=RunLength(total_steps=10))
    with pytest.raises(ValueError, match=r"milestones_values\[1\] must .*unit.*given '2 parsecs'"):
        PiecewiseLinear(optimizer, "lr", [(0, 0.0), ("2 parsecs", 0.1)], run=RUN)
    with pytest.raises(ValueError, match="num_warmup_events must be 0 or at least 1 after rounding .*given '0.1%'"):
        WarmupStableDecayScheduler(optimizer, "lr", "0.1%", "79.9%", "20%", run=RUN)
    with pytest.raises(TypeError, match="num_warmup_events must be a number, given 'ten'"):
        WarmupStableDecayScheduler(optimizer, "lr", "ten", 3, 4, run=RUN)
    with pytest.raises(TypeError, match="unexpected keyword argument 'durations'"):
        Anneal(1.0, 0.0, durations="10%")
