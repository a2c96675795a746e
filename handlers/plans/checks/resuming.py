"""Checks of runs that begin or resume: event indices must fit the run, and be within the schedule."""

from collections import defaultdict
from collections.abc import Iterator
from types import CodeType

from ignite.engine import Engine, Events
from ignite.handlers.checkpoint import Checkpoint

from lehr.engine.handler_inspection import RegisteredHandler, functions_of, handlers_of, names_in
from lehr.engine.optimizer_events import is_step_event
from lehr.handlers.core import for_plans_and_cli
from lehr.handlers.core.for_plans_and_cli import engines_of
from lehr.handlers.core.run_warnings import value_past_end
from lehr.handlers.plans.simulation.simulated_scheduler import SimulatedScheduler, WrittenSchedule
from lehr.handlers.schedules.schedule_length import end_of

from .checked_run import CheckedRun
from .findings import Finding


def not_restored(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedulers whose event index does not fit the run that the trainer resumes."""
    run = checked.run
    for scheduler in run.schedulers if run.settings.start else ():
        if scheduler.clock is not None:
            continue  # the engine does not know the count of a clock
        original, handlers, index = scheduler.original, scheduler.writing_handlers, scheduler.original.event_index
        lead = max((for_plans_and_cli.intended_lead(original, handler.engine) for handler in handlers), default=0)
        expected = for_plans_and_cli.nearest_expected(original, scheduler.events_before - lead)
        fits = index in (expected, expected - scheduler.repeated_events, expected - scheduler.last_events)
        # An optimizer may have skipped some of its steps.
        by_steps = index > 0 and any(is_step_event(handler.event) for handler in handlers)
        several = len(engines_of(original)) > 1  # the events of several engines are counted together
        if fits or by_steps or several or not handlers or for_plans_and_cli.was_sought(original):
            continue
        done = f"the run, which resumes after iteration {run.settings.start}, has had {expected} of its events"
        message = f"the scheduler is at event {index}, but {done}"
        seek = f"seek({expected - scheduler.repeated_events})"
        suggestion = f"load its state with the engine's, or call {seek}; if you mean event {index}, call seek({index})"
        numbers = {"event_index": index, "expected": expected, "iteration": run.settings.start}
        yield Finding("not-restored", "error", scheduler.description, message, suggestion, numbers)


def not_reset(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedulers that are at a later event when the run begins at iteration 0."""
    run = checked.run
    past_end = {written.scheduler for written, _, _ in _past_end(checked)}
    for scheduler in run.schedulers if not run.settings.start else ():
        original, index = scheduler.original, scheduler.original.event_index
        on_trainer = any(handler.engine is run.trainer for handler in scheduler.writing_handlers)
        has_run = run.trainer.state.iteration > 0  # if the trainer has run, its evaluator has run, too
        if not index or not (on_trainer or has_run) or for_plans_and_cli.was_sought(original):
            continue
        if not for_plans_and_cli.counts_for(original, run.trainer) and scheduler not in past_end:
            message = f"the run begins at iteration 0, but the scheduler goes on at event {index}"
            anew = for_plans_and_cli.how_to_begin_anew(original)
            suggestion = f"{anew} to begin anew; if you mean event {index}, call seek({index})"
            yield Finding("not-reset", "warning", scheduler.description, message, suggestion, {"event_index": index})


def past_ends(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedules that have ended before the run begins, with a value of almost 0."""
    for written, value, highest in _past_end(checked):
        index, length = written.scheduler.first_event, float(end_of(written.schedule) or 0)
        message = (
            f"the run begins at event {index} of the scheduler, but the schedule has ended after {length:g} events: "
            f"the whole run trains with {value:.4g}, where the highest value of the schedule is {highest:.4g}"
        )
        suggestion = f"call seek(0) to begin anew, or make the schedule longer; if you mean this, call seek({index})"
        numbers = {"event_index": index, "length": length, "value": value, "highest": highest}
        yield Finding("past-end", "warning", written.description, message, suggestion, numbers)


def _past_end(checked: CheckedRun) -> Iterator[tuple[WrittenSchedule, float, float]]:
    """If all learning rate schedules of a scheduler have ended, yield each with its present and highest value."""
    by_scheduler: dict[SimulatedScheduler, list[WrittenSchedule]] = defaultdict(list)
    for written in checked.run.written_schedules:
        if written.location.is_in_optimizer and written.location.key == "lr":
            by_scheduler[written.scheduler].append(written)
    for scheduler, of_lr in by_scheduler.items():
        index = scheduler.first_event
        if index and not for_plans_and_cli.was_sought(scheduler.original):
            found = [(one, value_past_end(one.schedule, index)) for one in of_lr]
            if all(values is not None for _, values in found):
                yield from ((one, *values) for one, values in found if values is not None)


def inexact_resumes(checked: CheckedRun) -> Iterator[Finding]:
    """Find checkpoints of ignite from which a resumed run would differ from the unbroken run."""
    trainer = checked.run.trainer
    savers = [registered for registered in handlers_of(trainer) if _saves(checked, registered.handler)]
    if savers and any(map(_terminates_epochs, functions_of(trainer))):
        message = (
            "terminate_epoch ends epochs early, and a resumed run counts the epochs as if all had their full length"
        )
        suggestion = "resume such a run at the end of an epoch that was not ended early, or use no events of epochs"
        yield Finding("inexact-resume", "warning", "the run", message, suggestion)
    for saver in savers:
        found = _first_loss(checked, saver)
        if found is None:
            continue
        iteration, lost = found
        message = (
            f"it saves at {checked.iteration_text(iteration - 1)} before other handlers, which a run that resumes "
            f"there does not call again: {', '.join(lost)}"
        )
        suggestion = "save at EPOCH_COMPLETED, and attach the saver after all other handlers"
        where = f"{type(saver.handler).__name__} on {getattr(saver.event, 'name', saver.event)}"
        yield Finding("inexact-resume", "warning", where, message, suggestion, {"iteration": iteration})


def _saves(checked: CheckedRun, handler: object) -> bool:
    """Return whether a handler is a checkpoint of ignite that saves the trainer or one of its schedulers."""
    objects = list(handler.to_save.values()) if isinstance(handler, Checkpoint) else []
    saved = {id(one) for one in objects}
    return id(checked.run.trainer) in saved or any(id(one.original) in saved for one in checked.run.schedulers)


def _terminates_epochs(function: object) -> bool:
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if function is Engine.terminate_epoch:
        return True
    return isinstance(code, CodeType) and "terminate_epoch" in names_in(code)


def _first_loss(checked: CheckedRun, saver: RegisteredHandler) -> tuple[int, list[str]] | None:
    """Return the first iteration whose checkpoint misses calls at the end of an epoch, and texts about the calls."""
    settings, trainer = checked.run.settings, checked.run.trainer
    if saver.event not in (Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED):
        return None
    handlers = list(handlers_of(trainer, saver.event))
    following = handlers[[one.handler for one in handlers].index(saver.handler) + 1 :]
    if saver.event == Events.ITERATION_COMPLETED:
        following += handlers_of(trainer, Events.EPOCH_COMPLETED)
    brought = [(one, words) for one in following if (words := _lost_with(checked, one))]
    for epoch in range(settings.start // settings.epoch_length + 1, settings.iterations // settings.epoch_length + 1):
        counts = {Events.ITERATION_COMPLETED: epoch * settings.epoch_length, Events.EPOCH_COMPLETED: epoch}
        at_this_epoch = [
            (one, words) for one, words in [(saver, []), *brought] if _passes(trainer, one, counts[one.event])
        ]
        lost = [word for _, words in at_this_epoch for word in words]
        if lost and at_this_epoch[0][0] is saver:
            return epoch * settings.epoch_length, list(dict.fromkeys(lost))
    return None


def _passes(trainer: Engine, registered: RegisteredHandler, count: int) -> bool:
    filtered = for_plans_and_cli.filtered_attachment(registered.handler)
    event_filter = registered.event_filter if filtered is None else filtered.event_filter
    return event_filter is None or bool(event_filter(trainer, count))


def _lost_with(checked: CheckedRun, registered: RegisteredHandler) -> list[str]:
    """Return texts about a handler's metrics and calls of ``next_phase`` that a resumed run misses."""
    lost = []
    for original in [scheduler.original for scheduler in checked.run.schedulers]:
        brought = for_plans_and_cli.what_it_brings(registered, original)
        if brought == "a metric" or (brought == "an event" and for_plans_and_cli.reads_metric(original)):
            lost.append(f"the metric of {type(original).__name__}")
        elif brought == "next_phase":
            lost.append(f"next_phase of {type(original).__name__}")
    return lost
