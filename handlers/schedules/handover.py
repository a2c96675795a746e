"""A schedule that takes over from another value."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments
from .arguments import Number
from .base import Array, Schedule, Value, checked_schedule
from .curves import blend
from .durations import events


@dataclass(frozen=True)
class Handover(Schedule):
    """A schedule that begins with a value which is not its own, and comes to its own values bit by bit.

    With the progress ``p = min(max(i - begin, 0) / duration, 1)``::

        value(i) = schedule(i)                                            for i < begin
        value(i) = start_value + (schedule(i) - start_value) * p          from then on

    It never leaves the range between the value and the schedule, and does not jump at ``begin``: so a run that was
    stopped can go on with another schedule. The formula is a choice of our own, not taken from a paper.

    Args:
        schedule: the schedule.
        begin: the event at which it takes over, at least 0.
        duration: how many events that takes, above 0.
        start_value: what it takes over from; a float, or one for each of G parameter groups.

    Shapes: those of ``schedule``, or ``(n, G)`` where ``start_value`` is a list.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: an argument is out of its range; schedule and ``start_value`` are for different numbers of groups.

    Example:
        >>> from lehr.handlers.schedules import Constant
        >>> Handover(Constant(1.0), begin=1, duration=4, start_value=0.5)([1, 2, 3, 4, 5, 6]).tolist()
        [0.5, 0.625, 0.75, 0.875, 1.0, 1.0]
    """

    schedule: Schedule
    begin: int = events()
    duration: float = events()
    start_value: Number = 0.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        checked_schedule("schedule", self.schedule)
        self._set(
            begin=arguments.whole_number("begin", self.begin, at_least=0),
            duration=arguments.number("duration", self.duration, above=0),
            start_value=arguments.number_or_numbers("start_value", self.start_value),
        )
        if None not in (self.schedule.groups, arguments.groups_of(self.start_value)):
            arguments.same_groups(schedule=(0.0,) * (self.schedule.groups or 1), start_value=self.start_value)

    @property
    def groups(self) -> int | None:
        """Those of the schedule, or of ``start_value``."""
        return self.schedule.groups or arguments.groups_of(self.start_value)

    @property
    def length(self) -> float | None:
        """Until both the schedule and the handover have ended."""
        return None if self.schedule.length is None else max(self.schedule.length, self.begin + self.duration)

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The same from the schedule's value at this event."""
        value = np.asarray(read(self.schedule, index), dtype=np.float64)
        return self._taken_over(value[np.newaxis], np.array([index]))[0].tolist()  # type: ignore[no-any-return]

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        return self._taken_over(self.schedule.values(indices), indices)

    def _taken_over(self, values: Array, indices: Array) -> Array:
        start = np.asarray(self.start_value, dtype=np.float64)
        progress = np.clip((indices - self.begin) / self.duration, 0, 1)
        progress = np.where(indices < self.begin, 1.0, progress)
        if start.ndim and values.ndim == 1:
            values = values[:, None]
        return blend(start, values, progress[:, None] if values.ndim == 2 else progress)
