"""What an event needs to write floats without the usual checks, computed once and kept until something changes."""

from collections.abc import Callable
from typing import Any

from lehr.handlers.targets.group_selection import Group

from .scheduler import NOTHING_READ

# One tuple takes less time to read than attributes, and is replaced as a whole. The first six items are the fields of
# FloatGroups. Then come the values of a block of events (None if each event reads its own value), the index of its
# first event, the section of the history to which the event appends, and the function that appends (both None without
# a history).
UsualEvent = tuple[Any, list[Group], int, str, int, Any, Any, int, Any, Callable[[Any], None] | None]


def usual_event_of(scheduler: Any) -> UsualEvent | None:
    """Return the data of the next events of a scheduler; None if they do not write floats to groups of floats."""
    values, first_event = scheduler._block_reader.by_index
    if scheduler._block_reader is NOTHING_READ:
        values = None
    elif not values:
        return None
    groups = scheduler._target.float_groups()
    if groups is None:
        return None
    count = 1 if groups.indices is None else len(groups.indices)
    # All values of a block have one type: float, or list if each group has its own value. If there are many groups, or
    # a clock counts large amounts, a value is an array, which the usual event does not write.
    value_type = float if values is None else type(next(iter(values if type(values) is list else values.values())))
    if value_type is not float and (value_type is not list or count == 1 or scheduler._schedule.groups != count):
        return None
    recorder, records = scheduler._recorder, scheduler._save_history
    if records and (recorder.value_type is not value_type or recorder.groups != count):
        return None  # the last event that was recorded had other groups, or values of the other type
    section, append = (recorder.section, recorder.append) if records else (None, None)
    return (*groups, values, first_event, section, append)
