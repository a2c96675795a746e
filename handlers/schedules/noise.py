"""Random noise that is the same in every run."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import fields
from .base import Array, with_group_axis
from .wrapper import Wrapper


@dataclass(frozen=True)
class Noise(Wrapper):
    """A schedule times random noise, which depends only on a seed and the event index.

    ``value(i) = schedule(i) * (1 + n)``. For each event, n is drawn from a normal distribution of standard deviation
    ``std`` until ``|n| < limit``; or from a uniform distribution between ``-limit`` and ``limit``.

    The random numbers are the same as of ``torch.Generator().manual_seed(seed + i)``, drawn one by one in float32.

    Args:
        schedule: the schedule.
        seed: a whole number of at least 0.
        std: standard deviation of the normal distribution, above 0.
        limit: bound of the noise, above 0, as a fraction of the value; at least a hundredth of ``std``.
        distribution: ``"normal"`` or ``"uniform"``.
        begin: the first event with noise, at least 0.
        end: the first event without noise again; None for no end.

    Shapes: the shape of ``schedule``; all groups have the same noise.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range.

    Example:
        >>> from lehr.handlers.schedules import Constant
        >>> Noise(Constant(1.0), seed=42, std=0.1, begin=1)([0, 1, 2]).round(4).tolist()
        [1.0, 0.9352, 1.0059]
    """

    seed: int = fields.whole_number(42)
    std: float = fields.number(1.0, above=0)
    limit: float = fields.number(0.67, above=0)
    distribution: str = fields.one_of(("normal", "uniform"), "normal")
    begin: int = fields.whole_number(0)
    end: int | None = fields.whole_number(None)

    def __post_init__(self) -> None:
        """Checks the arguments."""
        super().__post_init__()
        if self.distribution == "normal" and self.limit < self.std / 100:
            raise ValueError(f"limit must be at least a hundredth of std, {self.std}, given {self.limit}")
        if self.end is not None and self.end < self.begin:
            raise ValueError(f"end must be a whole number of at least {self.begin}, given {self.end}")

    def _changed(self, values: Array, indices: Array) -> Array:
        """The values with the noise of their events."""
        factors = 1 + np.array([self.at(int(index)) for index in indices], dtype=np.float64)
        return np.asarray(values * with_group_axis(factors, values.ndim == 2))

    def at(self, index: int) -> float:
        """The noise n of an event."""
        if index < self.begin or (self.end is not None and index >= self.end):
            return 0.0
        words = _words(self.seed + index)
        if self.distribution == "uniform":
            # torch uses 24 bits for a uniform number in float32.
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
    """Two independent normal numbers from two uniform ones."""
    radius = math.sqrt(-2 * math.log1p(-u2))
    return radius * math.cos(2 * math.pi * u1), radius * math.sin(2 * math.pi * u1)
