"""Attaching a scheduler to an engine: all that has to be registered, and one handle to take it off again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ignite.engine import CallableEventWithFilter, Engine, Events, EventsList
from ignite.engine.events import RemovableEventHandle

from lehr.engine.optimizer_events import OptimizerEvents, is_step_event, of_optimizer
from lehr.engine.recording import claim, refuse_clash

from .resuming import ResumeCheck

if TYPE_CHECKING:
    from .base import BaseParamScheduler

AnyEvent = str | Events | OptimizerEvents | CallableEventWithFilter | EventsList


class Attachment(RemovableEventHandle):
    """A handle like those of ignite, whose ``remove()`` detaches a scheduler from an engine."""

    def __init__(self, event: Any, scheduler: "BaseParamScheduler", engine: Engine, others: Sequence[Any]) -> None:
        super().__init__(event, scheduler, engine)
        self._others = list(others)

    def remove(self) -> None:
        """Detach it; a second time does nothing."""
        super().remove()
        for handle in self._others:
            handle.remove()
        self._others = []


def attached(scheduler: "BaseParamScheduler", engine: Engine, event: Any, name: str | None) -> Attachment:
    """Attach a scheduler: see :meth:`BaseParamScheduler.attach`."""
    if not isinstance(engine, Engine):
        raise TypeError(f"engine must be an ignite Engine, given {engine!r}")
    if not isinstance(name, str | None):
        raise TypeError(f"name must be a string or None, given {name!r}")
    names = scheduler._history_names(name) if scheduler.save_history else []
    recording = scheduler._recording_engine(engine)
    for history_name in names:
        refuse_clash(recording, history_name, scheduler)
    others: list[Any] = []
    try:
        its_event = _at_its_steps(scheduler, engine, event, others)
        engine.add_event_handler(its_event, scheduler, **({} if name is None else {"name": name}))
    except BaseException:
        for handle in others:
            handle.remove()
        raise
    others.append(engine.add_event_handler(Events.STARTED, ResumeCheck(scheduler, engine, event, name)))
    for history_name in names:
        claim(recording, history_name, scheduler)
    return Attachment(its_event, scheduler, engine, others)


def _at_its_steps(scheduler: "BaseParamScheduler", engine: Engine, event: Any, others: list[Any]) -> Any:
    """The event, where it is one of optimizers' steps that of the scheduler's own optimizer; its hooks are put on."""
    if isinstance(event, EventsList):
        its_events = EventsList()
        for one in event:
            its_events = its_events | _at_its_steps(scheduler, engine, one, others)
        return its_events
    if not is_step_event(event):
        return event
    optimizer = scheduler._stepping_optimizer()
    if optimizer is not None:
        others.append(OptimizerEvents.attach(engine, optimizer))
        return of_optimizer(event, optimizer)
    if not engine.has_registered_events(OptimizerEvents.STEP_STARTED):
        raise ValueError(
            f"event must be one of the engine's, given {event!r} for {scheduler!r}, which has no optimizer of its own "
            "to take steps: call OptimizerEvents.attach(engine, optimizer) first"
        )
    return event
