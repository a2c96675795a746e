"""A scheduler that a resumed run has left behind, and what ignite does not come back to."""

import warnings
import weakref
from typing import Any

from ignite.engine import Engine, Events

from lehr.engine.event_counts import fired_at_end, has_whole_epochs, is_epoch_event, repeated_epoch_starts, times_fired
from lehr.engine.optimizer_events import is_step_event, steps_of

from .resume_policy import ResumeWarning
from .saving import take_back_events


class ResumeCheck:
    """A handler for the start of a run: is the scheduler where a run that was resumed should have it?

    It warns where the count of the scheduler and that of the engine disagree, and takes care of what ignite does not
    save with an engine: an epoch that was begun before the checkpoint is begun again, what was to come at the end of
    the iteration or epoch after the checkpoint does not come any more, and what was written elsewhere than to an
    optimizer has to be written once more.

    Args:
        scheduler: the scheduler, which it does not keep alive.
        engine: the engine that it is attached to.
    """

    def __init__(self, scheduler: Any, engine: Engine) -> None:
        self._scheduler, self._engine = weakref.ref(scheduler), weakref.ref(engine)
        self._attached: list[tuple[Any, str | None]] = []  # the events, and the names of the history
        self._ahead: int | None = None  # by how much the engine's count is meant to be ahead
        if id(scheduler) not in _CHECKS:
            _CHECKS[id(scheduler)] = weakref.WeakKeyDictionary()
            weakref.finalize(scheduler, _CHECKS.pop, id(scheduler)).atexit = False
        _CHECKS[id(scheduler)][engine] = self

    @property
    def scheduler(self) -> Any:
        """The scheduler, if it is still there."""
        return self._scheduler()

    @classmethod
    def of(cls, scheduler: Any, engine: Engine) -> "ResumeCheck":
        """The one that there is, or a new one, which is then attached to the engine."""
        checks = _CHECKS.get(id(scheduler))
        if checks is not None and engine in checks:
            return checks[engine]
        check = cls(scheduler, engine)
        engine.add_event_handler(Events.STARTED, check)
        return check

    def add(self, engine: Engine, event: Any, name: str | None) -> None:
        """The scheduler is attached to an event."""
        self._attached.append((event, name))
        scheduler = self._scheduler()
        if engine.last_event_name is not None and scheduler is not None:
            fired = self._times_fired(engine, scheduler)  # it has run in this process: this is meant to begin now
            self._ahead = None if fired is None else fired - scheduler.event_index

    def discard(self, engine: Engine, event: Any, name: str | None) -> None:
        """It is detached again."""
        self._attached = [(one, its_name) for one, its_name in self._attached if one is not event]
        scheduler = self._scheduler()
        if not self._attached and engine.has_event_handler(self, Events.STARTED):
            engine.remove_event_handler(self, Events.STARTED)
            if scheduler is not None:
                _CHECKS[id(scheduler)].pop(engine, None)

    def __call__(self, engine: Engine) -> None:
        """Compare both counts, if the run does not begin at the beginning."""
        scheduler = self._scheduler()
        if scheduler is None or not engine.has_event_handler(scheduler):
            return
        if engine.state.iteration == 0:
            self._ahead, scheduler._sought = -scheduler.event_index, False
            return
        expected = self._expected(engine, scheduler)
        self._make_up(engine, scheduler, expected)
        events = [event for event, _ in self._attached]
        if expected is not None and (has_whole_epochs(engine) or not any(map(is_epoch_event, events))):
            again = sum(repeated_epoch_starts(engine, event) for event in events)
            self._compare(engine, scheduler, any(map(is_step_event, events)), expected, again)
            self._ahead = expected + (self._ahead or 0) - scheduler.event_index
        self._take_back(engine, scheduler, expected)

    def rehearse(self, engine: Engine, copied: Any) -> None:
        """Do with a copy of the scheduler, at an engine that is like the one of the check, what it would do there."""
        scheduler, own_engine = self._scheduler(), self._engine()
        if scheduler is not None and own_engine is not None and own_engine.has_event_handler(scheduler):
            expected = self._expected(own_engine, scheduler)
            self._make_up(engine, copied, expected)
            self._take_back(engine, copied, expected)

    def _expected(self, engine: Engine, scheduler: Any) -> int | None:
        fired = self._times_fired(engine, scheduler)
        return None if fired is None else fired - (self._ahead or 0)

    def _make_up(self, engine: Engine, scheduler: Any, expected: int | None) -> None:
        """Write what no checkpoint keeps, and let those events come that ignite does not come back to."""
        if scheduler.event_index == scheduler._loaded_at:
            scheduler._write_again(engine)
        missed = [(name, fired_at_end(engine, event)) for event, name in self._attached]
        num_missed = sum(count for _, count in missed)
        if expected is None or not num_missed or scheduler._reads_metric:
            return
        if scheduler.event_index == expected - num_missed:
            for name, count in missed:
                for _ in range(count):
                    scheduler(engine, name=name)

    def _take_back(self, engine: Engine, scheduler: Any, expected: int | None) -> None:
        """Take those events back that come for a second time."""
        again = [(name, repeated_epoch_starts(engine, event)) for event, name in self._attached]
        num_again = sum(count for _, count in again)
        # By a filter of the user's own it cannot be told how many there have been.
        has_had_all = scheduler.event_index == (scheduler._loaded_at if expected is None else expected)
        if num_again and has_had_all and scheduler.event_index >= num_again:
            for name, count in again:
                take_back_events(scheduler, engine, count, name)
            scheduler._repeats = num_again

    @staticmethod
    def _compare(engine: Engine, scheduler: Any, steps: bool, expected: int, again: int) -> None:
        count = scheduler.event_index
        if count > 0 == expected and steps:
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

    def _times_fired(self, engine: Engine, scheduler: Any) -> int | None:
        """How often the events have fired; None where it cannot be told, or where another engine has some as well."""
        optimizer = scheduler._stepping_optimizer()
        steps = None if optimizer is None else steps_of(engine, optimizer)
        counts = [times_fired(engine, event, steps) for event, _ in self._attached]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) and len(engines_of(scheduler)) <= 1 else None


def engines_of(scheduler: Any) -> list[Engine]:
    """The engines that a scheduler is attached to, by its own ``attach``."""
    return list(_CHECKS.get(id(scheduler), ()))


def times_attached(scheduler: Any, engine: Engine) -> int:
    """How often a scheduler is attached to an engine, by its own ``attach``."""
    checks = _CHECKS.get(id(scheduler))
    check = None if checks is None else checks.get(engine)
    return 0 if check is None else len(check._attached)


def intended_lead(scheduler: Any, engine: Engine) -> int:
    """By how many events the engine is meant to be ahead of a scheduler, such as one that was attached in mid-run."""
    checks = _CHECKS.get(id(scheduler))
    check = None if checks is None else checks.get(engine)
    return 0 if check is None else check._ahead or 0


# Of each scheduler that there is, by identity, since a subclass may compare as it likes.
_CHECKS: "dict[int, weakref.WeakKeyDictionary[Engine, ResumeCheck]]" = {}
