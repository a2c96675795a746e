"""Checks of how schedulers are attached: to which event, name and metric, and at which event index."""

import difflib
import gc
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ignite.engine import Engine
from ignite.metrics import Metric

from lehr.engine.event_handlers import handlers_of
from lehr.engine.optimizer_events import is_step_event
from lehr.handlers.core import inspection
from lehr.handlers.core.copying import reachable_from
from lehr.handlers.core.inspection import engines_of, locations_of, metric_name_of, optimizers_of, shared_locations
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.plans.simulation.handlers import may_write_metrics
from lehr.handlers.plans.simulation.schedulers import SimulatedScheduler
from lehr.handlers.schedules import arguments

from .checked_run import CheckedRun
from .findings import Finding


def never_attached(checked: CheckedRun) -> Iterator[Finding]:
    """No event calls a scheduler of one of the trainer's optimizers, or a scheduler that it is a part of."""
    if _unattached(checked):
        gc.collect()  # some may only be left in a reference cycle
    run = checked.run
    for scheduler in _unattached(checked):
        locations, parts = locations_of(scheduler, run.trainer), _ids_in(scheduler)
        attached = [one for one in run.schedulers if _is_in(parts, one.original)]
        written = any(shared_locations(locations, locations_of(one.original, run.trainer)) for one in run.schedulers)
        severity = "info" if (written and not attached) or inspection.reads_metric(scheduler) else "warning"
        where = f"{type(scheduler).__name__} of {scheduler.param_name!r}"
        message = "; ".join(
            [
                f"it writes to an optimizer of this trainer, but no event calls it: {arguments.shown(scheduler)}",
                *(f"its part {one.description} is attached" for one in attached),
            ]
        )
        suggestion = f"attach it{' instead' if attached else ''}, or delete it if you do not need it"
        yield Finding("never-attached", severity, where, message, suggestion)


def _unattached(checked: CheckedRun) -> list[BaseParamScheduler]:
    run, existing = checked.run, inspection.existing_schedulers()
    active: list[Any] = [
        *(one for one in existing if one.event_index or inspection.is_written_elsewhere(one) or engines_of(one)),
        *(scheduler.original for scheduler in run.schedulers),
        *(handler.owner for handler in run.unsupported),
    ]
    used = _ids_in(active) | {id(one) for one in run.references}
    found = [
        (one, _ids_in(one))
        for one in existing
        if not _is_in(used, one) and not run.optimizers.isdisjoint(optimizers_of(one))
    ]
    # The whole scheduler, without its parts.
    return [one for one, _ in found if not any(_is_in(parts, one) for whole, parts in found if whole is not one)]


def _ids_in(thing: object) -> set[int]:
    """The ids of all objects that are part of a thing."""
    return {id(part) for part in reachable_from(thing)}


def _is_in(ids: set[int], scheduler: BaseParamScheduler) -> bool:
    """Whether the id of a scheduler or of its schedule is among ids."""
    schedule = inspection.planned_schedule(scheduler)
    return id(scheduler) in ids or (schedule is not None and id(schedule) in ids)


def history_name_clashes(checked: CheckedRun) -> Iterator[Finding]:
    """Two schedulers record under one name; the second one would raise at its first event."""
    recorders: dict[tuple[Engine, str], list[SimulatedScheduler]] = defaultdict(list)
    for scheduler in checked.run.schedulers:
        if scheduler.original.save_history:
            handlers, original = scheduler.writing_handlers, scheduler.original
            names = {name for handler in handlers for name in inspection.history_names(original, handler.name)}
            for engine in {inspection.history_engine(original, handler.engine) for handler in handlers}:
                for name in names:
                    recorders[engine, name].append(scheduler)
    for (_, name), schedulers in recorders.items():
        if len(schedulers) > 1:
            message = f"{' and '.join(one.description for one in schedulers)} record under this name"
            suggestion = "give all but one of them another name: attach(trainer, name=...)"
            yield Finding(
                "history-name-clash", "error", repr(name), message, suggestion, {"schedulers": len(schedulers)}
            )


def missing_metrics(checked: CheckedRun) -> Iterator[Finding]:
    """A scheduler reads a metric that its engine does not produce."""
    run, error = checked.run, checked.error
    if error is not None and checked.metric_was_missing:
        message = "; ".join([str(error), *error.__notes__])
        suggestion = "attach the scheduler to an event at which the metric exists, such as the evaluator's COMPLETED"
        yield Finding("missing-metric", "error", checked.failed_scheduler, message, suggestion)
    for scheduler in run.schedulers:
        name = metric_name_of(scheduler.original)
        if name is None or name in run.settings.metrics:
            continue
        for handler in scheduler.handlers:
            produced = _metrics_of(handler.engine)
            reads = handler.method == "observe" or (handler.writes and inspection.reads_metric(scheduler.original))
            if not reads or not produced or name in produced:
                continue
            message = f"it reads {name!r}, but the metrics of the engine are {arguments.shown_names(sorted(produced))}"
            suggestion = f"attach a metric of that name, or give dry_run its values: metrics={{{name!r}: [...]}}"
            for near in difflib.get_close_matches(name, produced, n=1):
                suggestion = f"metric_name={near!r}"
            numbers = {"produced": sorted(produced)}
            yield Finding("missing-metric", "error", scheduler.description, message, suggestion, numbers)


def evaluator_metrics(checked: CheckedRun) -> Iterator[Finding]:
    """A scheduler on the trainer reads a metric that only an evaluator has."""
    run, trainer = checked.run, checked.run.trainer
    if _metrics_of(trainer) or trainer.state.metrics or may_write_metrics(trainer):
        return
    produced = set().union(*map(_metrics_of, run.evaluators))
    for scheduler in run.schedulers:
        name = metric_name_of(scheduler.original)
        on_trainer = any(handler.engine is trainer for handler in scheduler.writing_handlers)
        if on_trainer and inspection.reads_metric(scheduler.original) and name in produced - set(run.settings.metrics):
            message = f"it reads {name!r} from the trainer, which has no metrics; an evaluator has this metric"
            suggestion = "call attach(evaluator, Events.COMPLETED), or copy the metric to trainer.state.metrics"
            yield Finding("missing-metric", "warning", scheduler.description, message, suggestion, {"produced": []})


def _metrics_of(engine: Engine) -> set[str]:
    """The names of ignite's metrics that are attached to an engine, and of its other metrics if there are any."""
    names = {
        str(name)
        for registered in handlers_of(engine)
        if isinstance(getattr(registered.handler, "__self__", None), Metric)
        if registered.handler.__name__ == "completed"
        for name in registered.args
    }
    return names | set(engine.state.metrics) if names else set()


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
        if fits or by_steps or not handlers or inspection.was_sought(original):
            continue
        done = f"the run, which resumes after iteration {run.settings.start}, has had {expected} of its events"
        message = f"the scheduler is at event {index}, but {done}"
        seek = f"seek({expected - scheduler.repeated_events})"
        suggestion = f"load its state with the engine's, or call {seek}; if you mean event {index}, call seek({index})"
        numbers = {"event_index": index, "expected": expected, "iteration": run.settings.start}
        yield Finding("not-restored", "error", scheduler.description, message, suggestion, numbers)


def unforeseen_schedulers(checked: CheckedRun) -> Iterator[Finding]:
    """The dry run cannot predict a scheduler."""
    message = "the dry run cannot predict its events, and leaves it out"
    suggestion = "check it yourself, or attach it to an event of ignite or of OptimizerEvents"
    for description in checked.unforeseen:
        yield Finding("unforeseen", "info", description, message, suggestion)
