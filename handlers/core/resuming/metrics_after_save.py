"""Finds metrics and starts of phases that a checkpoint lacks, because handlers pass them after the checkpoint is saved.

A run that resumes from the checkpoint does not call these handlers again.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ignite.engine import Engine, Events

from lehr.engine.handler_inspection import RegisteredHandler, filter_arguments, handlers_of, running_handlers
from lehr.engine.optimizer_events import OptimizerEvents
from lehr.engine.times_fired import is_between_epochs
from lehr.handlers.core.metrics.feed_detection import begins_phase, brings_metric
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.metric_driven_parts import metric_parts
from lehr.handlers.schedules.stateful import StatefulSchedule, stateful_parts

WITHIN_ITERATION = (Events.ITERATION_STARTED, OptimizerEvents.STEP_STARTED, OptimizerEvents.STEP_COMPLETED)
# For each event, the events that follow it in the same iteration.
LATER: dict[Any, tuple[Any, ...]] = dict.fromkeys(WITHIN_ITERATION, (Events.ITERATION_COMPLETED,))


class Unfinished(NamedTuple):
    """The metrics and the starts of phases that handlers pass to a scheduler after its checkpoint is saved.

    Args:
        phases: for each ``next_phase``, a list with the position of the stateful schedule and the first event of the
            phase.
        lost: the names of everything else, which a resumed run cannot recover, such as ``"a metric"``.
    """

    phases: list[list[int]]
    lost: list[str]


def unfinished_of(scheduler: Any) -> Unfinished | None:
    """Find out what handlers will pass to a scheduler after the running handler. Return None if they pass nothing.

    Args:
        scheduler: a scheduler of a stateful schedule.
    """
    return brought_by(handlers_to_come(), scheduler)


def brought_by(handlers: Iterator[RegisteredHandler], scheduler: Any) -> Unfinished | None:
    """Find out what handlers, called in this order, pass to a scheduler. Return None if they pass nothing."""
    parts, found, event = stateful_parts(scheduler._planned), Unfinished([], []), scheduler._event_index
    for registered in handlers:
        brought = what_it_brings(registered, scheduler)
        if brought == "an event":
            event += 1
            if scheduler._reads_metric and scheduler._reads_metric_at(event - 1):
                found.lost.append("a metric")
        elif brought == "a phase":
            owner = getattr(registered.handler, "__self__", None)
            planned = getattr(owner, "_planned", owner)
            found.phases.extend([at, event] for at, part in enumerate(parts) if part is planned)
        elif brought is not None:
            found.lost.append(brought)
    return found if any(found) else None


def what_it_brings(registered: RegisteredHandler, scheduler: Any) -> str | None:
    """Return what a handler passes: ``"an event"``, ``"a metric"``, ``"a phase"``, ``"next_phase"``, or None.

    The result is ``"a phase"`` for a handler that begins a phase, and ``"next_phase"`` for a user's function whose code
    may begin a phase.
    """
    function, planned = registered.handler, scheduler._planned
    if function is scheduler or getattr(function, "_scheduler", None) is scheduler:
        return "an event"
    if getattr(function, "__name__", "") == "next_phase":
        owner = getattr(function, "__self__", None)
        owned = getattr(owner, "_planned", owner)
        return "a phase" if any(part is owned for part in stateful_parts(planned)) else None
    if any(brings_metric(registered, part.schedule) for part in metric_parts(planned)):
        return "a metric"
    return "next_phase" if any(begins_phase(function, part) for part in stateful_parts(planned)) else None


def handlers_to_come() -> Iterator[RegisteredHandler]:
    """Return the handlers that engines call between the handler that is running and the next iteration."""
    firing = list(running_handlers())
    for engine, event, handler, args in firing:
        later = _later(engine, event, is_outermost=engine is firing[-1].engine)
        if later is None:
            continue
        registered = [(function, args) for function, args, _ in engine._event_handlers.get(event, [])]
        at = next((at for at, one in enumerate(registered) if one[0] is handler and one[1] is args), None)
        following = [] if at is None else list(handlers_of(engine, event))[at + 1 :]
        for one in [*following, *(one for another in later for one in handlers_of(engine, another))]:
            if _passes(engine, one):
                yield one


def _later(engine: Engine, event: Any, is_outermost: bool) -> list[Any] | None:
    """Return the events between an event and the next iteration; None if a resumed run fires the event again."""
    later = list(LATER.get(event, ()))
    if event == Events.ITERATION_COMPLETED or later:
        later += [Events.EPOCH_COMPLETED] * is_between_epochs(engine)
    elif is_outermost and event != Events.EPOCH_COMPLETED:
        return None
    if not is_outermost and event != Events.COMPLETED:
        later.append(Events.COMPLETED)
    return later


def _passes(engine: Engine, registered: RegisteredHandler) -> bool:
    """Return whether an event passes a handler's filter. A user's own filter is not called, and counts as passed."""
    event = getattr(registered.handler, "_event", registered.event)
    event_filter = registered.event_filter or getattr(event, "filter", None)
    if event_filter is None or filter_arguments(event_filter) is None:
        return True
    return bool(event_filter(engine, engine.state.get_event_attrib_value(registered.event)))


def checked(state: Any, parts: list[StatefulSchedule]) -> Unfinished:
    """Check the entry ``unfinished`` of a state, and return it.

    Raises:
        TypeError, ValueError: ``state`` is not a valid entry ``unfinished``.
    """
    if not isinstance(state, Mapping) or set(state) != set(Unfinished._fields):
        raise ValueError(f"unfinished must have the entries {[*Unfinished._fields]}, given {arguments.shown(state)}")
    phases, lost = state["phases"], state["lost"]
    if not isinstance(lost, list) or not all(isinstance(one, str) for one in lost):
        raise TypeError(f"lost must be a list of strings, given {arguments.shown(lost)}")
    if not isinstance(phases, list) or not all(isinstance(one, list | tuple) and len(one) == 2 for one in phases):
        raise TypeError(f"phases must be a list of pairs, given {arguments.shown(phases)}")
    for at, event in phases:
        arguments.whole_number("event", event, at_least=0)
        if not hasattr(dict(enumerate(parts)).get(arguments.whole_number("part", at, at_least=0)), "begin_next"):
            raise ValueError(f"part must be the position of a schedule with phases, given {arguments.shown(at)}")
    return Unfinished([list(one) for one in phases], [arguments.shortened(one) for one in lost])
