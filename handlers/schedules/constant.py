"""Values that stay: one for ever, or one after another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import arguments
from .arguments import Number
from .base import Array, Schedule
from .durations import events


@dataclass(frozen=True)
class Constant(Schedule):
    """The same value at every event.

    Args:
        value: a float, or one for each of G parameter groups.

    Shapes: ``(n,)``, or ``(n, G)``.

    Raises:
        TypeError, ValueError: a value is not a finite number.

    Example:
        >>> Constant(0.5)([0, 1, 1000]).tolist()
        [0.5, 0.5, 0.5]
    """

    value: Number

    def __post_init__(self) -> None:
        """Check the numbers."""
        self._set(value=arguments.number_or_numbers("value", self.value))

    @property
    def groups(self) -> int | None:
        """One value a group where there are several."""
        return arguments.groups_of(self.value)

    def values(self, indices: Array) -> Array:
        """The value, again and again."""
        value = np.asarray(self.value, dtype=np.float64)
        return np.broadcast_to(value, (len(indices), *value.shape))


@dataclass(frozen=True)
class PiecewiseConstant(Schedule):
    """One value after another, from event to event: ``value(i) = constants[number of milestones that are <= i]``.

    Args:
        constants: the values, one more than the milestones; each a float, or a list with one for each of G groups.
        milestones: event indices at which the next value begins, rising.

    Shapes: ``(n,)``, or ``(n, G)`` where a value is a list.

    Raises:
        TypeError: a number is not one; an argument is not a list or tuple.
        ValueError: a number is out of its range; milestones that fall; not one fewer milestones than values.

    Example:
        >>> PiecewiseConstant([1.0, 0.1, 0.01], milestones=[2, 3])([0, 1, 2, 3, 4]).tolist()
        [1.0, 1.0, 0.1, 0.01, 0.01]
    """

    constants: Sequence[Number]
    milestones: Sequence[int] = events()

    def __post_init__(self) -> None:
        """Check the numbers, and keep both sequences as tuples."""
        if isinstance(self.constants, str | bytes) or not isinstance(self.constants, Sequence):
            raise TypeError(f"constants must be a list or tuple of values, given {self.constants!r}")
        constants = [
            arguments.number_or_numbers(f"constants[{at}]", constant) for at, constant in enumerate(self.constants)
        ]
        self._set(constants=tuple(constants), milestones=arguments.rising("milestones", self.milestones))
        if len(self.constants) != len(self.milestones) + 1:
            raise ValueError(
                f"constants must be one more than the milestones, given {len(self.constants)} constants "
                f"and {len(self.milestones)} milestones"
            )
        arguments.same_groups(**{f"constants[{at}]": constant for at, constant in enumerate(self.constants)})

    @property
    def groups(self) -> int | None:
        """One value a group where one of the values is a list."""
        return arguments.groups_of(*self.constants)

    @property
    def length(self) -> float:
        """Up to the last milestone."""
        return max(self.milestones, default=0)

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        shape = () if self.groups is None else (self.groups,)
        table = np.stack(
            [np.broadcast_to(np.asarray(constant, dtype=np.float64), shape) for constant in self.constants]
        )
        return np.asarray(table[np.searchsorted(self.milestones, indices, side="right")])
