"""Checks of what is attached: what is not, under which names, to which metrics, and where a resume has left it."""

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
from lehr.handlers.core.inspection import engines_of, intended_lead, locations_of, optimizers_of, shared_locations
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.plans.simulation.attached import wires_of
from lehr.handlers.plans.simulation.code_inspection import may_write_metrics, referred_to_by
from lehr.handlers.plans.simulation.run import Part
from lehr.handlers.schedules import arguments

from .checked_run import Review, called
from .findings import Finding


def never_attached(review: Review) -> Iterator[Finding]:
    """Schedulers of the trainer's optimizers that nothing calls, and that are no part of one that is called."""
    if _left_out(review):
        gc.collect()  # some may be gone but for a reference cycle
    trainer = review.rehearsal.trainer
    for scheduler in _left_out(review):
        places = locations_of(scheduler, trainer)
        written = any(shared_locations(places, locations_of(part.original, trainer)) for part in review.rehearsal.parts)
        inside = {id(thing) for thing in reachable_from(scheduler)}
        members = [called(part) for part in review.rehearsal.parts if _is_among(inside, part.original)]
        yield Finding(
            "never-attached",
            "info" if (written and not members) or inspection.reads_metric(scheduler) else "warning",
            f"{type(scheduler).__name__} of {scheduler.param_name!r}",
            f"it writes to an optimizer of this trainer, and nothing calls it: {arguments.shown(scheduler)}"
            + "".join(f"; {member}, which is attached, is a part of it" for member in members),
            "attach it" + (" instead" if members else "") + "; if it is not needed, delete it",
        )


def _left_out(review: Review) -> list[BaseParamScheduler]:
    rehearsal, alive = review.rehearsal, inspection.existing_schedulers()
    active: list[Any] = [
        one for one in alive if one.event_index or inspection.is_written_elsewhere(one) or engines_of(one)
    ]
    active += [part.original for part in rehearsal.parts] + [wire.target for wire in rehearsal.unforeseen]
    used = {id(thing) for thing in (*reachable_from(active), *referred_to_by(rehearsal.trainer))}
    optimizers = rehearsal.optimizers()
    left_out = [
        scheduler
        for scheduler in alive
        if not _is_among(used, scheduler) and not optimizers.isdisjoint(optimizers_of(scheduler))
    ]
    inside = {id(one): {id(part) for part in reachable_from(one)} for one in left_out}
    return [
        scheduler  # the whole, and not its parts too
        for scheduler in left_out
        if not any(_is_among(inside[id(whole)], scheduler) for whole in left_out if whole is not scheduler)
    ]


def _is_among(things: set[int], scheduler: BaseParamScheduler) -> bool:
    """Whether a scheduler, or its schedule, is among things that are given by their id."""
    planned = inspection.planned_schedule(scheduler)
    return id(scheduler) in things or (planned is not None and id(planned) in things)


def history_name_clashes(review: Review) -> Iterator[Finding]:
    """Two schedulers that would record under one name; the second one fails at its first event."""
    recorders: dict[tuple[Engine, str], list[Part]] = defaultdict(list)
    for part in review.rehearsal.parts:
        if part.original.save_history:
            names = {name for wire in part.writing for name in inspection.history_names(part.original, wire.name)}
            engines = {inspection.history_engine(part.original, wire.engine) for wire in part.writing}
            for engine in engines:
                for name in names:
                    recorders[engine, name].append(part)
    for (_, name), parts in recorders.items():
        if len(parts) > 1:
            yield Finding(
                "history-name-clash",
                "error",
                repr(name),
                f"{' and '.join(map(called, parts))} would all record under it",
                "attach all but one of them with another name: attach(trainer, name=...)",
                {"schedulers": len(parts)},
            )


