"""Attaches schedulers to engines, and detaches them."""

import weakref
from collections.abc import Sequence
from typing import Any

from ignite.engine import CallableEventWithFilter, Engine, Events, EventsList
from ignite.engine.events import RemovableEventHandle
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from lehr.engine.handler_inspection import unfiltered_handlers
from lehr.engine.history import ParamHistory
from lehr.engine.history_recorder import check_name_is_free, claim_name
from lehr.engine.optimizer_events import OptimizerEvents, is_step_event
from lehr.engine.plain_loop_placeholder import PlainLoop
from lehr.handlers.schedules.arguments import shown, shown_text

from .clocks.choosing_handlers import checked_clock, handler_with_clock
from .clocks.clock import Clock
from .clocks.landing_by_deadline import follow_trunk
from .clocks.stepping_by_amounts import count_events_again, read_with_strides
from .clocks.time_clock import TimeClock
from .duration_unit_checks import refuse_other_clock
from .resuming.index_check import ResumeCheck
from .resuming.repeated_events import take_back_events
from .written_locations import holders_of, label_history, locations_of, may_share, shared_locations

AnyClock = Clock | None
AnyEvent = str | Events | OptimizerEvents | CallableEventWithFilter | EventsList


class Attachment(RemovableEventHandle):
    """A handle, like ignite's event handles, whose ``remove()`` detaches a scheduler from an engine."""

    def __init__(self, event: Any, scheduler: Any, engine: Engine, others: Sequence[Any]) -> None:
        super().__init__(event, scheduler, engine)
        self._others = list(others)

    def remove(self) -> None:
        """Detach the scheduler from the event. A second call has no effect.

        If the scheduler is attached to the same event again, with another filter, ignite detaches it there, too.
        """
        super().remove()
        scheduler: Any = self.handler()
        engine = self.engine()
        if scheduler is not None and engine is not None:
            ResumeCheck.of(scheduler, engine).discard(engine, self.event_name)
        for handle in self._others:
            handle.remove()
        self._others = []


class Filtered:
    """A handler that calls a scheduler at events that pass a filter, or at the steps of one optimizer.

    A filter of ignite makes a reference cycle with the engine. The cycle keeps the optimizer and the parameters in
    memory until garbage collection. This class makes no cycle.

    Args:
        scheduler: the scheduler.
        event: the event, with its filter.
        optimizer: the optimizer whose steps call the scheduler. If None, all events call the scheduler.
    """

    calls_scheduler = True

    def __init__(self, scheduler: Any, event: Any, optimizer: Optimizer | None) -> None:
        self._scheduler, self._event, self._passes = scheduler, event, event.filter
        self._optimizer = None if optimizer is None else weakref.ref(optimizer)
        self._parent = weakref.ref(scheduler)  # ignite finds the user's handler by this attribute

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Call the scheduler if the event passes the filter and belongs to the optimizer."""
        state: Any = engine.state
        if self._optimizer is not None and state.optimizer is not self._optimizer():
            return
        if self._passes is None or self._passes(engine, state.get_event_attrib_value(self._event)):
            if self._optimizer is not None and state.optimizer_step_again and self._scheduler.event_index > 0:
                take_back_events(self._scheduler, engine, 1, kwargs.get("name"))  # the previous step has failed
            self._scheduler(engine, **kwargs)


def attached_to_steps(scheduler: Any) -> RemovableHandle:
    """Let a scheduler's optimizer call the scheduler before each step.

    See :meth:`BaseParamScheduler.apply_at_steps`.
    """
    optimizer = scheduler._stepping_optimizer()
    if optimizer is None:
        raise ValueError(f"the scheduler must write to one torch.optim.Optimizer, given {shown(scheduler)}")
    return optimizer.register_step_pre_hook(AppliedAtSteps(scheduler))  # type: ignore[no-any-return]


class AppliedAtSteps:
    """A hook of an optimizer that calls a scheduler before each step.

    Args:
        scheduler: the scheduler.
    """

    calls_scheduler = True

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def __call__(self, *_: Any) -> None:
        """Write the value of the next event."""
        self._scheduler.apply()


def recording_loop(scheduler: Any, history: ParamHistory | None) -> PlainLoop | None:
    """Return the plain loop whose history records a scheduler's values; None if no history is given."""
    if history is None:
        return None
    loop = PlainLoop(history)
    label_history(history, scheduler._history_names(None), scheduler, None)
    return loop


