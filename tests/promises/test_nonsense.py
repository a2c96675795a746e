"""Drawn values for each argument of every scheduler: refused at construction, by name, or legal from then on."""

import math
import warnings

import pytest
from cases import for_each
from hypothesis import given, settings
from hypothesis import strategies as st
from legal_arguments import SCHEDULERS, arguments_of
from nonsense import anything
from optimizers import make_optimizer, make_trainer, snapshot

from lehr import handlers

# A user's function is asked at the event, and may be refused there.
ASKED_LATER = {"schedule", "lambda_obj", "scheduler_fn", "factor_fn", "scale_fn"}


@pytest.mark.filterwarnings("ignore:.* must be .*, but .* writes")
@pytest.mark.hypothesis
@for_each("name", SCHEDULERS)
def test_each_argument_is_refused_by_name_or_is_legal(name):
    arguments = arguments_of(name)

    @settings(max_examples=(3 * settings().max_examples // 25 if settings().max_examples > 25 else 1) * len(arguments))
    @given(argument=st.sampled_from(arguments), value=anything)
    def check(argument, value):
        refused_or_legal(name, argument, value)

    check()


def refused_or_legal(name, argument, value):
    optimizer, engine = make_optimizer(2), make_trainer()
    engine.state.metrics = {
        "loss": 1.0,
        **({value: 1.0} if argument == "metric_name" and isinstance(value, str) else {}),
    }
    arguments = {**SCHEDULERS[name](optimizer), argument: value}
    before = snapshot(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of use_legacy
        try:
            scheduler = getattr(handlers, name)(**arguments)
        except (TypeError, ValueError) as error:
            names = {"inverse": ["inverse", "base_value"]}.get(argument, [argument])
            assert any(name in str(error) for name in names)
            assert "given" in str(error) or (argument == "run" and "is not known" in str(error))
            assert len(str(error)) <= 500
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
