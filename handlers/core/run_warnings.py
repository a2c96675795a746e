"""Warnings about schedulers that have no effect, write too late, or are past their end."""

import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from ignite.engine.events import RemovableEventHandle
from torch.optim import Optimizer

from lehr.engine.handler_inspection import running_handlers
from lehr.engine.optimizer_events import is_step_event, stepping_optimizers, steps_of
from lehr.engine.times_fired import begins_late, each_of, is_by_iteration, is_completion, is_epoch_event
from lehr.handlers.schedules import Schedule, Shift, arguments
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.metric_driven_parts import MetricPart, metric_parts
from lehr.handlers.schedules.schedule_length import end_of
from lehr.handlers.targets.param_groups import ParamGroups

from .metrics.feed_detection import how_to_feed, is_fed
from .pausing import is_paused
from .simulation.keep_random_state import calls_user_code
from .simulation.private_copies import private_copy

ALMOST_NOTHING = 1e-3  # a value below this fraction of the highest value counts as 0
STEP_BY_STEP = 200_000  # a schedule that is read event by event is read up to this event


def short_name(scheduler: Any) -> str:
    """Return the class and the parameter of a scheduler, for a message."""
    return f"{arguments.shown_text(type(scheduler).__name__, 100)} of {arguments.shown(scheduler.param_name, 100)}"


def warn_if_late(engine: Engine, scheduler: Any, events: Sequence[Any]) -> None:
    """Log a warning if the first iteration trains with the optimizer's own value, not the schedule's first value."""
    events = [one for event in events for one in each_of(event)]
    if not events or not all(is_completion(one) and not begins_late(one) for one in events):
        return
    for member in getattr(scheduler, "_members", [scheduler]):
        with suppress(ValueError, TypeError):  # the first event raises these errors
            first = _first_values(member)
            own = None if first is None else np.array(member._target.read())
            if own is not None and not np.allclose(own, first, rtol=1e-6, atol=0):
                _warn_of_late(engine, scheduler, events, member.param_name, own, first)
                return


def _first_values(scheduler: Any) -> Any:
    """Return the first value of each group; None if there is no optimizer, or if only a user's code knows the value."""
    schedule, target = scheduler._schedule, scheduler._target
    follows_first = isinstance(schedule, Shift) and schedule.by == 1  # the first event writes f(1), as in ignite
    is_known = isinstance(target, ParamGroups) and not (scheduler._asks_get_param or scheduler._reads_metric)
    if not is_known or follows_first:
        return None
    if scheduler._is_pure:
        return np.broadcast_to(schedule(0), (len(target.groups()),))
    return None if calls_user_code(schedule) else scheduler.simulate(1)[0]


def _warn_of_late(engine: Engine, scheduler: Any, events: Sequence[Any], name: str, own: Any, first: Any) -> None:
    unit = "epoch" if all("EPOCH" in getattr(one, "name", "") for one in events) else "iteration"
    engine.logger.warning(
        "%s is attached to %s: the first %s trains with the optimizer's own %r, %s, not with %s, and each "
        "value comes one %s late. Attach it to %s_STARTED",
        short_name(scheduler),
        " and ".join(getattr(one, "name", str(one)) for one in events),
        unit,
        arguments.shown_text(name, 100),
        _few(own),
        _few(first),
        unit,
        unit.upper(),
    )


def _few(values: Any) -> str:
    """Return a text with at most four distinct values of the groups."""
    words = list(dict.fromkeys(f"{value:.4g}" for value in values))
    return ", ".join(words[:4]) + (", ..." if len(words) > 4 else "")


def value_past_end(schedule: Schedule, event_index: int) -> tuple[float, float] | None:
    """Return the highest value after the end of a schedule and the highest value before; None if no warning is due.

    A warning is due if the values after the end are almost 0 compared with the highest value, and do not rise again. No
    warning is due if the schedule depends on metrics or a user's function, because its values are unknown. No warning
    is due if the schedule would have to be read event by event beyond event ``STEP_BY_STEP``.

    Args:
        schedule: the schedule, which does not change.
        event_index: the index of the next event.
    """
    length = end_of(schedule)
    if not length or event_index < length:
        return None
    if not schedule.is_pure:
        if metric_parts(schedule) or calls_user_code(schedule) or event_index + 2 * length > STEP_BY_STEP:
            return None
        schedule = private_copy(schedule)
    with suppress(Exception):  # errors of a user's schedule, or of torch's one-cycle past its end
        within = _sizes_at(schedule, np.linspace(0, length, 101))
        after = _sizes_at(schedule, event_index + np.linspace(0, 2 * length, 101))
        if (after < ALMOST_NOTHING * within.max(axis=0)).all():
            return float(after.max()), float(within.max())
    return None


def _sizes_at(schedule: Schedule, indices: Array) -> Array:
    """Return the absolute values of a schedule at events."""
    indices = indices.round()
    return np.abs(schedule(indices) if schedule.is_pure else [schedule(int(index)) for index in indices])


def lr_past_end(scheduler: Any) -> tuple[float, float] | None:
    """Return the highest :func:`value_past_end` of all learning rates; None if no warning is due for one of them.

    If one group is frozen, the other groups still learn, so a warning would be wrong.
    """
    members = getattr(scheduler, "_members", [scheduler])
    of_lr = [member for member in members if getattr(member._target, "key", "") == "lr"]
    if not of_lr or any(member._asks_get_param for member in of_lr):
        return None
    found = [value_past_end(member.schedule, scheduler.event_index) for member in of_lr]
    return None if None in found else max(found)  # type: ignore[type-var]


