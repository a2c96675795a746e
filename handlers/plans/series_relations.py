"""Describes how a series of values follows from a planned series, and compares values with an allowed error."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lehr.handlers.schedules.base import Array

FEWEST = 3  # a relation must explain at least this many points, and this many different values

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Relation:
    """A relation between a series and a planned series. All points that the plan has match the relation.

    Args:
        kind: ``"shift"``, ``"faster"``, ``"slower"``, ``"stretched"``, ``"factor"``, ``"jump"``, ``"again"`` or
            ``"constant"``.
        number: a number whose meaning depends on ``kind``. For ``"shift"``, ``"jump"`` and ``"again"``, it is the
            number of steps, which is positive if the value is planned for a later step. For ``"faster"``, ``"slower"``
            and ``"stretched"``, it says how many times faster, slower or longer the series is. For ``"factor"``, it is
            the factor, and for ``"constant"``, the value.
        since: the first event of a jump, of a second beginning, of a constant value or of a factor. It is 0 if the
            relation holds for all events.
        steps_off: the steps by which a faster or slower series is shifted.
        factor: the factor of the values of a faster or slower series.
        exact: the number of points at which a stretched series equals a planned value. The other points are between two
            planned values.
        reached: the number of points that the plan has.
        num_points: the number of all points.
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
    """Values at events, with the largest error of each value.

    Args:
        events: the indices of the planned values, in rising order. They are negative for events before the plan begins.
        values: the values.
        errors: the largest allowed difference of each value from its planned value.
    """

    events: Indices
    values: Array
    errors: Array

    def part(self, chosen: Any) -> "Points":
        """Return some of the points."""
        return Points(self.events[chosen], self.values[chosen], self.errors[chosen])


def planned_at(planned: Array, indices: Indices) -> tuple[Array, NDArray[np.bool_]]:
    """Return the planned value at each index, and whether the plan has the index. Missing values are NaN."""
    inside = (indices >= 0) & (indices < len(planned))
    return np.where(inside, planned[np.clip(indices, 0, len(planned) - 1)], np.nan), inside


def equal(points: Points, expected: Array) -> NDArray[np.bool_]:
    """Return for each point whether it has the expected value."""
    with np.errstate(invalid="ignore"):
        near = (np.abs(points.values - expected) <= points.errors) & np.isfinite(points.values)
    same: NDArray[np.bool_] = near | (points.values == expected) | (np.isnan(points.values) & np.isnan(expected))
    return same


def common_factor(points: Points, expected: Array) -> float | None:
    """Return the factor, other than 1, by which all values differ from the expected values, or None."""
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
    """Return the simplest number of an interval: a whole number, one over a whole number, or one with few digits.

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
