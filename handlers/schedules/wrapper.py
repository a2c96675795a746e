"""The base class of schedules that change another schedule, such as :class:`.Window` and :class:`.Cooldown`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .base import Array, Schedule, Value, schedule_field


@dataclass(frozen=True)
class Wrapper(Schedule):
    """A schedule that reads another schedule at other events, or changes the values of the other schedule.

    The value is ``value(i) = changed(schedule(inner(i)), i)``. A subclass overrides :meth:`_inner`, :meth:`_changed`
    or both.

    Args:
        schedule: the other schedule.
    """

    schedule: Schedule = schedule_field()

    @property
    def length(self) -> float | None:
        """The length of the other schedule."""
        return self.schedule.length

    def _inner(self, indices: Array) -> Array:
        """Return at which events ``(n,)`` the other schedule is read, for event indices ``(n,)``."""
        return indices

    def _changed(self, values: Array, indices: Array) -> Array:
        """Compute the values of this schedule from the values ``(n,)`` or ``(n, G)`` of the other schedule."""
        return values

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the value at one event by the formula of the class docstring."""
        indices = np.array([index], dtype=np.float64)
        value = np.array([read(self.schedule, int(self._inner(indices)[0]))], dtype=np.float64)
        return self._changed(value, indices)[0].tolist()  # type: ignore[no-any-return]

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        return self._changed(self.schedule.values(self._inner(indices)), indices)
