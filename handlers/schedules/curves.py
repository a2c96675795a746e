"""Curves such as :class:`Cosine`. A curve turns progress into a fraction of the way from one value to another."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import arguments, fields
from .base import Array


def linear(progress: Array) -> Array:
    """Return the fractions on a straight line: ``f(p) = p``."""
    return progress


def cosine(progress: Array) -> Array:
    """Return the fractions on half a cosine wave, which is flat at both ends: ``f(p) = (1 - cos(pi * p)) / 2``."""
    return (1 - np.cos(np.pi * progress)) / 2


def triangle(progress: Array) -> Array:
    """Return the fractions on a triangle, which rises until ``p = 1/2`` and then falls: ``f(p) = 1 - |2p - 1|``."""
    return 1 - np.abs(2 * progress - 1)


CURVES: dict[str, Callable[[Array], Array]] = {"cos": cosine, "linear": linear}


def blend(start: float | Array, end: float | Array, fraction: Array) -> Array:
    """Return ``start + (end - start) * fraction`` for fractions in [0, 1], exactly at both ends.

    A fraction of 0 gives exactly ``start``, and a fraction of 1 gives exactly ``end``. If ``start`` and ``end`` are
    equal, each fraction gives exactly this value. The formula itself would give ``end`` with a rounding error, which
    can be larger than a small ``end``.

    >>> blend(0.1, 1e-20, np.array([0.0, 0.5, 1.0])).tolist()
    [0.1, 0.05, 1e-20]
    """
    mixed = start * (1 - fraction) + end * fraction
    if type(start) is float and type(end) is float and start != end:  # ``np.minimum`` is slow for floats
        return mixed.clip(min(start, end), max(start, end))
    return mixed.clip(np.minimum(start, end), np.maximum(start, end))


def rounded_if_near(numbers: float | Array) -> Array:
    """Round each number that differs from a whole number only by a rounding error.

    >>> rounded_if_near(np.array([2.9999999999999996, 2.5, 3.0])).tolist()
    [3.0, 2.5, 3.0]
    """
    near = np.round(numbers)
    return np.where(np.abs(numbers - near) <= 1e-12 * np.maximum(np.abs(near), 1), near, numbers)


@dataclass(frozen=True)
class Curve(ABC):
    """A function that turns progress into a fraction of the way from one value to another, both in [0, 1].

    A subclass is a frozen dataclass whose fields are plain data. It implements one method, ``__call__``, which computes
    the formula.

    Shapes: ``curve(p)`` has the shape of the array ``p``.

    Example:
        >>> @dataclass(frozen=True)
        ... class Quadratic(Curve):
        ...     def __call__(self, progress):
        ...         return progress**2
        >>> Quadratic()(np.array([0.0, 0.5, 1.0])).tolist()
        [0.0, 0.25, 1.0]
    """

    def __post_init__(self) -> None:
        """Check the arguments. Each field of type float must be finite, even in a class that a user defines."""
        for field in dataclasses.fields(self):
            if field.type in (float, "float") and not field.metadata:
                object.__setattr__(self, field.name, arguments.number(field.name, getattr(self, field.name)))
        fields.check(self)

    @abstractmethod
    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress in an array. Each progress is in [0, 1]."""


def curve_field(default: Any = fields.REQUIRED) -> Any:
    """Declare a dataclass field for a curve."""
    return fields.instance(Curve, "a Curve such as Cosine()", default)


@dataclass(frozen=True)
class Linear(Curve):
    """A straight line: ``f(p) = p``.

    Shapes: the result has the shape of ``p``.

    Example:
        >>> Linear()(np.array([0.0, 0.25, 1.0])).tolist()
        [0.0, 0.25, 1.0]
    """

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return linear(progress)


@dataclass(frozen=True)
class Cosine(Curve):
    """Half a cosine wave, flat at both ends: ``f(p) = (1 - cos(pi * p)) / 2``.

    Shapes: the result has the shape of ``p``.

    Example:
        >>> Cosine()(np.array([0.0, 0.5, 1.0])).round(4).tolist()
        [0.0, 0.5, 1.0]
    """

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return cosine(progress)


@dataclass(frozen=True)
class Power(Curve):
    """A power of the progress: ``f(p) = p ** power``. With a power below 1, the curve is fast at first.

    A decay with ``power=0.5`` is known as "1-sqrt".

    Args:
        power: the exponent, above 0.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: ``power`` is not a number.
        ValueError: ``power`` is out of its range.

    Source: Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", 2024,
    https://arxiv.org/abs/2405.18392 (the 1-sqrt decay).

    Example:
        >>> Power(0.5)(np.array([0.0, 0.25, 1.0])).tolist()
        [0.0, 0.5, 1.0]
    """

    power: float = fields.number(0.5, above=0)

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return np.asarray(progress**self.power)


@dataclass(frozen=True)
class Polynomial(Curve):
    """A polynomial: ``f(p) = 1 - (1 - p) ** power``. With a power above 1, the curve is flat at its end.

    Args:
        power: the exponent, at least 0.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: ``power`` is not a number.
        ValueError: ``power`` is out of its range.

    Source: Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and
    Fully Connected CRFs", 2017, https://arxiv.org/abs/1606.00915 (the "poly" decay, with a power of 0.9).

    Example:
        >>> Polynomial(2.0)(np.array([0.0, 0.5, 1.0])).tolist()
        [0.0, 0.75, 1.0]
    """

    power: float = fields.number(1.0, at_least=0)

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return np.asarray(1 - (1 - progress) ** self.power)


