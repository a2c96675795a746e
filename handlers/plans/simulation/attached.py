"""Which schedulers an engine's events reach: those attached, those added as handlers, and the evaluators beside."""

from dataclasses import dataclass
from types import MethodType
from typing import Any

from ignite.engine import CallableEventWithFilter, Engine

from lehr.engine.event_handlers import RegisteredHandler, filter_arguments, handlers_of
from lehr.handlers.core.inspection import filtered_attachment, resumed_scheduler
from lehr.handlers.core.scheduler import BaseParamScheduler

from .code_inspection import engines_run_by

METHODS = ("__call__", "next_phase", "observe")  # of a scheduler, that an event may call


@dataclass(frozen=True, eq=False)
class Wire:
    """A handler of an engine that matters to a plan: a scheduler, one of its methods, or what runs an evaluator.

    Args:
        engine: the engine.
        event: its event, without a filter.
        event_filter: what decides whether the handler is called, or None.
        target: the scheduler, what brings one to where a resumed run is, or the other engine.
        method: which of its methods is called; ``"__call__"`` of a scheduler writes.
        name: the name of the history that a scheduler was attached with, or None.
        optimizer: whose steps alone are meant, or None.
    """

    engine: Engine
    event: Any
    event_filter: Any
    target: Any
    method: str
    name: str | None = None
    optimizer: Any = None

    @property
    def writes(self) -> bool:
        """Whether it is a scheduler itself."""
        return self.method == "__call__"

    @property
    def filtered_event(self) -> Any:
        """The event with its filter, as a user gave it."""
        event = self.event
        if self.event_filter is None:
            return event
        return CallableEventWithFilter(event.value, self.event_filter, event.name)

    @property
    def where(self) -> str:
        """The event in words."""
        return described(self.event, self.event_filter)


def wires_of(engine: Engine) -> list[Wire]:
    """The wires of an engine, in the order in which each event comes to them."""
    return [wire for registered in handlers_of(engine) for wire in _wires(engine, registered)]


def evaluators_of(engine: Engine) -> list[Engine]:
    """The engines that handlers of an engine run, and that have schedulers themselves."""
    run = [wire.target for wire in wires_of(engine) if isinstance(wire.target, Engine)]
    return [other for other in dict.fromkeys(run) if any(wire.method in METHODS for wire in wires_of(other))]


def _wires(engine: Engine, registered: RegisteredHandler) -> list[Wire]:
    event, handler, event_filter, args, kwargs = registered
    if (filtered := filtered_attachment(handler)) is not None:
        scheduler, own_filter, optimizer = filtered
        return [Wire(engine, event, own_filter, scheduler, "__call__", kwargs.get("name"), optimizer)]
    if resumed_scheduler(handler) is not None:
        return [Wire(engine, event, None, handler, "resume")]
    owner, method = (handler.__self__, handler.__name__) if isinstance(handler, MethodType) else (handler, "__call__")
    if isinstance(owner, BaseParamScheduler):
        name = kwargs.get("name", next((given for given in args if isinstance(given, str)), None))
        return [Wire(engine, event, event_filter, owner, method, name)] if method in METHODS else []
    others = [other for other in engines_run_by(handler, (*args, *kwargs.values())) if other is not engine]
    return [Wire(engine, event, event_filter, other, "run") for other in others]


def described(event: Any, event_filter: Any) -> str:
    """An event and its filter in the words of whoever attached something to it.

    Example:
        >>> from ignite.engine import Events
        >>> event = Events.ITERATION_STARTED(every=2, before=9)
        >>> described(event, event.filter)
        'ITERATION_STARTED(every=2, before=9)'
    """
    name = getattr(event, "name", str(event))
    if event_filter is None:
        return name
    given = filter_arguments(event_filter)
    if given is None:
        return f"{name}(event_filter={getattr(event_filter, '__name__', repr(event_filter))})"
    shown = {"every": given.get("every"), "once": given.get("once")}
    shown |= {"before": given.get("before_"), "after": given.get("after_")}
    none = {"before": float("inf"), "after": 0}
    words = [f"{key}={value}" for key, value in shown.items() if value is not None and value != none.get(key)]
    return f"{name}({', '.join(words)})"
