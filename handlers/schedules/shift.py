"""A schedule that begins at another of its events, or later."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, Value
from .duration_types import Events
from .wrapper import Wrapper


@dataclass(frozen=True)
class Shift(Wrapper):
    """Another schedule from its event ``by`` on: ``value(i) = schedule(max(i + by, 0))``.

    Args:
        schedule: the other schedule.
        by: the number of its first events to skip; if negative, the number of events to wait at its first value.

    Shapes: the shape of ``schedule``.

    Raises:
        TypeError: ``schedule`` is no schedule; ``by`` is not a number.
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
        """The events of the schedule that remain after the shift."""
        length = self.schedule.length
        return None if length is None else max(length - self.by, 0)

    def _inner(self, indices: Array) -> Array:
        """The events, shifted."""
        return np.maximum(indices + self.by, 0)

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The value of the schedule at the shifted event."""
        return read(self.schedule, max(index + self.by, 0))
