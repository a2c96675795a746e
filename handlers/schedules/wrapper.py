"""The base class of schedules that change one other schedule."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .base import Array, Schedule, Value, schedule_field


@dataclass(frozen=True)
class Wrapper(Schedule):
    """Another schedule, read at other events or with other values; a subclass says which.

    ``value(i) = changed(schedule(inner(i)), i)``. A subclass overrides :meth:`_inner`, :meth:`_changed` or both.

    Args:
        schedule: the other schedule.
    """

    schedule: Schedule = schedule_field()

    @property
    def length(self) -> float | None:
        """The length of the schedule."""
        return self.schedule.length

    def _inner(self, indices: Array) -> Array:
        """The event indices at which the schedule is read, ``(n,)`` for indices ``(n,)``."""
        return indices

    def _changed(self, values: Array, indices: Array) -> Array:
        """The values of this schedule, for the values ``(n,)`` or ``(n, G)`` of the other one and indices ``(n,)``."""
        return values

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The formula of the class docstring for one event."""
        indices = np.array([index], dtype=np.float64)
        value = np.array([read(self.schedule, int(self._inner(indices)[0]))], dtype=np.float64)
        return self._changed(value, indices)[0].tolist()  # type: ignore[no-any-return]

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        return self._changed(self.schedule.values(self._inner(indices)), indices)
