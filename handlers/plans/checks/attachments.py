"""Checks that schedulers are attached to events, and that their histories have different names."""

import gc
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ignite.engine import Engine

from lehr.handlers.core import for_plans_and_cli
from lehr.handlers.core.for_plans_and_cli import engines_of, locations_of, optimizers_of, shared_locations
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.core.simulation.private_copies import reachable_from
from lehr.handlers.plans.simulation.simulated_scheduler import SimulatedScheduler
from lehr.handlers.plans.simulation.unforeseen import NO_GROUPS
from lehr.handlers.schedules import arguments

from .checked_run import CheckedRun
from .findings import Finding


def never_attached(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedulers of the trainer's optimizers that no event calls, directly or inside another scheduler."""
    if _unattached(checked):
        gc.collect()  # some of them may be unused, and exist only because of a reference cycle
    run = checked.run
    for scheduler in _unattached(checked):
        locations, parts = locations_of(scheduler, run.trainer), _ids_in(scheduler)
        attached = [one for one in run.schedulers if _is_in(parts, one.original)]
        written = any(shared_locations(locations, locations_of(one.original, run.trainer)) for one in run.schedulers)
        severity = "info" if (written and not attached) or for_plans_and_cli.reads_metric(scheduler) else "warning"
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
    run, existing = checked.run, for_plans_and_cli.existing_schedulers()
    active: list[Any] = [
        *(one for one in existing if one.event_index or for_plans_and_cli.is_written_elsewhere(one) or engines_of(one)),
        *(scheduler.original for scheduler in run.schedulers),
        *(handler.owner for handler in run.unsupported),
    ]
    others = {id(one): one for one in existing}
    for one in active:
        others.pop(id(one), None)
    others = {key: one for key, one in others.items() if not run.optimizers.isdisjoint(optimizers_of(one))}
    if not others:  # in most runs, all schedulers are attached
        return []
    used = _ids_in(active) | {id(one) for one in run.references}
    found = [(one, _ids_in(one)) for one in others.values() if not _is_in(used, one)]
    # A scheduler inside another one is left out: only the outer scheduler is reported.
    return [one for one, _ in found if not any(_is_in(parts, one) for whole, parts in found if whole is not one)]


def _ids_in(thing: object) -> set[int]:
    return {id(part) for part in reachable_from(thing)}


def _is_in(ids: set[int], scheduler: BaseParamScheduler) -> bool:
    """Return whether the id of a scheduler or of its schedule is in a set of ids."""
    schedule = for_plans_and_cli.planned_schedule(scheduler)
    return id(scheduler) in ids or (schedule is not None and id(schedule) in ids)


def history_name_clashes(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedulers that record under one name. The second scheduler would raise an error at its first event."""
    recorders: dict[tuple[Engine, str], list[SimulatedScheduler]] = defaultdict(list)
    for scheduler in checked.run.schedulers:
        if scheduler.original.save_history:
            handlers, original = scheduler.writing_handlers, scheduler.original
            names = {name for handler in handlers for name in for_plans_and_cli.history_names(original, handler.name)}
            for engine in {for_plans_and_cli.history_engine(original, handler.engine) for handler in handlers}:
                for name in names:
                    recorders[engine, name].append(scheduler)
    for (_, name), schedulers in recorders.items():
        if len(schedulers) > 1:
            message = f"{' and '.join(one.description for one in schedulers)} record under this name"
            suggestion = "give all but one of them another name: attach(trainer, name=...)"
            yield Finding(
                "history-name-clash", "error", repr(name), message, suggestion, {"schedulers": len(schedulers)}
            )


def unforeseen_schedulers(checked: CheckedRun) -> Iterator[Finding]:
    """Report the schedulers that the dry run cannot predict."""
    for description in checked.unforeseen:
        message = "the dry run cannot predict its events, and leaves it out"
        suggestion = "check it yourself, or attach it to an event of ignite or of OptimizerEvents"
        if description.endswith(NO_GROUPS):
            message = "the dry run knows only the param groups that exist, and leaves it out"
            suggestion = "check a trainer whose optimizer has its groups already, or check again once they are added"
        yield Finding("unforeseen", "info", description, message, suggestion)
