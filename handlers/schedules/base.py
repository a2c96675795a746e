"""The base class :class:`Schedule`, a pure function from the event index to a value."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import arguments, fields
from .description_as_data import Description, description_of, fields_of, text_of
from .durations_to_events import NUMBERS
from .run_length import RunLength

Array = NDArray[np.float64]
Value = float | list[float]
NO_SCHEDULES = {*fields.PLAIN, tuple}  # the types of most items in lists


# Attributes of schedules that were renamed in version 0.2: {former name: new name}.
FORMER_NAMES = {"ahead": "is_pure", "from_parts": "value_from_parts"}


class TakesTexts:
    """A base class whose constructor returns :class:`.InUnits` if a duration is a text such as ``"10%"``.

    This class defines ``__new__``, because a ``__new__`` of :class:`Schedule` would hide the fields in the signature of
    each schedule.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Return :class:`.InUnits` if a duration is a text such as ``"10%"``; see :meth:`in_run`."""
        for value in (*args, *kwargs.values()):
            if type(value) not in NUMBERS:
                from .awaiting_run_length import placeholder_for

                return placeholder_for(cls, args, kwargs) or object.__new__(cls)  # type: ignore[return-value, arg-type]
        return object.__new__(cls)


@dataclass(frozen=True, repr=False)
class Schedule(TakesTexts, ABC):
    """The value of a hyper-parameter as a pure function of the event index.

    A schedule refers to no optimizer and no engine, and does not count its calls. You may pass any indices in any
    order, and the value at an index is always the same. A subclass is a frozen dataclass whose fields are plain data.
    It implements one method, :meth:`values`, which computes the formula.

    Shapes: if ``i`` is an int, ``schedule(i)`` is a float. If ``indices`` is an array ``(n,)``, ``schedule(indices)``
    is a float64 array ``(n,)``. If a schedule has a value for each of G param groups, the shapes are ``(G,)`` and
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

    def __post_init__(self) -> None:
        """Check the arguments."""
        fields.check(self)

    def in_run(self, run: RunLength | None) -> "Schedule":
        """Return the schedule, with durations such as ``"10%"`` converted to events of a run.

        If all durations are numbers, this method returns the same schedule. A scheduler calls this method with its own
        argument ``run``.

        Raises:
            ValueError: ``run`` is None, or cannot convert a text.

        Example:
            >>> from lehr.handlers.schedules import WarmupStableDecay
            >>> schedule = WarmupStableDecay(0.1, "1%", "79%", "20%")
            >>> schedule.in_run(RunLength(max_epochs=3, epoch_length=350)).length
            1050
        """
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Warn if a subclass defines an attribute under its former name, and define the new name for it."""
        super().__init_subclass__(**kwargs)
        own = [base for base in cls.__mro__ if base is cls or not issubclass(base, Schedule)]
        for old, new in FORMER_NAMES.items():
            for base in own:
                if old in vars(base):
                    # The class statement is three frames up, because ``ABCMeta.__new__`` has a frame of its own.
                    warnings.warn(_renamed(base.__name__, old, new), DeprecationWarning, stacklevel=3)
                    setattr(cls, new, vars(base)[old])
                    break

    @property
    def ahead(self) -> bool:
        """The former name of :attr:`is_pure`."""
        warnings.warn(_renamed(type(self).__name__, "ahead", "is_pure"), DeprecationWarning, stacklevel=2)
        return self.is_pure

    def from_parts(self, index: int, read: "Callable[[Schedule, int], Value]") -> "Value | None":
        """Call :meth:`value_from_parts`, which had this name before version 0.2."""
        warnings.warn(_renamed(type(self).__name__, "from_parts", "value_from_parts"), DeprecationWarning, stacklevel=2)
        return self.value_from_parts(index, read)

    # Whether the value at an event depends on the values at all earlier events. If True, the event index cannot count
    # tokens, because a count of tokens skips numbers.
    goes_event_by_event: ClassVar[bool] = False

    @abstractmethod
    def values(self, indices: Array) -> Array:
        """Return the values at a float64 array ``(n,)`` of event indices: whole numbers >= 0, in any order."""

    @property
    def groups(self) -> int | None:
        """The number of param groups for which the schedule has values, or None if all groups have the same value."""
        return fields.groups_of(self)

    @property
    def length(self) -> float | None:
        """The number of events until the schedule or its first cycle ends, or None if the schedule has no end."""
        return None

    @property
    def parts(self) -> "tuple[Schedule, ...]":
        """The schedules that this schedule contains in its fields."""
        found: list[object] = []
        for name in fields.names_of(type(self)):
            value = getattr(self, name)
            if type(value) not in fields.PLAIN:
                found += value if isinstance(value, tuple) else (value,)
        # The types are compared first, because ``isinstance`` is slow, and a list of values or pairs may be long.
        return tuple([item for item in found if type(item) not in NO_SCHEDULES and isinstance(item, Schedule)])

    @property
    def is_pure(self) -> bool:
        """Whether the values depend only on the event index, so that they can be computed in advance.

        A :class:`.LiveSchedule` is not pure.
        """
        parts = self.parts
        return not parts or all(part.is_pure for part in parts)

    def value_from_parts(self, index: int, read: "Callable[[Schedule, int], Value]") -> "Value | None":
        """Compute the value at one event from the values of the schedules that this schedule contains.

        This method is called, one event at a time, if the schedule contains a :class:`.LiveSchedule`. It returns None
        if only :meth:`values` can compute the value.

        Args:
            index: the event index.
            read: a function that takes a contained schedule and an event index, and returns the value.
        """
        return None

    @overload
    def __call__(self, index: int) -> float: ...
    @overload
    def __call__(self, index: ArrayLike) -> Array: ...
    def __call__(self, index: int | ArrayLike) -> float | Array:
        """Return the value at an event index, a whole number >= 0, or the values at an array of event indices.

        Raises:
            TypeError: an index is not a number.
            ValueError: an index is negative or not whole.
        """
        if isinstance(index, list | tuple):
            arguments.within_limits("event_index", index, values=10**9)
        given = np.asarray(index)
        if given.dtype.kind not in "iuf":
            raise TypeError(f"event_index must be an int or an array of ints, given {arguments.shown(index)}")
        indices = given.astype(np.float64)
        if not ((indices >= 0) & (indices <= arguments.MAX_EVENT_INDEX) & (indices == np.floor(indices))).all():
            raise ValueError(
                f"event_index must be a whole number from 0 to {arguments.MAX_EVENT_INDEX}, "
                f"given {arguments.shown(index)}"
            )
        with np.errstate(all="ignore"):
            # A single index becomes an array, too, because NumPy rounds x ** y differently for scalars and for arrays.
            values = np.asarray(self.values(np.atleast_1d(indices)), dtype=np.float64)
        if indices.ndim:
            return values
        return float(values[0]) if values.ndim == 1 else values[0]

    def __repr__(self) -> str:
        """Return the constructor call. It shows functions by their names."""
        return text_of(self.description())

    def description(self) -> Description:
        """Describe the schedule as plain data. The description is the same in every process."""
        return fields_of(self)

    def _set(self, **values: object) -> None:
        """Set fields of the frozen dataclass. Call this only in ``__post_init__``."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


