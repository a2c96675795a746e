"""Schedules whose values depend on more than the event index, and are read only when their event comes."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field  # noqa: F401 -- field is for the example
from typing import Any, ClassVar

import numpy as np

from . import arguments
from .base import Array, Schedule
from .description import description_of, text_of


@dataclass(frozen=True, repr=False)
class LiveSchedule(Schedule):
    """A schedule that may depend on what happens in training. It is read for one event at a time, when the event comes.

    A subclass writes :meth:`value` for one event instead of :meth:`Schedule.values` for arrays.

    Shapes: as :class:`Schedule`; ``values`` asks for one event after another.

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
    def is_pure(self) -> bool:
        """False, since the values may depend on more than the event index."""
        return False

    def values(self, indices: Array) -> Array:
        """The value of each event, one after another."""
        return np.array([self.checked(int(index)) for index in indices], dtype=np.float64)

    def checked(self, index: int) -> float | list[float]:
        """The value at an event, which must be a finite number or a sequence of finite numbers.

        Raises:
            TypeError: the value is something else.
            ValueError: the value is NaN or infinite.
        """
        return arguments.value_at(index, self.value(index), self.named)

    def named(self, index: int) -> str:
        """The name of the value at an event in an error text."""
        return f"the value of {arguments.shown(self)} at event {index}"


@dataclass(frozen=True, repr=False)
class FunctionSchedule(LiveSchedule):
    """A schedule that calls a Python function for each value.

    The function takes the event index, an int, and returns a number, or a list of numbers with one for each
    parameter group. It is called when its event comes and not before, so that it may depend on what happens
    during training. If the value is a formula that works on arrays, subclass :class:`Schedule` instead.

    Args:
        function: ``int -> float``.

    Shapes: ``(n,)``, or ``(n, G)`` where the function returns a list of G numbers.

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
        """Checks that the function can be called."""
        arguments.function("schedule", self.function, "a Schedule or a function of the event index")

    @property
    def groups(self) -> int | None:
        """None: how many values a function returns is known at the event."""
        return None

    def value(self, index: int) -> float | list[float]:
        """Calls the function."""
        return self.function(index)

    def named(self, index: int) -> str:
        """The name of the value, with the function in place of the schedule."""
        return f"the value of {arguments.shown_text(text_of(description_of(self.function)))} at event {index}"


@dataclass(frozen=True, repr=False)
class StatefulSchedule(LiveSchedule):
    """A schedule with a state of its own, such as the metrics so far or the progress of a torch scheduler.

    A scheduler saves this state, which is plain data, with its event index. The fields of the schedule are its
    configuration. They come from the code and are never loaded from a state.

    Shapes: as :class:`Schedule`; ``values`` asks for one event after another.

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

    # The entries of the state that reading an event changes, if it matters when the event is read again; None for all.
    changed_by_reading: ClassVar[tuple[str, ...] | None] = None

    @property
    def is_metric_driven(self) -> bool:
        """Whether the values depend on metrics that are passed to ``observe``."""
        return False

    @property
    def other_params(self) -> tuple[str, ...]:
        """The names of further parameters that the schedule writes by itself, as some torch schedulers do."""
        return ()

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """The state as plain data."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from a saved state.

        Raises:
            TypeError, ValueError: the state is not one of such a schedule; nothing is loaded then.
        """


def stateful_parts(schedule: Schedule | None) -> list[StatefulSchedule]:
    """The stateful schedules in a composition, in the order of its fields."""
    if schedule is None:
        return []
    inner = [found for part in schedule.parts for found in stateful_parts(part)]
    return [schedule, *inner] if isinstance(schedule, StatefulSchedule) else inner