@dataclass(frozen=True)
class Exponential(Curve):
    """An exponential that reaches 1 at its end: ``f(p) = (1 - ratio ** p) / (1 - ratio)``.

    Args:
        ratio: the value of ``ratio ** p`` at the end, in (0, 1). With a smaller ratio, the curve is faster at first.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: ``ratio`` is not a number.
        ValueError: ``ratio`` is out of its range.

    Example:
        >>> Exponential(0.25)(np.array([0.0, 0.5, 1.0])).round(4).tolist()
        [0.0, 0.6667, 1.0]
    """

    ratio: float = fields.number(0.1, above=0, below=1)

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return np.asarray((1 - self.ratio**progress) / (1 - self.ratio))


@dataclass(frozen=True)
class Logarithmic(Curve):
    """A logarithm, which is fast at first: ``f(p) = log(1 + (base - 1) * p) / log(base)``.

    DeepSpeed warms up along this curve by default. For ``n`` warm-up steps, ``base`` is ``n`` and the progress at
    step ``i`` is ``i / (n - 1)``.

    Args:
        base: the base of the logarithm, above 1. With a larger base, the curve is faster at first.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: ``base`` is not a number.
        ValueError: ``base`` is out of its range.

    Example:
        >>> Logarithmic(4.0)(np.array([0.0, 1 / 3, 1.0])).round(4).tolist()
        [0.0, 0.5, 1.0]
    """

    base: float = fields.number(10.0, above=1)

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        curve = np.log1p((self.base - 1) * progress) / np.log(self.base)
        return np.where(progress == 1, 1.0, curve)  # NumPy may round the two logarithms differently


@dataclass(frozen=True)
class Stairs(Curve):
    """A staircase with equal steps: ``f(p) = floor(p * count) / count``.

    Args:
        count: the number of stairs, at least 1. The last stair begins at ``p = 1``.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: ``count`` is not a number.
        ValueError: ``count`` is not a whole number of at least 1.

    Example:
        >>> Stairs(2)(np.array([0.0, 0.4, 0.5, 0.9, 1.0])).tolist()
        [0.0, 0.0, 0.5, 0.5, 1.0]
    """

    count: int = fields.whole_number(at_least=1)

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return np.asarray(np.floor(rounded_if_near(progress * self.count)) / self.count)


@dataclass(frozen=True)
class Tanh(Curve):
    """A part of the hyperbolic tangent: ``f(p) = (1 + tanh(lower * (1 - p) + upper * p)) / 2``.

    The curve begins slightly above 0 and ends slightly below 1. With the defaults, it goes from 8e-7 to 0.9975.

    Args:
        lower: the argument of tanh at the beginning.
        upper: the argument of tanh at the end, more than ``lower``.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is NaN or infinite; ``lower`` is not less than ``upper``.

    Source: Hsueh et al., "Stochastic Gradient Descent with Hyperbolic-Tangent Decay on Classification", 2018,
    https://arxiv.org/abs/1806.01593.

    Example:
        >>> Tanh(-2.0, 2.0)(np.array([0.0, 0.5, 1.0])).round(4).tolist()
        [0.018, 0.5, 0.982]
    """

    lower: float = -7.0
    upper: float = 3.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        if self.lower >= self.upper:
            raise ValueError(
                f"lower must be less than upper={arguments.shown(self.upper)}, given {arguments.shown(self.lower)}"
            )

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return np.asarray((1 + np.tanh(self.lower * (1 - progress) + self.upper * progress)) / 2)


@dataclass(frozen=True)
class Rex(Curve):
    """A curve that is slow at first and fast at the end: ``f(p) = 1 - (1 - p) / (1 - d + d * (1 - p))``.

    Args:
        d: a number in [0, 1). A larger ``d`` moves the change towards the end. ``d=0`` is a straight line, and
            ``d=0.5`` is the REX curve of the paper.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: ``d`` is not a number.
        ValueError: ``d`` is out of its range.

    Source: Chen, Wolfe and Kyrillidis, "REX: Revisiting Budgeted Training with an Improved Schedule", 2021,
    https://arxiv.org/abs/2107.04197.

    Example:
        >>> Rex()(np.array([0.0, 0.5, 1.0])).round(4).tolist()
        [0.0, 0.3333, 1.0]
    """

    d: float = fields.number(0.5, at_least=0, below=1)

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return np.asarray(1 - (1 - progress) / (1 - self.d + self.d * (1 - progress)))


@dataclass(frozen=True)
class KDecay(Curve):
    """A curve that applies another curve to a power of the progress: ``f(p) = curve(p ** k)``.

    Args:
        curve: the other curve.
        k: the exponent, above 0. A ``k`` above 1 moves the change towards the end.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: ``curve`` is not a :class:`Curve`; ``k`` is not a number.
        ValueError: ``k`` is out of its range.

    Source: Zhang and Li, "k-decay: A New Method for Learning Rate Schedule", 2020,
    https://arxiv.org/abs/2004.05909.

    Example:
        >>> KDecay(Linear(), k=2.0)(np.array([0.0, 0.5, 1.0])).tolist()
        [0.0, 0.25, 1.0]
    """

    curve: Curve = curve_field()
    k: float = fields.number(above=0)

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return self.curve(progress**self.k)


@dataclass(frozen=True)
class Reversed(Curve):
    """A curve that reverses another curve: ``f(p) = 1 - curve(1 - p)``.

    A warm-up along the reversed curve looks like a mirrored decay along the other curve.

    Args:
        curve: the other curve.

    Shapes: the result has the shape of ``p``.

    Raises:
        TypeError: ``curve`` is not a :class:`Curve`.

    Example:
        >>> Reversed(Power(0.5))(np.array([0.0, 0.75, 1.0])).tolist()
        [0.0, 0.5, 1.0]
    """

    curve: Curve = curve_field()

    def __call__(self, progress: Array) -> Array:
        """Return the fraction for each progress, by the formula of the class docstring."""
        return 1 - self.curve(1 - progress)
