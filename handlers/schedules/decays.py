"""Decays without an end, such as :class:`ExponentialDecay`, :class:`StepDecay` and :class:`PowerDecay`."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule
from .curves import rounded_if_near
from .duration_annotations import Duration, ListedEvents


@dataclass(frozen=True)
class Decay(Schedule):
    """The base class of decays, which define a factor: ``value(i) = initial_value * factor(i)``.

    Args:
        initial_value: a float, or a list of G floats, one for each param group.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if ``initial_value`` is a list.

    Raises:
        TypeError, ValueError: an argument is not a finite number.
    """

    initial_value: Number = fields.value()

    @abstractmethod
    def factor(self, indices: Array) -> Array:
        """Return the factors ``(n,)`` for event indices ``(n,)``. The initial value is multiplied by them."""

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        factor = self.factor(indices)
        return np.asarray(self.initial_value) * (factor if self.groups is None else factor[:, None])


class GammaDecay(Decay):
    """A decay whose factor is a power of ``gamma``: ``gamma ** times(i)``."""

    gamma: float

    @abstractmethod
    def times(self, indices: Array) -> Array:
        """Return how many times ``gamma`` has been applied up to each event."""

    def factor(self, indices: Array) -> Array:
        """Return ``gamma ** times(i)`` for each event."""
        return np.asarray(self.gamma ** self.times(indices))


@dataclass(frozen=True)
class ExponentialDecay(GammaDecay):
    """A decay by a factor at every event: ``value(i) = initial_value * gamma ** (i / decay_events)``.

    Args:
        initial_value: value at event 0; a float, or a list of G floats, one for each param group.
        gamma: the factor that multiplies the value in ``decay_events`` events.
        decay_events: the number of events in which the value is multiplied by ``gamma``, above 0.
        staircase: whether to decay in steps, every ``decay_events`` events. If True, the exponent is
            ``floor(i / decay_events)``.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if ``initial_value`` is a list.

    Raises:
        TypeError, ValueError: an argument is not a finite number, or out of its range.

    Example:
        >>> ExponentialDecay(initial_value=8.0, gamma=0.5)([0, 1, 2, 3]).tolist()
        [8.0, 4.0, 2.0, 1.0]
        >>> ExponentialDecay(8.0, 0.25, decay_events=2, staircase=True)([0, 1, 2, 3]).tolist()
        [8.0, 8.0, 2.0, 2.0]
    """

    gamma: float = fields.number()
    decay_events: Duration = fields.number(1.0, above=0, unit=fields.EVENTS)
    staircase: bool = fields.flag(False)

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        if self.gamma < 0 and not self.staircase and self.decay_events != 1:
            raise ValueError(
                "gamma must be at least 0 if staircase is False and decay_events is not 1, "
                f"given {arguments.shown(self.gamma)}"
            )

    def times(self, indices: Array) -> Array:
        """Return the event indices divided by ``decay_events``, rounded down if ``staircase`` is True."""
        times = indices / self.decay_events
        return np.floor(times) if self.staircase else times


@dataclass(frozen=True)
class StepDecay(GammaDecay):
    """A decay by a factor at each step: ``value(i) = initial_value * gamma ** floor(i / step_size)``.

    Args:
        initial_value: value at event 0; a float, or a list of G floats, one for each param group.
        gamma: the factor that multiplies the value at each step.
        step_size: the number of events from one step to the next, above 0. With 2.5, for example, the steps are at
            events 3, 5, 8, 10, ...

    Shapes: the result is ``(n,)``, or ``(n, G)`` if ``initial_value`` is a list.

    Raises:
        TypeError, ValueError: an argument is not a finite number, or out of its range.

    Example:
        >>> StepDecay(initial_value=8.0, gamma=0.5, step_size=2)([0, 1, 2, 3, 4]).tolist()
        [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    gamma: float = fields.number()
    step_size: Duration = fields.duration(above=0)

    def times(self, indices: Array) -> Array:
        """Return the number of steps up to each event."""
        return indices // self.step_size


@dataclass(frozen=True)
class MultiStepDecay(GammaDecay):
    """A decay by a factor at given events: ``value(i) = initial_value * gamma ** (number of milestones <= i)``.

    Args:
        initial_value: value before the first milestone; a float, or a list of G floats, one for each param group.
        gamma: the factor that multiplies the value at each milestone.
        milestones: the event indices at which ``gamma`` is applied, in rising order. A milestone that is listed twice
            counts twice.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if ``initial_value`` is a list.

    Raises:
        TypeError: an argument is not a number; ``milestones`` is not a list or tuple of numbers.
        ValueError: a number is not finite; a milestone is negative, not whole, or less than the milestone before.

    Example:
        >>> MultiStepDecay(initial_value=8.0, gamma=0.5, milestones=[1, 3, 3])([0, 1, 2, 3]).tolist()
        [8.0, 4.0, 4.0, 1.0]
    """

    gamma: float = fields.number()
    milestones: ListedEvents = fields.rising()

    @property
    def length(self) -> float:
        """The event index of the last milestone."""
        return max(self.milestones, default=0)

    def times(self, indices: Array) -> Array:
        """Return the number of milestones up to each event."""
        return np.searchsorted(self.milestones, indices, side="right").astype(np.float64)


@dataclass(frozen=True)
class PowerDecay(Decay):
    """A decay as a power of time: ``value(i) = initial_value * (1 + i / timescale) ** -power``.

    With ``power=0.5``, this is known as inverse square root decay.

    Args:
        initial_value: value at event 0; a float, or a list of G floats, one for each param group.
        timescale: a number of events, above 0. After this number of events, the value is
            ``initial_value * 2 ** -power``.
        power: the exponent, at least 0. With a larger exponent, the value falls faster.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if ``initial_value`` is a list.

    Raises:
        TypeError, ValueError: an argument is not a finite number, or out of its range.

    Source: Zhai et al., "Scaling Vision Transformers", 2021, https://arxiv.org/abs/2106.04560.

    Example:
        >>> PowerDecay(initial_value=1.0, timescale=4)([0, 12, 60]).tolist()
        [1.0, 0.5, 0.25]
    """

    timescale: Duration = fields.number(above=0, unit=fields.EVENTS)
    power: float = fields.number(0.5, at_least=0)

    def factor(self, indices: Array) -> Array:
        """Return the factors by the formula of the class docstring, for an initial value of 1."""
        times = (indices + self.timescale) / self.timescale
        return np.asarray(1 / np.sqrt(times) if self.power == 0.5 else times**-self.power)


@dataclass(frozen=True)
class InverseTimeDecay(Decay):
    """A decay as the inverse of time: ``value(i) = initial_value / (1 + decay_rate * i ** exponent / decay_events)``.

    Args:
        initial_value: value at event 0; a float, or a list of G floats, one for each param group.
        decay_rate: the speed of the decay, at least 0.
        decay_events: the number of events to which ``decay_rate`` refers, above 0.
        exponent: the power of time, at least 0.
        staircase: whether to decay in steps. If True, ``floor(i ** exponent / decay_events)`` replaces
            ``i ** exponent / decay_events``.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if ``initial_value`` is a list.

    Raises:
        TypeError, ValueError: an argument is not a finite number, or out of its range.

    Example:
        >>> InverseTimeDecay(initial_value=1.0, decay_rate=1.0, decay_events=2)([0, 2, 6]).tolist()
        [1.0, 0.5, 0.25]
    """

    decay_rate: float = fields.number(at_least=0)
    decay_events: Duration = fields.number(1.0, above=0, unit=fields.EVENTS)
    exponent: float = fields.number(1.0, at_least=0)
    staircase: bool = fields.flag(False)

    @classmethod
    def in_events(cls, given: dict[str, Any], epoch_length: int) -> dict[str, Any]:
        """Return the arguments, with ``decay_events`` converted from epochs to events.

        In the formula, ``decay_events`` divides ``i ** exponent``, so it is multiplied by ``epoch_length ** exponent``.

        Raises:
            ValueError: ``exponent`` is more than 20.
        """
        power = arguments.number("exponent", given["exponent"], at_least=0)
        if power > 20 and epoch_length > 1:
            raise ValueError(f"exponent must be at most 20 if epoch_length is given, given {power}")
        if isinstance(given["decay_events"], str):
            return given
        events_in_it = arguments.number("decay_events", given["decay_events"]) * float(epoch_length) ** power
        return {**given, "decay_events": events_in_it}

    def factor(self, indices: Array) -> Array:
        """Return the factors by the formula of the class docstring, for an initial value of 1."""
        times = rounded_if_near(indices**self.exponent / self.decay_events)
        return np.asarray(1 / (1 + self.decay_rate * (np.floor(times) if self.staircase else times)))
