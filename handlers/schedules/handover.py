"""A schedule that gradually takes over from another value."""

from dataclasses import dataclass

import numpy as np

from . import fields
from .arguments import Number
from .base import Array, with_group_axis
from .curves import blend
from .duration_types import Duration, Events
from .wrapper import Wrapper


@dataclass(frozen=True)
class Handover(Wrapper):
    """A schedule that starts from a given value, and gradually moves to its own values.

    With the progress ``p = min(max(i - begin, 0) / duration, 1)``::

        value(i) = schedule(i)                                            for i < begin
        value(i) = start_value + (schedule(i) - start_value) * p          from then on

    The values stay between ``start_value`` and the schedule, and do not jump at ``begin``. In this way a resumed run
    can change to another schedule. The formula is our own choice, not taken from a paper.

    Args:
        schedule: the schedule.
        begin: the event at which the handover begins, at least 0.
        duration: events of the handover, above 0.
        start_value: value at ``begin``; a float, or one for each of G parameter groups.

    Shapes: the shape of ``schedule``, or ``(n, G)`` where ``start_value`` is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; schedule and ``start_value`` are for different numbers of groups.

    Example:
        >>> from lehr.handlers.schedules import Constant
        >>> Handover(Constant(1.0), begin=1, duration=4, start_value=0.5)([1, 2, 3, 4, 5, 6]).tolist()
        [0.5, 0.625, 0.75, 0.875, 1.0, 1.0]
    """

    begin: Events = fields.whole_number(unit=fields.PHASES)
    duration: Duration = fields.number(above=0, unit=fields.PHASES)
    start_value: Number = fields.value(0.0)

    @property
    def length(self) -> float | None:
        """The events until both the schedule and the handover have ended."""
        length = self.schedule.length
        return None if length is None else max(length, self.begin + self.duration)

    def _changed(self, values: Array, indices: Array) -> Array:
        """The formula of the class docstring."""
        start = np.asarray(self.start_value, dtype=np.float64)
        progress = np.clip((indices - self.begin) / self.duration, 0, 1)
        progress = np.where(indices < self.begin, 1.0, progress)
        values = with_group_axis(values, start.ndim == 1)
        return blend(start, values, with_group_axis(progress, values.ndim == 2))
