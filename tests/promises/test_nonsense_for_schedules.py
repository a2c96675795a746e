"""Nonsense for every argument of every schedule, curve and rule, and of what the engine gives: refused, or legal."""

import inspect
import math
import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from ignite.engine import Engine
from optimizers import make_optimizer, make_trainer, snapshot
from test_nonsense import anything, cosine

from lehr import engine as lehr_engine
from lehr import handlers
from lehr.handlers import schedules
from lehr.handlers.schedules import Anneal, Constant, Cosine, Linear, Plateau, Scaling, Turn

LINE = Anneal(1.0, 0.5, duration=10)
# How to make each with legal arguments.
LEGAL: dict[str, dict[str, Any]] = {
    "Anneal": {"start_value": 1.0, "end_value": 0.5, "duration": 10},
    "Approach": {"weights": LINE, "end_value": 0.1, "base_value": 1.0},
    "Assignment": {"schedule": LINE},
    "Bounded": {"schedule": LINE, "at_least": 0.6, "at_most": 0.9},
    "Concatenation": {"schedules": [LINE, LINE], "durations": [5]},
    "Constant": {"value": 0.5},
    "Cooldown": {"schedule": LINE, "begin": 5, "duration": 3, "end_value": 0.0},
    "Cosine": {},
    "CosineAnnealing": {"start_value": 1.0, "end_value": 0.5, "cycle_size": 10},
    "CumulativeProduct": {"function": math.cos},
    "Cyclic": {"base_value": 0.5, "max_value": 1.0, "step_size_up": 5},
    "Exponential": {"ratio": 0.5},
    "ExponentialDecay": {"initial_value": 1.0, "gamma": 0.9},
    "FunctionSchedule": {"function": math.cos},
    "Greedy": {"initial_value": 1.0},
    "Handover": {"schedule": LINE, "begin": 2, "duration": 3, "start_value": 0.1},
    "InverseTimeDecay": {"initial_value": 1.0, "decay_rate": 0.5},
    "KDecay": {"curve": Linear(), "k": 2.0},
    "Linear": {},
    "LinearCyclical": {"start_value": 1.0, "end_value": 0.5, "cycle_size": 10},
    "LinearInterpolation": {"milestones_values": [(0, 1.0), (5, 0.5)]},
    "Mapped": {"schedule": LINE, "function": math.cos},
    "MultiStepDecay": {"initial_value": 1.0, "gamma": 0.5, "milestones": [3, 5]},
    "Noise": {"schedule": LINE, "seed": 3, "std": 0.1},
    "OneCycle": {"max_value": 1.0, "total_steps": 10},
    "Phases": {"phases": [Constant(0.5), LINE]},
    "PiecewiseConstant": {"constants": [1.0, 0.5], "milestones": [3]},
    "Plateau": {"initial_value": 1.0},
    "Polynomial": {"power": 2.0},
    "Power": {"power": 2.0},
    "PowerDecay": {"initial_value": 1.0, "timescale": 5.0},
    "Product": {"schedules": [LINE, LINE]},
    "Recursion": {"initial_value": 1.0, "turns": [Turn(Scaling(LINE))]},
    "Reduced": {"schedule": LINE, "plateau": Plateau(patience=0)},
    "Restarts": {"start_value": 1.0, "end_value": 0.5, "periods": 5},
    "Reversed": {"curve": Cosine()},
    "Rex": {},
    "Scaling": {"factors": LINE},
    "Shift": {"schedule": LINE, "by": 2},
    "SideBySide": {"schedules": [LINE, LINE]},
    "StepDecay": {"initial_value": 1.0, "gamma": 0.5, "step_size": 3},
    "Stretch": {"schedule": LINE, "by": 2},
    "Tanh": {},
    "Turn": {"rule": Scaling(LINE)},
    "WarmupStableDecay": {"peak_value": 1.0, "num_warmup_events": 2, "num_stable_events": 3, "num_decay_events": 4},
    "Window": {"schedule": LINE, "begin": 2, "end": 8},
}
ABSTRACT = {"Schedule", "LiveSchedule", "StatefulSchedule", "Cyclical", "Curve"}
CASES = [(name, argument) for name in LEGAL for argument in inspect.signature(getattr(schedules, name)).parameters]
FUNCTIONS = {"function", "factor_fn", "scale_fn"}  # of users, and asked at the event


