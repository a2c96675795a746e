"""A function of another schedule's value."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, Value
from .description import description_of, text_of
from .wrapper import Wrapper


@dataclass(frozen=True)
class Mapped(Wrapper):
    """A schedule that follows another one: ``value(i) = function(schedule(i))``, in each parameter group.

    It couples a parameter to another one, such as the weight decay to the learning rate, or the batch size to it so
    that their product stays. It is read at the events of the scheduler that writes it: those of both must be the same,
    as they are in a :class:`~lehr.handlers.ParamGroupScheduler`.

    Args:
        schedule: the schedule that is followed.
        function: ``float -> float``, without memory: it may be asked for any event in any order, and ahead of it.

    Shapes: those of ``schedule``.

    Raises:
        TypeError: ``schedule`` is none, or ``function`` cannot be called; at the event, its value is no number.
        ValueError: at the event, its value is NaN or infinite, or cannot be computed.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> lr = Anneal(0.4, 0.1, duration=3)
        >>> Mapped(lr, lambda lr: 3.2 / lr)([0, 1, 2, 3]).round(2).tolist()
        [8.0, 10.67, 16.0, 32.0]
    """

    function: Callable[[float], float] = fields.function("a function of a value")

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The function of the value of the schedule."""
        value = read(self.schedule, index)
        return [self._value_of(one) for one in value] if isinstance(value, list) else self._value_of(value)

    def changed(self, values: Array, indices: Array) -> Array:
        """The function of each value."""
        values = np.asarray(values, dtype=np.float64)
        return np.array([self._value_of(value) for value in values.ravel().tolist()]).reshape(values.shape)

    def _value_of(self, value: float) -> float:
        try:
            return arguments.number("value", self.function(value))
        except (TypeError, ValueError, ArithmeticError) as error:
            named = f"{text_of(description_of(self.function))}({value})"
            if isinstance(error, ArithmeticError):
                raise ValueError(f"{named} cannot be computed, given {value}: {error}") from error
            raise type(error)(f"{named} is not a finite number: {error}") from error
