"""Nonsense for every argument of the schedulers of ``rigs.py``: refused when made, by name, or legal from then on."""

import inspect
import math
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizers import make_optimizer, make_trainer, snapshot
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader

from lehr import handlers
from lehr.handlers.schedulers.decay_scheduler import Options
from lehr.handlers.schedules import Anneal, Constant, Plateau

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.floats() | st.text(max_size=2) | st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.tuples(st.integers(), st.floats()),
    st.lists(st.tuples(st.integers(-5, 5), st.floats(0, 1)), max_size=3),
    st.sampled_from([len, abs, float, make_optimizer(), torch.nn.Linear(1, 1), torch.zeros(1), make_trainer()]),
)


def cosine(optimizer: Any) -> handlers.ParamScheduler:
    return handlers.CosineAnnealingScheduler(optimizer, "lr", 0.5, 0.1, 10)


DECAYS: dict[str, dict[str, Any]] = {
    "ConstantScheduler": {"value": 0.5},
    "PiecewiseConstantScheduler": {"constants": [0.5, 0.1], "milestones": [2]},
    "LinearScheduler": {"duration": 3},
    "PolynomialScheduler": {"duration": 3},
    "StepScheduler": {"step_size": 3},
    "MultiStepScheduler": {"milestones": [3]},
    "ExponentialScheduler": {"gamma": 0.5},
    "InverseSquareRootScheduler": {"timescale": 3},
    "InverseTimeDecayScheduler": {"decay_rate": 0.5},
    "CosineDecayScheduler": {"duration": 3},
    "CosineRestartScheduler": {"T_0": 3},
    "WarmupStableDecayScheduler": {"num_warmup_events": 2, "num_stable_events": 1, "num_decay_events": 1},
    "LambdaScheduler": {"factor_fn": math.exp},
    "MultiplicativeScheduler": {"factor_fn": math.cos},
}


# How to make each with legal arguments, on an optimizer of two groups.
LEGAL: dict[str, Any] = {
    "ReduceOnPlateauScheduler": lambda optimizer: {
        "optimizer": optimizer,
        "param_name": "lr",
        "metric_name": "loss",
    },
    "ReduceLROnPlateauScheduler": lambda optimizer: {"optimizer": optimizer, "metric_name": "loss", "min_lr": 0.0},
    "LRScheduler": lambda optimizer: {"lr_scheduler": StepLR(optimizer, 3)},
    "ParamGroupScheduler": lambda optimizer: {"schedulers": [cosine(optimizer)], "names": ["lr"]},
    "ConcatScheduler": lambda optimizer: {"schedulers": [cosine(optimizer), cosine(optimizer)], "durations": [2]},
    "create_lr_scheduler_with_warmup": lambda optimizer: {
        "lr_scheduler": cosine(optimizer),
        "warmup_start_value": 0.0,
        "warmup_duration": 3,
    },
    "StateParamScheduler": lambda optimizer: {"param_name": "rate", "schedule": math.sqrt},
    "LambdaStateScheduler": lambda optimizer: {"lambda_obj": math.sqrt, "param_name": "rate"},
    "PiecewiseLinearStateScheduler": lambda optimizer: {"milestones_values": [(0, 1.0)], "param_name": "rate"},
    "ExpStateScheduler": lambda optimizer: {"initial_value": 1.0, "gamma": 0.5, "param_name": "rate"},
    "StepStateScheduler": lambda optimizer: {
        "initial_value": 1.0,
        "gamma": 0.5,
        "step_size": 2,
        "param_name": "rate",
    },
    "MultiStepStateScheduler": lambda optimizer: {
        "initial_value": 1.0,
        "gamma": 0.5,
        "milestones": [2],
        "param_name": "rate",
    },
    "MetricScheduler": lambda optimizer: {
        "optimizer": optimizer,
        "param_name": "lr",
        "metric_name": "loss",
        "schedule": Plateau(initial_value=0.5),
    },
    "PhaseScheduler": lambda optimizer: {
        "optimizer": optimizer,
        "param_name": "lr",
        "phases": [Constant(0.5), Anneal(1.0, 0.0, duration=2)],
    },
    "ChainedScheduler": lambda optimizer: {"schedulers": [cosine(optimizer), cosine(optimizer)]},
    "configure_scheduler": lambda optimizer: {
        "optimizer": optimizer,
        "config": {"type": "StepScheduler", "step_size": 3},
    },
    **{
        name: lambda optimizer, kwargs=kwargs: {"optimizer": optimizer, "param_name": "lr", **kwargs}
        for name, kwargs in DECAYS.items()
    },
    "BatchSizeScheduler": lambda optimizer: {
        "dataloader": DataLoader(torch.zeros(4)),
        "scheduler_fn": lambda epoch: 1 + epoch,
    },
}


def arguments_of(name: str) -> list[str]:
    made = getattr(handlers, name)
    parameters = inspect.signature(made).parameters.values()
    named = [parameter.name for parameter in parameters if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    if name in DECAYS:
        named = [*named, *Options.__annotations__]
    return [*named, *(["min_lr", "factor", "cooldown"] if name == "ReduceLROnPlateauScheduler" else [])]


CASES = [(name, argument) for name in LEGAL for argument in arguments_of(name)]
# A user's function is asked at the event, and may be refused there.
ASKED_LATER = {"schedule", "lambda_obj", "scheduler_fn", "factor_fn"}


def test_every_scheduler_of_a_kind_of_its_own_is_here():
    pure = {"ParamScheduler", "BaseParamScheduler", "CyclicalScheduler", "Schedule", "PiecewiseLinear"}
    pure |= {"CosineAnnealingScheduler", "LinearCyclicalScheduler", "OneCycleScheduler", "CyclicScheduler"}
    no_schedulers = {
        "Groups",
        "DevicePlan",
        "DriftCheck",
        "ResumeWarning",
        "check_plan",
        "diff_plans",
        "dry_run",
        "plot_plan",
    }
    assert set(handlers.__all__) == pure | set(LEGAL) | no_schedulers


@pytest.mark.parametrize(("name", "argument"), CASES)
@settings(max_examples=max(1, settings().max_examples // 8))
@given(value=anything)
def test_nonsense_is_refused_when_made_or_is_legal(name, argument, value):
    optimizer, engine = make_optimizer(2), make_trainer()
    engine.state.metrics = {"loss": 1.0, **({value: 1.0} if argument == "metric_name" and value.__hash__ else {})}
    arguments = {**LEGAL[name](optimizer), argument: value}
    before = snapshot(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of use_legacy
        try:
            scheduler = getattr(handlers, name)(**arguments)
        except (TypeError, ValueError) as error:
            assert {"min_lr": "min_value"}.get(argument, argument) in str(error)
            assert "given" in str(error)
            assert snapshot(optimizer) == before
            return
    assert snapshot(optimizer) == before
    try:
        for _ in range(4):
            scheduler(engine)
    except (TypeError, ValueError) as error:
        overflown = "inf" in str(error)  # a factor of 1e77 is legal for as long as it can be
        assert overflown or argument in ASKED_LATER, error
    assert all(math.isfinite(group["lr"]) for group in optimizer.param_groups)
