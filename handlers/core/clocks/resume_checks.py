"""Checks of a scheduler with a clock when a run resumes."""

import warnings
from typing import Any

from ignite.engine import Engine

from lehr.handlers.core.resuming.policy import ResumeWarning
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.duration_texts import EVENTS

from .clock import Clock
from .stepping_by_amounts import AMOUNTS
from .time_clock import TimeClock


def resume_with_clock(clock: Clock, engine: Engine, scheduler: Any, warns: bool) -> None:
    """Write values that a checkpoint does not contain, and warn if the scheduler's state was not loaded.

    The amounts of the engine's earlier batches are unknown, so the function notices only a scheduler that has counted
    nothing.
    """
    if scheduler.event_index == scheduler._loaded_at:
        scheduler._target.write_last_again(engine)
    if warns and scheduler.event_index == 0 and scheduler._loaded_at < 0 and not scheduler._sought:
        warnings.warn(
            f"{arguments.shown(scheduler)} has counted nothing, but the engine resumes after iteration "
            f"{engine.state.iteration}: load the scheduler's state with the engine's state, or call seek() with the "
            f"number of {clock.unit} so far. To begin at 0 without this warning, call seek(0)",
            ResumeWarning,
            stacklevel=2,
        )


def warn_of_other_unit(clock: Clock | None, scheduler: Any) -> None:
    """Warn if a scheduler's event index counts another unit than before, or if the scheduler no longer has a deadline.

    Args:
        clock: the scheduler's clock; None if the scheduler counts events.
        scheduler: the scheduler, at the start of a run.
    """
    now, before = EVENTS if clock is None else clock.unit, scheduler._counted or EVENTS
    landing, event_index = scheduler._landing, scheduler.event_index
    scheduler._counted = now
    if event_index == 0 or scheduler._sought:
        return
    if before != now and not (before == AMOUNTS and now != EVENTS):
        warnings.warn(
            f"{arguments.shown(scheduler)} has counted {before} so far, and now counts {now}: attach it as in the "
            f"saved run, or call seek() with the number of {now} so far. To go on from {event_index} without this "
            f"warning, call seek({event_index})",
            ResumeWarning,
            stacklevel=3,
        )
    elif landing is not None and not (isinstance(clock, TimeClock) and clock.has_deadline):
        warnings.warn(
            f"{arguments.shown(scheduler)} had completed {landing.progress:.0%} of its cool-down to a deadline, and "
            "now follows its schedule without a deadline: attach the scheduler with a TimeClock that has a deadline. "
            f"To go on without this warning, call seek({event_index})",
            ResumeWarning,
            stacklevel=3,
        )
