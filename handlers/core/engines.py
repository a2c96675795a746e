"""The engines that schedulers are attached to."""

import weakref
from typing import Any

from ignite.engine import Engine

# The resume check of each engine, by the id of the scheduler: a subclass may define its own equality.
CHECKS: "dict[int, weakref.WeakKeyDictionary[Engine, Any]]" = {}


def engines_of(scheduler: Any) -> list[Engine]:
    """The engines to which ``scheduler.attach`` attached a scheduler."""
    return list(CHECKS.get(id(scheduler), ()))


def is_attached(scheduler: Any, by_a_clock: bool = False) -> bool:
    """Whether ``scheduler.attach`` has attached a scheduler to an engine, or has done so with a clock."""
    checks = _checks_of(scheduler)
    return any(check.clock is not None if by_a_clock else check._attached for check in checks)


def clock_of(scheduler: Any) -> Any:
    """The clock that a scheduler was attached with; None if it counts events."""
    return next((check.clock for check in _checks_of(scheduler) if check.clock is not None), None)


def _checks_of(scheduler: Any) -> list[Any]:
    return list(CHECKS[id(scheduler)].values()) if id(scheduler) in CHECKS else []
