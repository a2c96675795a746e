"""The schedule :class:`LinearInterpolation`: straight lines through given points."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from . import arguments, fields
from .base import Array, Schedule
from .duration_annotations import Points


def _checked_points(name: str, given: Any) -> tuple[tuple[int, arguments.Number], ...]:
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise TypeError(f"{name} must be a list or tuple of (milestone, value) pairs, given {arguments.shown(given)}")
    if not given:
        raise ValueError(f"{name} must have at least one (milestone, value) pair, given {arguments.shown(given)}")
    points: list[tuple[int, arguments.Number]] = []
    for position, pair in enumerate(given):
        one = f"{name}[{position}]"
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"{one} must be a (milestone, value) pair, given {arguments.shown(pair)}")
        if isinstance(pair[0], bool) or not isinstance(pair[0], Integral):
            raise TypeError(f"the milestone of {one} must be an int, given {arguments.shown(pair[0])}")
        milestone = int(pair[0])
        if abs(milestone) > arguments.MAX_EVENT_INDEX:
            raise ValueError(f"the milestone of {one} must be at most {arguments.MAX_EVENT_INDEX}, given {milestone}")
        if points and milestone <= points[-1][0]:
            last = points[-1][0]
            raise ValueError(
                f"the milestone of {one} must be later than the milestone before it, {last}, given {milestone}"
            )
        points.append((milestone, arguments.number_or_numbers(f"the value of {one}", pair[1])))
    arguments.same_groups(
        {f"the value of {name}[{at}]": arguments.groups_of(value) for at, (_, value) in enumerate(points)}
    )
    return tuple(points)


@dataclass(frozen=True)
class LinearInterpolation(Schedule):
    """Straight lines between given points. The events of these points are called milestones.

    The milestones are m_0 < m_1 < ..., and their values are v_0, v_1, .... If m_k <= i <= m_{k+1}, the value is::

        value = v_k + (v_{k+1} - v_k) * (i - m_k) / (m_{k+1} - m_k)

    Before the first milestone and after the last milestone, the value is constant.

    Args:
        milestones_values: one or more pairs (milestone, value). The milestones are event indices: ints in rising order.
            A value is a float, or a list of G floats, one for each param group.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if one of the values is a list.

    Raises:
        TypeError: the argument is not a list or tuple; a milestone is not an int; a value is not a number or a list of
            numbers.
        ValueError: there is no pair; an item is not a pair; the milestones do not rise; a value is NaN or infinite; two
            values are lists of different lengths.

    Example:
        >>> LinearInterpolation([(1, 1.0), (3, 0.5), (4, 0.0)])([0, 1, 2, 3, 4, 5]).tolist()
        [1.0, 1.0, 0.75, 0.5, 0.0, 0.0]
        >>> LinearInterpolation([(0, 0.0), (2, [0.1, 1.0])])([0, 1, 2]).tolist()
        [[0.0, 0.0], [0.05, 0.5], [0.1, 1.0]]
    """

    milestones_values: Points = fields.argument(
        _checked_points,
        unit=fields.EVENTS,
        groups=lambda points: arguments.groups_of(*(value for _, value in points)),
    )

    @property
    def length(self) -> float:
        """The event index of the last milestone, or 0 if this index is negative."""
        return max(self.milestones_values[-1][0], 0)

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        milestones, values = zip(*self.milestones_values, strict=True)
        if self.groups is None:
            return np.asarray(np.interp(indices, milestones, values))
        columns = zip(*(np.broadcast_to(value, self.groups) for value in values), strict=True)
        return np.column_stack([np.interp(indices, milestones, column) for column in columns])
