"""Checks the steps and losses that were measured in a run."""

from typing import Any

import numpy as np

from lehr.handlers.schedules.arguments import shown
from lehr.handlers.schedules.base import Array, Schedule

# If the last step is outside of these bounds, the steps and the schedule have different units.
FEWEST_OF_SCHEDULE, LONGEST_OF_SCHEDULE = 0.02, 100.0  # as multiples of the schedule's length
MOST_EVENTS = 20_000_000


def numbers(name: str, values: Any) -> Array:
    """Return ``values`` as an array of floats ``(n,)``.

    >>> numbers("steps", [1, 2])
    array([1., 2.])
    """
    try:
        numbers = np.atleast_1d(as_floats(values))
    except (TypeError, ValueError):
        advice = ": for a tensor, give loss.item()" if "tensor" in shown(values) else ""
        raise TypeError(f"{name} must be numbers, given {shown(values)}{advice}") from None
    if numbers.ndim != 1:
        raise ValueError(f"{name} must have the shape (n,), given {numbers.shape}")
    return numbers


def as_floats(values: Any) -> Array:
    """Return numbers as an array of floats.

    Raises:
        TypeError, ValueError: a value is a string, a boolean, a complex number, or a tensor that is part of a graph; or
            rows differ in length.
    """
    try:
        array = np.asarray(values)
    except RuntimeError as error:  # raised for a tensor that is part of a graph
        raise TypeError(str(error)) from None
    if array.size and array.dtype.kind in "bcSU":
        raise TypeError(f"values must not be texts, booleans or complex numbers, given {shown(values)}")
    return array.astype(np.float64)


def check_measured(steps: Array, losses: Array) -> None:
    """Check that steps are whole and rise, and that losses are finite and above 0."""
    if not len(losses):
        raise ValueError("losses must have at least one number, given none: a run needs a loss after its warm-up")
    if len(steps) != len(losses):
        raise ValueError(f"steps and losses must have the same length, given {len(steps)} and {len(losses)}")
    wrong = np.flatnonzero(~((steps >= 0) & (steps == np.floor(steps)) & (steps < 2**40)))
    if len(wrong):
        raise ValueError(
            f"steps must be whole event indices of at least 0, given {shown(float(steps[wrong[0]]))}: count steps in "
            "events, not in epochs"
        )
    falls = np.flatnonzero(np.diff(steps) <= 0)
    if len(falls):
        before, after = steps[falls[0] : falls[0] + 2]
        advice = "keep one loss for each step" if before == after else "sort the losses by their steps"
        raise ValueError(f"steps must rise, given {after:.0f} after {before:.0f}: {advice}")
    wrong = np.flatnonzero(~((losses > 0) & np.isfinite(losses)))
    if len(wrong):
        raise ValueError(
            f"losses must be finite and above 0, given {losses[wrong[0]]} at step {steps[wrong[0]]:.0f}: leave out "
            "steps without a loss, and runs that diverge"
        )


def check_units(last: int, schedule: object) -> None:
    """Check that steps count events, by comparing the last step with the length of the schedule."""
    if last >= MOST_EVENTS:
        raise ValueError(
            f"steps must be less than {MOST_EVENTS}, given {last}: count steps in events, not in tokens or samples"
        )
    length: float | None = None
    if isinstance(schedule, list | tuple) or (isinstance(schedule, np.ndarray) and schedule.ndim):
        length = len(schedule)
    elif isinstance(schedule, Schedule):
        length = schedule.length
    if length is None:
        return
    if last > LONGEST_OF_SCHEDULE * length:
        raise ValueError(
            f"steps must be within the schedule of {length:g} events, given the last step {last}: count steps in "
            "events, as the schedule does, not in tokens, samples or epochs"
        )
    if last + 1 < FEWEST_OF_SCHEDULE * length:
        raise ValueError(
            f"steps must reach the end of the schedule of {length:g} events, given the last step {last}: count steps "
            "in events, from 0, not in epochs; or give only the schedule up to the last step"
        )
