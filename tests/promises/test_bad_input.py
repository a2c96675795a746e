"""Bad input: what is given, what is said, and that nothing was written or made."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from cases import for_each
from optimizers import make_optimizer, make_trainer, snapshot

from lehr.handlers import (
    BaseParamScheduler,
    ConcatScheduler,
    CosineAnnealingScheduler,
    CyclicalScheduler,
    CyclicScheduler,
    LinearCyclicalScheduler,
    OneCycleScheduler,
    ParamScheduler,
    PiecewiseLinear,
)

COSINE = {"start_value": 0.1, "end_value": 0.01, "cycle_size": 10}
CYCLIC = {"base_value": 0.01, "max_value": 0.1, "step_size_up": 10}
ONE_CYCLE = {"max_value": 0.1, "total_steps": 10}
POINTS = {"milestones_values": [(0, 0.1), (5, 0.2)]}
LEGAL: dict[type[ParamScheduler], dict[str, Any]] = {
    CosineAnnealingScheduler: COSINE,
    LinearCyclicalScheduler: COSINE,
    OneCycleScheduler: ONE_CYCLE,
    CyclicScheduler: CYCLIC,
    PiecewiseLinear: POINTS,
    ParamScheduler: {"schedule": math.sqrt},
}
NUMBERS: dict[type[ParamScheduler], list[str]] = {
    CosineAnnealingScheduler: [
        *COSINE,
        "cycle_mult",
        "start_value_mult",
        "end_value_mult",
        "warmup_duration",
    ],
    OneCycleScheduler: [*ONE_CYCLE, "pct_start", "div_factor", "final_div_factor"],
    CyclicScheduler: [*CYCLIC, "gamma"],
}
NUMBERS[LinearCyclicalScheduler] = NUMBERS[CosineAnnealingScheduler]

# Where a number belongs. None is the default of two arguments, and has a meaning there.
NO_NUMBERS = {
    "NaN": (math.nan, ValueError),
    "infinite": (math.inf, ValueError),
    "minus infinite": (-math.inf, ValueError),
    "beyond float": (10**400, ValueError),
    "complex": (1 + 2j, TypeError),
    "string": ("0.1", TypeError),
    "bool": (True, TypeError),
    "NumPy bool": (np.True_, TypeError),
    "None": (None, TypeError),
    "tensor": (torch.tensor(0.1), TypeError),
    "dict": ({"lr": 0.1}, TypeError),
}


def refused(cls: type[ParamScheduler], error: type[Exception], match: str, **kwargs: Any) -> None:
    """Check that these arguments are refused with such an error, and leave the optimizer alone."""
    optimizer = kwargs.pop("optimizer", None) or make_optimizer(2)
    before = snapshot(optimizer) if isinstance(optimizer, torch.optim.Optimizer) else repr(optimizer)
    with pytest.raises(error, match=match) as raised:
        cls(**{"optimizer": optimizer, "param_name": "lr", **kwargs})
    assert "given" in str(raised.value)
    assert before == (snapshot(optimizer) if isinstance(optimizer, torch.optim.Optimizer) else repr(optimizer))


@pytest.mark.parametrize("kind", NO_NUMBERS)
@for_each(("cls", "name"), [(cls, name) for cls, names in NUMBERS.items() for name in names])
def test_no_number_where_a_number_belongs(cls, name, kind):
    value, error = NO_NUMBERS[kind]
    kwargs = {**LEGAL[cls], name: value}
    match = f"^{name} must be"
    if name == "total_steps" and value is None:
        refused(cls, ValueError, "either total_steps or both epochs and steps_per_epoch", **kwargs)
    else:
        refused(cls, error, match, **kwargs)
    with pytest.raises((TypeError, ValueError), match=name):
        cls.simulate_values(3, **{**kwargs, "param_name": "lr"})


OPTIMIZERS = [
    "sgd",
    0.1,
    torch.nn.Linear(1, 1),
    SimpleNamespace(param_groups=None),
    SimpleNamespace(param_groups=[1, 2]),
    [{"lr": 0.1}],
    ...,
]


@for_each("cls", LEGAL)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_not_an_optimizer(cls, optimizer):
    refused(cls, TypeError, "^optimizer must be", optimizer=optimizer, **LEGAL[cls])


@for_each("cls", LEGAL)
@pytest.mark.parametrize(
    ("name", "value", "error", "match"),
    [
        ("param_name", "learning_rate", ValueError, "param_name must be one of 'dampening', 'lr', .*'learning_rate'"),
        ("param_name", None, TypeError, "param_name must be a string, given None"),
        ("param_name", 3, TypeError, "param_name must be a string, given 3"),
        ("param_group_index", 2, ValueError, "param_group_index must be .* 2 groups, given 2"),
        ("param_group_index", -3, ValueError, "param_group_index must be .* given -3"),
        ("param_group_index", 1.0, TypeError, "param_group_index must be an index, a name, .* given 1.0"),
        ("param_group_index", True, TypeError, "param_group_index must be an index, a name, .* given True"),
        ("param_group_index", "0", ValueError, r"must be the name of a group, one of \(there are none\), given '0'"),
        (
            "param_group_index",
            lambda group: False,
            ValueError,
            "param_group_index must select at least one of .* 2 groups",
        ),
        ("param_group_index", len, TypeError, "param_group_index must return True or False, given .*len"),
        ("save_history", 1, TypeError, "save_history must be True or False, given 1"),
        ("save_history", "lr", TypeError, "save_history must be True or False, given 'lr'"),
    ],
)
def test_common_arguments(cls, name, value, error, match):
    refused(cls, error, match, **{**LEGAL[cls], name: value})


def test_no_optimizer_at_all():
    with pytest.raises(TypeError, match="optimizer must be .* given None"):
        PiecewiseLinear(None, "lr", **POINTS)


def test_an_optimizer_without_groups():
    refused(PiecewiseLinear, ValueError, "the optimizer has none", optimizer=SimpleNamespace(param_groups=[]), **POINTS)


@for_each(
    ("cls", "kwargs", "error", "match"),
    [
        (CosineAnnealingScheduler, {**COSINE, "cycle_size": 1}, ValueError, "cycle_size must be .*2, given 1"),
        (CosineAnnealingScheduler, {**COSINE, "cycle_size": 2.5}, ValueError, "cycle_size must be a whole .*given 2.5"),
        (
            CosineAnnealingScheduler,
            {**COSINE, "cycle_size": 2**54},
            ValueError,
            "cycle_size must be at most 9007199254",
        ),
        (CosineAnnealingScheduler, {**COSINE, "cycle_size": -4}, ValueError, "cycle_size must be .*given -4"),
        (
            CosineAnnealingScheduler,
            {**COSINE, "cycle_mult": 0.5},
            ValueError,
            "cycle_mult must be at .*given 0.5.*10 e",
        ),
        (LinearCyclicalScheduler, {**COSINE, "cycle_mult": 0.0}, ValueError, "cycle_mult must be at least 1, given 0"),
        (LinearCyclicalScheduler, {**COSINE, "cycle_mult": -2}, ValueError, "cycle_mult must be at least 1, given -2"),
        (LinearCyclicalScheduler, {**COSINE, "warmup_duration": 3}, ValueError, "warmup_duration must be 0 .*given 3"),
        (LinearCyclicalScheduler, {**COSINE, "warmup_duration": -1}, ValueError, "warmup_duration must be .*given -1"),
        (CosineAnnealingScheduler, {**COSINE, "warmup_duration": 1.5}, ValueError, "warmup_duration .*given 1.5"),
        (LinearCyclicalScheduler, {**COSINE, "monotonic": 1}, TypeError, "monotonic must be True or False, given 1"),
        (OneCycleScheduler, {"max_value": 0.1}, ValueError, "either total_steps or both .*given total_steps=None"),
        (OneCycleScheduler, {"max_value": 0.1, "epochs": 3}, ValueError, "either .*epochs=3, steps_per_epoch=None"),
        (OneCycleScheduler, {"max_value": 0.1, "steps_per_epoch": 3}, ValueError, "either .*steps_per_epoch=3"),
        (
            OneCycleScheduler,
            {**ONE_CYCLE, "epochs": 2, "steps_per_epoch": 5},
            ValueError,
            "either .*given total_steps=10, epochs=2",
        ),
        (OneCycleScheduler, {**ONE_CYCLE, "steps_per_epoch": 5}, ValueError, "either .*steps_per_epoch=5"),
        (OneCycleScheduler, {**ONE_CYCLE, "total_steps": 0}, ValueError, "total_steps must be .*given 0"),
        (OneCycleScheduler, {**ONE_CYCLE, "total_steps": 9.5}, ValueError, "total_steps must be .*given 9.5"),
        (
            OneCycleScheduler,
            {"max_value": 0.1, "epochs": 0, "steps_per_epoch": 5},
            ValueError,
            "epochs must be .*given 0",
        ),
        (
            OneCycleScheduler,
            {"max_value": 0.1, "epochs": 2, "steps_per_epoch": "5"},
            TypeError,
            "steps_per_epoch must be a number, given '5'",
        ),
        (OneCycleScheduler, {**ONE_CYCLE, "pct_start": 1.01}, ValueError, "pct_start must be .*at most 1, given 1.01"),
        (OneCycleScheduler, {**ONE_CYCLE, "pct_start": -0.1}, ValueError, "pct_start must be at least 0.*given -0.1"),
        (OneCycleScheduler, {**ONE_CYCLE, "div_factor": 0}, ValueError, "div_factor must be more than 0, given 0"),
        (OneCycleScheduler, {**ONE_CYCLE, "final_div_factor": -1}, ValueError, "final_div_factor must be .*given -1"),
        (OneCycleScheduler, {**ONE_CYCLE, "anneal_strategy": "cosine"}, ValueError, "anneal_strategy .*given 'cosine'"),
        (
            OneCycleScheduler,
            {**ONE_CYCLE, "anneal_strategy": 3},
            TypeError,
            "anneal_strategy must be a string, given 3",
        ),
        (OneCycleScheduler, {**ONE_CYCLE, "three_phase": 1}, TypeError, "three_phase must be True or False, given 1"),
        (OneCycleScheduler, {**ONE_CYCLE, "base_value": 0.1}, ValueError, "base_value must be left out .*given 0.1"),
        (
            OneCycleScheduler,
            {**ONE_CYCLE, "inverse": True},
            TypeError,
            "base_value must be a number if inverse is True, given None",
        ),
        (OneCycleScheduler, {**ONE_CYCLE, "max_value": []}, ValueError, r"max_value must have one .*given \[\]"),
        (OneCycleScheduler, {**ONE_CYCLE, "max_value": [0.1, "b"]}, TypeError, r"max_value\[1\] must be .*given 'b'"),
        (
            OneCycleScheduler,
            {**ONE_CYCLE, "max_value": [0.1] * 3},
            ValueError,
            "values for 2 param groups, given 3 in OneCycle",
        ),
        (OneCycleScheduler, {**ONE_CYCLE, "max_value": {0.1, 0.2}}, TypeError, "max_value must be a number, given {"),
        (
            OneCycleScheduler,
            {**ONE_CYCLE, "max_value": [0.1, 0.2], "base_value": [0.1] * 3, "inverse": True},
            ValueError,
            "max_value and base_value must .*given max_value with 2 and base_value with 3",
        ),
        (CyclicScheduler, {**CYCLIC, "step_size_up": 0}, ValueError, "step_size_up must be more than 0, given 0"),
        (
            CyclicScheduler,
            {**CYCLIC, "step_size_up": 0.9},
            ValueError,
            "step_size_up must be at least 1 event, given 0.9",
        ),
        (
            CyclicScheduler,
            {**CYCLIC, "step_size_down": 0.5},
            ValueError,
            "step_size_down must be at least 1 .*given 0.5",
        ),
        (CyclicScheduler, {**CYCLIC, "step_size_down": -1}, ValueError, "step_size_down must be .*given -1"),
        (CyclicScheduler, {**CYCLIC, "step_size_down": "x"}, TypeError, "step_size_down must be .*given 'x'"),
        (CyclicScheduler, {**CYCLIC, "mode": "triangle"}, ValueError, "mode must be one of .*given 'triangle'"),
        (CyclicScheduler, {**CYCLIC, "scale_mode": "steps"}, ValueError, "scale_mode must be one of .*given 'steps'"),
        (CyclicScheduler, {**CYCLIC, "gamma": 0}, ValueError, "gamma must be more than 0, given 0"),
        (CyclicScheduler, {**CYCLIC, "scale_fn": 0.5}, TypeError, "scale_fn must be a function or None, given 0.5"),
        (CyclicScheduler, {**CYCLIC, "inverse": None}, TypeError, "inverse must be True or False, given None"),
        (
            CyclicScheduler,
            {**CYCLIC, "base_value": [0.1, 0.1], "max_value": [1, 2, 3]},
            ValueError,
            "base_value and max_value must .*given base_value with 2 and max_value with 3",
        ),
        (PiecewiseLinear, {"milestones_values": None}, TypeError, "milestones_values must be a list .*given None"),
        (PiecewiseLinear, {"milestones_values": "abc"}, TypeError, "milestones_values must be a list .*given 'abc'"),
        (PiecewiseLinear, {"milestones_values": {1: 2}}, TypeError, "milestones_values must be a list"),
        (PiecewiseLinear, {"milestones_values": []}, ValueError, r"milestones_values must have at .*given \[\]"),
        (PiecewiseLinear, {"milestones_values": [(0, 1), 3]}, ValueError, r"milestones_values\[1\] must .*given 3"),
        (PiecewiseLinear, {"milestones_values": [(0, 1, 2)]}, ValueError, r"milestones_values\[0\] must .*\(0, 1, 2\)"),
        (PiecewiseLinear, {"milestones_values": [(0.5, 1)]}, TypeError, r"milestone of .*\[0\] must be .*given 0.5"),
        (PiecewiseLinear, {"milestones_values": [(True, 1)]}, TypeError, r"milestone of .*\[0\] must be .*given True"),
        (PiecewiseLinear, {"milestones_values": [(5, 1), (3, 2)]}, ValueError, r"\[1\] must be later .* 5, given 3"),
        (PiecewiseLinear, {"milestones_values": [(5, 1), (5, 2)]}, ValueError, r"\[1\] must be later .* 5, given 5"),
        (
            PiecewiseLinear,
            {"milestones_values": [(5, math.nan)]},
            ValueError,
            r"value of .*\[0\] must be finite, given",
        ),
        (PiecewiseLinear, {"milestones_values": [(5, None)]}, TypeError, r"value of .*\[0\] must be a number, given"),
        (ParamScheduler, {}, TypeError, "schedule must be given unless .*given None"),
        (ParamScheduler, {"schedule": dict}, TypeError, "schedule must be a Schedule or a function .*given <class"),
        (
            PiecewiseLinear,
            {"milestones_values": [(2**60, 1)]},
            ValueError,
            "milestone of .* must be at most .*, given 11",
        ),
        (ParamScheduler, {"schedule": 0.1}, TypeError, "schedule must be a Schedule or a function .*given 0.1"),
    ],
)
def test_arguments_of_one_class(cls, kwargs, error, match):
    refused(cls, error, match, **kwargs)


def _cosine(optimizer, **kwargs):
    return CosineAnnealingScheduler(**{"optimizer": optimizer, "param_name": "lr", **COSINE, **kwargs})


@for_each(
    ("schedulers", "durations", "error", "match"),
    [
        (lambda o: _cosine(o), [3], TypeError, "schedulers must be a list or tuple, given"),
        (lambda o: [_cosine(o)], [], ValueError, "schedulers must be two or more, given"),
        (lambda o: [], [], ValueError, "schedulers must be two or more, given \\[\\]"),
        (
            lambda o: [_cosine(o)] * 2,
            [],
            ValueError,
            r"durations must have one item fewer .*given 2 schedules and durations \[\]",
        ),
        (lambda o: [_cosine(o)] * 2, [3, 4], ValueError, r"durations must .*given 2 schedules and durations \[3, 4\]"),
        (lambda o: [_cosine(o)] * 2, 3, TypeError, "durations must be a list or tuple, given 3"),
        (lambda o: [_cosine(o)] * 2, [2.5], ValueError, r"durations\[0\] must be a whole number .*given 2.5"),
        (lambda o: [_cosine(o)] * 2, [-1], ValueError, r"durations\[0\] must be .*given -1"),
        (lambda o: [_cosine(o)] * 2, ["3"], ValueError, r"durations\[0\] must be a whole number of events, given '3'"),
        (
            lambda o: [_cosine(o)] * 2,
            [True],
            ValueError,
            r"durations\[0\] must be a whole number of events, given True",
        ),
        (
            lambda o: [_cosine(o), 0.1],
            [3],
            TypeError,
            r"schedulers\[1\] must be a ParamScheduler or a ParamGroupScheduler, given 0.1",
        ),
        (
            lambda o: [_cosine(o), None],
            [3],
            TypeError,
            r"schedulers\[1\] must be a ParamScheduler or a ParamGroupScheduler, given None",
        ),
        (lambda o: [_cosine(o), _cosine(make_optimizer(2))], [3], ValueError, "the same optimizer, given different"),
        (
            lambda o: [_cosine(o), _cosine(o, param_name="momentum")],
            [3],
            ValueError,
            "same param_name, given .*: 'lr', 'momentum'",
        ),
        (
            lambda o: [_cosine(o), _cosine(o, param_group_index=1)],
            [3],
            ValueError,
            "same param_group_index, given .*: None, 1",
        ),
    ],
)
def test_concatenations(schedulers, durations, error, match):
    optimizer = make_optimizer(2)
    before = snapshot(optimizer)
    with pytest.raises(error, match=f"(?s){match}"):
        ConcatScheduler(schedulers(optimizer), durations)
    assert snapshot(optimizer) == before


@pytest.mark.parametrize(
    ("event_index", "error"),
    [
        (-1, ValueError),
        (2**60, ValueError),
        (1.5, ValueError),
        (math.nan, ValueError),
        ("3", TypeError),
        (None, TypeError),
        (True, TypeError),
    ],
)
def test_event_index(event_index, error):
    scheduler = _cosine(make_optimizer())
    scheduler.seek(4)
    for act in (
        lambda: scheduler.seek(event_index),
        lambda: setattr(scheduler, "event_index", event_index),
        lambda: scheduler.simulate(3, start=event_index),
        lambda: scheduler.simulate(event_index),
    ):
        with pytest.raises(error, match=r"must be .*given"):
            act()
        assert scheduler.event_index == 4
    if error is ValueError:
        with pytest.raises(ValueError, match="event_index must be a whole number from 0 to 9007199254740992, given"):
            scheduler.schedule(event_index)


def test_attaching():
    trainer, scheduler = make_trainer(), _cosine(make_optimizer(), save_history=True)
    with pytest.raises(TypeError, match="engine must be an ignite Engine, given 'trainer'"):
        scheduler.attach("trainer")
    with pytest.raises(TypeError, match="name must be a string or None, given 3"):
        scheduler.attach(trainer, name=3)
    with pytest.raises(ValueError, match="no_such_event"):
        scheduler.attach(trainer, "no_such_event")
    assert not trainer.has_event_handler(scheduler)
    assert not hasattr(trainer.state, "param_history")


@for_each(
    ("value", "error"),
    [(math.nan, ValueError), (math.inf, ValueError), ("0.1", TypeError), (None, TypeError), (1j, TypeError)],
)
@for_each("kind", ["function", "get_param"])
def test_a_users_function_may_only_give_numbers(value, error, kind):
    class Own(ParamScheduler):
        def get_param(self):
            return value if self.event_index == 2 else 0.1

    optimizer = make_optimizer(2)
    if kind == "get_param":
        scheduler = Own(optimizer, "lr")
    else:
        scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event: value if event == 2 else 0.1)
    scheduler(None)
    scheduler(None)
    before = snapshot(optimizer)
    with pytest.raises(error, match=rf"at event 2 must be .*given {value!r}"):
        scheduler(None)
    assert (snapshot(optimizer), scheduler.event_index) == (before, 2)


def test_a_users_list_must_fit_the_groups():
    optimizer = make_optimizer(2)
    scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event: [0.1, 0.2, 0.3])
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match="3 values of 'lr' cannot be written to 2 param groups"):
        scheduler(None)
    with pytest.raises(ValueError, match="gave 3 values at event 0, for 2 groups"):
        scheduler.simulate(2)
    assert (snapshot(optimizer), scheduler.event_index) == (before, 0)


def test_classes_that_are_no_schedulers():
    with pytest.raises(TypeError, match="abstract"):
        BaseParamScheduler("lr")
    with pytest.raises(TypeError, match="CyclicalScheduler must set schedule_type or override get_param"):
        CyclicalScheduler(make_optimizer(), "lr", **COSINE)

    class Empty(ParamScheduler):
        def get_param(self):
            return super().get_param()

    with pytest.raises(TypeError, match="Empty has no schedule"):
        Empty(make_optimizer(), "lr")(None)
