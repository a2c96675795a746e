"""Landing: a scheduler follows its schedule until it must cool down to meet a deadline."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from torch.optim import Optimizer

from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.curves import Curve, blend
from lehr.handlers.schedules.stateful import LiveSchedule

from .counting_handlers import Clocked
from .landing_state import LandingState
from .time_clock import TimeClock


@dataclass
class Progress:
    """The progress of a cool-down, from 0 to 1, which changes at each event."""

    now: float = 0.0


@dataclass(frozen=True, repr=False)
class Landing(LiveSchedule):
    """A schedule that cools down from another schedule to an end value.

    Args:
        schedule: the schedule without the cool-down. Its values are read during the cool-down, too.
        end_value: the value at the end of the cool-down.
        curve: the curve of the cool-down.
        progress: the progress of the cool-down.
    """

    schedule: Schedule
    end_value: float
    curve: Curve
    progress: Progress = field(compare=False)

    @property
    def groups(self) -> int | None:
        """The number of param groups of ``schedule``; None if one value is for all groups."""
        return self.schedule.groups

    def value(self, index: int) -> float | list[float]:
        """Return ``schedule(i) + (end_value - schedule(i)) * curve(progress)`` for event i = ``index``."""
        fraction = self.curve(np.array([self.progress.now]))[0]
        mixed = blend(np.asarray(self.schedule(index)), np.asarray(self.end_value), fraction)
        return mixed.tolist() if np.ndim(mixed) else float(mixed)


class AtLanding(Clocked):
    """Writes the values of a schedule, begins its cool-down, and plans the cool-down again at each event.

    If R seconds are left and a step takes s seconds, then ``n = max(floor(R / s), 1)`` steps are left. The cool-down
    begins when the remaining steps or the remaining time are not longer than the cool-down. At each event of the
    cool-down, the progress p becomes ``p + (1 - p) / n``, which spreads the remaining progress evenly over the
    remaining steps. The last step (``n = 1``) trains with the end value.
    """

    _clock: TimeClock

    def __init__(self, scheduler: Any, clock: TimeClock, event: Any, optimizer: Optimizer | None) -> None:
        super().__init__(scheduler, clock, event, optimizer)
        self._run: object = None  # the run whose time is counted; _counted is its time in microseconds so far
        self._counted, self._progress = 0, Progress()

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Count the time since the last event, plan the rest of the run, and write the value of this event."""
        state: Any = engine.state
        if self._optimizer is not None and state.optimizer is not self._optimizer():
            return
        scheduler = self._scheduler
        run, microseconds, now = self._now(engine)
        now = now.at_next_step(is_first=scheduler._event_index == 0)
        now = self._planned(now, self._clock._left_at(engine, now.used, microseconds))
        self._progress.now = now.progress
        if now.progress > 0:
            if scheduler._admits:
                scheduler._admit_groups()  # this changes the schedule
            self._follow()
        scheduler(engine, **kwargs)
        scheduler._landing, self._run, self._counted = now, run, microseconds
        if self.tell is not None:
            self.tell(scheduler._event_index - 1)

    def _now(self, engine: Engine) -> tuple[object, int, LandingState]:
        """Return the run, its microseconds so far, and the state of the landing at this time."""
        run, seconds = self._clock._seconds(engine)
        microseconds = round(seconds * 1e6)
        passed = microseconds - (self._counted if run is self._run else 0)
        return run, microseconds, (self._scheduler._landing or LandingState()).after(passed)

    def _planned(self, state: LandingState, left: int) -> LandingState:
        """Return the state with the progress of this event, ``left`` microseconds before the deadline."""
        step_time, steps = state.step_time, 1
        if step_time is None and left > 0:
            return state
        if step_time is not None and left > 0:
            steps = max(int(left / step_time), 1) if step_time > 0 else left
            if (
                state.progress == 0
                and steps > 1
                and not self._clock._must_cool_down(self._scheduler._event_index, steps, left)
            ):
                return state
        progress = 1.0 if steps == 1 else min(state.progress + (1 - state.progress) / steps, 1.0)
        return replace(state, progress=progress)

    def _follow(self) -> None:
        scheduler, clock = self._scheduler, self._clock
        schedule = scheduler._schedule
        if not isinstance(schedule, Landing) or schedule.progress is not self._progress:
            trunk = schedule.schedule if isinstance(schedule, Landing) else schedule
            follow_landing(scheduler, Landing(trunk, clock.end_value, clock.curve, self._progress))

    def start(self, engine: Engine) -> None:
        """In a new run, check the date of the deadline. If the scheduler has already landed, end the run."""
        if self._scheduler._event_index == 0:
            self._clock._check_date(engine)
        self.end(engine)

    def finish(self, engine: Engine) -> None:
        """Count the time of the step, because a checkpoint may contain it. If this was the last step, end the run."""
        if self._scheduler._landing is not None:  # the landing has begun
            self._run, self._counted, self._scheduler._landing = self._now(engine)
        self.end(engine)

    def end(self, engine: Engine) -> None:
        """End a run if its last step has trained with the end value."""
        landing = self._scheduler._landing
        if landing is not None and landing.progress >= 1.0:
            engine.terminate()


def follow_landing(scheduler: Any, landing: Landing) -> None:
    """Let a scheduler read its values from a :class:`Landing` from now on."""
    scheduler._schedule, scheduler._is_pure = landing, False
    scheduler._forget()


def follow_trunk(scheduler: Any) -> None:
    """Let a scheduler that was landing follow its schedule without a cool-down from now on."""
    if isinstance(scheduler._schedule, Landing):
        # Follow the schedule of the first groups. The values of the groups that joined are computed from this schedule.
        scheduler._follow(getattr(scheduler, "_first_schedule", scheduler._schedule.schedule))


def check_can_land(scheduler: Any, event: Any) -> None:
    """Check that a scheduler can land.

    Raises:
        ValueError: the schedule is not pure; the scheduler writes several parameters or whole numbers, or has no
            optimizer; the event has a filter, or is neither ``ITERATION_STARTED`` nor ``STEP_STARTED``.
    """
    is_one = not getattr(scheduler, "_members", ()) and scheduler._number_type is float
    is_pure = scheduler._is_pure or isinstance(scheduler._schedule, Landing)  # a landing has begun
    if not is_pure or scheduler._asks_get_param or not is_one or not hasattr(scheduler, "_base"):
        raise ValueError(
            "clock must not have a deadline for a scheduler that writes several parameters, has no optimizer, or is "
            f"driven by metrics or functions, given {arguments.shown(scheduler)}: attach one scheduler for each "
            "parameter"
        )
    if getattr(event, "filter", None) is not None or getattr(event, "name", "") not in (
        "ITERATION_STARTED",
        "STEP_STARTED",
    ):
        raise ValueError(
            "event must be ITERATION_STARTED or STEP_STARTED without a filter if the clock has a deadline, "
            f"given {arguments.shown(event)}"
        )


def landing_handlers(
    scheduler: Any, clock: TimeClock, event: Any, optimizer: Optimizer | None
) -> tuple[AtLanding, list[tuple[Any, Any]]]:
    """Return the handler that writes the values, and ``(event, handler)`` pairs of the other handlers to attach."""
    landing = AtLanding(scheduler, clock, event, optimizer)
    return landing, [
        (Events.STARTED, clock._begin),
        (Events.STARTED, landing.start),
        (Events.ITERATION_COMPLETED, landing.finish),
    ]