def attached(scheduler: Any, engine: Engine, event: Any, name: str | None, given: object) -> Attachment:
    """Attach a scheduler; see :meth:`BaseParamScheduler.attach`."""
    if not isinstance(engine, Engine):
        raise TypeError(f"engine must be an ignite Engine, given {shown(engine)}")
    if not isinstance(name, str | None):
        raise TypeError(f"name must be a string or None, given {shown(name)}")
    if isinstance(event, str):
        events_by_name = OptimizerEvents if is_step_event(event) else Events
        event = events_by_name.__members__.get(event, event)
    clock = checked_clock(scheduler, given, event)
    refuse_other_clock(scheduler, clock, event)
    names = scheduler._history_names(name) if scheduler.save_history else []
    recording = scheduler._recording_engine(engine)
    for history_name in names:
        check_name_is_free(recording, history_name, scheduler)
    events = list(event) if isinstance(event, EventsList) else [event]
    known: list[Any] = []
    unknown: list[Any] = []
    for one in events:
        (known if engine.has_registered_events(one) else unknown).append(one)
    for one in unknown:
        if not is_step_event(one):
            raise ValueError(f"event must be one of the engine's events, given {shown(one)}")
    others: list[Any] = []
    kwargs: Any = {} if name is None else {"name": name}
    try:
        # Unknown events come first, so that they raise their error before anything is attached.
        for one in unknown + known:
            bare, handler = _bare(engine, one, scheduler, others, clock)
            if handler is scheduler:
                _warn_of_conflicts(engine, bare, scheduler)
            engine.add_event_handler(bare, handler, **kwargs)
    except BaseException:
        for handle in others:
            handle.remove()
        raise
    if clock is None:
        count_events_again(scheduler)
    elif clock.unit != "events":
        read_with_strides(scheduler)
    if not (isinstance(clock, TimeClock) and clock.has_deadline):
        follow_trunk(scheduler)
    ResumeCheck.of(scheduler, engine).add(engine, event, name, clock)
    for history_name in names:
        history = claim_name(recording, history_name, scheduler)
    if names:
        label_history(history, names, scheduler, engine)
    return Attachment(event, scheduler, engine, others)


def _warn_of_conflicts(engine: Engine, event: Any, scheduler: Any) -> None:
    """Log a warning if another handler without a filter writes the same number at the same event.

    ``check_plan`` finds conflicts that depend on filters, or on the events at which schedules begin and end.
    """
    name = getattr(event, "name", event)  # a user's own event may be a string
    handlers = unfiltered_handlers(engine, event)
    if not handlers:
        return
    own = locations_of(scheduler, engine)
    holders = holders_of(own)
    for handler in handlers:
        if handler is scheduler:
            engine.logger.warning("%s is attached to %s twice, and so counts each event twice", shown(scheduler), name)
        elif may_share(holders, handler, engine) and (shared := shared_locations(own, locations_of(handler, engine))):
            names = ", ".join(dict.fromkeys(location.param_name for location in shared))
            engine.logger.warning(
                "%s, attached to %s, overwrites the %s that %s has written at the same event",
                shown(scheduler, 150),
                name,
                shown_text(names, 100),
                shown(handler, 150),
            )


def _bare(engine: Engine, event: Any, scheduler: Any, others: list[Any], clock: Any) -> tuple[Any, Any]:
    """Return an event without its filter, and the handler to attach to this event.

    The function also attaches the other handlers that the scheduler needs, and appends their handles to ``others``.
    """
    optimizer = None
    if is_step_event(event):
        optimizer = scheduler._stepping_optimizer()
        if optimizer is not None:
            others.append(OptimizerEvents.attach(engine, optimizer))
        elif not engine.has_registered_events(OptimizerEvents.STEP_STARTED):
            raise ValueError(
                "event must be one of the engine's events, "
                f"given {shown(event)} for {shown(scheduler)}, which does not have "
                "exactly one optimizer: call OptimizerEvents.attach(engine, optimizer) first"
            )
    has_filter = getattr(event, "filter", None) is not None
    bare = type(event)(event.value, None, event.name) if has_filter else event
    if clock is not None:
        handler, more = handler_with_clock(scheduler, clock, event, optimizer)
        others += [engine.add_event_handler(*one) for one in more]
        return bare, handler
    return (bare, Filtered(scheduler, event, optimizer)) if has_filter or optimizer is not None else (event, scheduler)
