"""Schedules beside one another, each for parameter groups of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .base import Array, Schedule, Value, checked_schedules


@dataclass(frozen=True)
class SideBySide(Schedule):
    """The values of several schedules in one row: those of the first, then those of the second, and so on.

    Args:
        schedules: one or more; each has as many columns as groups, or one where it has one value for all.

    Shapes: ``(n, G)``, G being the number of all columns.

    Raises:
        ValueError: no schedules.

    Example:
        >>> from lehr.handlers.schedules import LinearInterpolation
        >>> body, head = LinearInterpolation([(0, 0.0), (4, 1.0)]), LinearInterpolation([(0, 8.0), (4, 0.0)])
        >>> SideBySide([body, head])([0, 1, 2]).tolist()
        [[0.0, 8.0], [0.25, 6.0], [0.5, 4.0]]
    """

    schedules: Sequence[Schedule]

    def __post_init__(self) -> None:
        """Keep the schedules as a tuple."""
        self._set(schedules=checked_schedules("schedules", self.schedules))
        if not self.schedules:
            raise ValueError(f"schedules must be one or more, given {self.schedules!r}")

    @property
    def groups(self) -> int | None:
        """The number of all columns; None where it shows only at the event, how many a Python function returns."""
        if any(schedule.groups is None and not schedule.ahead for schedule in self.schedules):
            return None
        return sum(schedule.groups or 1 for schedule in self.schedules)

    @property
    def length(self) -> float | None:
        """That of the longest of those that end."""
        return max((part.length for part in self.schedules if part.length is not None), default=None)

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The schedules' values in a list."""
        values = [(schedule, read(schedule, index)) for schedule in self.schedules]
        rows = [value if isinstance(value, list) else [value] * (schedule.groups or 1) for schedule, value in values]
        return [number for row in rows for number in row]

    def values(self, indices: Array) -> Array:
        """The schedules' values, column by column."""
        return np.column_stack([schedule.values(indices) for schedule in self.schedules])
