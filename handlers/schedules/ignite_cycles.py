"""The cyclical schedules of ignite, whose cycles may grow, change their values, and have warm-ups between them."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from . import arguments, fields
from .base import Array, Schedule
from .curves import blend, cosine, linear, triangle
from .duration_annotations import Events

LONGEST = 2 * arguments.MAX_EVENT_INDEX  # a cycle has at most this number of events


@dataclass(frozen=True)
class Cyclical(Schedule):
    """Cycles from ``start_value`` towards ``end_value``, along a curve that a subclass defines.

    Cycle k, counted from 0, has ``c_k`` events, and a warm-up of ``w_k`` events follows. The cycle goes from
    ``start_k = start_value * start_value_mult**k`` to ``end_k = end_value * end_value_mult**k``. The value at position
    j of the cycle is::

        value = start_k + (end_k - start_k) * curve(j / c_k)               for j <= c_k
        value = end_k + (start_{k+1} - end_k) * (j - c_k) / w_k            for c_k < j < c_k + w_k

    The sizes grow by ``c_{k+1} = floor(c_k * cycle_mult)`` and ``w_{k+1} = floor(w_k * cycle_mult)``. Without a
    warm-up, the last event of a cycle is ``j = c_k - 1``, so the value does not reach ``end_k``.

    Args:
        start_value: value at the start of the first cycle.
        end_value: end value of the first cycle.
        cycle_size: the number of events in the first cycle, at least 2.
        cycle_mult: factor of the number of events from each cycle to the next, at least 1.
        start_value_mult: factor of the start value from each cycle to the next.
        end_value_mult: factor of the end value from each cycle to the next.
        warmup_duration: the number of events of the warm-up from the end value of the first cycle to the start value of
            the second, at least 0.

    Shapes: the result is ``(n,)``; all groups have the same value.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of its range, NaN or infinite.

    Example:
        >>> @dataclass(frozen=True)
        ... class Quadratic(Cyclical):
        ...     def curve(self, progress):
        ...         return progress**2
        >>> Quadratic(1.0, 0.0, cycle_size=4)([0, 1, 2, 3, 4]).tolist()
        [1.0, 0.9375, 0.75, 0.4375, 1.0]
    """

    start_value: float = fields.number()
    end_value: float = fields.number()
    cycle_size: Events = fields.whole_number(at_least=2, unit=fields.PHASES)
    cycle_mult: float = fields.number(1.0)
    start_value_mult: float = fields.number(1.0)
    end_value_mult: float = fields.number(1.0)
    warmup_duration: Events = fields.whole_number(0, unit=fields.PHASES)

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.cycle_mult < 1:
            raise ValueError(
                f"cycle_mult must be at least 1, given {arguments.shown(self.cycle_mult)}; a lower ratio would shrink "
                f"a cycle of {self.cycle_size} events to fewer than 2 events"
            )

    @abstractmethod
    def curve(self, progress: Array) -> Array:
        """Return the fraction of the way from the start value to the end value.

        Args:
            progress: the progress through the cycle, in [0, 1].
        """

    @property
    def length(self) -> float:
        """The number of events of the first cycle and its warm-up."""
        return self.cycle_size + self.warmup_duration

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        cycle, position, size, warmup = self._locate(indices)
        start = _scaled(self.start_value, self.start_value_mult, cycle)
        end = _scaled(self.end_value, self.end_value_mult, cycle)
        progress = position / size
        if not self.warmup_duration:
            return blend(start, end, self.curve(progress))
        next_start = _scaled(self.start_value, self.start_value_mult, cycle + 1)
        warmed_up = np.maximum(position - size, 0) / warmup
        annealed = blend(start, end, self.curve(np.minimum(progress, 1)))
        return np.where(position > size, blend(end, next_start, warmed_up), annealed)

    def cycle_at(self, index: int) -> "Cycle":
        """Return the cycle of an event, and the position of the event in it."""
        cycle, position, size, warmup = (
            int(np.asarray(found).item()) for found in self._locate(np.array([index], dtype=np.float64))
        )
        # After the events of a cycle, its warm-up goes to the start value of the next cycle.
        starts = self.start_value * self.start_value_mult ** (cycle + (position >= size))
        return Cycle(cycle, position, starts, self.end_value * self.end_value_mult**cycle, size, warmup, size + warmup)

    def _locate(self, indices: Array) -> tuple[Array, Array, float | Array, float | Array]:
        """Return the cycle of each index, the position in the cycle, and the cycle's size and warm-up."""
        sizes = self.cycle_size, self.warmup_duration
        total = sum(sizes)
        if self.cycle_mult == 1 or _grown(sizes, self.cycle_mult) == sizes:
            cycle = np.floor(indices / total)
            return cycle, indices - cycle * total, *sizes
        # A table reaches to the next power of two above the last index, so that one table serves many calls.
        table = _growing_cycles(sizes, self.cycle_mult, 1 << int(indices.max(initial=0)).bit_length())
        cycle = np.searchsorted(table[0], indices, side="right") - 1
        first, size, warmup = table[:, cycle]
        return cycle.astype(np.float64), indices - first, size, warmup


