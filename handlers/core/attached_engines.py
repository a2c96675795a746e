"""The engines that schedulers are attached to."""

import weakref
from typing import TYPE_CHECKING, Any

from lehr.handlers.schedules.duration_texts import EVENTS

if TYPE_CHECKING:
    from ignite.engine import Engine

# The resume checks of each scheduler's engines. Keys are ids of schedulers: a subclass may define its own equality.
CHECKS: "dict[int, weakref.WeakKeyDictionary[Engine, Any]]" = {}


def engines_of(scheduler: Any) -> "list[Engine]":
    """Return the engines to which ``scheduler.attach`` attached a scheduler."""
    return list(CHECKS.get(id(scheduler), ()))


def is_attached(scheduler: Any, by_a_clock: bool = False) -> bool:
    """Return whether a scheduler is attached to an engine; with ``by_a_clock``, whether it is attached with a clock."""
    checks = _checks_of(scheduler)
    return any(check.clock is not None if by_a_clock else check._attached for check in checks)


def clock_of(scheduler: Any) -> Any:
    """Return the clock that a scheduler was attached with; None if it counts events."""
    return next((check.clock for check in _checks_of(scheduler) if check.clock is not None), None)


def counted_unit(scheduler: Any) -> str | None:
    """Return the unit of a scheduler's event index: the unit of its clock, or "amounts"; None for events."""
    clock = clock_of(scheduler)
    unit = scheduler._counted if clock is None else clock.unit
    return None if unit == EVENTS else unit


def _checks_of(scheduler: Any) -> list[Any]:
    return list(CHECKS[id(scheduler)].values()) if id(scheduler) in CHECKS else []


def counts_for(scheduler: Any, engine: "Engine") -> bool:
    """Return whether a scheduler has several engines, and was attached to this one before its first event.

    If the scheduler is attached to an engine later, such as the engine of the next fold, that engine begins a separate
    run.
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
    """Return the intended difference between an engine's number of events and the scheduler's; 0 if it is unknown."""
    checks = CHECKS.get(id(scheduler))
    check = None if checks is None else checks.get(engine)
    return 0 if check is None else check._lead or 0
