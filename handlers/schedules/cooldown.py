"""``Cooldown``, which ends another schedule early with a decay."""

from dataclasses import dataclass

import numpy as np

from . import fields
from .arguments import Number
from .base import Array, with_group_axis
from .curves import Curve, Linear, blend, curve_field
from .duration_annotations import Duration, Events
from .wrapper import Wrapper


@dataclass(frozen=True)
class Cooldown(Wrapper):
    """A schedule that moves along a curve from the values of another schedule to an end value.

    The progress at event i is ``p = min(max(i - begin, 0) / duration, 1)``, and the value is::

        value(i) = schedule(i) + (end_value - schedule(i)) * curve(p)

    Args:
        schedule: the other schedule, which continues during the cool-down.
        begin: the event at which the cool-down begins, at least 0.
        duration: the number of events of the cool-down, above 0.
        end_value: value at the end of the cool-down and after it; a float, or a list of G floats, one for each
            param group.
        curve: the curve of the cool-down.

    Shapes: the result has the shape of ``schedule``, or ``(n, G)`` if ``end_value`` is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range.

    Source: Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training
    Strategies", 2024, https://arxiv.org/abs/2404.06395 (warm-up, stable, decay).

    Example:
        >>> from lehr.handlers.schedules import Constant
        >>> Cooldown(Constant(1.0), begin=2, duration=2, end_value=0.0)([0, 1, 2, 3, 4, 5]).tolist()
        [1.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    """

    begin: Events = fields.whole_number(unit=fields.PHASES)
    duration: Duration = fields.duration(above=0, unit=fields.PHASES)
    end_value: Number = fields.value(0.0)
    curve: Curve = curve_field(Linear())

    @property
    def length(self) -> float:
        """The number of events until the end of the cool-down."""
        return self.begin + self.duration

    def _changed(self, values: Array, indices: Array) -> Array:
        end = np.asarray(self.end_value, dtype=np.float64)
        fraction = self.curve(np.clip((indices - self.begin) / self.duration, 0, 1))
        values = with_group_axis(values, end.ndim == 1)
        return blend(values, end, with_group_axis(fraction, values.ndim == 2))