class Cycle(NamedTuple):
    """A cycle and the position of an event in the cycle. The fields have the names that ignite uses."""

    cycle: int
    position: int
    start_value: float
    end_value: float
    cycle_size: int
    warmup_duration: int
    total_cycle_size: int


@dataclass(frozen=True)
class Cycles(Cyclical):
    """Cycles whose value stays at the start value. A scheduler with its own ``get_param`` uses these cycles."""

    def curve(self, progress: Array) -> Array:
        """Return 0 at every event."""
        return np.zeros_like(progress)


@dataclass(frozen=True)
class LinearCyclical(Cyclical):
    """Cycles along straight lines to the end value and back, or only to the end value if ``monotonic`` is True.

    In the first cycle, which has c events, the value at position j is::

        value = start + (end - start) * (1 - |2 * j / c - 1|)
        value = start + (end - start) * j / c                  monotonic=True

    For later cycles, see :class:`Cyclical`.

    Args:
        start_value: value at the start of the first cycle.
        end_value: end value of the first cycle.
        cycle_size: the number of events in the first cycle, at least 2.
        cycle_mult: factor of the number of events from each cycle to the next, at least 1.
        start_value_mult: factor of the start value from each cycle to the next.
        end_value_mult: factor of the end value from each cycle to the next.
        warmup_duration: the number of events of the warm-up from the end value of the first cycle to the start value of
            the second, at least 0.
        monotonic: whether a cycle goes only to the end value. A jump or a warm-up to the start value follows.

    Shapes: the result is ``(n,)``; all groups have the same value.

    Raises:
        TypeError: an argument is not a number; ``monotonic`` is not True or False.
        ValueError: an argument is out of its range, NaN or infinite; ``warmup_duration`` is not 0 although the cycle
            itself goes back to its start value.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, https://arxiv.org/abs/1506.01186 (the
    triangular cycle).

    Example:
        >>> LinearCyclical(0.0, 1.0, cycle_size=4)([0, 1, 2, 3, 4, 5]).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
        >>> LinearCyclical(1.0, 0.0, cycle_size=4, monotonic=True)([0, 1, 2, 3, 4, 5]).tolist()
        [1.0, 0.75, 0.5, 0.25, 1.0, 0.75]
    """

    monotonic: bool = fields.flag(False)

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.warmup_duration and not self.monotonic:
            raise ValueError(
                f"warmup_duration must be 0 if monotonic is False, given {arguments.shown(self.warmup_duration)}; "
                "without monotonic=True, the cycle itself goes back to its start value"
            )

    def curve(self, progress: Array) -> Array:
        """Return the fraction on a triangle, or on a straight line if ``monotonic`` is True."""
        return linear(progress) if self.monotonic else triangle(progress)


