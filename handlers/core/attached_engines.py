"""The engines that schedulers are attached to."""

import weakref
from typing import TYPE_CHECKING, Any

from lehr.handlers.schedules.duration_texts import EVENTS

if TYPE_CHECKING:
    from ignite.engine import Engine

# The resume check of each engine, by the id of the scheduler, since a subclass may define its own equality.
CHECKS: "dict[int, weakref.WeakKeyDictionary[Engine, Any]]" = {}


def engines_of(scheduler: Any) -> "list[Engine]":
    """Return the engines to which ``scheduler.attach`` attached a scheduler."""
    return list(CHECKS.get(id(scheduler), ()))


def is_attached(scheduler: Any, by_a_clock: bool = False) -> bool:
    """Return whether ``scheduler.attach`` has attached a scheduler to an engine, or has done so with a clock."""
    checks = _checks_of(scheduler)
    return any(check.clock is not None if by_a_clock else check._attached for check in checks)


def clock_of(scheduler: Any) -> Any:
    """Return the clock that a scheduler was attached with; None if it counts events."""
    return next((check.clock for check in _checks_of(scheduler) if check.clock is not None), None)


def counted_unit(scheduler: Any) -> str | None:
    """Return the unit that a scheduler's event index counts: that of its clock, or "amounts"; None for events."""
    clock = clock_of(scheduler)
    unit = scheduler._counted if clock is None else clock.unit
    return None if unit == EVENTS else unit


def _checks_of(scheduler: Any) -> list[Any]:
    return list(CHECKS[id(scheduler)].values()) if id(scheduler) in CHECKS else []


def counts_for(scheduler: Any, engine: "Engine") -> bool:
    """Return whether a scheduler counts the events of an engine and of others, all attached before its first event.

    An engine that it is attached to later, such as that of the next fold, begins a run of its own.
    """
    checks = CHECKS.get(id(scheduler))
    check = None if checks is None else checks.get(engine)
    return len(engines_of(scheduler)) > 1 and check is not None and not check._joined_late


def times_attached(scheduler: Any, engine: "Engine") -> int:
    """Return how often ``scheduler.attach`` attached a scheduler to an engine."""
    checks = CHECKS.get(id(scheduler))
    check = None if checks is None else checks.get(engine)
    return 0 if check is None else len(check._attached)


def intended_lead(scheduler: Any, engine: "Engine") -> int:
    """Return the number of engine events before the scheduler was attached in mid-run, 0 if unknown."""
    checks = CHECKS.get(id(scheduler))
    check = None if checks is None else checks.get(engine)
    return 0 if check is None else check._lead or 0
