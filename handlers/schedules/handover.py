"""The schedule :class:`Handover`, which moves gradually from a given value to the values of another schedule."""

from dataclasses import dataclass

import numpy as np

from . import fields
from .arguments import Number
from .base import Array, with_group_axis
from .curves import blend
from .duration_annotations import Duration, Events
from .wrapper import Wrapper


@dataclass(frozen=True)
class Handover(Wrapper):
    """A schedule that moves gradually from a given value to the values of another schedule.

    The progress at event i is ``p = min(max(i - begin, 0) / duration, 1)``, and the value is::

        value(i) = schedule(i)                                            for i < begin
        value(i) = start_value + (schedule(i) - start_value) * p          for i >= begin

    From ``begin`` on, the values stay between ``start_value`` and the values of the other schedule. If ``start_value``
    is the last value of a run, the resumed run can change to another schedule without a jump. The formula is our own
    and not from a paper.

    Args:
        schedule: the other schedule.
        begin: the event at which the handover begins, at least 0.
        duration: the number of events of the handover, above 0.
        start_value: value at ``begin``; a float, or a list of G floats, one for each param group.

    Shapes: the result has the shape of ``schedule``, or ``(n, G)`` if ``start_value`` is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; ``schedule`` and ``start_value`` have values for different numbers
            of groups.

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
        """The number of events until both the other schedule and the handover have ended, or None without an end."""
        length = self.schedule.length
        return None if length is None else max(length, self.begin + self.duration)

    def _changed(self, values: Array, indices: Array) -> Array:
        start = np.asarray(self.start_value, dtype=np.float64)
        progress = np.clip((indices - self.begin) / self.duration, 0, 1)
        progress = np.where(indices < self.begin, 1.0, progress)
        values = with_group_axis(values, start.ndim == 1)
        return blend(start, values, with_group_axis(progress, values.ndim == 2))
