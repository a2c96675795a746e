"""A function of another schedule's value."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import arguments
from .base import Array, Schedule, Value, checked_schedule
from .description import description_of, text_of


@dataclass(frozen=True)
class Mapped(Schedule):
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

    schedule: Schedule
    function: Callable[[float], float]

    def __post_init__(self) -> None:
        """Check the arguments."""
        checked_schedule("schedule", self.schedule)
        if not callable(self.function) or isinstance(self.function, type):
            raise TypeError(f"function must be a function of a value, given {self.function!r}")

    @property
    def groups(self) -> int | None:
        """Those of the schedule."""
        return self.schedule.groups

    @property
    def length(self) -> float | None:
        """That of the schedule."""
        return self.schedule.length

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The function of the schedule's value at this event."""
        value = read(self.schedule, index)
        return [self._of(one) for one in value] if isinstance(value, list) else self._of(value)

    def values(self, indices: Array) -> Array:
        """The function of each of the schedule's values."""
        values = np.asarray(self.schedule.values(indices), dtype=np.float64)
        return np.array([self._of(value) for value in values.ravel().tolist()]).reshape(values.shape)

    def _of(self, value: float) -> float:
        try:
            return arguments.number("value", self.function(value))
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"{text_of(description_of(self.function))}({value}) is not a finite number: {error}"
            ) from error
        except ArithmeticError as error:
            raise ValueError(
                f"{text_of(description_of(self.function))}({value}) cannot be computed, given {value}: {error}"
            ) from error
