"""The engines that schedulers are attached to."""

import weakref
from typing import TYPE_CHECKING, Any

from lehr.handlers.schedules.duration_texts import EVENTS

if TYPE_CHECKING:
    from ignite.engine import Engine

# For each scheduler, the resume check of each of its engines. The keys are ids of schedulers, because a subclass may
# define its own equality.
CHECKS: "dict[int, weakref.WeakKeyDictionary[Engine, Any]]" = {}


def engines_of(scheduler: Any) -> "list[Engine]":
    """Return the engines to which a scheduler is attached."""
    return list(CHECKS.get(id(scheduler), ()))


def check_of(scheduler: Any, engine: "Engine") -> Any:
    """Return the resume check of a scheduler and an engine; None if the scheduler is not attached to the engine."""
    checks = CHECKS.get(id(scheduler))
    return None if checks is None else checks.get(engine)


def is_called_at(scheduler: Any, engine: "Engine", event: Any) -> bool:
    """Return whether an engine calls a scheduler at an event, or at one of a list of events."""
    from lehr.engine.times_fired import each_of

    return any(engine.has_event_handler(scheduler, one) for one in each_of(event))


def is_attached(scheduler: Any, by_a_clock: bool = False) -> bool:
    """Return whether a scheduler is attached to an engine.

    If ``by_a_clock`` is True, return whether the scheduler is attached with a clock.
    """
    checks = _checks_of(scheduler)
    return any(check.clock is not None if by_a_clock else check._attached for check in checks)


def clock_of(scheduler: Any) -> Any:
    """Return the clock with which a scheduler was attached; None if the scheduler counts events."""
    return next((check.clock for check in _checks_of(scheduler) if check.clock is not None), None)


def counted_unit(scheduler: Any) -> str | None:
    """Return the unit that a scheduler counts: the unit of its clock, or "amounts"; None if it counts events."""
    clock = clock_of(scheduler)
    unit = scheduler._counted if clock is None else clock.unit
    return None if unit == EVENTS else unit


def _checks_of(scheduler: Any) -> list[Any]:
    return list(CHECKS[id(scheduler)].values()) if id(scheduler) in CHECKS else []


def counts_for(scheduler: Any, engine: "Engine") -> bool:
    """Return whether a scheduler has several engines, and had no event before it was attached to this engine.

    If the scheduler is attached to an engine later, such as the engine of the next fold, that engine begins a separate
    run.
    """
    check = check_of(scheduler, engine)
    return len(engines_of(scheduler)) > 1 and check is not None and not check._joined_late


def times_attached(scheduler: Any, engine: "Engine") -> int:
    """Return how many times a scheduler is attached to an engine."""
    check = check_of(scheduler, engine)
    return 0 if check is None else len(check._attached)


def intended_lead(scheduler: Any, engine: "Engine") -> int:
    """Return how many more events an engine should have had than its scheduler; 0 if this number is unknown."""
    check = check_of(scheduler, engine)
    return 0 if check is None else check._lead or 0
