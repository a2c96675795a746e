"""The schedule :class:`Mapped`, which applies a function to the values of another schedule."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, Value
from .description_as_data import description_of, text_of
from .wrapper import Wrapper


@dataclass(frozen=True)
class Mapped(Wrapper):
    """Applies a function to the values of another schedule: ``value(i) = function(schedule(i))`` in each param group.

    Use this schedule to couple one parameter to another, such as the batch size to the learning rate.
    The schedulers of both parameters must run at the same events, as in a :class:`~lehr.handlers.ParamGroupScheduler`.

    Args:
        schedule: the other schedule.
        function: a pure function ``float -> float``. It may be called for any event, in any order.

    Shapes: the result has the shape of ``schedule``.

    Raises:
        TypeError: ``schedule`` is not a schedule; ``function`` cannot be called; at an event, ``function`` returns no
            number.
        ValueError: at an event, ``function`` returns NaN or infinity, or raises an ``ArithmeticError``.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> lr = Anneal(0.4, 0.1, duration=3)
        >>> Mapped(lr, lambda lr: 3.2 / lr)([0, 1, 2, 3]).round(2).tolist()
        [8.0, 10.67, 16.0, 32.0]
    """

    function: Callable[[float], float] = fields.function("a function of a value")

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Apply the function to the value of the other schedule at one event."""
        value = read(self.schedule, index)
        return [self._value_of(one) for one in value] if isinstance(value, list) else self._value_of(value)

    def _changed(self, values: Array, indices: Array) -> Array:
        values = np.asarray(values, dtype=np.float64)
        return np.array([self._value_of(value) for value in values.ravel().tolist()]).reshape(values.shape)

    def _value_of(self, value: float) -> float:
        try:
            return arguments.number("value", self.function(value))
        except (TypeError, ValueError, ArithmeticError) as error:
            named = f"{arguments.shown_text(text_of(description_of(self.function)))}({value})"
            if isinstance(error, ArithmeticError):
                raise ValueError(arguments.shortened(f"{named} cannot be computed, given {value}: {error}")) from error
            raise type(error)(arguments.shortened(f"{named} is not a finite number: {error}")) from error