# ``checked_schedule(name, value)`` returns ``value`` if it is a schedule, or else raises an error about ``name``.
checked_schedule = partial(arguments.instance, wanted=Schedule, rule="a Schedule")


def schedule_field() -> Any:
    """Declare a dataclass field for a schedule."""
    return fields.argument(checked_schedule, groups=attrgetter("groups"))


def schedules_field(at_least: int = 1, groups: fields.Groups | None = None) -> Any:
    """Declare a dataclass field for a list of schedules. The list becomes a tuple."""
    return fields.list_of(checked_schedule, at_least=at_least, groups=groups)


def common_groups(parts: Iterable[Any]) -> int | None:
    """Return for how many param groups schedules or rules have values, or None if all groups share one value.

    Raises:
        ValueError: the schedules have values for different numbers of groups.
    """
    counts = {part.groups for part in parts} - {None}
    if len(counts) > 1:
        raise ValueError(f"schedules must have values for the same number of groups, given {sorted(counts)}")
    return next(iter(counts), None)


def with_group_axis(values: NDArray[Any], wanted: bool) -> NDArray[Any]:
    """If ``wanted``, return values ``(n,)`` as an array ``(n, 1)``. Return values ``(n, G)`` unchanged."""
    return values[:, None] if wanted and values.ndim == 1 else values


@description_of.register
def _(schedule: Schedule, outer: tuple[int, ...] = ()) -> Description:
    description = schedule.description()
    # Before version 0.2, ``description()`` returned a text. In schedules of users, it may still return a text.
    return {"repr": description} if isinstance(description, str) else description


def _renamed(class_name: str, old: str, new: str) -> str:
    return f"{class_name}.{old} is now called {new}: use the new name"
