"""Which schedulers an engine's events reach: those attached, those added as handlers, and the evaluators beside."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from ignite.engine import CallableEventWithFilter, Engine

from ..attaching import Filtered
from ..base import BaseParamScheduler
from ..resume_check import ResumeCheck

METHODS = ("__call__", "next_phase", "observe")  # of a scheduler, that an event may call


@dataclass(frozen=True)
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
    target: BaseParamScheduler | Engine | ResumeCheck
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
    return [
        wire
        for event, handlers in engine._event_handlers.items()
        for handler, args, kwargs in handlers
        for wire in _wires(engine, event, handler, args, kwargs)
    ]


def evaluators_of(engine: Engine) -> list[Engine]:
    """The engines that handlers of an engine run, and that have schedulers themselves."""
    run = [wire.target for wire in wires_of(engine) if isinstance(wire.target, Engine)]
    return [other for other in dict.fromkeys(run) if any(wire.method in METHODS for wire in wires_of(other))]


def _wires(engine: Engine, event: Any, handler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Wire]:
    if isinstance(handler, Filtered):
        optimizer = handler._optimizer and handler._optimizer()
        return [
            Wire(engine, event, handler._event.filter, handler._scheduler, "__call__", kwargs.get("name"), optimizer)
        ]
    if isinstance(handler, ResumeCheck):
        return [Wire(engine, event, None, handler, "rehearse")]
    handler, event_filter = _without_filter(handler)
    owner, method = (handler.__self__, handler.__name__) if isinstance(handler, MethodType) else (handler, "__call__")
    if isinstance(owner, BaseParamScheduler):
        name = kwargs.get("name", next((given for given in args if isinstance(given, str)), None))
        return [Wire(engine, event, event_filter, owner, method, name)] if method in METHODS else []
    others = [other for other in _engines_run_by(handler, (*args, *kwargs.values())) if other is not engine]
    return [Wire(engine, event, event_filter, other, "run") for other in others]


def _without_filter(handler: Any) -> tuple[Any, Any]:
    """A handler as a user gave it, and the filter of its event, which ignite keeps in a function around it."""
    if not (hasattr(handler, "_parent") and isinstance(handler, FunctionType)):
        return handler, None
    kept = _closure_of(handler)
    return kept.get("handler", handler), kept.get("event_filter")


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
    if not getattr(event_filter, "__qualname__", "").startswith("CallableEventWithFilter."):
        return f"{name}(event_filter={getattr(event_filter, '__name__', repr(event_filter))})"
    given = _closure_of(event_filter)
    shown = {"every": given.get("every"), "once": given.get("once")}
    shown |= {"before": given.get("before_"), "after": given.get("after_")}
    none = {"before": float("inf"), "after": 0}
    words = [f"{key}={value}" for key, value in shown.items() if value is not None and value != none.get(key)]
    return f"{name}({', '.join(words)})"


def _engines_run_by(handler: Any, given: tuple[Any, ...]) -> list[Engine]:
    """The engines whose ``run`` a handler calls, as far as its code refers to them; calling it would tell for sure."""
    function = handler
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or "run" not in names_in(function.__code__):
        return []
    found = [thing for thing in (*given, *referred_to(handler)) if isinstance(thing, Engine)]
    return list(dict.fromkeys(found))


def referred_to(handler: Any) -> list[Any]:
    """What a function, a method or a partial one refers to: arguments, closures, globals, attributes of its object."""
    things: list[Any] = []
    while isinstance(handler, partial):
        things += [*handler.args, *handler.keywords.values()]
        handler = handler.func
    if isinstance(handler, MethodType):
        owned = getattr(handler.__self__, "__dict__", {})
        handler, owner = handler.__func__, handler.__self__
        named = set(names_in(handler.__code__)) if isinstance(handler, FunctionType) else set()
        things += [owner, *(owned[name] for name in owned if name in named)]
    if isinstance(handler, FunctionType):
        found, names = handler.__globals__, names_in(handler.__code__)
        things += [*_closure_of(handler).values(), *(found[name] for name in names if name in found)]
    return things


def referred_to_by(engine: Engine) -> list[Any]:
    """What the training step and the handlers of an engine refer to."""
    functions = [engine._process_function, *handlers_of(engine)]
    return [thing for function in functions for thing in referred_to(function)]


def handlers_of(engine: Engine) -> list[Any]:
    """The handlers of an engine, as they were given."""
    handlers = [handler for handlers in engine._event_handlers.values() for handler, _, _ in handlers]
    return [_without_filter(handler)[0] for handler in handlers]


def _closure_of(function: FunctionType) -> dict[str, Any]:
    """What a function has of the functions around it, by name, as far as it is there yet."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # nothing was assigned so far
            found[name] = cell.cell_contents
    return found


def names_in(code: CodeType) -> Iterator[str]:
    """The names that code has of attributes and globals."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def accumulation_of(engine: Engine) -> int:
    """How many iterations make a step of the optimizer, if ignite's ``create_supervised_trainer`` was told; else 1."""
    step = engine._process_function
    kept = _closure_of(step) if isinstance(step, FunctionType) else {}
    given = kept.get("gradient_accumulation_steps", 1)
    return given if isinstance(given, int) else 1
