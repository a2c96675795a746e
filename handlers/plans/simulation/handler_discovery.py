"""Finds the handlers of an engine that call schedulers or run evaluators, without calling them."""

import dis
from dataclasses import dataclass
from functools import cached_property, partial
from math import inf
from types import FunctionType, MethodType
from typing import Any

from ignite.engine import CallableEventWithFilter, Engine
from torch.optim import Optimizer

from lehr.engine.handler_inspection import (
    RegisteredHandler,
    filter_arguments,
    functions_of,
    handlers_of,
    names_in,
    references_of,
)
from lehr.handlers.core.for_plans_and_cli import (
    ClockedAttachment,
    clocked_attachment,
    filtered_attachment,
    is_counter,
    resumed_scheduler,
)
from lehr.handlers.core.scheduler import BaseParamScheduler

SCHEDULER_METHODS = ("__call__", "next_phase", "observe", "count")
UNLIMITED = (("before", inf), ("after", 0))  # ignite stores these limits if an event has no limits


@dataclass(frozen=True, eq=False)
class AttachedHandler:
    """A handler that calls a scheduler, corrects a scheduler after a resume, or runs an evaluator.

    Args:
        engine: the engine that calls the handler.
        event: the event, without its filter.
        event_filter: the filter of the event, or None if it has no filter.
        owner: the scheduler, the resume check of a scheduler, or the evaluator.
        method: one of ``SCHEDULER_METHODS`` for a scheduler, ``"resume"`` for a resume check, or ``"run"`` for an
            evaluator.
        name: the name of the history that was given to ``attach``, or None.
        optimizer: the optimizer whose steps are counted, or None if all events are counted.
        function: the handler that runs an evaluator, as the engine stores it.
        clocked: how a scheduler with a clock is attached, or None if there is no clock.
    """

    engine: Engine
    event: Any
    event_filter: Any
    owner: Any
    method: str
    name: str | None = None
    optimizer: Optimizer | None = None
    function: Any = None
    clocked: ClockedAttachment | None = None

    @property
    def scheduler(self) -> BaseParamScheduler | None:
        """The scheduler that the handler calls, or None if it calls no scheduler."""
        return self.owner if self.method in SCHEDULER_METHODS else None

    @property
    def writes(self) -> bool:
        """Whether the handler makes a scheduler write."""
        return self.method == "__call__"

    @property
    def filtered_event(self) -> Any:
        """The event with its filter."""
        if self.event_filter is None:
            return self.event
        return CallableEventWithFilter(self.event.value, self.event_filter, self.event.name)

    @cached_property
    def event_text(self) -> str:
        """The event and its filter as code writes them, such as ``ITERATION_STARTED(every=2, before=9)``."""
        by = "" if self.clocked is None else f" by {type(self.clocked.clock).__name__}"
        return f"{self._event_text}{by}"

    @property
    def _event_text(self) -> str:
        name = getattr(self.event, "name", str(self.event))
        if self.event_filter is None:
            return name
        given = filter_arguments(self.event_filter)
        if given is None:
            return f"{name}(event_filter={getattr(self.event_filter, '__name__', repr(self.event_filter))})"
        values = [("every", given.get("every")), ("once", given.get("once"))]
        values += [("before", given.get("before_", inf)), ("after", given.get("after_", 0))]
        words = [f"{key}={value}" for key, value in values if (key, value) not in UNLIMITED and value is not None]
        return f"{name}({', '.join(words)})"


def attached_handlers(engine: Engine) -> list[AttachedHandler]:
    """Return the handlers of an engine that a simulated run needs, in the order in which each event calls them."""
    return [handler for registered in handlers_of(engine) for handler in _attached(engine, registered)]


def _attached(engine: Engine, registered: RegisteredHandler) -> list[AttachedHandler]:
    event, function, event_filter, args, kwargs = registered
    if (clocked := clocked_attachment(function)) is not None:
        own_filter = getattr(clocked.event, "filter", None) if clocked.writes else None
        method, name = ("__call__" if clocked.writes else "count"), kwargs.get("name")
        scheduler, optimizer = clocked.scheduler, clocked.optimizer if clocked.writes else None
        return [AttachedHandler(engine, event, own_filter, scheduler, method, name, optimizer, clocked=clocked)]
    if is_counter(function):
        return []
    if (filtered := filtered_attachment(function)) is not None:
        scheduler, own_filter, optimizer = filtered
        return [AttachedHandler(engine, event, own_filter, scheduler, "__call__", kwargs.get("name"), optimizer)]
    if resumed_scheduler(function) is not None:
        return [AttachedHandler(engine, event, None, function, "resume")]
    is_method = isinstance(function, MethodType)
    owner, method = (function.__self__, function.__name__) if is_method else (function, "__call__")
    if isinstance(owner, BaseParamScheduler):
        name = kwargs.get("name", next((given for given in args if isinstance(given, str)), None))
        known = method in SCHEDULER_METHODS
        return [AttachedHandler(engine, event, event_filter, owner, method, name)] if known else []
    others = [other for other in _engines_run_by(function, (*args, *kwargs.values())) if other is not engine]
    return [AttachedHandler(engine, event, event_filter, other, "run", function=function) for other in others]


def _engines_run_by(handler: Any, arguments: tuple[Any, ...]) -> list[Engine]:
    """Return the engines that a handler's code or arguments refer to, if its code calls a method ``run``."""
    function = handler
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or "run" not in names_in(function.__code__):
        return []
    return list(dict.fromkeys(one for one in (*arguments, *references_of(handler)) if isinstance(one, Engine)))


def engine_references(engine: Engine) -> list[Any]:
    """Return the objects that the training step and the handlers of an engine refer to."""
    return [found for function in functions_of(engine) for found in references_of(function)]


def may_write_metrics(engine: Engine) -> bool:
    """Return whether the code of the training step or of a handler may write to ``engine.state.metrics``."""
    return any(map(_may_write_metrics, functions_of(engine)))


def _may_write_metrics(function: Any) -> bool:
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        function = type(function).__call__
    if not isinstance(function, FunctionType):
        return True  # there is no Python code to read
    names = set(names_in(function.__code__))
    if "metrics" not in names or not names.isdisjoint({"update", "setdefault", "setattr"}):
        return "metrics" in names
    # This comes last, because it is slow.
    return any(instruction.opname == "STORE_SUBSCR" for instruction in dis.get_instructions(function))
