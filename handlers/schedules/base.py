"""What a schedule is: a pure function from the event index to a value."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import arguments
from .description import Description, description_of, fields_of, text_of

Array = NDArray[np.float64]
Value = float | list[float]
# What most fields hold; that it is no schedule would take an abstract class, such as Schedule, long to tell.
PLAIN = (float, int, str, type(None))


@dataclass(frozen=True, repr=False)
class Schedule(ABC):
    """The value of a hyper-parameter as a pure function of the event index.

    A schedule knows nothing of optimizers, engines or how often it was called: any index may be asked for,
    in any order, and the answer is always the same. A subclass is a frozen dataclass whose fields are plain
    data and whose one method, :meth:`values`, holds the formula.

    Shapes: ``schedule(i)`` of an int is a float; ``schedule(indices)`` of an array ``(n,)`` is a float64
    array ``(n,)``. A schedule with one value for each of G parameter groups has one more axis: ``(G,)`` and
    ``(n, G)``.

    Example:
        >>> @dataclass(frozen=True)
        ... class Sawtooth(Schedule):
        ...     high: float
        ...     period: int
        ...
        ...     def values(self, indices):
        ...         return self.high * (1 - indices % self.period / self.period)
        >>> sawtooth = Sawtooth(high=1.0, period=4)
        >>> sawtooth(1)
        0.75
        >>> sawtooth([0, 1, 2, 3, 4]).tolist()
        [1.0, 0.75, 0.5, 0.25, 1.0]
        >>> sawtooth
        Sawtooth(high=1.0, period=4)
    """

    @abstractmethod
    def values(self, indices: Array) -> Array:
        """The formula. Indices are whole numbers >= 0 as a float64 array ``(n,)``, in any order."""

    @property
    def groups(self) -> int | None:
        """How many parameter groups the schedule has values for; None when one value serves them all."""
        return None

    @property
    def length(self) -> float | None:
        """How many events it takes: to come to an end, or through its first cycle; None where it has no end."""
        return None

    @property
    def parts(self) -> "tuple[Schedule, ...]":
        """The schedules that this one is composed of, as they stand in its fields."""
        found: list[object] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, PLAIN):
                found += value if isinstance(value, tuple) else (value,)
        return tuple([item for item in found if isinstance(item, Schedule)])

    @property
    def ahead(self) -> bool:
        """Whether values may be computed before their event comes; see :class:`LiveSchedule` for those that may not."""
        return all(part.ahead for part in self.parts)

    def from_parts(self, index: int, read: "Callable[[Schedule, int], Value]") -> "Value | None":
        """The value at one event, by way of its parts' values; None where only :meth:`values` can tell.

        It is how a composition with a :class:`LiveSchedule` in it is read, event by event.

        Args:
            index: the event.
            read: gives the value of a part at an event of its own.
        """
        return None

    @overload
    def __call__(self, index: int) -> float: ...
    @overload
    def __call__(self, index: ArrayLike) -> Array: ...
    def __call__(self, index: int | ArrayLike) -> float | Array:
        """The value at an event index (a whole number >= 0), or the values at an array of them.

        Raises:
            TypeError: an index is not a number.
            ValueError: an index is negative or not whole.
        """
        given = np.asarray(index)
        if given.dtype.kind not in "iuf":
            raise TypeError(f"event_index must be an int or an array of them, given {index!r}")
        indices = given.astype(np.float64)
        if not ((indices >= 0) & (indices <= arguments.MOST) & (indices == np.floor(indices))).all():
            raise ValueError(f"event_index must be a whole number from 0 to {arguments.MOST}, given {index!r}")
        with np.errstate(all="ignore"):
            # Arrays only: NumPy rounds x ** y differently for a scalar and for an array of one.
            values = np.asarray(self.values(np.atleast_1d(indices)), dtype=np.float64)
        if indices.ndim:
            return values
        return float(values[0]) if values.ndim == 1 else values[0]

    def __repr__(self) -> str:
        """As the constructor call, functions by name. A subclass's own dataclass repr does the same."""
        return text_of(self.description())

    def description(self) -> Description:
        """Describes the schedule as plain data, the same in every process; see :func:`.description_of`."""
        return fields_of(self)

    def _set(self, **values: object) -> None:
        """Put checked values into the fields of a frozen dataclass; for ``__post_init__`` only."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


def checked_schedule(name: str, value: object) -> Schedule:
    """``value`` if it is a schedule.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, Schedule):
        raise TypeError(f"{name} must be a Schedule, given {value!r}")
    return value


def checked_schedules(name: str, values: object) -> tuple[Schedule, ...]:
    """``values`` as a tuple, if they are a list or tuple of schedules.

    Raises:
        TypeError: they are not.
    """
    if not isinstance(values, list | tuple):
        raise TypeError(f"{name} must be a list or tuple of schedules, given {values!r}")
    return tuple(checked_schedule(f"{name}[{at}]", value) for at, value in enumerate(values))


def common_groups(schedules: Iterable[Schedule]) -> int | None:
    """How many parameter groups these schedules have values for; None when each serves all groups alike.

    Raises:
        ValueError: they have values for different numbers of groups.
    """
    counts = {schedule.groups for schedule in schedules if schedule.groups is not None}
    if len(counts) > 1:
        raise ValueError(f"schedules must have values for as many groups as one another, given {sorted(counts)}")
    return next(iter(counts), None)


@description_of.register
def _(schedule: Schedule, outer: tuple[int, ...] = ()) -> Description:
    return schedule.description()
