"""What ignite has registered with an engine: its handlers, their filters, and what functions refer to."""

import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import FunctionType
from typing import Any, NamedTuple

from ignite.engine import Engine


class Registered(NamedTuple):
    """A handler of an engine.

    Args:
        event: its event; a filter that may stand in it is not its own.
        handler: the handler as it was given.
        event_filter: what decides whether it is called; None where it always is.
        args: what it is called with, after the engine.
        kwargs: what it is called with by name.
    """

    event: Any
    handler: Any
    event_filter: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def handlers_of(engine: Engine, event: Any = None) -> Iterator[Registered]:
    """The handlers of an engine, of one event or of all, each event's in the order in which they are called.

    Raises:
        RuntimeError: ignite keeps filters in another way than is known here.

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
    events = engine._event_handlers if event is None else {event: engine._event_handlers.get(event, [])}
    for one, registered in list(events.items()):
        for handler, args, kwargs in registered:
            given, event_filter = _unwrapped(handler)
            # ignite puts a reference to the engine before the arguments of those who take one.
            own = args[1:] if args and isinstance(args[0], weakref.ref) and args[0]() is engine else args
            yield Registered(one, given, event_filter, tuple(own), kwargs)


def unfiltered_handlers(engine: Engine, event: Any) -> list[Any]:
    """The handlers of an event that are called whenever it comes, in that order.

    Raises:
        RuntimeError: as :func:`handlers_of`.
    """
    unwrapped = [_unwrapped(handler) for handler, _, _ in engine._event_handlers.get(event, [])]
    return [handler for handler, event_filter in unwrapped if event_filter is None]


def _unwrapped(handler: Any) -> tuple[Any, Any]:
    """A handler as it was given, and the filter of its event, which ignite keeps in a function around it."""
    if not (isinstance(handler, FunctionType) and hasattr(handler, "_parent")):
        return handler, None
    kept = closure_of(handler)
    if not {"handler", "event_filter"} <= set(kept):
        raise RuntimeError(
            f"the filter of {handler!r} cannot be found: ignite keeps it otherwise than up to version 0.5.5, among "
            f"{sorted(kept)}"
        )
    return kept["handler"], kept["event_filter"]


def filter_arguments(event_filter: Any) -> Mapping[str, Any] | None:
    """What a filter of ignite's own was made of: ``every``, ``once``, ``before_``, ``after_``; None for another one."""
    if not getattr(event_filter, "__qualname__", "").startswith("CallableEventWithFilter."):
        return None
    return closure_of(event_filter)


def closure_of(function: FunctionType) -> dict[str, Any]:
    """What a function has of the functions around it, by name, as far as it is there yet."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # nothing was assigned so far
            found[name] = cell.cell_contents
    return found
