"""Finds out whether anything passes metrics to the parts of schedules that depend on them, by inspecting code."""

import gc
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from ignite.engine import Engine

from lehr.engine.event_handlers import functions_of, names_in, references_of
from lehr.handlers.schedules import Schedule
from lehr.handlers.schedules.stateful import StatefulSchedule, stateful_parts

DEPTH = 3  # how many functions deep a handler may call ``observe``


def is_fed(part: StatefulSchedule) -> bool:
    """Whether the code of the training step or a handler of any engine passes metrics to a part of a schedule.

    Args:
        part: a schedule that metrics drive.
    """
    engines = [one for one in gc.get_objects() if issubclass(type(one), Engine)]
    return any(_feeds(function, part, DEPTH) for engine in engines for function in functions_of(engine))


def _feeds(function: Any, part: StatefulSchedule, depth: int) -> bool:
    while isinstance(function, partial):
        function = function.func
    owner = getattr(function, "__self__", None)
    if isinstance(function, MethodType) and function.__name__ == "observe" and _schedule_of(owner) is not None:
        return _contains(owner, part)
    if str(getattr(type(owner or function), "__module__", "")).startswith(("lehr.", "ignite.")):
        return False
    code = getattr(function, "__func__", function)
    if not isinstance(code, FunctionType):
        code = type(function).__call__
        if not isinstance(code, FunctionType):
            return False
        function = MethodType(code, function)
    references = references_of(function)
    if "observe" in names_in(code.__code__):
        known = [one for one in references if _schedule_of(one) is not None]
        # Without a scheduler among the references, the function may find it in a list or an attribute.
        return any(_contains(one, part) for one in known) or not known
    called = [one for one in references if isinstance(one, FunctionType | MethodType) and one is not function]
    return depth > 0 and any(_feeds(one, part, depth - 1) for one in called)


def _schedule_of(thing: Any) -> Schedule | None:
    """A schedule, or the schedule of a scheduler; None for anything else."""
    schedule = getattr(thing, "_planned", thing)
    return schedule if isinstance(schedule, Schedule) else None


def _contains(thing: Any, part: StatefulSchedule) -> bool:
    return any(one is part for one in stateful_parts(_schedule_of(thing)))
