"""A schedule within a window of events."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments
from .arguments import Number
from .base import Array, Schedule, Value, checked_schedule
from .durations import events


@dataclass(frozen=True)
class Window(Schedule):
    """A schedule that begins at an event, is held from another one on, and moves only so often in between.

    With ``k = min(i, end - 1) - begin``::

        value(i) = before                                       for i < begin
        value(i) = schedule(k - k % interval)                   from then on

    A Python function in it is asked at each event, with the event that is held.

    Args:
        schedule: what is in the window, from its event 0.
        begin: the first event of the window, at least 0.
        end: the first event after it, more than ``begin``: the value of event ``end - 1`` is held. None for no end.
        interval: every how many events the value moves, at least 1.
        before: the value before the window; a float, or one for each of G parameter groups. None for the
            schedule's first value.

    Shapes: those of ``schedule``, or ``(n, G)`` where ``before`` is a list.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: an argument is out of its range; schedule and ``before`` are for different numbers of groups.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> Window(Anneal(1.0, 0.0, duration=4), begin=2, end=5, before=8.0)([0, 1, 2, 3, 4, 5]).tolist()
        [8.0, 8.0, 1.0, 0.75, 0.5, 0.5]
        >>> Window(Anneal(1.0, 0.0, duration=4), interval=2)([0, 1, 2, 3, 4]).tolist()
        [1.0, 1.0, 0.5, 0.5, 0.0]
    """

    schedule: Schedule
    begin: int = events(default=0)
    end: int | None = events(default=None)
    interval: int = events(default=1)
    before: Number | None = None

    def __post_init__(self) -> None:
        """Check the arguments."""
        checked_schedule("schedule", self.schedule)
        self._set(
            begin=arguments.whole_number("begin", self.begin, at_least=0),
            interval=arguments.whole_number("interval", self.interval, at_least=1),
        )
        if self.end is not None:
            self._set(end=arguments.whole_number("end", self.end, at_least=0))
            if self.end <= self.begin:
                raise ValueError(f"end must be more than begin, {self.begin}, given {self.end!r}")
        if self.before is not None:
            self._set(before=arguments.number_or_numbers("before", self.before))
            if None not in (self.schedule.groups, arguments.groups_of(self.before)):
                arguments.same_groups(schedule=(0.0,) * (self.schedule.groups or 1), before=self.before)

    @property
    def groups(self) -> int | None:
        """Those of the schedule, or of ``before``."""
        return self.schedule.groups or arguments.groups_of(self.before)

    @property
    def length(self) -> float | None:
        """Up to the end of the window, or of the schedule in it."""
        length = np.inf if self.schedule.length is None else self.schedule.length
        within = self.begin + np.ceil(length / self.interval) * self.interval
        end = min(within, np.inf if self.end is None else self.end)
        return None if end == np.inf else float(end)

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The value of the schedule at its event, or the one before it."""
        if index < self.begin and self.before is not None:
            return list(self.before) if isinstance(self.before, tuple) else self.before  # type: ignore[return-value]
        return read(self.schedule, int(self._inner(np.array([index], dtype=np.float64))[0]))

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        values = self.schedule.values(self._inner(indices))
        if self.before is None:
            return values
        early = indices < self.begin
        before = np.asarray(self.before, dtype=np.float64)
        if before.ndim or values.ndim == 2:
            early, values = early[:, None], values if values.ndim == 2 else values[:, None]
        return np.where(early, before, values)

    def _inner(self, indices: Array) -> Array:
        """The event of the schedule that is in force at each event."""
        last = np.inf if self.end is None else self.end - 1
        since = np.maximum(np.minimum(indices, last) - self.begin, 0)
        return np.asarray(since - since % self.interval)


@dataclass(frozen=True)
class Stretch(Schedule):
    """A schedule each of whose events lasts for several: ``value(i) = schedule(i // by)``.

    It lets a schedule that counts epochs go on iterations, holding each value for an epoch.

    Args:
        schedule: the other one.
        by: how many events make one of its events, at least 1.

    Shapes: those of ``schedule``.

    Raises:
        TypeError, ValueError: ``by`` is no whole number of at least 1.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> Stretch(Anneal(1.0, 0.0, duration=2), by=3)([0, 1, 2, 3, 4, 5, 6]).tolist()
        [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.0]
    """

    schedule: Schedule
    by: int

    def __post_init__(self) -> None:
        """Check the number."""
        checked_schedule("schedule", self.schedule)
        self._set(by=arguments.whole_number("by", self.by, at_least=1))

    @property
    def groups(self) -> int | None:
        """Those of the schedule."""
        return self.schedule.groups

    @property
    def length(self) -> float | None:
        """That of the schedule, in the events of this one."""
        return None if self.schedule.length is None else self.schedule.length * self.by

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The value of the schedule at its event."""
        return read(self.schedule, index // self.by)

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        return self.schedule.values(indices // self.by)
