"""Reads the value of ``get_param``, and turns an overridden ``get_param`` into a function of the event index."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lehr.handlers.schedules.description_as_data import text_of
from lehr.handlers.schedules.stateful import stateful_parts
from lehr.handlers.targets.target import Value

from .saving import description_of_scheduler
from .simulation.private_copies import private_copy


def value_of_schedule(scheduler: Any) -> Value:
    """Return the value that the schedule of a scheduler has for its next event.

    Raises:
        TypeError: the scheduler has no schedule.
    """
    schedule = scheduler._schedule
    if schedule is None:
        raise TypeError(f"{type(scheduler).__name__} has no schedule for super().get_param() to read")
    schedule = private_copy(schedule) if stateful_parts(schedule) else schedule
    return scheduler._value_of(schedule, scheduler._event_index)  # type: ignore[no-any-return]


class GetParam:
    """The overridden ``get_param`` of a scheduler, as a function of the event index.

    Args:
        scheduler: the scheduler.
    """

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def __call__(self, event_index: int) -> Value:
        """Return the value that ``get_param`` returns at an event."""
        with temporarily(self._scheduler, _event_index=event_index):
            value = self._scheduler.get_param()
        return int(value) if isinstance(value, bool) and self._scheduler._writes_bools else value

    def __repr__(self) -> str:
        return text_of(description_of_scheduler(self._scheduler))


@contextmanager
def temporarily(scheduler: Any, **attributes: object) -> Iterator[None]:
    """Give a scheduler other attributes within a ``with`` statement, and restore its own attributes afterwards."""
    kept = {name: vars(scheduler)[name] for name in attributes if name in vars(scheduler)}
    vars(scheduler).update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            vars(scheduler).pop(name, None)
        vars(scheduler).update(kept)
