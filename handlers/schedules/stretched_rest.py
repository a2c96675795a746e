"""The schedule :class:`StretchedRest`, which reads another schedule faster or slower so that it ends on time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import fields
from .arguments import shown
from .base import Array, Schedule, Value
from .wrapper import Wrapper


@dataclass(frozen=True)
class StretchedRest(Wrapper):
    """Reads another schedule faster or slower from event ``begin`` on, so that it still ends at event ``end``.

    Let b be ``begin``, p be ``position`` and L be ``end``. The value at event i is::

        value(i) = schedule(round(i * p / b))                              for i < b
        value(i) = schedule(round(p + (i - b) * (L - p) / (L - b)))        for b <= i < L
        value(i) = schedule(i)                                             for i >= L

    ``round`` rounds halves to the nearest even number.

    Args:
        schedule: the other schedule.
        begin: b, the event from which the other schedule is read faster or slower, at least 0.
        position: p, the event of the other schedule that is read at event ``begin``, at least 0.
        end: L, the event at which both schedules end, more than ``begin`` and ``position``.

    Shapes: the result has the shape of ``schedule``.

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of its range.

    Example:
        >>> from lehr.handlers.schedules import LinearInterpolation
        >>> line = LinearInterpolation([(0, 0.0), (12, 12.0)])
        >>> StretchedRest(line, begin=6, position=3.0, end=12.0)([0, 2, 6, 8, 10, 12]).tolist()
        [0.0, 1.0, 3.0, 6.0, 9.0, 12.0]
    """

    begin: int = fields.whole_number(unit=fields.EVENTS)
    position: float = fields.number(at_least=0, unit=fields.EVENTS)
    end: float = fields.number(above=0, unit=fields.EVENTS)

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.end <= max(self.begin, self.position):
            raise ValueError(
                f"end must be more than begin={self.begin} and position={self.position:g}, given {shown(self.end)}"
            )

    def position_at(self, indices: Array) -> Array:
        """Return the events of the other schedule that this schedule reads at the given events."""
        before = indices * (self.position / max(self.begin, 1))
        speed = (self.end - self.position) / (self.end - self.begin)
        within = self.position + (indices - self.begin) * speed
        read = np.where(indices < self.begin, before, np.where(indices < self.end, within, indices))
        return np.asarray(np.rint(read))

    def _inner(self, indices: Array) -> Array:
        return self.position_at(indices)

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the value of the other schedule at the event that :meth:`position_at` gives."""
        return read(self.schedule, int(self.position_at(np.array([index], dtype=np.float64))[0]))
