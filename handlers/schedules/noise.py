"""The schedule :class:`Noise`, which multiplies another schedule by random noise that a seed determines."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from . import fields
from .base import Array, with_group_axis
from .duration_annotations import Events, OptionalEvents
from .mersenne_twister import Words, first_words
from .wrapper import Wrapper

BLOCK_SIZE = 2048  # if a schedule is read event by event, the noise of this many events is drawn at once


@dataclass(frozen=True)
class Noise(Wrapper):
    """Multiplies another schedule by random noise, which depends only on a seed and the event index.

    The value is ``value(i) = schedule(i) * (1 + n)``. For each event, n is drawn from a normal distribution with the
    standard deviation ``std``, again and again until ``|n| < limit``. With ``distribution="uniform"``, n is drawn from
    a uniform distribution between ``-limit`` and ``limit``. The random numbers for event i are those that
    ``torch.Generator().manual_seed(seed + i)`` draws one by one in float32.

    Args:
        schedule: the other schedule.
        seed: the seed of event 0, a whole number of at least 0.
        std: the standard deviation of the normal distribution, above 0.
        limit: the bound of the noise, as a fraction of the value. It must be above 0, and at least ``std / 100`` for
            the normal distribution.
        distribution: ``"normal"`` or ``"uniform"``.
        begin: the first event with noise, at least 0.
        end: the first event after the noise. If None, the noise does not end.

    Shapes: the result has the shape of ``schedule``; all groups have the same noise.

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
    begin: Events = fields.whole_number(0, unit=fields.EVENTS)
    end: OptionalEvents = fields.whole_number(None, unit=fields.EVENTS)

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.distribution == "normal" and self.limit < self.std / 100:
            raise ValueError(f"limit must be at least a hundredth of std={self.std}, given {self.limit}")
        if self.end is not None and self.end < self.begin:
            raise ValueError(f"end must be at least begin={self.begin}, given {self.end}")

    def _changed(self, values: Array, indices: Array) -> Array:
        noise = np.array([self.at(int(indices[0]))]) if len(indices) == 1 else self._noise(indices)
        return np.asarray(values * with_group_axis(1 + noise, values.ndim == 2))

    def at(self, index: int) -> float:
        """Return the noise n of one event.

        The noise of a whole block of events is drawn at once and cached, because the other events of the block often
        follow.
        """
        if not self._is_noisy(index):
            return 0.0
        first = index - index % BLOCK_SIZE
        return float(_block(self.seed + first, self.std, self.limit, self.distribution)[index - first])

    def _noise(self, indices: Array) -> Array:
        noise, noisy = np.zeros(len(indices)), self._is_noisy(indices)
        seeds = _seeds(self.seed, indices[noisy])
        noise[noisy] = _drawn(seeds, self.std, self.limit, self.distribution)
        return noise

    def _is_noisy(self, indices: Any) -> Any:
        return (indices >= self.begin) & (indices < (np.inf if self.end is None else self.end))


def _seeds(seed: int, indices: Array) -> Words:
    """Return the lower 32 bits of ``seed + i``, because a Mersenne twister uses only these bits of a seed."""
    return (np.uint64(seed % 2**32) + indices.astype(np.uint64)).astype(np.uint32)


@lru_cache(maxsize=16)
def _block(seed: int, std: float, limit: float, distribution: str) -> Array:
    """Draw the noise for :data:`BLOCK_SIZE` consecutive seeds, of which ``seed`` is the first."""
    return _drawn(_seeds(seed, np.arange(BLOCK_SIZE, dtype=np.float64)), std, limit, distribution)


def _drawn(seeds: Words, std: float, limit: float, distribution: str) -> Array:
    if distribution == "uniform":
        # Torch uses 24 bits for a uniform number in float32.
        return np.asarray(2 * ((first_words(seeds, 1)[0] & 0xFFFFFF) * 2.0**-24 - 0.5) * limit)
    drawn, left, tried, count = np.empty(len(seeds)), np.arange(len(seeds)), 0, 32
    while len(left):
        words, column = first_words(seeds[left], count), np.arange(len(left))
        for at in range(tried, count, 4):
            if not len(column):
                break
            radius, angle = _polar(words[at : at + 4, column])
            for function in (math.cos, math.sin):
                # NumPy 1 would multiply in float32.
                noise = (radius * list(map(function, angle.tolist()))).astype(np.float32).astype(np.float64) * std
                again = np.abs(noise) >= limit
                drawn[left[column]] = noise  # if it must be drawn again, it is overwritten later
                column, radius, angle = column[again], radius[again], angle[again]
        left, tried, count = left[column], count, 4 * count
    return drawn


def _polar(words: Words) -> tuple[Array, Array]:
    """Compute the radius and the angle of the Box-Muller formula for two normal numbers from words ``(4, n)``.

    Python computes the logarithm, and later the sine and cosine, because NumPy rounds these functions differently.
    """
    angle, radius = _uniform(words[0], words[1]), _uniform(words[2], words[3])
    return np.sqrt(-2 * np.array(list(map(math.log1p, (-radius).tolist())))), 2 * math.pi * angle


def _uniform(high: Words, low: Words) -> Array:
    """Return numbers in [0, 1) with 53 random bits each."""
    bits = (high.astype(np.uint64) << np.uint64(32) | low) & np.uint64((1 << 53) - 1)
    return np.asarray(bits * 2.0**-53)
