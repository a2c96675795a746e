"""The schedule :class:`Product`, which multiplies the values of several schedules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .base import Array, Schedule, Value, common_groups, schedules_field, with_group_axis


@dataclass(frozen=True)
class Product(Schedule):
    """The product of the values of several schedules: ``value(i) = schedules[0](i) * schedules[1](i) * ...``.

    Usually, one schedule has the values of the hyper-parameter, and the other schedules are factors, such as a warm-up
    from 0 to 1 or a :class:`.Plateau` that starts at 1.

    Args:
        schedules: one or more schedules. Each has one value for all groups, or one value for each of G groups.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if one of the schedules has values for G groups.

    Raises:
        TypeError: ``schedules`` is not a list or tuple of schedules.
        ValueError: there is no schedule; two schedules have values for different numbers of groups.

    Example:
        >>> from lehr.handlers.schedules import LinearInterpolation
        >>> warmup = LinearInterpolation([(0, 0.0), (2, 1.0)])
        >>> decay = LinearInterpolation([(0, 8.0), (4, 4.0)])
        >>> Product([warmup, decay])([0, 1, 2, 3, 4]).tolist()
        [0.0, 3.5, 6.0, 5.0, 4.0]
    """

    schedules: Sequence[Schedule] = schedules_field(groups=common_groups)

    @property
    def length(self) -> float | None:
        """The length of the longest schedule that has an end."""
        return max((length for part in self.schedules if (length := part.length) is not None), default=None)

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the product of the values at one event."""
        product = read(self.schedules[0], index)
        for schedule in self.schedules[1:]:
            value = read(schedule, index)
            if type(product) is float and type(value) is float:
                product *= value
            elif isinstance(product, list) and isinstance(value, list):
                product = [mine * theirs for mine, theirs in zip(product, value, strict=True)]
            elif isinstance(product, list):
                product = [mine * value for mine in product]  # type: ignore[operator]
            else:
                product = [product * theirs for theirs in value] if isinstance(value, list) else product * value
        return product

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        parts = [np.asarray(schedule.values(indices)) for schedule in self.schedules]
        values = np.ones((len(indices), *max((part.shape[1:] for part in parts), key=len)))
        for part in parts:
            values = values * with_group_axis(part, values.ndim == 2)
        return values
