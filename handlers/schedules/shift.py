"""A schedule from another event on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments
from .base import Array, Schedule, Value, checked_schedule
from .durations import events


@dataclass(frozen=True)
class Shift(Schedule):
    """A schedule that begins ``by`` events late in another one: ``value(i) = schedule(max(i + by, 0))``.

    Args:
        schedule: the other one.
        by: how many of its events to leave out; if negative, how many events to wait at its first value.

    Shapes: those of ``schedule``.

    Example:
        >>> from lehr.handlers.schedules import LinearCyclical
        >>> Shift(LinearCyclical(0.0, 1.0, cycle_size=4), by=2)([0, 1, 2]).tolist()
        [1.0, 0.5, 0.0]
        >>> Shift(LinearCyclical(0.0, 1.0, cycle_size=4), by=-2)([0, 1, 2, 3, 4]).tolist()
        [0.0, 0.0, 0.0, 0.5, 1.0]
    """

    schedule: Schedule
    by: int = events()

    def __post_init__(self) -> None:
        """Check how far."""
        checked_schedule("schedule", self.schedule)
        self._set(by=arguments.whole_number("by", self.by, at_least=-arguments.MOST))

    @property
    def groups(self) -> int | None:
        """Those of the schedule."""
        return self.schedule.groups

    @property
    def length(self) -> float | None:
        """What is left of the schedule's."""
        return None if self.schedule.length is None else max(self.schedule.length - self.by, 0)

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The value of the schedule at the other event."""
        return read(self.schedule, max(index + self.by, 0))

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        return self.schedule.values(np.maximum(indices + self.by, 0))
