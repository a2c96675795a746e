"""Cycles as in ignite: they may grow, change their start and end values, and have warm-ups in between."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from . import arguments, fields
from .base import Array, Schedule
from .curves import blend, cosine, linear, triangle
from .duration_types import Events

LONGEST = 2 * arguments.MAX_EVENT_INDEX  # events of a cycle


@dataclass(frozen=True)
class Cyclical(Schedule):
    """From ``start_value`` towards ``end_value``, cycle after cycle; a subclass names the curve.

    In cycle k, counted from 0, with ``start_k = start_value * start_value_mult**k`` and ``end_k`` likewise,
    at position j of a cycle of ``c_k`` events and a warm-up of ``w_k``::

        value = start_k + (end_k - start_k) * curve(j / c_k)               for j <= c_k
        value = end_k + (start_{k+1} - end_k) * (j - c_k) / w_k            for c_k < j < c_k + w_k

    and ``c_{k+1} = floor(c_k * cycle_mult)``, ``w_{k+1} = floor(w_k * cycle_mult)``. Without a
    warm-up, the last event of a cycle is ``j = c_k - 1``, so the value does not reach ``curve(1)``.

    Args:
        start_value: value at the start of the first cycle.
        end_value: end value of the first cycle.
        cycle_size: events in the first cycle, at least 2.
        cycle_mult: ratio of one cycle's size to the last one's, at least 1.
        start_value_mult: ratio of one cycle's start value to the last one's.
        end_value_mult: the same for the end value.
        warmup_duration: events from one cycle's end value to the next one's start value, at least 0.

    Shapes: ``(n,)``; all groups have the same value.

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
        """Checks the arguments."""
        super().__post_init__()
        if self.cycle_mult < 1:
            raise ValueError(
                f"cycle_mult must be at least 1, given {arguments.shown(self.cycle_mult)}: it would shrink "
                f"a cycle of {self.cycle_size} events below 2"
            )

    @abstractmethod
    def curve(self, progress: Array) -> Array:
        """The fraction of the way from start to end value, for the progress through the cycle; both are in [0, 1]."""

    @property
    def length(self) -> float:
        """The events of the first cycle and its warm-up."""
        return self.cycle_size + self.warmup_duration

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
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
        """The cycle of an event, and the position of the event in it."""
        cycle, position, size, warmup = (
            int(np.asarray(found).item()) for found in self._locate(np.array([index], dtype=np.float64))
        )
        # From the end of a cycle on, the warm-up goes to the start value of the next one.
        starts = self.start_value * self.start_value_mult ** (cycle + (position >= size))
        return Cycle(cycle, position, starts, self.end_value * self.end_value_mult**cycle, size, warmup, size + warmup)

    def _locate(self, indices: Array) -> tuple[Array, Array, float | Array, float | Array]:
        """For each index: its cycle, its position in the cycle, and the size and warm-up of the cycle."""
        sizes = self.cycle_size, self.warmup_duration
        total = sum(sizes)
        if self.cycle_mult == 1 or _grown(sizes, self.cycle_mult) == sizes:
            cycle = np.floor(indices / total)
            return cycle, indices - cycle * total, *sizes
        # A table reaches to the next power of two above the last index, so that few tables are made.
        table = _growing_cycles(sizes, self.cycle_mult, 1 << int(indices.max(initial=0)).bit_length())
        cycle = np.searchsorted(table[0], indices, side="right") - 1
        first, size, warmup = table[:, cycle]
        return cycle.astype(np.float64), indices - first, size, warmup


class Cycle(NamedTuple):
    """A cycle, with ignite's names, and a position in it."""

    cycle: int
    position: int
    start_value: float
    end_value: float
    cycle_size: int
    warmup_duration: int
    total_cycle_size: int


@dataclass(frozen=True)
class Cycles(Cyclical):
    """Cycles without a curve: the value stays at the start value. A scheduler with its own ``get_param`` uses them."""

    def curve(self, progress: Array) -> Array:
        """0 at every event."""
        return np.zeros_like(progress)