@dataclass(frozen=True)
class CosineAnnealing(Cyclical):
    """Cycles along half a cosine wave, from the start value to the end value.

    In the first cycle, which has c events, the value at position j is::

        value = start + (end - start) * (1 - cos(pi * j / c)) / 2

    For later cycles, see :class:`Cyclical`.

    Args:
        start_value: value at the start of the first cycle.
        end_value: end value of the first cycle.
        cycle_size: the number of events in the first cycle, at least 2.
        cycle_mult: factor of the number of events from each cycle to the next, at least 1.
        start_value_mult: factor of the start value from each cycle to the next.
        end_value_mult: factor of the end value from each cycle to the next.
        warmup_duration: the number of events of the warm-up from the end value of the first cycle to the start value of
            the second, at least 0.

    Shapes: the result is ``(n,)``; all groups have the same value.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of its range, NaN or infinite.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Example:
        >>> CosineAnnealing(1.0, 0.0, cycle_size=4)([0, 1, 2, 3, 4]).round(4).tolist()
        [1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    def curve(self, progress: Array) -> Array:
        """Return the fraction on half a cosine wave."""
        return cosine(progress)


def _scaled(value: float, ratio: float, cycle: Array) -> float | Array:
    return value if ratio == 1 else value * ratio**cycle


def _grown(sizes: tuple[int, int], ratio: float) -> tuple[int, int]:
    """Return the size and warm-up of the next cycle, rounded down as in ignite, and at most ``LONGEST``."""
    size, warmup = (int(min(duration * ratio, LONGEST)) for duration in sizes)
    return size, warmup


@lru_cache(maxsize=64)
def _growing_cycles(sizes: tuple[int, int], ratio: float, horizon: int) -> Array:
    """Return the first events, sizes and warm-ups of all cycles that begin before ``horizon``, as ``(3, cycles)``.

    Each cycle is at least one event longer than the cycle before, so n events have fewer than ``sqrt(2n)`` cycles.
    """
    tables: list[Array] = []
    start = 0.0
    while not tables or start < horizon:
        count = _estimated_cycles(sum(sizes), ratio, horizon - start)
        size, warmup = (_growing(one, ratio, horizon, count) for one in sizes)
        count = min(len(size), len(warmup))
        size, warmup = size[:count], warmup[:count]
        ends = start + np.cumsum(size + warmup)
        count = min(int(np.searchsorted(ends, horizon)) + 1, count)
        tables.append(np.stack([np.append(start, ends[: count - 1]), size[:count], warmup[:count]]))
        start, sizes = float(ends[count - 1]), _grown((int(size[count - 1]), int(warmup[count - 1])), ratio)
    table = np.hstack(tables) if len(tables) > 1 else tables[0]
    table.flags.writeable = False  # all schedules of these sizes share the table
    return table


def _estimated_cycles(size: int, ratio: float, events: float) -> int:
    """Return an estimate of the number of growing cycles in ``events`` events; the first cycle has ``size`` events."""
    cycles = np.log1p(events / size * (ratio - 1)) / np.log(ratio)
    return int(min(1.02 * cycles + 8, events / size + 1, 2**17))


def _growing(size: int, ratio: float, horizon: int, count: int) -> Array:
    """Return the sizes of ``count`` growing cycles, or of fewer cycles if the last of them reaches ``horizon``.

    Each size depends on the size before. A NumPy loop computes each next size by a division by ``1 / ratio``, rounded
    down. If a rounding error leads to another size than :func:`_grown` returns, the loop starts again with the size
    that :func:`_grown` returns.
    """
    if not size:  # no warm-up
        return np.zeros(count)
    sizes, first = np.full(count, 1 / ratio), 0
    sizes[0] = size
    while first < count:
        with np.errstate(over="ignore", invalid="ignore"):  # sizes beyond the horizon may overflow; they are cut off
            np.floor_divide.accumulate(sizes[first:], out=sizes[first:])
        sizes = sizes[: np.searchsorted(sizes, horizon) + 1]
        grown = np.floor(sizes[first:-1] * ratio)
        wrong = np.flatnonzero(sizes[first + 1 :] != grown)
        if not len(wrong):
            break
        first += int(wrong[0]) + 1
        sizes[first], sizes[first + 1 :] = grown[wrong[0]], 1 / ratio
    return np.asarray(np.minimum(sizes, LONGEST))
