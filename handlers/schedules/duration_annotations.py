"""Types of schedule fields that are durations. You may pass a text such as ``"10%"`` for a duration, but read a number.

Type checkers see a descriptor, which has one type for the argument and another type for the value. At run time, the
annotation of a field is the type of its value.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from .arguments import Number

if TYPE_CHECKING:
    Value = TypeVar("Value", covariant=True)
    Given = TypeVar("Given", contravariant=True)

    class InEvents(Generic[Value, Given]):
        """A duration that has one type when it is set, and another type when it is read."""

        def __get__(self, instance: object, owner: Any) -> Value: ...
        def __set__(self, instance: object, value: Given) -> None: ...

    Duration: TypeAlias = InEvents[float, float | str]
    OptionalDuration: TypeAlias = InEvents[float | None, float | str | None]
    Durations: TypeAlias = InEvents[float | Sequence[float], float | str | Sequence[float | str]]
    Events: TypeAlias = InEvents[int, int | str]
    OptionalEvents: TypeAlias = InEvents[int | None, int | str | None]
    ListedEvents: TypeAlias = InEvents[Sequence[int], Sequence[int | str]]
    Points: TypeAlias = InEvents[Sequence[tuple[int, Number]], Sequence[tuple[int | str, Number]]]
else:
    Duration, OptionalDuration, Durations = float, float | None, float | Sequence[float]
    Events, OptionalEvents, ListedEvents = int, int | None, Sequence[int]
    Points = Sequence[tuple[int, Number]]
