"""The schedule :class:`Restarts`: warm restarts, which repeat a curve in cycles of equal or growing length."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule, with_group_axis
from .curves import Cosine, Curve, blend, curve_field, rounded_if_near
from .duration_annotations import Durations


@dataclass(frozen=True)
class Restarts(Schedule):
    """Cycles from ``start_value`` towards ``end_value``, along a curve.

    Cycle k, counted from 0, has ``T_k`` events. The value at position j of cycle k is::

        value = start_k + (end_value - start_k) * curve(j / T_k)

    If ``periods`` is a number, ``T_k = periods * period_mult**k`` and ``start_k = start_value * restart_weights**k``.
    If ``periods`` and ``restart_weights`` are lists, ``T_k = periods[k]`` and
    ``start_k = start_value * restart_weights[k]``. After the last cycle, the value is ``end_value``.

    Args:
        start_value: value at the start of the first cycle; a float, or a list of G floats, one for each param
            group.
        end_value: value that each cycle goes towards; a float, or a list of G floats.
        periods: the number of events in the first cycle, above 0, not necessarily whole; or a list of such
            numbers, one for each cycle.
        period_mult: factor of the length from each cycle to the next, at least 1; only if ``periods`` is a number.
        restart_weights: factor of the start value from each cycle to the next; or, if ``periods`` is a list, a list
            with the ratio of each cycle's start value to ``start_value``.
        num_cycles: the number of cycles, if ``periods`` is a number; None for cycles without an end.
        curve: the curve of each cycle.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if a value is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; ``periods`` and ``restart_weights`` are lists of different lengths;
            two arguments have values for different numbers of groups.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Example:
        >>> Restarts(1.0, 0.0, periods=2, period_mult=2)([0, 1, 2, 3, 4, 5, 6]).round(4).tolist()
        [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
        >>> Restarts(1.0, 0.0, periods=[2, 4], restart_weights=[1.0, 0.5])([0, 1, 2, 4, 6]).round(4).tolist()
        [1.0, 0.5, 0.5, 0.25, 0.0]
    """

    start_value: Number = fields.value()
    end_value: Number = fields.value()
    periods: Durations = fields.argument(arguments.number_or_numbers, unit=fields.PHASES)
    period_mult: float = fields.number(1.0, at_least=1)
    restart_weights: float | Sequence[float] = fields.argument(arguments.number_or_numbers, 1.0)
    num_cycles: int | None = fields.whole_number(None)
    curve: Curve = curve_field(Cosine())

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        listed = isinstance(self.periods, tuple)
        for number, period in enumerate(self.periods if isinstance(self.periods, tuple) else (self.periods,)):
            arguments.duration(f"periods[{number}]" if listed else "periods", period, above=0)
        if isinstance(self.periods, tuple):
            if self.period_mult != 1:
                raise ValueError(
                    f"period_mult must be left out if periods is a list, given {arguments.shown(self.period_mult)}"
                )
            if self.num_cycles is not None:
                raise ValueError(
                    f"num_cycles must be left out if periods is a list, given {arguments.shown(self.num_cycles)}"
                )
            if isinstance(self.restart_weights, tuple) and len(self.restart_weights) != len(self.periods):
                count = len(self.periods)
                raise ValueError(
                    f"restart_weights must have {count} items, one for each of the periods, "
                    f"given {arguments.shown(self.restart_weights)}"
                )
        elif isinstance(self.restart_weights, tuple):
            raise ValueError(
                "restart_weights must be a number if periods is a number, given "
                f"{arguments.shown(self.restart_weights)}"
            )

    @property
    def length(self) -> float:
        """The number of events of all cycles if ``periods`` is a list, or otherwise of the first cycle."""
        return sum(self.periods) if isinstance(self.periods, tuple) else float(self.periods)  # type: ignore[arg-type]

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        length: float | Array
        cycle, position, length = self._listed(indices) if isinstance(self.periods, tuple) else self._located(indices)
        if isinstance(self.restart_weights, tuple):
            weight = np.asarray(self.restart_weights)[np.minimum(cycle, len(self.restart_weights) - 1).astype(int)]
        else:
            weight = self.restart_weights**cycle if self.restart_weights != 1 else np.ones(1)
        fraction = self.curve(np.minimum(position / length, 1))
        start, end = np.asarray(self.start_value, dtype=np.float64), np.asarray(self.end_value, dtype=np.float64)
        count = len(self.periods) if isinstance(self.periods, tuple) else self.num_cycles
        if self.groups is not None:
            weight, fraction = weight[:, None], fraction[:, None]
        values = blend(start * weight, end, fraction)
        if count is None:
            return values
        return np.where(with_group_axis(cycle >= count, values.ndim == 2), end, values)

    def _listed(self, indices: Array) -> tuple[Array, Array, Array]:
        """Return the cycle of each index, the position in the cycle, and the cycle's length, for a list of periods."""
        assert isinstance(self.periods, tuple)
        starts = np.cumsum((0.0, *self.periods))
        cycle = np.searchsorted(starts, indices, side="right") - 1
        within = np.minimum(cycle, len(self.periods) - 1)
        return cycle.astype(np.float64), indices - starts[within], np.asarray(self.periods)[within]

    def _located(self, indices: Array) -> tuple[Array, Array, float | Array]:
        """Return the cycle of each index, the position in the cycle, and the cycle's length, for one first period."""
        assert isinstance(self.periods, float)
        first, mult = self.periods, self.period_mult
        if mult == 1:
            # A quotient of whole numbers below 2**52 that is not whole is never rounded up to a whole number.
            exact = first.is_integer() and indices.max(initial=0) < 2**52
            cycle = np.floor(indices / first) if exact else np.floor_divide(indices, first)
            return cycle, indices - cycle * first, first
        cycle = np.maximum(np.floor(np.log1p(indices / first * (mult - 1)) / np.log(mult)), 0)
        # The logarithm may round to the cycle before or after.
        cycle += self._start(cycle + 1) <= indices
        cycle -= self._start(cycle) > indices
        return cycle, indices - self._start(cycle), first * mult**cycle

    def _start(self, cycle: Array) -> Array:
        assert isinstance(self.periods, float)
        return rounded_if_near(self.periods * (self.period_mult**cycle - 1) / (self.period_mult - 1))
