"""Drawn values for each argument of every schedule, curve and rule, and of ``lehr.engine``: refused, or legal."""

import inspect
import math
import re
import types
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Engine
from legal_arguments import OTHERS, SCHEDULES
from nonsense import anything, cosine
from optimizers import make_optimizer, snapshot

from lehr import handlers
from lehr.handlers import schedules

# Wrong values may be illegal for the optimizer, too, which is told at their events.
pytestmark = pytest.mark.filterwarnings("ignore:.* must be .*, but .* writes")
FUNCTIONS = {"function", "factor_fn", "scale_fn"}  # of users, and asked at the event


@pytest.mark.hypothesis
@for_each("name", SCHEDULES)
def test_each_argument_is_refused_by_name_or_is_legal(name):
    arguments = [*inspect.signature(getattr(schedules, name)).parameters] or [None]  # a curve may take none

    @settings(max_examples=(2 * settings().max_examples // 25 if settings().max_examples > 25 else 1) * len(arguments))
    @given(argument=st.sampled_from(arguments), value=anything)
    def check(argument, value):
        if argument is not None:
            refused_or_legal(name, argument, value)

    check()


def refused_or_legal(name, argument, value):
    try:
        made = getattr(schedules, name)(**{**SCHEDULES[name], argument: value})
    except (TypeError, ValueError) as error:
        named = {"inverse": "(inverse|base_value)", "function": "(function|schedule)"}.get(argument, argument)
        assert re.search(rf"\b{named}\b", str(error)), error
        assert "given" in str(error)
        assert len(str(error)) <= 500
        return
    assert repr(made)
    assert made == made
    if not isinstance(made, schedules.Schedule):
        return
    # Any object with param groups will do; torch takes a minute to make ten thousand.
    optimizer = types.SimpleNamespace(param_groups=[{"lr": 0.5} for _ in range(made.groups or 1)])
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


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name, (_, kwargs) in OTHERS.items() for argument in kwargs]
)
@given(value=anything)
def test_each_argument_of_other_public_classes_is_refused_by_name_or_is_legal(name, argument, value):
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
        "schedules": Mapping | list | tuple,
        "distance": int | float | None,
        "gradient_norms": int | float | list | tuple | np.ndarray | torch.Tensor | np.generic,
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
            assert isinstance(value, int | float | list | tuple | np.ndarray | torch.Tensor)
    try:
        scheduler.load_state_dict(scheduler.state_dict(), resume_policy=value)
    except (TypeError, ValueError) as error:
        assert "resume_policy" in str(error)
    else:
        assert value is None
    assert snapshot(optimizer) == before
