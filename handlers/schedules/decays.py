"""Decays by a factor: at every event, at every so many, or at given ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import arguments
from .base import Array, Schedule


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """A decay by a factor at every event: ``value(i) = initial_value * gamma ** i``.

    Args:
        initial_value: value at event 0.
        gamma: factor of each event.

    Raises:
        TypeError, ValueError: an argument is not a finite number.

    Example:
        >>> ExponentialDecay(initial_value=8.0, gamma=0.5)([0, 1, 2, 3]).tolist()
        [8.0, 4.0, 2.0, 1.0]
    """

    initial_value: float
    gamma: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        self._set(
            initial_value=arguments.number("initial_value", self.initial_value),
            gamma=arguments.number("gamma", self.gamma),
        )

    def drops(self, indices: Array) -> Array:
        """How many times the factor has been applied: once an event here."""
        return indices

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        return np.asarray(self.initial_value * self.gamma ** self.drops(indices))


@dataclass(frozen=True)
class StepDecay(ExponentialDecay):
    """A decay by a factor at every so many events: ``value(i) = initial_value * gamma ** floor(i / step_size)``.

    Args:
        initial_value: value at event 0.
        gamma: factor of each step.
        step_size: events from one step to the next, at least 1.

    Raises:
        TypeError, ValueError: an argument is not a finite number; ``step_size`` is not whole or less than 1.

    Example:
        >>> StepDecay(initial_value=8.0, gamma=0.5, step_size=2)([0, 1, 2, 3, 4]).tolist()
        [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    step_size: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        self._set(step_size=arguments.whole_number("step_size", self.step_size, at_least=1))

    def drops(self, indices: Array) -> Array:
        """How many steps have been taken."""
        return np.asarray(indices // self.step_size)


@dataclass(frozen=True)
class MultiStepDecay(ExponentialDecay):
    """A decay by a factor at given events: ``value(i) = initial_value * gamma ** (milestones that are <= i)``.

    Args:
        initial_value: value before the first milestone.
        gamma: factor of each milestone.
        milestones: event indices at which the factor is applied, rising; one that stands there twice counts twice.

    Raises:
        TypeError: a number is not one, ``milestones`` not a list or tuple.
        ValueError: a number is not finite, a milestone negative or not whole, or less than the one before.

    Example:
        >>> MultiStepDecay(initial_value=8.0, gamma=0.5, milestones=[1, 3, 3])([0, 1, 2, 3]).tolist()
        [8.0, 4.0, 4.0, 1.0]
    """

    milestones: Sequence[int]

    def __post_init__(self) -> None:
        """Check the numbers, and keep the milestones as a tuple."""
        super().__post_init__()
        self._set(milestones=arguments.rising("milestones", self.milestones))

    def drops(self, indices: Array) -> Array:
        """How many milestones have been passed."""
        return np.searchsorted(self.milestones, indices, side="right").astype(np.float64)
