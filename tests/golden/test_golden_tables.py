"""Tables of values recorded from the real libraries, against the configs that they are of."""

import math

import numpy as np
import pytest
from cases import for_each
from golden_cases import PEERS, cases_of, expected_of, run

MORE = ("mmengine", "timm", "transformers")  # lists, plateaus, scales of groups and arguments at the edge
CASES = [(peer, case) for peer in PEERS for case in cases_of(peer)]
CASES += [(peer, case) for peer in MORE for case in cases_of(peer, prefix="more_")]


def held_from(steps):
    """One-cycle schedules hold the value of their last step, where the library goes on to extrapolate."""

    def deviation(values, case):
        values[steps(case) :] = values[steps(case) - 1]

    return deviation


def total_steps(case):
    kwargs = case["kwargs"]
    length = case["steps_per_epoch"] if kwargs.get("convert_to_iter_based") else 1
    steps = kwargs.get("total_steps") or kwargs.get("epochs", 0) * kwargs.get("steps_per_epoch", 0)
    return kwargs.get("begin", 0) * length + (steps * length or kwargs["end"] - kwargs.get("begin", 0))


def released_at_once(values, case):
    """A start factor for 0 steps is never in force."""
    values[:] = case["initial"]


def restarted(values, case):
    """Every period is like the first one."""
    period = case["kwargs"]["T_0"]
    values[:] = np.resize(values[:period], values.shape)


def cycled(values, case):
    """The whole curve, stretched to as many times its length as are needed."""
    kwargs = case["kwargs"]
    first, end, total = kwargs["initial_learning_rate"], kwargs["end_learning_rate"], kwargs["total_iters"]
    for event in range(len(values)):
        stretched = total * max(math.ceil(event / total), 1)
        values[event] = end + (first - end) * (1 - event / stretched) ** kwargs.get("power", 1.0)


def multiplied_once(values, case):
    """The product of the lambdas times the initial value, not times a power of it."""
    values /= case["kwargs"]["initial_learning_rate"]


def finite_at_first(values, case):
    """The value of step 1 where the library divides by zero."""
    values[0] = values[1]


def by_its_formula(values, case):
    """At step 0 timm has what its constructor has left; ours is the formula."""
    kwargs = case["kwargs"]
    if case["class"] == "TanhLRScheduler":
        low, lower = kwargs.get("lr_min", 0.0), kwargs.get("lb", -7.0)
        values[0] = [low + (initial - low) * (1 - math.tanh(lower)) / 2 for initial in case["initial"]]
    else:
        values[0] = [initial * kwargs["decay_rate"] for initial in case["initial"]]


# Where the library contradicts its own documentation we follow that. The docstring of configure_scheduler lists these.
DEVIATIONS = {
    **dict.fromkeys([case["id"] for _, case in CASES if "OneCycle" in case["class"]], held_from(total_steps)),
    "torch-A-020": released_at_once,
    "cerebras-A-007": cycled,
    "cerebras-A-012": cycled,
    "cerebras-A-025": finite_at_first,
    "cerebras-A-047": multiplied_once,
    "cerebras-A-049": restarted,
    "cerebras-A-050": restarted,
    "cerebras-A-052": restarted,
    "cerebras-A-072": multiplied_once,
    "timm-A-007": by_its_formula,
    "timm-A-009": by_its_formula,
    "timm-A-022": by_its_formula,
    "timm-A-031": by_its_formula,
}
# What the library refuses, or fails at, and what is said here; None where it means something all the same.
REFUSED = {
    "mmengine-A-042": "can schedule only 'lr'",
    "mmagic-A-007": "interval.* must be at most the 6 steps",
    "cerebras-A-051": None,
}


@for_each(("peer", "case"), CASES, [case["id"] for _, case in CASES])
def test_values_are_those_of_the_library(peer, case):
    expected = expected_of(case)
    if REFUSED.get(case["id"]):
        with pytest.raises((TypeError, ValueError), match=REFUSED[case["id"]]):
            run(case, len(expected))
        return
    if case["id"] in REFUSED:
        assert run(case, 12).shape == (12, len(case["initial"]))
        return
    values = run(case, len(expected))
    if case["id"] in DEVIATIONS:
        before = expected.copy()
        DEVIATIONS[case["id"]](expected, case)
        assert not np.array_equal(before, expected) or "OneCycle" in case["class"]
    if peer == "cerebras":  # computes in float32
        np.testing.assert_allclose(values, expected, rtol=3e-6, atol=1e-8)
    else:
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-15)


def test_all_tables_are_here():
    assert {peer: len(cases_of(peer)) for peer in PEERS} == {
        "torch": 82,
        "mmengine": 70,
        "mmagic": 15,
        "cerebras": 79,
        "timm": 32,
        "transformers": 46,
    }
    assert {peer: len(cases_of(peer, prefix="more_")) for peer in MORE} == {
        "mmengine": 48,
        "timm": 44,
        "transformers": 43,
    }