def how_to_begin_anew(scheduler: Any) -> str:
    """Return a text that tells how to begin anew. ``seek(0)`` does not reset a schedule that depends on metrics."""
    has_metrics = bool(metric_parts(scheduler._planned))
    return "load the states that it and its optimizer had before its first event" if has_metrics else "call seek(0)"


def engine_around(engine: Engine) -> Engine | None:
    """Return the engine whose handler runs this engine, such as an evaluator's trainer; None if there is none."""
    others = (running.engine for running in running_handlers() if running.engine is not engine)
    return next(others, None)


def is_of_training(engine: Engine, events: Sequence[Any]) -> bool:
    """Return whether a run has several events of a scheduler, and no handler of another engine has started the run."""
    if engine_around(engine) is not None:
        return False
    if Events.STARTED in [one for event in events for one in each_of(event)]:
        return False  # the run has had an event already
    several_epochs = engine.state.max_epochs != 1
    return any(is_by_iteration(one) or is_step_event(one) or (several_epochs and is_epoch_event(one)) for one in events)


class EpochCheck:
    """A handler that warns, after the first epoch of a run, of schedulers and metrics that have had no effect.

    It warns if no step of the optimizer has fired an event of the scheduler. It warns if nothing passes metrics to a
    schedule that depends on metrics. It also warns if a schedule has reacted to metrics before its first event.

    Args:
        engine: the engine.
        scheduler: the scheduler. The check holds only a weak reference to it.
        events: the events that the scheduler is attached to.
    """

    def __init__(self, engine: Engine, scheduler: Any, events: Sequence[Any]) -> None:
        self._scheduler = weakref.ref(scheduler)
        found = metric_parts(scheduler._planned)
        parts: list[tuple[MetricPart, Any, Any]] = [(part, part.progress, part.decisions) for part in found]
        self._parts = [] if scheduler._reads_metric else parts  # parts whose metrics come from other handlers
        # Parts that have not begun:
        self._waiting = [one for one in parts if one[0].first_event > scheduler.event_index]
        self._optimizers: list[weakref.ref[Optimizer]] = []
        if any(map(is_step_event, events)):
            own = scheduler._stepping_optimizer()
            self._optimizers = list(map(weakref.ref, stepping_optimizers(engine) if own is None else [own]))
        self._steps = self._steps_of(engine)
        self._epochs = 0

    def _steps_of(self, engine: Engine) -> list[int | None]:
        optimizers = [one() for one in self._optimizers]
        return [None if optimizer is None else steps_of(engine, optimizer) for optimizer in optimizers]

    @classmethod
    def attached(cls, engine: Engine, scheduler: Any, events: Sequence[Any]) -> RemovableEventHandle | None:
        """Attach a check if there is anything to check."""
        check = cls(engine, scheduler, events)
        is_needed = check._parts or check._waiting or check._optimizers
        return engine.add_event_handler(Events.EPOCH_STARTED, check) if is_needed else None

    def __call__(self, engine: Engine) -> None:
        """Check at the start of the second epoch of a run, when all handlers of the first epoch have been called."""
        scheduler = self._scheduler()
        if scheduler is None or is_paused(engine):
            return
        self._epochs += 1
        if self._epochs == 2:
            self._warn_without_steps(engine, scheduler)
            self._warn_without_metrics(engine, scheduler)
        self._warn_of_early_decisions(engine, scheduler)
        if self._epochs >= 2 and not self._waiting:
            engine.remove_event_handler(self, Events.EPOCH_STARTED)

    def _warn_without_steps(self, engine: Engine, scheduler: Any) -> None:
        if self._optimizers and self._steps_of(engine) == self._steps:
            engine.logger.warning(
                "%s has had no event in the first epoch: no step of its optimizer, %s, has fired an event. Attach a "
                "scheduler of the optimizer whose step() your code calls, or attach this one to ITERATION_STARTED",
                short_name(scheduler),
                " or ".join(dict.fromkeys(type(one()).__name__ for one in self._optimizers)),
            )

    def _warn_without_metrics(self, engine: Engine, scheduler: Any) -> None:
        for part, progress, _ in self._parts:
            if part.progress == progress and not is_fed(part.schedule):
                engine.logger.warning(
                    "%s depends on metrics, but none has reached its %s in the first epoch, and no handler passes one "
                    "to it: %s",
                    short_name(scheduler),
                    type(part.schedule).__name__,
                    how_to_feed(scheduler, part.schedule),
                )

    def _warn_of_early_decisions(self, engine: Engine, scheduler: Any) -> None:
        waiting = []
        for part, progress, decisions in self._waiting:
            if part.first_event < scheduler.event_index:
                continue
            if part.decisions == decisions:
                waiting.append((part, progress, decisions))
            else:
                engine.logger.warning(
                    "The %s in %s begins at event %s, but has already counted earlier metrics and reacted to them. "
                    "To count only later metrics, pass begin=...",
                    type(part.schedule).__name__,
                    short_name(scheduler),
                    part.first_event,
                )
        self._waiting = waiting
