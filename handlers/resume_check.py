"""A scheduler that a resumed run has left behind, and what ignite does not come back to."""

import warnings
import weakref
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine

from lehr.engine.event_counts import counts_epochs, epochs_are_whole, fired_last, fires_again, times_fired
from lehr.engine.optimizer_events import is_step_event, steps_of

from .resume_policy import ResumeWarning

if TYPE_CHECKING:
    from .base import BaseParamScheduler


class ResumeCheck:
    """A handler for the start of a run: is the scheduler where a run that was resumed should have it?

    It warns where the count of the scheduler and that of the engine disagree, and takes care of what ignite does not
    save with an engine: an epoch that was begun before the checkpoint is begun again, what was to come at the end of
    the iteration or epoch after the checkpoint does not come any more, and what was written elsewhere than to an
    optimizer has to be written once more.

    Args:
        scheduler: the scheduler, which it does not keep alive.
        engine: the engine that it is attached to.
        event: the event.
        name: the name of the history that it was attached with.
    """

    def __init__(self, scheduler: "BaseParamScheduler", engine: Engine, event: Any, name: str | None) -> None:
        self._scheduler, self._event, self._name = weakref.ref(scheduler), event, name
        self._ahead: int | None = None  # by how much the engine's count is meant to be ahead
        if engine.last_event_name is not None:  # it has run in this process: the scheduler is meant to begin now
            fired = self._times_fired(engine, scheduler)
            self._ahead = None if fired is None else fired - scheduler.event_index

    def __call__(self, engine: Engine) -> None:
        """Compare both counts, if the run does not begin at the beginning."""
        scheduler = self._scheduler()
        if scheduler is None or not engine.has_event_handler(scheduler):
            return
        if engine.state.iteration == 0:
            self._ahead, scheduler._sought = -scheduler.event_index, False
            return
        if scheduler.event_index == scheduler._loaded_at:
            scheduler._write_again(engine)
        fired, again = self._times_fired(engine, scheduler), fires_again(engine, self._event)
        if fired is None:  # by a filter of the user's own
            if again and scheduler.event_index == scheduler._loaded_at > 0:
                scheduler._take_back(engine, again, self._name)
            return
        expected, missed = fired - (self._ahead or 0), fired_last(engine, self._event)
        if missed and scheduler.event_index == expected - missed and not scheduler._wants_metric:
            for _ in range(missed):
                scheduler(engine, name=self._name)
        if epochs_are_whole(engine) or not counts_epochs(self._event):
            self._compare(engine, scheduler, self._event, expected, again)
            self._ahead = fired - scheduler.event_index
        if again and scheduler.event_index == expected:
            scheduler._take_back(engine, again, self._name)

    @staticmethod
    def _compare(engine: Engine, scheduler: "BaseParamScheduler", event: Any, expected: int, again: int) -> None:
        count = scheduler.event_index
        if count > 0 == expected and is_step_event(event):
            warnings.warn(
                f"{scheduler!r} is at event {count}, but the engine, which resumes after iteration "
                f"{engine.state.iteration}, knows of no step: attach the scheduler before you load the engine's "
                "state, which has their number",
                ResumeWarning,
                stacklevel=2,
            )
        elif count not in (expected, expected - again) and not scheduler._sought:
            warnings.warn(
                f"{scheduler!r} is at event {count}, but the engine, which resumes after iteration "
                f"{engine.state.iteration}, has had {expected} of its events: load the scheduler's state with the "
                f"engine's, or call seek({expected - again}). If it is meant to go on from event {count}, say so with "
                f"seek({count})",
                ResumeWarning,
                stacklevel=2,
            )
        scheduler._sought = False

    def _times_fired(self, engine: Engine, scheduler: "BaseParamScheduler") -> int | None:
        optimizer = scheduler._stepping_optimizer()
        return times_fired(engine, self._event, None if optimizer is None else steps_of(engine, optimizer))
