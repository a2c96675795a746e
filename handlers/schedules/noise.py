"""Random noise that is the same in every run."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments
from .base import Array, Schedule, Value, checked_schedule


@dataclass(frozen=True)
class Noise(Schedule):
    """A schedule times random noise, which depends on a seed and the event index and on nothing else.

    ``value(i) = schedule(i) * (1 + n)`` with n drawn anew for each event, from a normal distribution of standard
    deviation ``std``, again and again until ``|n| < limit``; or evenly from ``-limit`` to ``limit``.

    The numbers are those of ``torch.Generator().manual_seed(seed + i)``, drawn one by one in float32.

    Args:
        schedule: the schedule.
        seed: a whole number of at least 0.
        std: standard deviation of the normal distribution, above 0.
        limit: bound of the noise, above 0, a fraction of the value; at least a hundredth of ``std``.
        distribution: ``"normal"`` or ``"uniform"``.
        begin: the first event with noise, at least 0.
        end: the first event without noise again; None for none.

    Shapes: those of ``schedule``; all groups have the same noise.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: an argument is out of its range.

    Example:
        >>> from lehr.handlers.schedules import Constant
        >>> Noise(Constant(1.0), seed=42, std=0.1, begin=1)([0, 1, 2]).round(4).tolist()
        [1.0, 0.9352, 1.0059]
    """

    schedule: Schedule
    seed: int = 42
    std: float = 1.0
    limit: float = 0.67
    distribution: str = "normal"
    begin: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        """Check the arguments."""
        checked_schedule("schedule", self.schedule)
        self._set(
            seed=arguments.whole_number("seed", self.seed, at_least=0),
            std=arguments.number("std", self.std, above=0),
            limit=arguments.number("limit", self.limit, above=0),
            distribution=arguments.one_of("distribution", self.distribution, ("normal", "uniform")),
            begin=arguments.whole_number("begin", self.begin, at_least=0),
        )
        if self.distribution == "normal" and self.limit < self.std / 100:
            raise ValueError(f"limit must be at least a hundredth of std, {self.std}, given {self.limit}")
        if self.end is not None:
            self._set(end=arguments.whole_number("end", self.end, at_least=self.begin))

    @property
    def groups(self) -> int | None:
        """Those of the schedule."""
        return self.schedule.groups

    @property
    def length(self) -> float | None:
        """That of the schedule."""
        return self.schedule.length

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The value of the schedule with the noise of this event."""
        value, factor = read(self.schedule, index), 1 + self.at(index)
        return [one * factor for one in value] if isinstance(value, list) else value * factor

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        values = self.schedule.values(indices)
        factor = 1 + np.array([self.at(int(index)) for index in indices], dtype=np.float64)
        return values * (factor if values.ndim == 1 else factor[:, None])

    def at(self, index: int) -> float:
        """The noise n of an event."""
        if index < self.begin or (self.end is not None and index >= self.end):
            return 0.0
        words = _words(self.seed + index)
        if self.distribution == "uniform":
            # torch takes 24 bits for a uniform number of float32.
            return 2 * (float(np.float32((words() & 0xFFFFFF) * 2.0**-24)) - 0.5) * self.limit
        while True:
            for number in _box_muller(_uniform(words), _uniform(words)):
                noise = float(np.float32(number)) * self.std
                if abs(noise) < self.limit:
                    return noise


def _words(seed: int) -> Callable[[], int]:
    """The 32-bit numbers of a Mersenne twister, one by one."""
    generator = np.random.RandomState(seed & 0xFFFFFFFF)
    return lambda: int.from_bytes(generator.bytes(4), "little")


def _uniform(words: Callable[[], int]) -> float:
    """A number in [0, 1) of 53 random bits, the first word being the higher."""
    high, low = words(), words()
    return float(((high << 32 | low) & (1 << 53) - 1) * 2.0**-53)


def _box_muller(u1: float, u2: float) -> tuple[float, float]:
    """Two independent normal numbers out of two uniform ones."""
    radius = math.sqrt(-2 * math.log1p(-u2))
    return radius * math.cos(2 * math.pi * u1), radius * math.sin(2 * math.pi * u1)
