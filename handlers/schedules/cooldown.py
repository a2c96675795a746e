"""The last phase of a schedule that could go on for ever."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments
from .arguments import Number
from .base import Array, Schedule, Value, checked_schedule
from .curves import Curve, Linear, blend, checked_curve
from .durations import events


@dataclass(frozen=True)
class Cooldown(Schedule):
    """A schedule that, from an event on, goes over to an end value along a curve, wherever it is.

    With the progress ``p = min(max(i - begin, 0) / duration, 1)``::

        value(i) = schedule(i) + (end_value - schedule(i)) * curve(p)

    Args:
        schedule: the schedule; it goes on during the cool-down.
        begin: the event at which the cool-down begins, at least 0.
        duration: how many events it takes, above 0.
        end_value: value at its end and from then on; a float, or one for each of G parameter groups.
        curve: the way there.

    Shapes: those of ``schedule``, or ``(n, G)`` where ``end_value`` is a list.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: an argument is out of its range.

    Source: Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training
    Strategies", 2024, https://arxiv.org/abs/2404.06395 (warm-up, stable, decay).

    Example:
        >>> from lehr.handlers.schedules import Constant
        >>> Cooldown(Constant(1.0), begin=2, duration=2, end_value=0.0)([0, 1, 2, 3, 4, 5]).tolist()
        [1.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    """

    schedule: Schedule
    begin: int = events()
    duration: float = events()
    end_value: Number = 0.0
    curve: Curve = Linear()  # noqa: RUF009 -- it is frozen

    def __post_init__(self) -> None:
        """Check the arguments."""
        checked_schedule("schedule", self.schedule)
        self._set(
            begin=arguments.whole_number("begin", self.begin, at_least=0),
            duration=arguments.number("duration", self.duration, above=0),
            end_value=arguments.number_or_numbers("end_value", self.end_value),
            curve=checked_curve("curve", self.curve),
        )
        if None not in (self.schedule.groups, arguments.groups_of(self.end_value)):
            arguments.same_groups(schedule=(0.0,) * (self.schedule.groups or 1), end_value=self.end_value)

    @property
    def groups(self) -> int | None:
        """Those of the schedule, or of ``end_value``."""
        return self.schedule.groups or arguments.groups_of(self.end_value)

    @property
    def length(self) -> float:
        """Up to the end of the cool-down."""
        return self.begin + self.duration

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The same from the schedule's value at this event."""
        value = np.asarray(read(self.schedule, index), dtype=np.float64)
        return self._cooled(value[np.newaxis], np.array([index]))[0].tolist()  # type: ignore[no-any-return]

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        return self._cooled(self.schedule.values(indices), indices)

    def _cooled(self, values: Array, indices: Array) -> Array:
        end = np.asarray(self.end_value, dtype=np.float64)
        fraction = self.curve(np.clip((indices - self.begin) / self.duration, 0, 1))
        if end.ndim and values.ndim == 1:
            values = values[:, None]
        return blend(values, end, fraction[:, None] if values.ndim == 2 else fraction)


@dataclass(frozen=True)
class Bounded(Schedule):
    """A schedule that is kept from going too far: ``value(i) = min(max(schedule(i), at_least), at_most)``.

    Args:
        schedule: the schedule.
        at_least: the lower bound; None for none.
        at_most: the upper bound, not below the lower one; None for none.

    Shapes: those of ``schedule``.

    Raises:
        TypeError, ValueError: a bound is not a finite number; the upper one is below the lower one.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay
        >>> Bounded(ExponentialDecay(8.0, gamma=0.5), at_least=1.5)([0, 1, 2, 3]).tolist()
        [8.0, 4.0, 2.0, 1.5]
    """

    schedule: Schedule
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        """Check the bounds."""
        checked_schedule("schedule", self.schedule)
        for name in ("at_least", "at_most"):
            if getattr(self, name) is not None:
                self._set(**{name: arguments.number(name, getattr(self, name))})
        if self.at_least is not None and self.at_most is not None and self.at_most < self.at_least:
            raise ValueError(f"at_most must not be less than at_least, {self.at_least}, given {self.at_most}")

    @property
    def groups(self) -> int | None:
        """Those of the schedule."""
        return self.schedule.groups

    @property
    def length(self) -> float | None:
        """That of the schedule."""
        return self.schedule.length

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The value of the schedule, within the bounds."""
        return self._within(np.asarray(read(self.schedule, index))).tolist()  # type: ignore[no-any-return]

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        return self._within(self.schedule.values(indices))

    def _within(self, values: Array) -> Array:
        low = -np.inf if self.at_least is None else self.at_least
        return np.asarray(np.clip(values, low, np.inf if self.at_most is None else self.at_most))
