"""Computes the values of all events of a pure scheduler at once, without a call for each event."""

from collections.abc import Sequence

import numpy as np
from ignite.engine import Engine

from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.schedule_reading import FIRST_BLOCK_SIZE, block_size, read_block
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import Schedule
from lehr.handlers.schedules.base import Array
from lehr.handlers.targets.engine_attribute import EngineAttribute
from lehr.handlers.targets.target import Location

MOST_BLOCKS = 16  # more blocks would take more calls, and fewer blocks would take more memory
WRITE_BY_INDEX = BaseParamScheduler.__call__, ParamScheduler.__call__


def can_write_at_once(scheduler: BaseParamScheduler) -> bool:
    """Return whether a scheduler's values depend only on the event index, and each location gets one number."""
    return (
        scheduler._is_pure
        and not scheduler._reads_metric
        and type(scheduler).__call__ in WRITE_BY_INDEX
        and all(map(_writes_by_index, _parts_of(scheduler)))
    )


def _parts_of(scheduler: BaseParamScheduler) -> Sequence[BaseParamScheduler]:
    return [scheduler, *scheduler._members] if isinstance(scheduler, ParamGroupScheduler) else [scheduler]


def _writes_by_index(part: BaseParamScheduler) -> bool:
    if any(not getattr(type(part), name).__module__.startswith("lehr.") for name in ("_read", "_row")):
        return False  # a user's own class
    if isinstance(part, ParamScheduler):
        waits = part._admits and len(part.optimizer.param_groups) != part._num_groups_seen
        return not part._asks_get_param and not waits
    target = part._target
    is_number = not isinstance(target, EngineAttribute) or (
        target.number_type is float and part.schedule.groups is None
    )
    return not part._asks_get_param and is_number


def values_at_once(scheduler: BaseParamScheduler, engine: Engine, num_events: int) -> list[tuple[Location, Array]]:
    """Return the values ``(num_events,)`` that the next events of a scheduler write to each location.

    The function fires the first of these events, so that the scheduler raises the errors that it would raise in a run.
    If two members of a ``ParamGroupScheduler`` write the same location, the list has the location twice, and the last
    entry counts. Locations with equal values share one array.

    Args:
        scheduler: a scheduler for which :func:`can_write_at_once` is True.
        engine: the engine that fires the events.
        num_events: the number of events, at least 1.

    Raises:
        Exception: the first event, or the schedule at a later event, raises it.
    """
    first = scheduler._event_index
    scheduler(engine)
    values = _read(scheduler.schedule, first, num_events)
    if not isinstance(scheduler, ParamGroupScheduler):
        return _written(scheduler, engine, values)
    members = zip(scheduler._members, scheduler._columns, strict=True)
    return [written for member, columns in members for written in _written(member, engine, values[:, columns])]


def _read(schedule: Schedule, first: int, num_events: int) -> Array:
    """Return the values of a pure schedule, ``(n,)`` or ``(n, G)``, in a few blocks."""
    groups = schedule.groups
    values = np.empty(num_events if groups is None else (num_events, groups))
    largest, at = max(block_size(schedule), _power_of_two(-(-num_events // MOST_BLOCKS))), 0
    while at < num_events:
        size = min(max(_power_of_two(num_events - at), FIRST_BLOCK_SIZE), largest)  # read no more than needed
        start, block = read_block(schedule, first + at, size)
        rows = block[first + at - start : first + num_events - start]
        values[at : at + len(rows)] = rows
        at += len(rows)
    return values


def _power_of_two(number: int) -> int:
    """Return the smallest power of two that is at least a number."""
    return 1 << (number - 1).bit_length()


def _written(part: BaseParamScheduler, engine: Engine, values: Array) -> list[tuple[Location, Array]]:
    """Return the values of each location of a target."""
    locations, target = part._target.locations(engine), part._target
    groups = len(locations)
    if values.ndim == 1:
        table = np.broadcast_to(values[:, np.newaxis], (len(values), groups))
    else:  # groups that were added get the value of the last group
        more = groups - values.shape[1]
        table = np.column_stack([values, *[values[:, -1]] * more]) if more > 0 else values
    held = target.as_held(table)
    is_one = values.ndim == 1 and held is table
    return list(zip(locations, [values] * groups if is_one else list(held.T), strict=True))


def end_at(scheduler: BaseParamScheduler, engine: Engine, first: int, num_events: int) -> None:
    """Move a scheduler to the end of ``num_events`` events from event ``first`` on, and fire the last event."""
    scheduler._go_to(first + max(num_events - 1, 0))
    if num_events:
        scheduler(engine)
