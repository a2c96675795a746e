"""Finds the schedulers that a simulated run cannot predict."""

from lehr.handlers.core import for_plans_and_cli
from lehr.handlers.core.clocks.time_clock import TimeClock
from lehr.handlers.core.for_plans_and_cli import engines_of, locations_of, optimizers_of
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.core.simulation.private_copies import reachable_from
from lehr.handlers.schedules import arguments

from .handler_discovery import AttachedHandler
from .run import SimulatedRun

NO_GROUPS = "which has no param groups yet, or does not say where it writes"


def unforeseen_by(run: SimulatedRun) -> list[str]:
    """Return a text for each scheduler whose events or locations the run cannot predict."""
    without_locations = [
        original
        for one in run.schedulers
        if one.writing_handlers
        for original, copied in zip(
            for_plans_and_cli.members_of(one.original), for_plans_and_cli.members_of(one.copy), strict=True
        )
        if not any(locations_of(copied, run.engine).values())
    ]
    on_other_engines = [
        scheduler
        for scheduler in for_plans_and_cli.existing_schedulers()
        if any(engine not in run.engines for engine in engines_of(scheduler))
        and not run.optimizers.isdisjoint(optimizers_of(scheduler))
    ]
    referenced = {id(one): one for one in run.references if isinstance(one, BaseParamScheduler)}
    called = [one for one in referenced.values() if not engines_of(one)]
    if called:
        owners = [scheduler.original for scheduler in run.schedulers] + [one.owner for one in run.unsupported]
        known = {id(part) for part in reachable_from(owners)}
        called = [one for one in called if id(one) not in known]
    return [
        *(
            f"{arguments.shown(handler.owner)} on {handler.event_text}{_advice(handler)}"
            for handler in run.unsupported
            if handler.clocked is None or handler.writes
        ),
        *(f"{arguments.shown(one)}, {NO_GROUPS}" for one in without_locations),
        *(f"{arguments.shown(one)} on an engine that no handler of the trainer runs" for one in on_other_engines),
        *(f"{arguments.shown(one)}, which your code may call" for one in called),
    ]


def _advice(handler: AttachedHandler) -> str:
    """Return a text that says what the plan of a scheduler with a clock needs, or an empty text."""
    if handler.clocked is None:
        return ""
    clock = handler.clocked.clock
    if isinstance(clock, TimeClock):
        return ": give seconds_per_step=..., the seconds of an iteration"
    return f": give amounts=..., the {clock.unit} of an iteration over all ranks"
