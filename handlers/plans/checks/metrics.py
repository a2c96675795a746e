"""Checks of the metrics that drive schedulers: they must exist, reach their schedules, and not come too early."""

import difflib
from collections.abc import Iterator

from ignite.engine import Engine
from ignite.metrics import Metric

from lehr.engine.handler_inspection import handlers_of
from lehr.handlers.core import for_plans_and_cli
from lehr.handlers.core.for_plans_and_cli import metric_name_of, planned_schedule
from lehr.handlers.core.metrics.feed_detection import how_to_feed, is_fed
from lehr.handlers.plans.simulation.handler_discovery import may_write_metrics
from lehr.handlers.plans.simulation.plain_run import PlainRun
from lehr.handlers.plans.simulation.simulated_scheduler import SimulatedScheduler
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.metric_driven_parts import MetricPart, metric_parts
from lehr.handlers.schedules.stateful import stateful_parts

from .checked_run import CheckedRun
from .findings import Finding


def missing_metrics(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedulers that read a metric which their engine does not produce."""
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
            reads = handler.method == "observe" or (
                handler.writes and for_plans_and_cli.reads_metric(scheduler.original)
            )
            if not reads or not produced or name in produced:
                continue
            message = f"it reads {name!r}, but the metrics of the engine are {arguments.shown_names(sorted(produced))}"
            suggestion = f"attach a metric of that name, or give dry_run its values: metrics={{{name!r}: [...]}}"
            for near in difflib.get_close_matches(name, produced, n=1):
                suggestion = f"metric_name={near!r}"
            numbers = {"produced": sorted(produced)}
            yield Finding("missing-metric", "error", scheduler.description, message, suggestion, numbers)


def evaluator_metrics(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedulers on the trainer that read a metric which only an evaluator has."""
    run, trainer = checked.run, checked.run.trainer
    if _metrics_of(trainer) or trainer.state.metrics or may_write_metrics(trainer):
        return
    produced = set().union(*map(_metrics_of, run.evaluators))
    for scheduler in run.schedulers:
        name = metric_name_of(scheduler.original)
        on_trainer = any(handler.engine is trainer for handler in scheduler.writing_handlers)
        if (
            on_trainer
            and for_plans_and_cli.reads_metric(scheduler.original)
            and name in produced - set(run.settings.metrics)
        ):
            message = f"it reads {name!r} from the trainer, which has no metrics; an evaluator has this metric"
            suggestion = "call attach(evaluator, Events.COMPLETED), or copy the metric to trainer.state.metrics"
            yield Finding("missing-metric", "warning", scheduler.description, message, suggestion, {"produced": []})


def _metrics_of(engine: Engine) -> set[str]:
    """Return the names of an engine's metrics, or an empty set if no metric of ignite is attached to it."""
    names = {
        str(name)
        for registered in handlers_of(engine)
        if isinstance(getattr(registered.handler, "__self__", None), Metric)
        if registered.handler.__name__ == "completed"
        for name in registered.args
    }
    return names | set(engine.state.metrics) if names else set()


def never_observed(checked: CheckedRun) -> Iterator[Finding]:
    """Find parts of schedules that depend on metrics, but get no metrics."""
    if isinstance(checked.run.trainer, PlainRun):  # it is unknown whether the loop calls observe
        return
    for scheduler, part in _metric_parts(checked):
        if not for_plans_and_cli.reads_metric(scheduler.original) and not is_fed(part.schedule):
            kind = type(part.schedule).__name__
            message = f"its {kind} depends on metrics, but no handler passes one to it, so that it never acts"
            suggestion = how_to_feed(scheduler.original, part.schedule)
            numbers = {"first_event": part.first_event}
            yield Finding("never-observed", "warning", scheduler.description, message, suggestion, numbers)


def early_metrics(checked: CheckedRun) -> Iterator[Finding]:
    """Find parts of schedules that count metrics before their first event, and may act before they are first used."""
    for scheduler, part in _metric_parts(checked):
        rule = getattr(part.schedule, "plateau", getattr(part.schedule, "flat", part.schedule))
        at, begin, patience = (
            part.first_event - scheduler.first_event,
            getattr(rule, "begin", 0),
            getattr(rule, "patience", None),
        )
        if not 0 < at < len(scheduler.event_iterations) or patience is None:
            continue
        counted = _metrics_before(checked, scheduler, part, int(scheduler.event_iterations[at])) - begin
        if counted >= patience + 2:  # the first metric is the best, and each later metric may be worse
            message = (
                f"its {type(part.schedule).__name__} begins at event {part.first_event}, but counts {counted} metrics "
                "before that event, and may reduce its first value before the run uses it"
            )
            numbers = {"metrics": counted + begin, "first_event": part.first_event, "begin": begin}
            suggestion = f"begin={counted + begin}, so that later metrics alone count"
            yield Finding("early-metrics", "warning", scheduler.description, message, suggestion, numbers)


def _metrics_before(checked: CheckedRun, scheduler: SimulatedScheduler, part: MetricPart, iteration: int) -> int:
    if for_plans_and_cli.reads_metric(scheduler.original):
        return part.first_event // getattr(scheduler.original, "every", 1)
    return sum(
        sum(at <= iteration for at in one.observed_iterations)
        for one in checked.run.schedulers
        if any(own is part.schedule for own in stateful_parts(planned_schedule(one.original)))
    )


def _metric_parts(checked: CheckedRun) -> Iterator[tuple[SimulatedScheduler, MetricPart]]:
    for scheduler in checked.run.schedulers:
        if scheduler.writing_handlers:
            for part in metric_parts(planned_schedule(scheduler.original)):
                yield scheduler, part
