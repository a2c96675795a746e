"""The function :func:`end_of`, which returns the event at which a schedule or its first cycle ends."""

from functools import singledispatch

from .base import Schedule
from .concatenation import Concatenation
from .shift import Shift


@singledispatch
def end_of(schedule: Schedule) -> float | None:
    """Return the number of events until a schedule or its first cycle ends, or None if the schedule has no end.

    The number is ``schedule.length``, unless another function is registered for the class of the schedule.

    Example:
        >>> from lehr.handlers.schedules import Anneal, Constant
        >>> end_of(Anneal(0.1, 0.0, duration=10)), end_of(Constant(0.1))
        (10.0, None)
    """
    return schedule.length


@end_of.register
def _(schedule: Shift) -> float | None:
    end = end_of(schedule.schedule)
    return None if end is None else max(end - schedule.by, 0)


@end_of.register
def _(schedule: Concatenation) -> float | None:
    last = end_of(schedule.schedules[-1])
    return None if last is None else sum(schedule.durations) + last
