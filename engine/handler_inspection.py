"""Reads the handlers of an ignite engine, the filters of their events, and the closures of functions."""

import logging
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

from ignite.engine import Engine

from .error_text import shown


class RegisteredHandler(NamedTuple):
    """A handler of an engine.

    Args:
        event: the event, without its filter.
        handler: the handler as the user gave it.
        event_filter: the filter of the event, or None.
        args: the arguments that follow the engine.
        kwargs: the arguments that are passed by name.
    """

    event: Any
    handler: Any
    event_filter: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def handlers_of(engine: Engine, event: Any = None) -> Iterator[RegisteredHandler]:
    """The handlers of one event, or of all events, in the order in which the engine calls them.

    Raises:
        RuntimeError: this version of ignite stores filters in an unknown way.

    Example:
        >>> from ignite.engine import Events
        >>> engine = Engine(lambda engine, batch: None)
        >>> handle = engine.add_event_handler(Events.EPOCH_STARTED(every=2), print, "epoch")
        >>> for registered in handlers_of(engine):
        ...     print(registered.event.name, registered.handler, registered.args)
        ...     print(filter_arguments(registered.event_filter))
        EPOCH_STARTED <built-in function print> ('epoch',)
        {'every': 2}
    """
    stored = engine._event_handlers
    for one, registered in list(stored.items()) if event is None else [(event, stored.get(event, []))]:
        for handler, args, kwargs in registered:
            # ignite passes a weak reference to the engine as the first argument, if the handler takes the engine.
            takes_engine = args and isinstance(args[0], weakref.ref) and args[0]() is engine
            yield RegisteredHandler(one, *unwrapped(handler), tuple(args[1:] if takes_engine else args), kwargs)


def put_first(engine: Engine, event: Any) -> None:
    """Let the engine call the handler of an event that was added last before all others."""
    handlers = engine._event_handlers[event]
    handlers.insert(0, handlers.pop())


def unfiltered_handlers(engine: Engine, event: Any) -> list[Any]:
    """The handlers of an event that has no filter, in the order in which the engine calls them.

    Raises:
        RuntimeError: this version of ignite stores filters in an unknown way.
    """
    found = [unwrapped(handler) for handler, _, _ in engine._event_handlers.get(event, [])]
    return [handler for handler, event_filter in found if event_filter is None]


def find_first(engine: Engine, events: Iterable[Any]) -> None:
    """Let an engine find these events first among all that it allows.

    It compares an event that ``fire_event`` is given with one after another, which takes longer than most handlers.
    """
    first = list(events)
    engine._allowed_events[:] = first + [event for event in engine._allowed_events if event not in first]


_FIRE_EVENT, _FIRE_EVENT_UNCHECKED = Engine.fire_event, Engine._fire_event


def has_handlers(engine: Engine, event: Any) -> bool:
    """Whether an event, with a filter or without, has handlers."""
    return bool(engine._event_handlers.get(event))


def only_calls_handlers(engine: Engine) -> bool:
    """Whether an engine that fires an event only calls its handlers: it fires events as ignite does, and logs none."""
    return (
        getattr(engine.fire_event, "__func__", None) is _FIRE_EVENT
        and getattr(engine._fire_event, "__func__", None) is _FIRE_EVENT_UNCHECKED
        and not engine.logger.isEnabledFor(logging.DEBUG)
    )


def call_handlers(engine: Engine, event: Any) -> None:
    """Call the handlers of an event as ``fire_event`` does, but make no text for the log, which takes longer."""
    engine.last_event_name = event
    for handler, args, kwargs in engine._event_handlers[event]:
        if args and isinstance(args[0], weakref.ref):  # ignite passes the engine so
            handler(args[0](), *args[1:], **kwargs)
        else:
            handler(*args, **kwargs)


class RunningHandler(NamedTuple):
    """A handler that an engine is calling.

    Args:
        engine: the engine.
        event: the event.
        handler: the handler as the engine stores it.
        args: its arguments as the engine stores them.
    """

    engine: Engine
    event: Any
    handler: Any
    args: Any


# The variables of a RunningHandler, in ignite's function and in the one of this file.
_VARIABLES = {
    "_fire_event": ("self", "event_name", "func", "args"),
    "call_handlers": ("engine", "event", "handler", "args"),
}


def running_handlers() -> Iterator[RunningHandler]:
    """The handlers that engines are calling in this thread, innermost first, up to the caller of this function."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        names = _VARIABLES.get(frame.f_code.co_name)
        if names is not None:
            running = RunningHandler(*(frame.f_locals.get(name) for name in names))
            if isinstance(running.engine, Engine) and running.event is not None:
                yield running
        frame = frame.f_back


def unwrapped(handler: Any) -> tuple[Any, Any]:
    """The handler that the user gave, and its filter, which ignite stores in a function around the handler."""
    if not (isinstance(handler, FunctionType) and hasattr(handler, "_parent")):
        return handler, None
    stored = closure_of(handler)
    if not {"handler", "event_filter"} <= set(stored):
        raise RuntimeError(
            f"the filter of {shown(handler)} must be stored as in ignite up to version 0.5.5, given {sorted(stored)}"
        )
    return stored["handler"], stored["event_filter"]


def filter_arguments(event_filter: Any) -> Mapping[str, Any] | None:
    """The arguments of a filter of ignite: ``every``, ``once``, ``before_``, ``after_``; None for a user's filter."""
    if not getattr(event_filter, "__qualname__", "").startswith("CallableEventWithFilter."):
        return None
    return closure_of(event_filter)


def closure_of(function: FunctionType) -> dict[str, Any]:
    """The variables of outer functions that a function uses, by name, as far as they are assigned."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # the cell is empty
            found[name] = cell.cell_contents
    return found


def functions_of(engine: Engine) -> list[Any]:
    """The training step and the handlers of an engine."""
    return [engine._process_function, *(registered.handler for registered in handlers_of(engine))]


def references_of(function: Any) -> list[Any]:
    """The objects that a function refers to: arguments of a partial, attributes of its object, closure, globals."""
    found: list[Any] = []
    attributes: dict[str, Any] = {}
    while isinstance(function, partial):
        found += [*function.args, *function.keywords.values()]
        function = function.func
    if isinstance(function, MethodType):
        found.append(function.__self__)
        attributes, function = getattr(function.__self__, "__dict__", {}), function.__func__
    if isinstance(function, FunctionType):
        names, variables = list(names_in(function.__code__)), function.__globals__
        found += [value for name, value in attributes.items() if name in names]
        found += closure_of(function).values()
        found += [variables[name] for name in names if name in variables]
    return found


def names_in(code: CodeType) -> Iterator[str]:
    """The names of globals and attributes that code uses, also in the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)
