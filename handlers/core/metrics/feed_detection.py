"""Inspects the code of handlers to find out whether they pass metrics to a schedule that depends on metrics."""

import gc
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from ignite.engine import Engine

from lehr.engine.handler_inspection import RegisteredHandler, functions_of, names_in, references_of
from lehr.handlers.schedules import Schedule
from lehr.handlers.schedules.stateful import StatefulSchedule, stateful_parts

DEPTH = 3  # a call of ``observe`` is found up to this many function calls below a handler


def is_fed(part: StatefulSchedule) -> bool:
    """Return whether the code of the training step or a handler of any engine passes metrics to a part of a schedule.

    Args:
        part: a schedule that metrics drive.
    """
    engines = [one for one in gc.get_objects() if issubclass(type(one), Engine)]
    return any(_feeds(function, part, DEPTH) for engine in engines for function in functions_of(engine))


def how_to_feed(scheduler: Any, part: StatefulSchedule) -> str:
    """Return a text that tells the user how to pass metrics to a part of a scheduler's schedule."""
    if hasattr(scheduler, "observe"):
        return "attach observe: evaluator.add_event_handler(Events.COMPLETED, scheduler.observe)"
    kind = type(part).__name__
    return (
        f"attach observe of the inner scheduler that has the {kind}: evaluator.add_event_handler(Events.COMPLETED, "
        f"plateau.observe); or call observe(metric) of the {kind} itself"
    )


def brings_metric(registered: RegisteredHandler, part: StatefulSchedule) -> bool:
    """Return whether a handler, or an engine that its code runs, passes metrics to a part of a schedule."""
    return _brings(registered.handler, [*registered.args, *registered.kwargs.values()], part, DEPTH)


def begins_phase(function: Any, part: StatefulSchedule) -> bool:
    """Return whether the code of a user's function begins the next phase of a schedule."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None or str(function.__module__).startswith(("lehr.", "ignite.")):
        return False
    return not {"next_phase", "begin_next"}.isdisjoint(names_in(code)) and any(
        _contains(one, part) for one in references_of(function) if _schedule_of(one) is not None
    )


def _brings(function: Any, given: list[Any], part: StatefulSchedule, depth: int) -> bool:
    owner = getattr(function, "_scheduler", function)  # the scheduler, if the handler filters its events
    if getattr(owner, "_reads_metric", False) and _schedule_of(owner) is not None and _contains(owner, part):
        return True
    if _feeds(function, part, depth):
        return True
    engines = [one for one in [*given, *references_of(function)] if isinstance(one, Engine)]
    runs = getattr(function, "__name__", "") == "run" or "run" in _names_of(function)
    handlers = [one for engine in engines for one in functions_of(engine)] if runs and depth > 0 else []
    return any(_brings(one, [], part, depth - 1) for one in handlers)


def _names_of(function: Any) -> list[str]:
    while isinstance(function, partial):
        function = function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return [] if code is None else list(names_in(code))


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
        # If the references contain no scheduler, the function may find a scheduler in a list or an attribute.
        return any(_contains(one, part) for one in known) or not known
    called = [one for one in references if isinstance(one, FunctionType | MethodType) and one is not function]
    return depth > 0 and any(_feeds(one, part, depth - 1) for one in called)


def _schedule_of(thing: Any) -> Schedule | None:
    """Return an object if it is a schedule, or its schedule if it is a scheduler; otherwise None."""
    schedule = getattr(thing, "_planned", thing)
    return schedule if isinstance(schedule, Schedule) else None


def _contains(thing: Any, part: StatefulSchedule) -> bool:
    return any(one is part for one in stateful_parts(_schedule_of(thing)))