def test_every_one_is_here():
    assert set(LEGAL) | ABSTRACT == set(schedules.__all__)


@pytest.mark.parametrize(("name", "argument"), CASES)
@settings(max_examples=max(1, settings().max_examples // 20))
@given(value=anything)
def test_it_is_refused_when_made_or_is_legal(name, argument, value):
    try:
        made = getattr(schedules, name)(**{**LEGAL[name], argument: value})
    except (TypeError, ValueError) as error:
        named = {"inverse": "(inverse|base_value)", "function": "(function|schedule)"}.get(argument, argument)
        assert re.search(rf"\b{named}\b", str(error)), error
        assert "given" in str(error)
        return
    assert repr(made)
    assert made == made
    if not isinstance(made, schedules.Schedule):
        return
    optimizer = make_optimizer(made.groups or 1)
    scheduler = handlers.ParamScheduler(optimizer, "lr", schedule=made)
    try:
        for index in (0, 1, 4, 40):
            scheduler.seek(index)
            scheduler(None)
        if hasattr(made, "observe") and getattr(made, "flat", made) is not None:
            made.observe(1.0)
            scheduler(None)
    except (TypeError, ValueError) as error:  # a factor of 1e77 is legal for as long as it can be
        assert argument in FUNCTIONS or "inf" in str(error) or "nan" in str(error), error
    assert all(math.isfinite(group["lr"]) for group in optimizer.param_groups)


# What the engine gives, and what is no scheduler.
OTHERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Groups": (handlers.Groups, {"select": None, "added": "adopt"}),
    "DriftCheck": (handlers.DriftCheck, {"schedulers": [cosine(make_optimizer())]}),
    "HistoryColumn": (lehr_engine.HistoryColumn, {"max_events": 5}),
    "ParamHistory": (lehr_engine.ParamHistory, {"max_events": 5}),
    "preinitialize": (lehr_engine.preinitialize, {"optimizer": make_optimizer()}),
    "OptimizerEvents.attach": (
        lambda engine, optimizers: lehr_engine.OptimizerEvents.attach(engine, optimizers),
        {"engine": make_trainer(), "optimizers": make_optimizer()},
    ),
}


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name, (_, kwargs) in OTHERS.items() for argument in kwargs]
)
@given(value=anything)
def test_so_is_what_is_no_schedule(name, argument, value):
    make, kwargs = OTHERS[name]
    try:
        made = make(**{**kwargs, argument: value})
    except (TypeError, ValueError) as error:
        named = {"select": ("param_group_index", "added")}.get(argument, (argument,))
        assert any(name in str(error) for name in named)
        assert "given" in str(error)
        return
    legal = {
        "schedulers": list,
        "max_events": int | None,
        "added": str | None,
        "engine": Engine,
        "optimizer": torch.optim.Optimizer,
        "optimizers": torch.optim.Optimizer,
    }
    assert argument == "select" or isinstance(value, legal[argument])
    if name == "OptimizerEvents.attach":
        made.remove()


@given(value=anything)
def test_nonsense_as_an_event_index_leaves_a_scheduler_where_it_is(value):
    optimizer = make_optimizer(2)
    scheduler = cosine(optimizer)
    scheduler(None)
    before = snapshot(optimizer)
    for call in (
        scheduler.seek,
        lambda value: scheduler.simulate(1, start=value),
        lambda value: scheduler.schedule(value),
    ):
        try:
            call(value)
        except (TypeError, ValueError) as error:
            assert "given" in str(error)
        else:
            assert isinstance(value, int | float | list | tuple | torch.Tensor)
    try:
        scheduler.load_state_dict(scheduler.state_dict(), resume_policy=value)
    except (TypeError, ValueError) as error:
        assert "resume_policy" in str(error)
    else:
        assert value is None
    assert snapshot(optimizer) == before
