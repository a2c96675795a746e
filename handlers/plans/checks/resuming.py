"""Checks of runs that begin again or go on: whether event indices fit the run, and are within the schedule."""

from collections.abc import Iterator

from lehr.engine.optimizer_events import is_step_event
from lehr.handlers.core import inspection
from lehr.handlers.core.inspection import engines_of
from lehr.handlers.core.run_checks import value_past_end
from lehr.handlers.plans.simulation.schedulers import WrittenSchedule

from .checked_run import CheckedRun
from .findings import Finding


def not_restored(checked: CheckedRun) -> Iterator[Finding]:
    """The event index of a scheduler does not fit the run that the trainer resumes."""
    run = checked.run
    for scheduler in run.schedulers if run.settings.start else ():
        original, handlers, index = scheduler.original, scheduler.writing_handlers, scheduler.original.event_index
        lead = max((inspection.intended_lead(original, handler.engine) for handler in handlers), default=0)
        expected = scheduler.events_before - lead
        fits = index in (expected, expected - scheduler.repeated_events, expected - scheduler.last_events)
        # The optimizer may have skipped some steps.
        by_steps = index > 0 and any(is_step_event(handler.event) for handler in handlers)
        several = len(engines_of(original)) > 1  # which count together
        if fits or by_steps or several or not handlers or inspection.was_sought(original):
            continue
        done = f"the run, which resumes after iteration {run.settings.start}, has had {expected} of its events"
        message = f"the scheduler is at event {index}, but {done}"
        seek = f"seek({expected - scheduler.repeated_events})"
        suggestion = f"load its state with the engine's, or call {seek}; if you mean event {index}, call seek({index})"
        numbers = {"event_index": index, "expected": expected, "iteration": run.settings.start}
        yield Finding("not-restored", "error", scheduler.description, message, suggestion, numbers)


def not_reset(checked: CheckedRun) -> Iterator[Finding]:
    """The run begins at iteration 0, and a scheduler does not begin with it."""
    run = checked.run
    past_end = {written.scheduler for written, _, _ in _past_end(checked)}
    for scheduler in run.schedulers if not run.settings.start else ():
        original, index = scheduler.original, scheduler.original.event_index
        on_trainer = any(handler.engine is run.trainer for handler in scheduler.writing_handlers)
        if not index or not on_trainer or inspection.was_sought(original) or len(engines_of(original)) > 1:
            continue
        if scheduler not in past_end:
            message = f"the run begins at iteration 0, but the scheduler goes on at event {index}"
            suggestion = f"call seek(0) to begin anew; if you mean event {index}, call seek({index})"
            yield Finding("not-reset", "warning", scheduler.description, message, suggestion, {"event_index": index})


def past_ends(checked: CheckedRun) -> Iterator[Finding]:
    """No event of the run lies within a schedule, whose value is almost 0 past its end."""
    for written, value, highest in _past_end(checked):
        index, length = written.scheduler.first_event, float(written.schedule.length or 0)
        message = (
            f"the run begins at event {index} of the scheduler, but the schedule has ended after {length:g} events: "
            f"the whole run trains with {value:.4g}, where the highest value of the schedule is {highest:.4g}"
        )
        suggestion = f"call seek(0) to begin anew, or make the schedule longer; if you mean this, call seek({index})"
        numbers = {"event_index": index, "length": length, "value": value, "highest": highest}
        yield Finding("past-end", "warning", written.description, message, suggestion, numbers)


def _past_end(checked: CheckedRun) -> Iterator[tuple[WrittenSchedule, float, float]]:
    for written in checked.run.written_schedules:
        index, schedule = written.scheduler.first_event, written.schedule
        is_lr = written.location.is_in_optimizer and written.location.key == "lr"
        if index and is_lr and schedule.is_pure and not inspection.was_sought(written.scheduler.original):
            found = value_past_end(schedule, index)
            if found is not None:
                yield written, *found
