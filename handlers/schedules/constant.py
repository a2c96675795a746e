"""Schedules that have one constant value at all events, or several constants one after another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule
from .duration_annotations import ListedEvents


@dataclass(frozen=True)
class Constant(Schedule):
    """The same value at every event: ``value(i) = value``.

    Args:
        value: a float, or a list of G floats, one for each param group.

    Shapes: the result is ``(n,)``, or ``(n, G)``.

    Raises:
        TypeError, ValueError: a value is not a finite number.

    Example:
        >>> Constant(0.5)([0, 1, 1000]).tolist()
        [0.5, 0.5, 0.5]
    """

    value: Number = fields.value()

    def values(self, indices: Array) -> Array:
        """Return the same value for each event."""
        value = np.asarray(self.value, dtype=np.float64)
        return np.broadcast_to(value, (len(indices), *value.shape))


def _checked_constants(name: str, values: Any) -> tuple[Number, ...]:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise TypeError(f"{name} must be a list or tuple of values, given {arguments.shown(values)}")
    named = {f"{name}[{position}]": value for position, value in enumerate(values)}
    constants = {one: arguments.number_or_numbers(one, value) for one, value in named.items()}
    arguments.same_groups({one: arguments.groups_of(constant) for one, constant in constants.items()})
    return tuple(constants.values())


@dataclass(frozen=True)
class PiecewiseConstant(Schedule):
    """Several constant values one after another: ``value(i) = constants[number of milestones that are <= i]``.

    Args:
        constants: the values: one more than the milestones. Each value is a float, or a list of G floats, one for each
            param group.
        milestones: event indices in rising order. The next value begins at each milestone.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if a value is a list.

    Raises:
        TypeError: a value or a milestone is not a number; an argument is not a list or tuple.
        ValueError: a number is out of its range; a milestone is less than the milestone before; there is not exactly
            one value more than there are milestones.

    Example:
        >>> PiecewiseConstant([1.0, 0.1, 0.01], milestones=[2, 3])([0, 1, 2, 3, 4]).tolist()
        [1.0, 1.0, 0.1, 0.01, 0.01]
    """

    constants: Sequence[Number] = fields.argument(_checked_constants, groups=lambda given: arguments.groups_of(*given))
    milestones: ListedEvents = fields.rising()

    def __post_init__(self) -> None:
        """Check the numbers, and convert both lists to tuples."""
        super().__post_init__()
        if len(self.constants) != len(self.milestones) + 1:
            raise ValueError(
                f"constants must have one item more than milestones, given {len(self.constants)} constants "
                f"and {len(self.milestones)} milestones"
            )

    @property
    def length(self) -> float:
        """The event index of the last milestone."""
        return max(self.milestones, default=0)

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        shape = () if self.groups is None else (self.groups,)
        table = np.stack(
            [np.broadcast_to(np.asarray(constant, dtype=np.float64), shape) for constant in self.constants]
        )
        return np.asarray(table[np.searchsorted(self.milestones, indices, side="right")])
