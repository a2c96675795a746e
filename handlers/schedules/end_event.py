"""The event after which a schedule holds a value or starts again, also where it depends on what happens in training."""

from functools import singledispatch

from .base import Schedule
from .concatenation import Concatenation


@singledispatch
def end_of(schedule: Schedule) -> float | None:
    """The number of events until a schedule ends, or until the end of its first cycle; None if it has no end.

    This is ``schedule.length``, except for schedules that register another function.

    Example:
        >>> from lehr.handlers.schedules import Anneal, Constant
        >>> end_of(Anneal(0.1, 0.0, duration=10)), end_of(Constant(0.1))
        (10.0, None)
    """
    return schedule.length


@end_of.register
def _(schedule: Concatenation) -> float | None:
    last = end_of(schedule.schedules[-1])
    return None if last is None else sum(schedule.durations) + last
