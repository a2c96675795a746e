"""The data of a scheduler's usual event, which writes a float to param groups that have floats."""

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
    """Return the data of the next events of a scheduler; None if they do not write a float to groups of floats."""
    groups, (values, first_event) = scheduler._target.float_groups(), scheduler._block_reader.by_index
    if scheduler._block_reader is NOTHING_READ:
        values = None
    elif not values or scheduler._schedule.groups is not None:
        return None
    recorder, records = scheduler._recorder, scheduler._save_history
    if groups is None:
        return None
    if records and (recorder.value_type is not float or recorder.groups != len(groups.indices or (groups.first,))):
        return None  # the last event that was recorded had other groups, or a value for each group
    section, append = (recorder.section, recorder.append) if records else (None, None)
    return (*groups, values, first_event, section, append)
