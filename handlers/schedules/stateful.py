"""Schedules that are asked when their event comes and not before, since what they depend on may change until then."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field  # noqa: F401 -- field is for the example
from typing import Any

import numpy as np

from . import arguments
from .base import Array, Schedule
from .description import description_of, text_of


@dataclass(frozen=True, repr=False)
class LiveSchedule(Schedule):
    """A schedule that is asked for one event at a time, when it comes, and may depend on what happens in training.

    A subclass writes :meth:`value` for one event instead of :meth:`Schedule.values` for arrays.

    Example:
        >>> @dataclass(frozen=True)
        ... class Measured(LiveSchedule):
        ...     losses: list
        ...
        ...     def value(self, index):
        ...         return 0.1 * min(self.losses, default=1.0)
        >>> measured = Measured(losses=[])
        >>> measured(0)
        0.1
        >>> measured.losses.append(0.5)
        >>> measured(1)
        0.05
    """

    @abstractmethod
    def value(self, index: int) -> float | Sequence[float]:
        """The value at an event: a number, or a sequence with one for each parameter group."""

    @property
    def ahead(self) -> bool:
        """Never: that is what it is for."""
        return False

    def values(self, indices: Array) -> Array:
        """Ask event by event."""
        return np.array([self.checked(int(index)) for index in indices], dtype=np.float64)

    def checked(self, index: int) -> float | list[float]:
        """The value at an event, if it is a finite number or a sequence of them.

        Raises:
            TypeError: it is something else.
            ValueError: it is NaN or infinite.
        """
        return arguments.value_at(index, self.value(index), self.named)

    def named(self, index: int) -> str:
        """What an error calls the value at an event."""
        return f"the value of {text_of(description_of(self))} at event {index}"


@dataclass(frozen=True, repr=False)
class FunctionSchedule(LiveSchedule):
    """A schedule that asks a Python function for each value.

    The function takes the event index, an int, and returns a number, or a list of numbers with one for each
    parameter group. It is called when its event comes and not before, so it may depend on what happens
    during training; what can be written for arrays is better a :class:`Schedule` of its own.

    Args:
        function: ``int -> float``.

    Raises:
        TypeError: ``function`` cannot be called; or, at the event, its value is not a number.
        ValueError: at the event, its value is NaN or infinite.

    Example:
        >>> halving = FunctionSchedule(lambda event_index: 0.5**event_index)
        >>> [halving(i) for i in range(4)]
        [1.0, 0.5, 0.25, 0.125]
    """

    function: Callable[[int], float | list[float]]

    def __post_init__(self) -> None:
        """Check that the function can be called."""
        if not callable(self.function) or isinstance(self.function, type):
            raise TypeError(f"schedule must be a Schedule or a function of the event index, given {self.function!r}")

    def value(self, index: int) -> float | list[float]:
        """Call the function."""
        return self.function(index)

    def named(self, index: int) -> str:
        """The function's name, without the schedule's."""
        return f"the value of {text_of(description_of(self.function))} at event {index}"


@dataclass(frozen=True, repr=False)
class StatefulSchedule(LiveSchedule):
    """A schedule that remembers more than the event index: what it was fed, or where a foreign object stands.

    It stands apart from the pure ones, and says what it remembers as plain data, so that a scheduler saves it
    with its event index. Its fields are its configuration, which comes from the code and is never saved.

    Example:
        >>> @dataclass(frozen=True)
        ... class HalvedOnDemand(StatefulSchedule):
        ...     initial_value: float
        ...     halvings: list = field(default_factory=list, compare=False)
        ...
        ...     def value(self, index):
        ...         return self.initial_value * 0.5 ** len(self.halvings)
        ...
        ...     def state_dict(self):
        ...         return {"halvings": list(self.halvings)}
        ...
        ...     def load_state_dict(self, state_dict):
        ...         self.halvings[:] = state_dict["halvings"]
        >>> schedule = HalvedOnDemand(0.1)
        >>> schedule.halvings.append("at epoch 3")
        >>> resumed = HalvedOnDemand(0.1)
        >>> resumed.load_state_dict(schedule.state_dict())
        >>> resumed(0)
        0.05
    """

    @property
    def other_params(self) -> tuple[str, ...]:
        """The parameters that it writes by itself, beside the one whose values it has, as a scheduler of torch does."""
        return ()

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What it remembers, as plain data."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Remember that instead.

        Raises:
            TypeError, ValueError: it is not the state of such a schedule; nothing is loaded then.
        """


def stateful_parts(schedule: Schedule | None) -> list[StatefulSchedule]:
    """The stateful schedules in a composition, in the order of its fields."""
    if schedule is None:
        return []
    inner = [found for part in schedule.parts for found in stateful_parts(part)]
    return [schedule, *inner] if isinstance(schedule, StatefulSchedule) else inner
