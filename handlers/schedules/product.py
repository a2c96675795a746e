"""Schedules multiplied with one another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .base import Array, Schedule, Value, common_groups, schedules_field, with_group_axis


@dataclass(frozen=True)
class Product(Schedule):
    """The product of the values of several schedules: ``value(i) = schedules[0](i) * schedules[1](i) * ...``.

    Usually one schedule has values of the hyper-parameter, and the others are factors: a decay, a plateau from 1 on.

    Args:
        schedules: one or more. Some may have one value for all groups, others one for each of G groups.

    Shapes: ``(n,)``, or ``(n, G)`` where one of the schedules has it.

    Raises:
        TypeError: ``schedules`` is not a list or tuple of schedules.
        ValueError: no schedules; schedules for different numbers of groups.

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
        """The product of the values."""
        product: Value = 1.0
        for value in [read(schedule, index) for schedule in self.schedules]:
            if isinstance(product, list) and isinstance(value, list):
                product = [mine * theirs for mine, theirs in zip(product, value, strict=True)]
            elif isinstance(product, list):
                product = [mine * value for mine in product]  # type: ignore[operator]
            else:
                product = [product * theirs for theirs in value] if isinstance(value, list) else product * value
        return product

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        parts = [np.asarray(schedule.values(indices)) for schedule in self.schedules]
        values = np.ones((len(indices), *max((part.shape[1:] for part in parts), key=len)))
        for part in parts:
            values = values * with_group_axis(part, values.ndim == 2)
        return values
