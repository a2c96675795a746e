"""Curves from one value to another: what most schedules are made of."""

from collections.abc import Callable

import numpy as np

from .base import Array

Curve = Callable[[Array], Array]


def linear(progress: Array) -> Array:
    """A straight line: ``f(p) = p``."""
    return progress


def cosine(progress: Array) -> Array:
    """Half a cosine wave: ``f(p) = (1 - cos(pi * p)) / 2``, flat at both ends."""
    return (1 - np.cos(np.pi * progress)) / 2


def there_and_back(progress: Array) -> Array:
    """A triangle: ``f(p) = 1 - |2p - 1|``, up until ``p = 1/2`` and down again."""
    return 1 - np.abs(2 * progress - 1)


CURVES: dict[str, Curve] = {"cos": cosine, "linear": linear}


def blend(start: float | Array, end: float | Array, fraction: Array) -> Array:
    """``start + (end - start) * fraction``, for a fraction in [0, 1].

    Written so that 0 gives exactly ``start``, 1 exactly ``end``, and ``start == end`` exactly that value; the
    plain formula misses its end by a rounding error, which for a small ``end`` is most of its digits.

    >>> blend(0.1, 1e-20, np.array([0.0, 0.5, 1.0])).tolist()
    [0.1, 0.05, 1e-20]
    """
    mixed = start * (1 - fraction) + end * fraction
    return mixed.clip(np.minimum(start, end), np.maximum(start, end))
