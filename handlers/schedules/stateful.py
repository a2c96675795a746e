"""Base classes for schedules whose values may depend on training. A value is read only when its event comes."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field  # noqa: F401 -- field is for the example
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from . import arguments
from .base import Array, Schedule
from .description_as_data import description_of, text_of


@dataclass(frozen=True, repr=False)
class LiveSchedule(Schedule):
    """A schedule whose values may depend on training. A value is read only when its event comes.

    A subclass implements :meth:`value` for one event instead of :meth:`Schedule.values` for arrays.

    Shapes: the results have the shapes of :class:`Schedule`. The method ``values`` calls :meth:`value` for one event
    after another.

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
        """Return the value at an event: a number, or a sequence with one number for each param group."""

    @property
    def is_pure(self) -> bool:
        """Always False, because the values may depend on more than the event index."""
        return False

    def values(self, indices: Array) -> Array:
        """Read the value at each event index, one after another, and return the values."""
        return np.array([self.checked(int(index)) for index in indices], dtype=np.float64)

    def checked(self, index: int) -> float | list[float]:
        """Return the value at an event. It must be a finite number or a sequence of finite numbers.

        Raises:
            TypeError: the value is neither a number nor a sequence of numbers.
            ValueError: the value is NaN or infinite.
        """
        return arguments.value_at(index, self.value(index), self.named)

    def _reader(self) -> Callable[[int], float | list[float]]:
        """Return a function that takes an event index and returns the checked value, for a scheduler to call."""
        return self.checked

    def named(self, index: int) -> str:
        """Name the value at an event for an error text."""
        return f"the value of {arguments.shown(self)} at event {index}"


@dataclass(frozen=True, repr=False)
class FunctionSchedule(LiveSchedule):
    """A schedule that calls a Python function for each value.

    The function takes the event index, an int. It returns a number, or a list with one number for each param group.
    The schedule calls the function only when the event comes, so the value may depend on training. If the value is a
    formula that works on arrays, subclass :class:`Schedule` instead.

    Args:
        function: a function from the event index to the value.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if the function returns a list of G numbers.

    Raises:
        TypeError: ``function`` cannot be called; or, at an event, ``function`` returns no number.
        ValueError: at an event, ``function`` returns NaN or infinity.

    Example:
        >>> halving = FunctionSchedule(lambda event_index: 0.5**event_index)
        >>> [halving(i) for i in range(4)]
        [1.0, 0.5, 0.25, 0.125]
    """

    function: Callable[[int], float | list[float]]

    def __post_init__(self) -> None:
        """Check that the function can be called."""
        arguments.function("schedule", self.function, "a Schedule or a function of the event index")

    @property
    def groups(self) -> int | None:
        """Always None, because the number of values is known only when the function is called."""
        return None

    def value(self, index: int) -> float | list[float]:
        """Call the function."""
        return self.function(index)

    def _reader(self) -> Callable[[int], float | list[float]]:
        """Return a function from an event index to the checked value, with fewer calls than ``checked``."""
        if (type(self).value, type(self).checked) != CALL_AND_CHECK:
            return self.checked  # a subclass overrides one of the methods
        function, named = self.function, self.named

        def read(index: int) -> float | list[float]:
            value = function(index)
            return value if type(value) is float and isfinite(value) else arguments.value_at(index, value, named)

        return read

    def named(self, index: int) -> str:
        """Name the value at an event for an error text, by the name of the function."""
        return f"the value of {arguments.shown_text(text_of(description_of(self.function)))} at event {index}"


CALL_AND_CHECK = FunctionSchedule.value, LiveSchedule.checked


@dataclass(frozen=True, repr=False)
class StatefulSchedule(LiveSchedule):
    """A schedule with its own state, such as the metrics so far or the progress of a torch scheduler.

    The state is plain data. A scheduler saves it together with the event index. The fields of the schedule are its
    configuration. They are never loaded from a state.

    Shapes: the results have the shapes of :class:`Schedule`. The method ``values`` calls :meth:`value` for one event
    after another.

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

    # The keys of the state that reading an event changes, so that they must be restored before the event is read again.
    # If None, these are all keys.
    changed_by_reading: ClassVar[tuple[str, ...] | None] = None

    @property
    def is_metric_driven(self) -> bool:
        """Whether the values depend on metrics that are passed to ``observe``."""
        return False

    @property
    def other_params(self) -> tuple[str, ...]:
        """The names of other parameters that the schedule writes itself. Some torch schedulers write the momentum."""
        return ()

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a schedule of this class. If this error is raised,
                nothing is loaded.
        """


def stateful_parts(schedule: Schedule | None) -> list[StatefulSchedule]:
    """Return a schedule and the schedules inside it that are stateful, in the order of their fields."""
    if schedule is None:
        return []
    inner = [found for part in schedule.parts for found in stateful_parts(part)]
    return [schedule, *inner] if isinstance(schedule, StatefulSchedule) else inner
