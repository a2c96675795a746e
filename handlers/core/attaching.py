"""Attaching a scheduler to an engine: all that has to be registered, and one handle to take it off again."""

import weakref
from collections.abc import Sequence
from typing import Any

from ignite.engine import CallableEventWithFilter, Engine, Events, EventsList
from ignite.engine.events import RemovableEventHandle
from torch.optim import Optimizer

from lehr.engine.event_handlers import unfiltered_handlers
from lehr.engine.history_recorder import check_name_is_free, claim_name
from lehr.engine.optimizer_events import OptimizerEvents, is_step_event

from .locations import holders_of, locations_of, may_share, shared_locations
from .resume_check import ResumeCheck
from .saving import take_back_events

AnyEvent = str | Events | OptimizerEvents | CallableEventWithFilter | EventsList


class Attachment(RemovableEventHandle):
    """A handle like those of ignite, whose ``remove()`` detaches a scheduler from an engine."""

    def __init__(self, event: Any, scheduler: Any, engine: Engine, name: str | None, others: Sequence[Any]) -> None:
        super().__init__(event, scheduler, engine)
        self._name, self._others = name, list(others)

    def remove(self) -> None:
        """Detach it; a second time does nothing."""
        super().remove()
        scheduler: Any = self.handler()
        engine = self.engine()
        if scheduler is not None and engine is not None:
            ResumeCheck.of(scheduler, engine).discard(engine, self.event_name, self._name)
        for handle in self._others:
            handle.remove()
        self._others = []


class Filtered:
    """A scheduler as a handler of events that pass a filter, or of the steps of its own optimizer alone.

    It is what ``event(every=2)`` makes of a handler in ignite, without the reference cycle by way of the engine, which
    would keep optimizer and parameters until the garbage is collected.

    Args:
        scheduler: the scheduler.
        event: the event, with its filter.
        optimizer: whose steps are meant; None for anybody's.
    """

    def __init__(self, scheduler: Any, event: Any, optimizer: Optimizer | None) -> None:
        self._scheduler, self._event = scheduler, event
        self._optimizer = None if optimizer is None else weakref.ref(optimizer)
        self._parent = weakref.ref(scheduler)  # by which ignite finds the handler that was given by a user

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Let the scheduler write, if the event is one of those."""
        state: Any = engine.state
        if self._optimizer is not None and state.optimizer is not self._optimizer():
            return
        passes = self._event.filter
        if passes is None or passes(engine, state.get_event_attrib_value(self._event)):
            if self._optimizer is not None and state.optimizer_step_again and self._scheduler.event_index > 0:
                take_back_events(self._scheduler, engine, 1, kwargs.get("name"))  # a step that has failed
            self._scheduler(engine, **kwargs)


def attached(scheduler: Any, engine: Engine, event: Any, name: str | None) -> Attachment:
    """Attach a scheduler: see :meth:`BaseParamScheduler.attach`."""
    if not isinstance(engine, Engine):
        raise TypeError(f"engine must be an ignite Engine, given {engine!r}")
    if not isinstance(name, str | None):
        raise TypeError(f"name must be a string or None, given {name!r}")
    if isinstance(event, str) and is_step_event(event):
        event = OptimizerEvents[event]
    names = scheduler._history_names(name) if scheduler.save_history else []
    recording = scheduler._recording_engine(engine)
    for history_name in names:
        check_name_is_free(recording, history_name, scheduler)
    others: list[Any] = []
    kwargs: Any = {} if name is None else {"name": name}
    try:
        # Those that the engine does not know come first, so that nothing is attached if there is one.
        for one in sorted(event if isinstance(event, EventsList) else [event], key=engine.has_registered_events):
            bare, handler = _bare(engine, one, scheduler, others)
            if handler is scheduler:
                _warn_of_conflicts(engine, bare, scheduler)
            engine.add_event_handler(bare, handler, **kwargs)
    except BaseException:
        for handle in others:
            handle.remove()
        raise
    ResumeCheck.of(scheduler, engine).add(engine, event, name)
    for history_name in names:
        claim_name(recording, history_name, scheduler)
    return Attachment(event, scheduler, engine, name, others)


def _warn_of_conflicts(engine: Engine, event: Any, scheduler: Any) -> None:
    """Write a warning to the engine's log if whoever has the same event already writes the same, whenever it comes.

    What depends on filters, or on when schedules begin and end, is for ``check_plan`` to find.
    """
    name = getattr(event, "name", event)  # an event of a user's own may be a string
    own = locations_of(scheduler, engine)
    holders = holders_of(own)
    for handler in unfiltered_handlers(engine, event):
        if handler is scheduler:
            engine.logger.warning("%r is attached to %s twice, and moves on two events at once", scheduler, name)
        elif may_share(holders, handler, engine) and (shared := shared_locations(own, locations_of(handler, engine))):
            names = ", ".join(dict.fromkeys(location.param_name for location in shared))
            engine.logger.warning(
                "%r, attached to %s, writes %s over what %r has written at that event", scheduler, name, names, handler
            )


def _bare(engine: Engine, event: Any, scheduler: Any, others: list[Any]) -> tuple[Any, Any]:
    """An event without its filter, and what to add to it; hooks into an optimizer's steps are put on."""
    optimizer = None
    if is_step_event(event):
        optimizer = scheduler._stepping_optimizer()
        if optimizer is not None:
            others.append(OptimizerEvents.attach(engine, optimizer))
        elif not engine.has_registered_events(OptimizerEvents.STEP_STARTED):
            raise ValueError(
                f"event must be one of the engine's, given {event!r} for {scheduler!r}, which has not one optimizer of "
                "its own to take steps: call OptimizerEvents.attach(engine, optimizer) first"
            )
    if optimizer is None and getattr(event, "filter", None) is None:
        return event, scheduler
    return type(event)(event.value, None, event.name) if event.filter else event, Filtered(scheduler, event, optimizer)