def missing_metrics(review: Review) -> Iterator[Finding]:
    """Metrics that drive a scheduler, and that the engine's own metrics are not among."""
    if review.error is not None and review.lacked_a_metric:
        yield Finding(
            "missing-metric",
            "error",
            review.named_failure,
            f"{review.error}; {'; '.join(review.error.__notes__)}",
            "attach the scheduler to an event at which there is one, such as the evaluator's COMPLETED",
        )
    for part in review.rehearsal.parts:
        metric_name = inspection.metric_name_of(part.original)
        if metric_name is None or metric_name in review.rehearsal.metrics:
            continue
        for wire in part.wires:
            produced = _metrics_of(wire.engine)
            wants = wire.method == "observe" or (wire.writes and inspection.reads_metric(part.original))
            if wants and produced and metric_name not in produced:
                near = difflib.get_close_matches(metric_name, produced, n=1)
                yield Finding(
                    "missing-metric",
                    "error",
                    called(part),
                    f"it reads {metric_name!r} from the metrics of an engine that produces "
                    f"{', '.join(map(repr, sorted(produced)))}",
                    f"metric_name={near[0]!r}"
                    if near
                    else f"attach a metric of that name to the engine, "
                    f"or give dry_run its values: metrics={{{metric_name!r}: [...]}}",
                    {"produced": sorted(produced)},
                )


def metrics_elsewhere(review: Review) -> Iterator[Finding]:
    """Schedulers on the trainer that read a metric of an evaluator, which is not among the trainer's own."""
    trainer = review.rehearsal.trainer
    if _metrics_of(trainer) or trainer.state.metrics or may_write_metrics(trainer):
        return
    evaluators = [wire.target for wire in wires_of(trainer) if isinstance(wire.target, Engine)]
    for part in review.rehearsal.parts:
        name = inspection.metric_name_of(part.original)
        on_trainer = any(wire.engine is trainer for wire in part.writing) and inspection.reads_metric(part.original)
        if on_trainer and name not in review.rehearsal.metrics and any(name in _metrics_of(one) for one in evaluators):
            yield Finding(
                "missing-metric",
                "warning",
                called(part),
                f"it reads {name!r} from the metrics of the trainer, which has none; an evaluator that a handler runs "
                "has it",
                "attach it to the evaluator: attach(evaluator, Events.COMPLETED); or let a handler copy the metric to "
                "trainer.state.metrics",
                {"produced": []},
            )


def _metrics_of(engine: Engine) -> set[str]:
    """The names of ignite's metrics that are attached to an engine, and of those it has now; none without the first."""
    names = {
        str(name)
        for registered in handlers_of(engine)
        if isinstance(getattr(registered.handler, "__self__", None), Metric)
        if registered.handler.__name__ == "completed"
        for name in registered.args
    }
    return names | set(engine.state.metrics) if names else set()


def left_behind(review: Review) -> Iterator[Finding]:
    """Schedulers whose count is not that of the engine, where it stands within a run."""
    rehearsal = review.rehearsal
    for part in rehearsal.parts if rehearsal.start else ():
        scheduler, count = part.original, part.original.event_index
        lead = max((intended_lead(scheduler, wire.engine) for wire in part.writing), default=0)
        expected = part.expected - lead
        by_steps = any(is_step_event(wire.event) for wire in part.writing)  # of which some may have been skipped
        if inspection.was_sought(scheduler) or count in (expected, expected - part.again, expected - part.missed):
            continue
        if not part.writing or (by_steps and count > 0):
            continue
        yield Finding(
            "not-restored",
            "error",
            called(part),
            f"it is at event {count}, but the run, which goes on after iteration {rehearsal.start}, has had {expected} "
            "of its events",
            f"load its state with the engine's, or call seek({expected - part.again}); if event {count} is meant, "
            f"seek({count}) says so",
            {"event_index": count, "expected": expected, "iteration": rehearsal.start},
        )


def unforeseen(review: Review) -> Iterator[Finding]:
    """What is not checked."""
    for what in review.plan.unforeseen:
        yield Finding(
            "unforeseen",
            "info",
            what,
            "a dry run cannot tell when its events come, and leaves it out",
            "check it by hand, or attach it to an event of ignite's or to OptimizerEvents",
        )
