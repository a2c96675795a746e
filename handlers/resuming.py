"""What a resumed run must be told: a schedule that has changed, and a scheduler that was left behind."""

import warnings
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine

from lehr.engine.event_counts import counts_epochs, epochs_are_whole, fired_last, fires_again, times_fired
from lehr.engine.optimizer_events import steps_of

from . import arguments
from .schedules import Handover, Schedule, Shift
from .schedules.base import describe

if TYPE_CHECKING:
    from .base import BaseParamScheduler

POLICIES = ("keep_step", "keep_fraction", "keep_value")


class ResumeWarning(UserWarning):
    """A resumed run goes on otherwise than it was saved, or may do so.

    A schedule may have changed, or a scheduler may have been left behind. To stop instead of going on, make it an error
    before the run begins, as in the example.

    Example:
        >>> import torch
        >>> from lehr.handlers import CosineAnnealingScheduler
        >>> def make(start_value):
        ...     optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        ...     return CosineAnnealingScheduler(optimizer, "lr", start_value, 0.0, 100)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", ResumeWarning)
        ...     make(0.2).load_state_dict(make(0.1).state_dict())
        Traceback (most recent call last):
        ...
        lehr.handlers.resuming.ResumeWarning: the saved schedule differs from this one, ...
    """


@dataclass(frozen=True)
class Adjustment:
    """What a schedule from the code is changed by, so that a run which began with another one goes on with it.

    Args:
        shift: how many events it is ahead of the events that were counted.
        handover: where it takes over from a value, how long that takes, and the value: the arguments of a
            :class:`~lehr.handlers.schedules.Handover` but the schedule; None where it does not.
    """

    shift: int = 0
    handover: tuple[int, float, Any] | None = None

    def applied_to(self, schedule: Schedule) -> Schedule:
        """The schedule in force."""
        if self.shift:
            schedule = Shift(schedule, self.shift)
        return schedule if self.handover is None else Handover(schedule, *self.handover)

    def state_dict(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {"shift": self.shift, "handover": None if self.handover is None else list(self.handover)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Adjustment":
        """What :meth:`state_dict` gave.

        Raises:
            TypeError, ValueError: it is not that.
        """
        handover = state["handover"]
        if handover is not None and not (isinstance(handover, list | tuple) and len(handover) == 3):
            raise ValueError(
                f"handover must be its begin, its duration and a value, or None, given {arguments.shown(handover)}"
            )
        made = cls(state["shift"], None if handover is None else (handover[0], handover[1], _as_value(handover[2])))
        if made.handover is not None:
            Handover(Shift(_ANY, 0), *made.handover)  # which checks them
        return made


def adjusted(state: Mapping[str, Any], planned: Schedule | None, described: str, policy: str) -> Adjustment:
    """How a scheduler is to go on from a saved state, by the policy where its schedule is no longer the saved one.

    Args:
        state: the saved state, checked.
        planned: the schedule that the code gives now.
        described: it in words, to be compared with those of the state.
        policy: one of :data:`POLICIES`.

    Raises:
        TypeError, ValueError: the policy is unknown or cannot be followed; the state is not what was saved.
    """
    arguments.one_of("resume_policy", policy, POLICIES)
    saved, event_index = Adjustment.from_state(state), state["event_index"]
    if saved != Adjustment() and (planned is None or not planned.ahead):
        raise ValueError(f"shift and handover must not be given for {described}, given {arguments.shown(saved)}")
    if state["schedule"] == described:
        return saved
    position = max(event_index + saved.shift, 0)
    if policy == "keep_step":
        return Adjustment(saved.shift)
    if planned is None or not planned.ahead or planned.length is None:
        raise ValueError(
            f"resume_policy must be 'keep_step' for a schedule without an end that is known, given {policy!r} for "
            f"{describe(planned)}"
        )
    if policy == "keep_fraction":
        if not state["length"]:
            raise ValueError(
                "resume_policy must not be 'keep_fraction' where the saved schedule has no end that is known: "
                f"{state['schedule']}"
            )
        there = arguments.number("length", position / state["length"] * planned.length, at_most=arguments.MOST)
        return Adjustment(round(there) - event_index)
    if state["value"] is None:
        return Adjustment(saved.shift)  # nothing was written so far
    if position >= planned.length:
        raise ValueError(
            f"resume_policy must not be 'keep_value' where the new schedule ends before event {position}, "
            f"given {describe(planned)}"
        )
    return Adjustment(saved.shift, (event_index, planned.length - position, _as_value(state["value"])))


def tell_of_change(state: Mapping[str, Any], described: str, policy: str, adjustment: Adjustment) -> None:
    """Warn where the saved schedule is not the one that goes on."""
    if state["schedule"] == described:
        return
    event_index = state["event_index"]
    how = {
        "keep_step": "at the same event of the new schedule",
        "keep_fraction": f"as far through it as before, at its event {event_index + adjustment.shift}",
        "keep_value": f"from the present value {state['value']}, towards the new schedule",
    }[policy]
    warnings.warn(
        f"the saved schedule differs from this one, which goes on from event {event_index}, {how} "
        f"(resume_policy {policy!r}):\n  saved: {state['schedule']}\n  now:   {described}",
        ResumeWarning,
        stacklevel=3,
    )


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
            self._compare(engine, scheduler, expected, again)
            self._ahead = fired - scheduler.event_index
        if again and scheduler.event_index == expected:
            scheduler._take_back(engine, again, self._name)

    @staticmethod
    def _compare(engine: Engine, scheduler: "BaseParamScheduler", expected: int, again: int) -> None:
        count = scheduler.event_index
        if count not in (expected, expected - again) and not scheduler._sought:
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


def _as_value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _Any(Schedule):
    """A schedule of any value, to check the arguments of others with."""

    def values(self, indices: Any) -> Any:
        return indices


_ANY = _Any()