@dataclass(frozen=True)
class LinearCyclical(Cyclical):
    """Linear from start to end value and back in each cycle, or only to the end value if ``monotonic``.

    At position j of a cycle of c events from ``start`` to ``end``; see :class:`Cyclical` for later cycles::

        value = start + (end - start) * (1 - |2 * j / c - 1|)
        value = start + (end - start) * j / c                  monotonic=True

    Args:
        start_value: value at the start of the first cycle.
        end_value: end value of the first cycle.
        cycle_size: events in the first cycle, at least 2.
        cycle_mult: ratio of one cycle's size to the last one's, at least 1.
        start_value_mult: ratio of one cycle's start value to the last one's.
        end_value_mult: the same for the end value.
        warmup_duration: events from one cycle's end value to the next one's start value, at least 0.
        monotonic: whether a cycle goes only to the end value, followed by a jump or a warm-up to the start value.

    Shapes: ``(n,)``; all groups have the same value.

    Raises:
        TypeError: an argument is not a number, or ``monotonic`` not True or False.
        ValueError: an argument is out of its range, NaN or infinite; a warm-up with a cycle that goes back to its start
            value by itself.

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
        """Checks the arguments."""
        super().__post_init__()
        if self.warmup_duration and not self.monotonic:
            raise ValueError(
                f"warmup_duration must be 0 unless monotonic is True, given {arguments.shown(self.warmup_duration)}: "
                "the cycle goes back to its start value by itself"
            )

    def curve(self, progress: Array) -> Array:
        """Triangle, or straight line if monotonic."""
        return linear(progress) if self.monotonic else triangle(progress)


@dataclass(frozen=True)
class CosineAnnealing(Cyclical):
    """Half a cosine wave from start to end value in each cycle.

    At position j of a cycle of c events from ``start`` to ``end``; see :class:`Cyclical` for later cycles::

        value = start + (end - start) * (1 - cos(pi * j / c)) / 2

    Args:
        start_value: value at the start of the first cycle.
        end_value: end value of the first cycle.
        cycle_size: events in the first cycle, at least 2.
        cycle_mult: ratio of one cycle's size to the last one's, at least 1.
        start_value_mult: ratio of one cycle's start value to the last one's.
        end_value_mult: the same for the end value.
        warmup_duration: events from one cycle's end value to the next one's start value, at least 0.

    Shapes: ``(n,)``; all groups have the same value.

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
        """Half a cosine wave."""
        return cosine(progress)


def _scaled(value: float, ratio: float, cycle: Array) -> float | Array:
    return value if ratio == 1 else value * ratio**cycle


def _grown(sizes: tuple[int, int], ratio: float) -> tuple[int, int]:
    """The size and warm-up of the next cycle, rounded down as in ignite, and limited to possible event indices."""
    size, warmup = (int(min(duration * ratio, LONGEST)) for duration in sizes)
    return size, warmup


@lru_cache(maxsize=64)
def _growing_cycles(sizes: tuple[int, int], ratio: float, horizon: int) -> Array:
    """First event, size and warm-up of every cycle that begins before ``horizon``: rows of ``(3, cycles)``.

    Each cycle is at least one event longer than the one before, so that n events have fewer than ``sqrt(2n)`` cycles.
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
    """About how many growing cycles the events have, of which the first has ``size``."""
    cycles = np.log1p(events / size * (ratio - 1)) / np.log(ratio)
    return int(min(1.02 * cycles + 8, events / size + 1, 2**17))


def _growing(size: int, ratio: float, horizon: int, count: int) -> Array:
    """The sizes of ``count`` cycles from one of ``size`` on, or fewer, up to the first of at least ``horizon``.

    Each size depends on the one before. A division by ``1 / ratio``, rounded down, gives the next one in a loop of
    NumPy. Where the rounding error of ``1 / ratio`` gave another size than :func:`_grown`, the loop begins again.
    """
    if not size:  # no warm-up
        return np.zeros(count)
    sizes, first = np.full(count, 1 / ratio), 0
    sizes[0] = size
    while first < count:
        with np.errstate(over="ignore", invalid="ignore"):  # beyond the last size that is kept
            np.floor_divide.accumulate(sizes[first:], out=sizes[first:])
        sizes = sizes[: np.searchsorted(sizes, horizon) + 1]
        grown = np.floor(sizes[first:-1] * ratio)
        wrong = np.flatnonzero(sizes[first + 1 :] != grown)
        if not len(wrong):
            break
        first += int(wrong[0]) + 1
        sizes[first], sizes[first + 1 :] = grown[wrong[0]], 1 / ratio
    return np.asarray(np.minimum(sizes, LONGEST))
