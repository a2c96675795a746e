"""Cycles that may grow, change their values and warm up again: ignite's cyclical family."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from . import arguments
from .base import Array, Schedule
from .curves import blend, cosine, linear, there_and_back
from .durations import events


@dataclass(frozen=True)
class Cyclical(Schedule):
    """From ``start_value`` towards ``end_value``, cycle after cycle; a subclass names the curve.

    In cycle k, counted from 0, with ``start_k = start_value * start_value_mult**k`` and ``end_k`` likewise,
    at position j of a cycle of ``c_k`` events and a warm-up of ``w_k``::

        value = start_k + (end_k - start_k) * curve(j / c_k)               for j <= c_k
        value = end_k + (start_{k+1} - end_k) * (j - c_k) / w_k            for c_k < j < c_k + w_k

    and ``c_{k+1} = floor(c_k * cycle_mult)``, ``w_{k+1} = floor(w_k * cycle_mult)``. Without a warm-up, j
    ends at ``c_k - 1``, and the next cycle's first event takes the place of ``curve(1)``.

    Args:
        start_value: value at the start of the first cycle.
        end_value: value at the far end of the first cycle.
        cycle_size: events in the first cycle, at least 2.
        cycle_mult: ratio of one cycle's size to the last one's, at least 1.
        start_value_mult: ratio of one cycle's start value to the last one's.
        end_value_mult: the same for the end value.
        warmup_duration: events from one cycle's end value to the next one's start value, at least 0.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of its range, NaN or infinite.
    """

    start_value: float
    end_value: float
    cycle_size: int = events()
    cycle_mult: float = 1.0
    start_value_mult: float = 1.0
    end_value_mult: float = 1.0
    warmup_duration: int = events(default=0)

    def __post_init__(self) -> None:
        """Check the arguments."""
        self._set(
            start_value=arguments.number("start_value", self.start_value),
            end_value=arguments.number("end_value", self.end_value),
            cycle_size=arguments.whole_number("cycle_size", self.cycle_size, at_least=2),
            cycle_mult=arguments.number("cycle_mult", self.cycle_mult),
            start_value_mult=arguments.number("start_value_mult", self.start_value_mult),
            end_value_mult=arguments.number("end_value_mult", self.end_value_mult),
            warmup_duration=arguments.whole_number("warmup_duration", self.warmup_duration, at_least=0),
        )
        if self.cycle_mult < 1:
            raise ValueError(
                f"cycle_mult must be at least 1, given {self.cycle_mult!r}: sooner or later it shrinks "
                f"a cycle of {self.cycle_size} events below 2"
            )

    @abstractmethod
    def curve(self, progress: Array) -> Array:
        """How far from start to end value, for how far through the cycle; both in [0, 1]."""

    @property
    def length(self) -> float:
        """The first cycle, with the warm-up before it."""
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
        """The cycle that an event falls into, and how far into it."""
        cycle, position, size, warmup = (
            int(np.asarray(found).item()) for found in self._locate(np.array([index], dtype=np.float64))
        )
        # At the end of a cycle the next one's start value is already what a warm-up goes to.
        starts = self.start_value * self.start_value_mult ** (cycle + (position >= size))
        return Cycle(cycle, position, starts, self.end_value * self.end_value_mult**cycle, size, warmup, size + warmup)

    def _locate(self, indices: Array) -> tuple[Array, Array, float | Array, float | Array]:
        """For each index: its cycle, its position in it, and that cycle's size and warm-up."""
        sizes = self.cycle_size, self.warmup_duration
        total = sum(sizes)
        if _grown(sizes, self.cycle_mult) == sizes:
            cycle = np.floor(indices / total)
            return cycle, indices - cycle * total, *sizes
        # Tables for the next power of two above the last index, so that few are ever made.
        table = _growing_cycles(sizes, self.cycle_mult, 1 << int(indices.max(initial=0)).bit_length())
        cycle = np.searchsorted(table[0], indices, side="right") - 1
        first, size, warmup = table[:, cycle]
        return cycle.astype(np.float64), indices - first, size, warmup


class Cycle(NamedTuple):
    """One of the cycles, by ignite's names, and a position in it."""

    cycle: int
    position: int
    start_value: float
    end_value: float
    cycle_size: int
    warmup_duration: int
    total_cycle_size: int


@dataclass(frozen=True)
class Cycles(Cyclical):
    """Cycles without a curve, for whoever computes the values in a cycle otherwise: they stay at the start."""

    def curve(self, progress: Array) -> Array:
        """No way at all."""
        return np.zeros_like(progress)


@dataclass(frozen=True)
class LinearCyclical(Cyclical):
    """Linear from start to end value and back within each cycle, or one way only if ``monotonic``.

    ``curve(p) = 1 - |2p - 1|``, and ``curve(p) = p`` if monotonic; see :class:`Cyclical` for the rest, and for the
    other arguments and errors.

    Args:
        monotonic: one way per cycle, then a jump back to the start value (or a warm-up to it).

    Raises:
        ValueError: a warm-up together with a two-way cycle, which is back at its start value by itself.

    Example:
        >>> LinearCyclical(0.0, 1.0, cycle_size=4)([0, 1, 2, 3, 4, 5]).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
        >>> LinearCyclical(1.0, 0.0, cycle_size=4, monotonic=True)([0, 1, 2, 3, 4, 5]).tolist()
        [1.0, 0.75, 0.5, 0.25, 1.0, 0.75]
    """

    monotonic: bool = False

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if not arguments.flag("monotonic", self.monotonic) and self.warmup_duration:
            raise ValueError(
                f"warmup_duration must be 0 unless monotonic is True, given {self.warmup_duration!r}: "
                "a two-way cycle is back at its start value by itself"
            )

    def curve(self, progress: Array) -> Array:
        """Triangle, or straight line if monotonic."""
        return linear(progress) if self.monotonic else there_and_back(progress)


@dataclass(frozen=True)
class CosineAnnealing(Cyclical):
    """Half a cosine wave from start to end value in each cycle.

    ``curve(p) = (1 - cos(pi * p)) / 2``; see :class:`Cyclical` for the rest, the arguments and the errors.

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
    """The next cycle's size and warm-up, cut to whole events as ignite does, and to what events there are."""
    size, warmup = (int(min(duration * ratio, 2 * arguments.MOST)) for duration in sizes)
    return size, warmup


@lru_cache(maxsize=64)
def _growing_cycles(sizes: tuple[int, int], ratio: float, horizon: int) -> Array:
    """First event, size and warm-up of every cycle that begins before ``horizon``: rows of ``(3, cycles)``.

    Each cycle is longer than the one before by one event at least, so that n events hold fewer than
    ``sqrt(2n)`` cycles.
    """
    cycles = [sizes]
    events = sum(sizes)
    while events < horizon:
        cycles.append(_grown(cycles[-1], ratio))
        events += sum(cycles[-1])
    first = accumulate(map(sum, cycles[:-1]), initial=0)
    table = np.array([[start, *cycle] for start, cycle in zip(first, cycles, strict=True)], dtype=np.float64).T
    table.flags.writeable = False  # it is shared by every schedule of these sizes
    return table
