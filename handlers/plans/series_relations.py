"""How one series of values follows from another: later, faster, scaled, begun again."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lehr.handlers.schedules.base import Array

FEWEST = 3  # points and different values that a relation must explain

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Relation:
    """How a series follows from a planned one. Every point that the plan reaches matches.

    Args:
        kind: ``"shift"``, ``"faster"``, ``"slower"``, ``"stretched"``, ``"factor"``, ``"jump"``, ``"again"`` or
            ``"constant"``.
        number: the steps of a shift or a jump (more than 0: the value is planned for a later step), how many times
            faster or slower, how many times as long, or the factor of the values.
        since: the first event of a jump, a second beginning, a constant value or a factor; 0 for all.
        steps_off: the steps by which a faster or slower series is shifted.
        factor: the factor of the values of a faster or slower series.
        exact: at how many points a stretched series must equal a planned value; between two of them at the others.
        reached: how many points the plan reaches.
        num_points: how many points there are.
    """

    kind: str
    number: float
    since: int = 0
    steps_off: int = 0
    factor: float = 1.0
    exact: int = 0
    reached: int = 0
    num_points: int = 0


class Points(NamedTuple):
    """Values at events, and the largest error of each.

    Args:
        events: the indices of planned values, rising; negative before the plan.
        values: the values.
        errors: how far each may be from the planned value.
    """

    events: Indices
    values: Array
    errors: Array

    def part(self, chosen: Any) -> "Points":
        """Some of the points."""
        return Points(self.events[chosen], self.values[chosen], self.errors[chosen])


def planned_at(planned: Array, indices: Indices) -> tuple[Array, NDArray[np.bool_]]:
    """The planned values at some indices, and which of them the plan has; NaN for the others."""
    inside = (indices >= 0) & (indices < len(planned))
    return np.where(inside, planned[np.clip(indices, 0, len(planned) - 1)], np.nan), inside


def equal(points: Points, expected: Array) -> NDArray[np.bool_]:
    """Which points have the expected values."""
    with np.errstate(invalid="ignore"):
        near = (np.abs(points.values - expected) <= points.errors) & np.isfinite(points.values)
    same: NDArray[np.bool_] = near | (points.values == expected) | (np.isnan(points.values) & np.isnan(expected))
    return same


def common_factor(points: Points, expected: Array) -> float | None:
    """The number, other than 1, by which all expected values are multiplied; None if there is none."""
    used = (expected != 0) & np.isfinite(expected)
    rest = points.part(~used)
    if used.sum() < FEWEST or not equal(rest, expected[~used]).all() or not np.isfinite(points.values).all():
        return None
    with np.errstate(over="ignore"):
        ends = np.stack([points.values - points.errors, points.values + points.errors])[:, used] / expected[used]
    low, high = float(ends.min(axis=0).max()), float(ends.max(axis=0).min())
    if not np.isfinite([low, high]).all() or low > high or low <= 1 <= high or low <= 0 <= high:
        return None
    return simplest_between(low, high)


def simplest_between(low: float, high: float) -> float:
    """The simplest number of an interval: whole, one over a whole number, or with few digits.

    >>> simplest_between(3.9999, 4.0001), simplest_between(0.33333, 0.33334), simplest_between(0.74999, 0.75001)
    (4.0, 0.3333333333333333, 0.75)
    """
    middle = (low + high) / 2
    for number in (float(round(middle)), 1 / round(1 / middle) if abs(middle) < 1 else 0.0):
        if number and low <= number <= high:
            return number
    for digits in range(1, 17):
        number = float(f"{middle:.{digits}g}")
        if low <= number <= high:
            return number
    return middle
