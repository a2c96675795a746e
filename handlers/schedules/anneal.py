"""The schedule :class:`Anneal`, which moves from one value to another along a curve."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule
from .curves import Curve, Linear, blend, curve_field
from .duration_annotations import Duration


@dataclass(frozen=True)
class Anneal(Schedule):
    """A schedule that moves from ``start_value`` at event 0 to ``end_value`` at event ``duration``, along a curve.

    The progress at event i is ``p = i / duration``, and the value is::

        value(i) = start_value + (end_value - start_value) * curve(min(p, 1))           beyond="hold"
        value(i) = start_value + (end_value - start_value) * curve(1 - |p % 2 - 1|)  beyond="mirror"
        value(i) = start_value + (end_value - start_value) * curve(p / ceil(p))      beyond="stretch"

    Args:
        start_value: value at event 0; a float, or a list of G floats, one for each param group.
        end_value: value at event ``duration``; a float, or a list of G floats.
        duration: the number of events from the start value to the end value, at least 0. It need not be whole. With 0,
            event 0 has the end value.
        curve: the curve from the start value to the end value.
        beyond: the values after ``duration``: ``"hold"`` keeps the end value. ``"mirror"`` goes back to the start
            value, then to the end value again, and so on for ever. ``"stretch"`` jumps back part of the way to the
            start value, and reaches the end value again after ``duration`` more events.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if a value is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; the values are for different numbers of groups.

    Example:
        >>> from lehr.handlers.schedules import Cosine
        >>> Anneal(1.0, 0.5, duration=2)([0, 1, 2, 3]).tolist()
        [1.0, 0.75, 0.5, 0.5]
        >>> Anneal(1.0, 0.0, 2, Cosine(), beyond="mirror")([0, 1, 2, 3, 4]).round(4).tolist()
        [1.0, 0.5, 0.0, 0.5, 1.0]
    """

    start_value: Number = fields.value()
    end_value: Number = fields.value()
    duration: Duration = fields.number(at_least=0, unit=fields.PHASES)
    curve: Curve = curve_field(Linear())
    beyond: Literal["hold", "mirror", "stretch"] = fields.one_of(("hold", "mirror", "stretch"), "hold")

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.beyond != "mirror":  # a mirrored cycle may be shorter than one event
            arguments.duration("duration", self.duration)

    @property
    def length(self) -> float:
        """The number of events until the end value, which is ``duration``."""
        return self.duration

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        if self.duration == 0:
            progress = np.ones_like(indices)
        elif self.beyond == "mirror":
            # Take the remainder of the event indices, which is exact. The remainder of the progress would be inexact
            # for large indices.
            progress = 1 - np.abs(indices % (2 * self.duration) / self.duration - 1)
        elif self.beyond == "stretch":
            progress = indices / (self.duration * np.maximum(np.ceil(indices / self.duration), 1))
        else:
            progress = np.minimum(indices / self.duration, 1)
        return between(self.start_value, self.end_value, self.curve(progress))


def between(start_value: Number, end_value: Number, fraction: Array) -> Array:
    """Blend two values to an array ``(n,)``, or two lists of G values to an array ``(n, G)``."""
    start, end = np.asarray(start_value, dtype=np.float64), np.asarray(end_value, dtype=np.float64)
    return blend(start, end, fraction[:, None] if start.ndim or end.ndim else fraction)
