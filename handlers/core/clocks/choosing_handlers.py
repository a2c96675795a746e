"""Chooses the handlers that a scheduler with a clock needs, and checks that the clock works with the event."""

from typing import Any

from ignite.engine import Events, EventsList
from torch.optim import Optimizer

from lehr.engine.optimizer_events import OptimizerEvents, is_step_event
from lehr.handlers.core.attached_engines import is_attached
from lehr.handlers.schedules import arguments

from .clock import Clock, EventClock
from .counting_handlers import AtIterations, AtStarts, AtSteps, AtTimes, BatchCounter, Clocked
from .landing_by_deadline import check_can_land, landing_handlers
from .stepping_by_amounts import check_counts_amounts
from .time_clock import TimeClock

# A scheduler with a clock may write at these events. At each of them, the clock has read all earlier batches, and the
# next step uses the value.
WRITING_EVENTS = (
    Events.ITERATION_STARTED,
    Events.EPOCH_STARTED,
    Events.GET_BATCH_STARTED,
    OptimizerEvents.STEP_STARTED,
)


def handler_with_clock(
    scheduler: Any, clock: Clock, event: Any, optimizer: Optimizer | None
) -> tuple[Clocked, list[tuple[Any, Any]]]:
    """Return the handler that writes the values, and ``(event, handler)`` pairs of the other handlers to attach."""
    if isinstance(clock, TimeClock) and clock.has_deadline:
        return landing_handlers(scheduler, clock, event, optimizer)
    if isinstance(clock, TimeClock):
        timed = AtTimes(scheduler, clock, event, optimizer)
        counts_itself = event == Events.ITERATION_STARTED
        more = [] if counts_itself else [(Events.ITERATION_STARTED, timed.count)]
        more.append((Events.ITERATION_COMPLETED, timed.count))  # so that a checkpoint contains the time of its step
        return timed, [(Events.STARTED, clock._begin), *more]
    if event == Events.ITERATION_STARTED:
        return AtIterations(scheduler, clock, event, optimizer), []
    made = AtSteps if is_step_event(event) else AtStarts
    counter = BatchCounter(scheduler, clock, event)
    return made(scheduler, clock, event, optimizer), [(Events.ITERATION_STARTED, counter)]


def checked_clock(scheduler: Any, clock: object, event: Any) -> Clock | None:
    """Check the argument ``clock`` of ``attach``, and return the clock; None if the scheduler counts events.

    Args:
        scheduler: the scheduler.
        clock: the argument of ``attach``.
        event: the event of ``attach``.

    Raises:
        TypeError: ``clock`` is not a clock.
        ValueError: the clock does not work with the event or the scheduler.
    """
    if clock is None or isinstance(clock, EventClock):
        _refuse_second(scheduler, is_attached(scheduler, by_a_clock=True))
        return None
    if not isinstance(clock, Clock):
        raise TypeError(f"clock must be a Clock or None, given {arguments.shown(clock)}")
    if isinstance(event, str):
        event = next((one for one in WRITING_EVENTS if one.name == event or one.value == event), event)
    if isinstance(event, EventsList) or not any(event == one for one in WRITING_EVENTS):
        names = ", ".join(one.name for one in WRITING_EVENTS)
        raise ValueError(f"event must be one of {names} for a scheduler with a clock, given {arguments.shown(event)}")
    _refuse_second(scheduler, is_attached(scheduler))
    check_counts_amounts(scheduler, "clock")
    if isinstance(clock, TimeClock) and clock.has_deadline:
        check_can_land(scheduler, event)
    return clock


def _refuse_second(scheduler: Any, is_second: bool) -> None:
    """Raise an error if this is the second time that a scheduler with a clock is attached."""
    if is_second:
        raise ValueError(
            f"a scheduler with a clock must be attached only once, given {arguments.shown(scheduler)}: remove its "
            "first handle"
        )
