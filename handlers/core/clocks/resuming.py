"""What a run that resumes can check of a scheduler with a clock."""

import warnings
from typing import Any

from ignite.engine import Engine

from lehr.handlers.core.resume_policy import ResumeWarning
from lehr.handlers.schedules import arguments

from .clock import Clock


def resume_with_clock(clock: Clock, engine: Engine, scheduler: Any, warns: bool) -> None:
    """Write values that no checkpoint has; warn of a scheduler that was left behind.

    The engine does not know how much its batches counted, so only a scheduler that has counted nothing is noticed.
    """
    if scheduler.event_index == scheduler._loaded_at:
        scheduler._write_again(engine)
    if warns and scheduler.event_index == 0 and scheduler._loaded_at < 0 and not scheduler._sought:
        warnings.warn(
            f"{arguments.shown(scheduler)} has counted nothing, but the engine resumes after iteration "
            f"{engine.state.iteration}: load the scheduler's state with the engine's, or call seek() with the "
            f"{clock.unit} so far. To begin at 0 without this warning, call seek(0)",
            ResumeWarning,
            stacklevel=2,
        )
