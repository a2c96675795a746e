"""The schedule :class:`WarmupStableDecay`: a warm-up, a stable phase and a decay."""

from dataclasses import dataclass

import numpy as np

from . import fields
from .anneal import between
from .arguments import Number
from .base import Array, Schedule, with_group_axis
from .curves import Cosine, Curve, Exponential, Linear, Logarithmic, Polynomial, Power, Reversed
from .duration_annotations import Events

TYPES = ("linear", "cosine", "1-sqrt", "quadratic", "log", "power", "exponential")


@dataclass(frozen=True)
class WarmupStableDecay(Schedule):
    """A warm-up from ``start_value`` to ``peak_value``, a stable phase at this value, and a decay to ``end_value``.

    The warm-up has w events, the stable phase has s events, and the decay has d events. The curve f belongs to
    ``warmup_type``, and the curve g belongs to ``decay_type``. The value is::

        value(i) = start_value + (peak_value - start_value) * (1 - f(1 - i / w))      for i < w
        value(i) = peak_value                                                         for w <= i < w + s
        value(i) = peak_value + (end_value - peak_value) * g((i - w - s) / d)         for w + s <= i < w + s + d
        value(i) = end_value                                                          for i >= w + s + d

    With the progress p, the curve ``"linear"`` is ``p``, ``"cosine"`` is ``(1 - cos(pi * p)) / 2``, ``"1-sqrt"`` is
    ``sqrt(p)``, ``"quadratic"`` is ``1 - (1 - p) ** 2``, ``"power"`` is ``p ** power``, and ``"exponential"`` is
    ``(1 - ratio ** p) / (1 - ratio)``. In a phase of n events, ``"log"`` is ``1 - log(1 + n * (1 - p)) / log(1 + n)``.
    A warm-up runs along these curves backwards, so a ``"log"`` warm-up rises with ``log(i + 1)``.

    Args:
        peak_value: value of the stable phase; a float, or a list of G floats, one for each param group.
        num_warmup_events: w, the number of events of the warm-up, at least 0.
        num_stable_events: s, the number of events of the stable phase, at least 0.
        num_decay_events: d, the number of events of the decay, at least 0.
        start_value: value at event 0; a float, or a list of G floats.
        end_value: value at the end of the decay and after it; a float, or a list of G floats.
        warmup_type: the curve of the warm-up: ``"linear"``, ``"cosine"``, ``"1-sqrt"``, ``"quadratic"``, ``"log"``,
            ``"power"`` or ``"exponential"``.
        decay_type: the curve of the decay: ``"linear"``, ``"cosine"``, ``"1-sqrt"``, ``"quadratic"``, ``"log"``,
            ``"power"`` or ``"exponential"``.
        power: the exponent of ``"power"``, above 0.
        ratio: the end of an ``"exponential"`` curve divided by its start, in (0, 1).

    Shapes: the result is ``(n,)``, or ``(n, G)`` if a value is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range.

    Source: Hu et al., "MiniCPM", 2024, https://arxiv.org/abs/2404.06395; Hägele et al., "Scaling Laws and
    Compute-Optimal Training Beyond Fixed Training Durations", 2024, https://arxiv.org/abs/2405.18392 (1-sqrt).

    Example:
        >>> WarmupStableDecay(1.0, 2, 1, 4)([0, 1, 2, 3, 4, 5, 6, 7]).round(4).tolist()
        [0.0, 0.5, 1.0, 1.0, 0.5, 0.2929, 0.134, 0.0]
    """

    peak_value: Number = fields.value()
    num_warmup_events: Events = fields.whole_number(unit=fields.PHASES)
    num_stable_events: Events = fields.whole_number(unit=fields.PHASES)
    num_decay_events: Events = fields.whole_number(unit=fields.PHASES)
    start_value: Number = fields.value(0.0)
    end_value: Number = fields.value(0.0)
    warmup_type: str = fields.one_of(TYPES, "linear")
    decay_type: str = fields.one_of(TYPES, "1-sqrt")
    power: float = fields.number(2.0, above=0)
    ratio: float = fields.number(0.1, above=0, below=1)

    @property
    def length(self) -> float:
        """The number of events of all three phases."""
        return self.num_warmup_events + self.num_stable_events + self.num_decay_events

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        warm, stable = self.num_warmup_events, self.num_warmup_events + self.num_stable_events
        up = self.warmup_curve(np.minimum(indices / max(warm, 1), 1))
        down = self.decay_curve(np.clip((indices - stable) / max(self.num_decay_events, 1), 0, 1))
        if not self.num_decay_events:
            down = (indices >= stable).astype(np.float64)
        rising = between(self.start_value, self.peak_value, up)
        falling = between(self.peak_value, self.end_value, down)
        # If one of the three values is a list, an array that depends only on the other values has no group axis yet.
        wanted = self.groups is not None
        rising, falling, early = (with_group_axis(one, wanted) for one in (rising, falling, indices < warm))
        return np.where(early, rising, falling)

    @property
    def warmup_curve(self) -> Curve:
        """The curve from ``start_value`` to ``peak_value``."""
        return Reversed(self._curve(self.warmup_type, self.num_warmup_events))

    @property
    def decay_curve(self) -> Curve:
        """The curve from ``peak_value`` to ``end_value``."""
        return self._curve(self.decay_type, self.num_decay_events)

    def _curve(self, name: str, num_events: float) -> Curve:
        return curve_of_type(name, num_events, self.power, self.ratio)


def curve_of_type(name: str, num_events: float, power: float = 2.0, ratio: float = 0.1) -> Curve:
    """Return the curve of a decay by its name.

    Args:
        name: one of :data:`TYPES`.
        num_events: the number of events of the decay, on which the curve ``"log"`` depends.
        power: the exponent of ``"power"``.
        ratio: the end of an ``"exponential"`` curve divided by its start.
    """
    if name == "log":
        return Reversed(Logarithmic(1 + max(num_events, 1)))
    if name == "exponential":
        return Exponential(ratio)
    curves = {"linear": Linear(), "cosine": Cosine(), "1-sqrt": Power(0.5), "quadratic": Polynomial(2.0)}
    return curves.get(name) or Power(power)
