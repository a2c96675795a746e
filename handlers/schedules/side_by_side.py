"""The schedule :class:`SideBySide`, which combines the schedules of several param groups into one schedule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .base import Array, Schedule, Value, schedules_field


@dataclass(frozen=True)
class SideBySide(Schedule):
    """Puts the values of several schedules side by side, for several param groups.

    ``value(i) = [schedules[0](i), schedules[1](i), ...]``

    Args:
        schedules: one or more schedules. A schedule with values for several groups gives one value to each of them. Any
            other schedule gives a value to one group.

    Shapes: the result is ``(n, G)``, where G is the number of all groups.

    Raises:
        TypeError: ``schedules`` is not a list or tuple of schedules.
        ValueError: there is no schedule.

    Example:
        >>> from lehr.handlers.schedules import LinearInterpolation
        >>> body, head = LinearInterpolation([(0, 0.0), (4, 1.0)]), LinearInterpolation([(0, 8.0), (4, 0.0)])
        >>> SideBySide([body, head])([0, 1, 2]).tolist()
        [[0.0, 8.0], [0.25, 6.0], [0.5, 4.0]]
    """

    schedules: Sequence[Schedule] = schedules_field()

    @property
    def groups(self) -> int | None:
        """The number of all groups, or None if a schedule is a Python function, which may return any list."""
        counts = [schedule.groups for schedule in self.schedules]
        if any(count is None and not one.is_pure for count, one in zip(counts, self.schedules, strict=True)):
            return None
        return sum(count or 1 for count in counts)

    @property
    def length(self) -> float | None:
        """The length of the longest schedule that has an end."""
        return max((length for part in self.schedules if (length := part.length) is not None), default=None)

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the values of all schedules at one event, as one list."""
        values = [read(schedule, index) for schedule in self.schedules]
        if set(map(type, values)) == {float} and self._have_one_column:
            return values  # type: ignore[return-value]
        row: list[float] = []
        for schedule, value in zip(self.schedules, values, strict=True):
            row += value if isinstance(value, list) else [value] * (schedule.groups or 1)
        return row

    @cached_property
    def _have_one_column(self) -> bool:
        return all((schedule.groups or 1) == 1 for schedule in self.schedules)

    def values(self, indices: Array) -> Array:
        """Return the values of all schedules, column by column."""
        return np.column_stack([schedule.values(indices) for schedule in self.schedules])
