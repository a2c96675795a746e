"""The schedule :class:`Shift`, which skips the first events of another schedule or delays its beginning."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, Value
from .duration_annotations import Events
from .wrapper import Wrapper


@dataclass(frozen=True)
class Shift(Wrapper):
    """Another schedule, shifted to earlier or later events: ``value(i) = schedule(max(i + by, 0))``.

    Args:
        schedule: the other schedule.
        by: the number of events to skip at the beginning of the other schedule. If ``by`` is negative, the other
            schedule's first value lasts for ``-by`` more events.

    Shapes: the result has the shape of ``schedule``.

    Raises:
        TypeError: ``schedule`` is not a schedule; ``by`` is not a number.
        ValueError: ``by`` is not whole.

    Example:
        >>> from lehr.handlers.schedules import LinearCyclical
        >>> Shift(LinearCyclical(0.0, 1.0, cycle_size=4), by=2)([0, 1, 2]).tolist()
        [1.0, 0.5, 0.0]
        >>> Shift(LinearCyclical(0.0, 1.0, cycle_size=4), by=-2)([0, 1, 2, 3, 4]).tolist()
        [0.0, 0.0, 0.0, 0.5, 1.0]
    """

    by: Events = fields.whole_number(at_least=-arguments.MAX_EVENT_INDEX, unit=fields.EVENTS)

    @property
    def length(self) -> float | None:
        """The number of events until the other schedule ends, or None if it has no end."""
        length = self.schedule.length
        return None if length is None else max(length - self.by, 0)

    def _inner(self, indices: Array) -> Array:
        return np.maximum(indices + self.by, 0)

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the value of the other schedule at the shifted event."""
        return read(self.schedule, max(index + self.by, 0))
