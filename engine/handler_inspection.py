"""Functions that inspect an ignite engine: its handlers, the filters of their events, and the objects they refer to."""

import logging
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

from ignite.engine import Engine

from .values_in_errors import shown


class RegisteredHandler(NamedTuple):
    """A handler of an engine.

    Args:
        event: the event, without its filter.
        handler: the handler as the user gave it.
        event_filter: the filter of the event, or None.
        args: the positional arguments of the handler after the engine.
        kwargs: the keyword arguments of the handler.
    """

    event: Any
    handler: Any
    event_filter: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def handlers_of(engine: Engine, event: Any = None) -> Iterator[RegisteredHandler]:
    """Yield the handlers of one event, or of all events if ``event`` is None, in the order in which they are called.

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
            # If the handler takes the engine, ignite stores a weak reference to the engine as the first argument.
            takes_engine = args and isinstance(args[0], weakref.ref) and args[0]() is engine
            yield RegisteredHandler(one, *unwrapped(handler), tuple(args[1:] if takes_engine else args), kwargs)


def put_first(engine: Engine, event: Any) -> None:
    """Move the last handler of an event to the front, so that the engine calls this handler first."""
    handlers = engine._event_handlers[event]
    handlers.insert(0, handlers.pop())


def unfiltered_handlers(engine: Engine, event: Any) -> list[Any]:
    """Return the handlers that were added to an event without a filter, in the order in which they are called.

    Raises:
        RuntimeError: this version of ignite stores filters in an unknown way.
    """
    found = [unwrapped(handler) for handler, _, _ in engine._event_handlers.get(event, [])]
    return [handler for handler, event_filter in found if event_filter is None]


def find_first(engine: Engine, events: Iterable[Any]) -> None:
    """Move events to the front of the list of events that an engine allows.

    ``fire_event`` compares its event with the items of this list one after another, which takes longer than most
    handlers.
    """
    first = list(events)
    engine._allowed_events[:] = first + [event for event in engine._allowed_events if event not in first]


_FIRE_EVENT, _FIRE_EVENT_UNCHECKED = Engine.fire_event, Engine._fire_event


def has_handlers(engine: Engine, event: Any) -> bool:
    """Return whether an event has handlers, with or without a filter."""
    return bool(engine._event_handlers.get(event))


def only_calls_handlers(engine: Engine) -> bool:
    """Return whether ``fire_event`` of an engine is ignite's method and writes no log message."""
    return (
        getattr(engine.fire_event, "__func__", None) is _FIRE_EVENT
        and getattr(engine._fire_event, "__func__", None) is _FIRE_EVENT_UNCHECKED
        and not engine.logger.isEnabledFor(logging.DEBUG)
    )


def call_handlers(engine: Engine, event: Any) -> None:
    """Call the handlers of an event like ``fire_event``, but without a log message, which takes time."""
    engine.last_event_name = event
    for handler, args, kwargs in engine._event_handlers[event]:
        if args and isinstance(args[0], weakref.ref):  # ignite stores the engine as a weak reference
            handler(args[0](), *args[1:], **kwargs)
        else:
            handler(*args, **kwargs)


class RunningHandler(NamedTuple):
    """A handler that an engine is calling.

    Args:
        engine: the engine.
        event: the event.
        handler: the handler as the engine stores it.
        args: the arguments of the handler as the engine stores them.
    """

    engine: Engine
    event: Any
    handler: Any
    args: Any


# The local variables of ignite's ``_fire_event`` and of ``call_handlers`` that have the values of a RunningHandler.
_VARIABLES = {
    "_fire_event": ("self", "event_name", "func", "args"),
    "call_handlers": ("engine", "event", "handler", "args"),
}


def running_handlers() -> Iterator[RunningHandler]:
    """Yield the handlers that engines are calling in this thread at the moment, the innermost handler first."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        names = _VARIABLES.get(frame.f_code.co_name)
        if names is not None:
            running = RunningHandler(*(frame.f_locals.get(name) for name in names))
            if isinstance(running.engine, Engine) and running.event is not None:
                yield running
        frame = frame.f_back


def unwrapped(handler: Any) -> tuple[Any, Any]:
    """Return the handler that the user gave, and its filter or None, from the function in which ignite wraps both."""
    if not (isinstance(handler, FunctionType) and hasattr(handler, "_parent")):
        return handler, None
    stored = closure_of(handler)
    if not {"handler", "event_filter"} <= set(stored):
        raise RuntimeError(
            f"the filter of {shown(handler)} must be stored as in ignite up to version 0.5.5, given {sorted(stored)}"
        )
    return stored["handler"], stored["event_filter"]


def filter_arguments(event_filter: Any) -> Mapping[str, Any] | None:
    """Return the arguments of a filter of ignite, such as ``every`` or ``once``, or None for the filter of a user."""
    if not getattr(event_filter, "__qualname__", "").startswith("CallableEventWithFilter."):
        return None
    return closure_of(event_filter)


def closure_of(function: FunctionType) -> dict[str, Any]:
    """Return the variables of outer functions that a function uses, as a dict from names to values."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a variable that is not assigned yet is left out
            found[name] = cell.cell_contents
    return found


def functions_of(engine: Engine) -> list[Any]:
    """Return the training step and the handlers of an engine."""
    return [engine._process_function, *(registered.handler for registered in handlers_of(engine))]


def references_of(function: Any) -> list[Any]:
    """Return the objects that a function refers to.

    These are the arguments of a ``partial``, the object of a method and the attributes that the method uses, the
    variables of outer functions, and globals.
    """
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
    """Yield the names of globals and attributes that code uses, including the code of inner functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)
