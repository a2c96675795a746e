"""Checks a scheduler when a run resumes. The check corrects the event index, or warns that it is wrong."""

import inspect
import warnings
import weakref
from typing import Any

from ignite.engine import Engine, Events
from ignite.engine.events import RemovableEventHandle

from lehr.engine.optimizer_events import is_step_event, stepping_optimizers, steps_of
from lehr.engine.times_fired import fired_at_end, has_whole_epochs, is_epoch_event, repeated_epoch_starts, times_fired
from lehr.handlers.core.attached_engines import CHECKS, check_of, counts_for, engines_of, is_called_at
from lehr.handlers.core.clocks.resume_checks import resume_with_clock, warn_of_other_unit
from lehr.handlers.core.pausing import steps_aside
from lehr.handlers.core.run_warnings import (
    EpochCheck,
    engine_around,
    how_to_begin_anew,
    is_of_training,
    lr_past_end,
    short_name,
    warn_if_late,
)
from lehr.handlers.schedules import arguments

from .policy import ResumeWarning
from .repeated_events import take_back_events

# The signature of the handler. ignite asks for the signature of each handler that it adds. To find a signature takes
# longer than to add the handler.
SIGNATURE = inspect.Signature([inspect.Parameter("engine", inspect.Parameter.POSITIONAL_OR_KEYWORD)])


class ResumeCheck:
    """A handler that compares the event index of a scheduler with the events of a resumed run.

    At the start of a run, the check warns if the event index differs from the engine's number of events. It also
    corrects the scheduler in three cases. If a checkpoint was saved inside an epoch, ignite fires the start of this
    epoch again, so the check takes this event back. If a checkpoint was saved at the end of an iteration or epoch,
    ignite skips the handlers after the saver, so the check calls the scheduler for the skipped events. A checkpoint
    does not contain values outside an optimizer, so the check writes these values again.

    Args:
        scheduler: the scheduler. The check holds only a weak reference to it.
        engine: the engine that the scheduler is attached to.
    """

    def __init__(self, scheduler: Any, engine: Engine) -> None:
        self._scheduler, self._engine = weakref.ref(scheduler), weakref.ref(engine)
        self.__signature__ = SIGNATURE
        self._attached: list[tuple[Any, str | None]] = []  # pairs of an event and the name of its history
        self._epoch_check: RemovableEventHandle | None = None
        self._has_warned = False  # whether the check has warned of a run that begins anew
        self._engine_around: weakref.ref[Engine] | None = None  # the trainer that runs the engine
        self._iteration_around = 0  # the iteration of the trainer that runs the engine
        self._joined_late = False  # whether the scheduler had events before it was attached
        self._clock: weakref.ref[Any] | None = None  # the clock of the scheduler; None if it counts events
        # The engine's number of events minus the event index, when the scheduler was attached; None if it is unknown.
        self._lead: int | None = None
        if id(scheduler) not in CHECKS:
            CHECKS[id(scheduler)] = weakref.WeakKeyDictionary()
            weakref.finalize(scheduler, CHECKS.pop, id(scheduler)).atexit = False
        CHECKS[id(scheduler)][engine] = self

    @property
    def scheduler(self) -> Any:
        """The scheduler; None if it was deleted."""
        return self._scheduler()

    @property
    def clock(self) -> Any:
        """The clock with which the scheduler was attached; None if the scheduler counts events."""
        return None if self._clock is None else self._clock()

    @classmethod
    def of(cls, scheduler: Any, engine: Engine) -> "ResumeCheck":
        """Return the check of a scheduler and an engine. If there is no check, attach a new check to the engine."""
        check = check_of(scheduler, engine)
        if check is None:
            check = cls(scheduler, engine)
            engine.add_event_handler(Events.STARTED, check)
        return check  # type: ignore[no-any-return]

    def add(self, engine: Engine, event: Any, name: str | None, clock: Any = None) -> None:
        """Add an event that the scheduler is attached to, and the clock that it counts with."""
        self._attached.append((event, name))
        self._clock = None if clock is None else weakref.ref(clock)
        scheduler = self._scheduler()
        if len(self._attached) == 1 and scheduler is not None:
            self._joined_late = scheduler.event_index > 0
        if engine.last_event_name is not None and scheduler is not None:
            fired = self._times_fired(engine, scheduler)  # the engine has run, so the scheduler starts in mid-run
            self._lead = 0 if clock else None if fired is None else fired - scheduler.event_index

    def discard(self, engine: Engine, event: Any) -> None:
        """Forget an event from which the scheduler was detached.

        ignite then removes the scheduler from this event under each filter. So this method also forgets other events at
        which the engine no longer calls the scheduler.
        """
        scheduler = self._scheduler()
        self._attached = [
            one for one in self._attached if one[0] is not event and is_called_at(scheduler, engine, one[0])
        ]
        self._clock = self._clock if self._attached else None
        if not self._attached and engine.has_event_handler(self, Events.STARTED):
            engine.remove_event_handler(self, Events.STARTED)
            if scheduler is not None:
                CHECKS[id(scheduler)].pop(engine, None)

    def __call__(self, engine: Engine) -> None:
        """Check the event index if the run resumes. Warn if the scheduler has no effect in the run."""
        scheduler = self._scheduler()
        if scheduler is None or not engine.has_event_handler(scheduler) or steps_aside(engine):
            return
        events = [event for event, _ in self._attached]
        if getattr(scheduler, "_lost", ()):
            self._warn_of_lost(scheduler)
        self._follow_engine_around(engine, scheduler)
        warn_of_other_unit(self.clock, scheduler)
        if scheduler.event_index > 0 and not scheduler._sought:
            self._warn_of_end_or_new_run(engine, scheduler, events)
        if engine.state.iteration == 0:
            if scheduler.event_index == 0:
                warn_if_late(engine, scheduler, events)
            self._lead, scheduler._sought = -scheduler.event_index, False
        else:
            self._resume(engine, scheduler)
        if self._epoch_check is not None:
            self._epoch_check.remove()
        self._epoch_check = EpochCheck.attached(engine, scheduler, events)

    def _warn_of_end_or_new_run(self, engine: Engine, scheduler: Any, events: list[Any]) -> None:
        """Warn if a run has no event inside the schedule, or if the run begins anew but the scheduler does not."""
        is_new = engine.state.iteration == 0
        past_end = lr_past_end(scheduler)
        if past_end is not None:
            message = (
                f"all events of the engine's run are past the end of the schedule: they write {past_end[0]:.4g}, but "
                f"the highest value of the schedule is {past_end[1]:.4g}"
            )
        elif is_new and not self._has_warned and not counts_for(scheduler, engine) and is_of_training(engine, events):
            self._has_warned = True
            message = "the engine begins a run at iteration 0"
        else:
            return
        self._warn_of_count(scheduler, message)

    @staticmethod
    def _warn_of_count(scheduler: Any, message: str) -> None:
        count = scheduler.event_index
        warnings.warn(
            f"{short_name(scheduler)} is at event {count}, and {message}. To begin anew, "
            f"{how_to_begin_anew(scheduler)}; to go on from event {count} without this warning, call seek({count})",
            ResumeWarning,
            stacklevel=2,
        )

    def _follow_engine_around(self, engine: Engine, scheduler: Any) -> None:
        """Warn if the scheduler of an evaluator continues, but the trainer that runs the evaluator begins anew."""
        trainer = engine_around(engine)
        if trainer is None:
            return
        before, at = self._engine_around() if self._engine_around else None, trainer.state.iteration
        goes_on = scheduler.event_index > 0 and not (scheduler._sought or self._has_warned)
        if goes_on and before is trainer and at < self._iteration_around:
            self._has_warned = True
            self._warn_of_count(scheduler, "the engine that runs this one has begun a run at iteration 0")
        self._engine_around, self._iteration_around = weakref.ref(trainer), at

    @staticmethod
    def _warn_of_lost(scheduler: Any) -> None:
        """Warn that the checkpoint lacks metrics or phases, because handlers passed them after the saver."""
        lost, scheduler._lost = " and ".join(dict.fromkeys(scheduler._lost)), ()
        warnings.warn(
            f"{short_name(scheduler)} was saved before other handlers of the same event passed {lost} to it. The "
            "resumed run lacks what they passed, because ignite does not call these handlers again. Save at "
            "EPOCH_COMPLETED, after all other handlers",
            ResumeWarning,
            stacklevel=2,
        )

    def _resume(self, engine: Engine, scheduler: Any) -> None:
        """Compare the event index with the engine's number of events, and correct the event index."""
        if self.clock is not None:
            resume_with_clock(self.clock, engine, scheduler, warns=self._lead is None)
            self._lead, scheduler._sought = None, False
            return
        expected = self._expected(engine, scheduler)
        self._call_for_missed_events(engine, scheduler, expected)
        events = [event for event, _ in self._attached]
        if expected is not None and (has_whole_epochs(engine) or not any(map(is_epoch_event, events))):
            again = sum(repeated_epoch_starts(engine, event) for event in events)
            self._compare(engine, scheduler, any(map(is_step_event, events)), expected, again)
            fired = self._times_fired(engine, scheduler)
            self._lead = None if fired is None else fired - scheduler.event_index
        self._take_back(engine, scheduler, expected)

    def simulate_resume(self, engine: Engine, copied: Any) -> None:
        """Correct a copy of the scheduler in a simulated run, as a resumed run would correct the scheduler."""
        scheduler, own_engine = self._scheduler(), self._engine()
        if self.clock is not None:
            resume_with_clock(self.clock, engine, copied, warns=False)
        elif scheduler is not None and own_engine is not None and own_engine.has_event_handler(scheduler):
            expected = self._expected(own_engine, scheduler)
            self._call_for_missed_events(engine, copied, expected)
            self._take_back(engine, copied, expected)

    def _expected(self, engine: Engine, scheduler: Any) -> int | None:
        """Return the event index that fits the engine's number of events; None if this number is unknown."""
        fired = self._times_fired(engine, scheduler)
        if fired is None:
            return None
        return nearest_expected(scheduler, fired - (self._lead or 0))

    def _call_for_missed_events(self, engine: Engine, scheduler: Any, expected: int | None) -> None:
        """Write values that no checkpoint contains, and call the scheduler for events that ignite skips."""
        if scheduler.event_index == scheduler._loaded_at:
            scheduler._target.write_last_again(engine)
        if expected is None or scheduler._reads_metric:
            return
        may_be_missed = [
            name
            for completion in (Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED)
            for event, name in self._attached
            for _ in range(fired_at_end(engine, event, completion))
        ]
        num_missed = expected - scheduler.event_index
        if 0 < num_missed <= len(may_be_missed):  # ignite skipped the last of these handlers
            for name in may_be_missed[-num_missed:]:
                scheduler(engine, name=name)

    def _take_back(self, engine: Engine, scheduler: Any, expected: int | None) -> None:
        """Take back the events that the engine fires a second time."""
        again = [(name, repeated_epoch_starts(engine, event)) for event, name in self._attached]
        num_again = sum(count for _, count in again)
        # The number of fired events is unknown for a user's own filter. In this case, compare with the loaded index.
        has_had_all = scheduler.event_index == (scheduler._loaded_at if expected is None else expected)
        if num_again and has_had_all and scheduler.event_index >= num_again:
            for name, count in again:
                take_back_events(scheduler, engine, count, name)
            scheduler._repeats = num_again

    @staticmethod
    def _compare(engine: Engine, scheduler: Any, steps: bool, expected: int, again: int) -> None:
        count, optimizer = scheduler.event_index, scheduler._stepping_optimizer()
        others = [steps_of(engine, one) for one in stepping_optimizers(engine) if one is not optimizer]
        if steps and count != expected and count in others:
            warnings.warn(
                f"{arguments.shown(scheduler)} is at event {count}, but the engine, which resumes after iteration "
                f"{engine.state.iteration}, has counted {expected} steps of its optimizer, and {count} of another: "
                "attach the optimizers in the order in which the saved run attached them",
                ResumeWarning,
                stacklevel=2,
            )
        elif count > 0 == expected and steps:
            warnings.warn(
                f"{arguments.shown(scheduler)} is at event {count}, but the engine, which resumes after iteration "
                f"{engine.state.iteration}, has counted no optimizer steps: attach the scheduler before you load the "
                "engine's state",
                ResumeWarning,
                stacklevel=2,
            )
        elif count not in (expected, expected - again) and not scheduler._sought:
            warnings.warn(
                f"{arguments.shown(scheduler)} is at event {count}, but the engine, which resumes after iteration "
                f"{engine.state.iteration}, has had {expected} of its events: load the scheduler's state with the "
                f"engine's state, or call seek({expected - again}). To go on from event {count} without this warning, "
                f"call seek({count})",
                ResumeWarning,
                stacklevel=2,
            )
        scheduler._sought = False

    def _times_fired(self, engine: Engine, scheduler: Any) -> int | None:
        """Return how often the events have fired; None if this is unknown, or if the scheduler has several engines."""
        optimizer = scheduler._stepping_optimizer()
        steps = None if optimizer is None else steps_of(engine, optimizer)
        counts = [times_fired(engine, event, steps) for event, _ in self._attached]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) and len(engines_of(scheduler)) <= 1 else None


def nearest_expected(scheduler: Any, expected: int) -> int:
    """Return the event index that a scheduler should have after ``expected`` events of its engine.

    After a run has resumed with ``"keep_fraction"``, the engine may count the events of the shifted schedule. For
    example, it has had the same number of epochs, but the epochs are shorter now. In this case, the event index differs
    from the engine's number of events by the rounded shift.
    """
    shift, count = scheduler._adjustment.shift, scheduler.event_index
    if shift and abs(count + shift - expected) <= 1:
        return count  # type: ignore[no-any-return]
    return expected - shift if abs(count + shift - expected) < abs(count - expected) else expected
