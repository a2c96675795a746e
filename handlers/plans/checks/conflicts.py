"""Checks that no two schedulers write one parameter, and that no event calls a scheduler twice."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from ignite.handlers.param_scheduler import ParamScheduler as IgniteParamScheduler
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.engine.handler_inspection import handlers_of
from lehr.handlers.core.for_plans_and_cli import locations_of, members_of, shared_locations, times_attached
from lehr.handlers.core.simulation.private_copies import reachable_from
from lehr.handlers.plans.simulation.simulated_scheduler import SimulatedScheduler

from .checked_run import CheckedRun, locations_text
from .findings import Finding


def write_conflicts(checked: CheckedRun) -> Iterator[Finding]:
    """Find pairs of schedulers that write one parameter. The scheduler that writes later wins."""
    settings = checked.run.settings
    for one, other in combinations(checked.run.schedulers, 2):
        shared = shared_locations(one.locations, other.locations)
        if not shared or not _overlap(one, other):
            continue
        first, second = one.description, other.description
        if first == second:
            first, second = f"{first} (attached first)", f"{second} (attached later)"
        begin = min(int(max(one.event_iterations[0], other.event_iterations[0])), settings.iterations - 1)
        iterations, wins = settings.iterations - settings.start, _wins(checked, one, other)
        winner, wins, named = (one, wins, first) if 2 * wins > iterations else (other, iterations - wins, second)
        message = (
            f"{first} and {second} both write this parameter from {checked.iteration_text(begin)} on; {named} wins at "
            f"{wins} of {iterations} iterations"
        )
        suggestion = "attach only one of them, or combine them with ChainedScheduler (a product) or ConcatScheduler"
        numbers = {"iteration": begin, "winner": type(winner.original).__name__, "wins": wins, "iterations": iterations}
        yield Finding("write-conflict", "error", locations_text(shared), message, suggestion, numbers)
    yield from _other_conflicts(checked)


def _overlap(one: SimulatedScheduler, other: SimulatedScheduler) -> bool:
    """Return whether each scheduler starts before the other one has written for the last time."""
    a, b = one.event_iterations, other.event_iterations
    return bool(len(a) and len(b) and a[-1] >= b[0] and b[-1] >= a[0])


def _wins(checked: CheckedRun, one: SimulatedScheduler, other: SimulatedScheduler) -> int:
    """Return the number of iterations that train with the value of the first scheduler."""
    iterations, last_writes = np.arange(checked.run.settings.start, checked.run.settings.iterations), []
    for scheduler in (one, other):
        written = scheduler.event_iterations
        at = np.searchsorted(written, iterations, side="right") - 1
        last_writes.append(np.where(at >= 0, written[at], -1))
    mine, theirs = last_writes
    is_later = checked.run.writing_order(one) > checked.run.writing_order(other)
    return int(np.sum(mine >= theirs if is_later else mine > theirs))


def _conflicts_within(checked: CheckedRun, scheduler: SimulatedScheduler) -> Iterator[Finding]:
    """Find two schedulers of a ``ParamGroupScheduler`` that write one parameter."""
    written = [
        {member.param_name: locations_of(member, checked.run.engine).get(member.param_name, [])}
        for member in members_of(scheduler.copy)
    ]
    for one, other in combinations(range(len(written)), 2):
        if shared := shared_locations(written[one], written[other]):
            both = f"schedulers {one} and {other} of {scheduler.description}"
            message = f"{both} both write this parameter; scheduler {other} wins at every event"
            suggestion = "remove one of them, or multiply their schedules with Product of lehr.handlers.schedules"
            numbers = {"members": [one, other], "winner": other}
            yield Finding("write-conflict", "error", locations_text(shared), message, suggestion, numbers)


def _other_conflicts(checked: CheckedRun) -> Iterator[Finding]:
    """Find conflicts in a ``ParamGroupScheduler``, with ignite's schedulers, and with torch's unwrapped schedulers."""
    run = checked.run
    of_ignite = [one.handler for one in handlers_of(run.trainer) if isinstance(one.handler, IgniteParamScheduler)]
    of_torch = [one for one in run.references if isinstance(one, TorchLRScheduler)]
    if of_torch:
        wrapped = {id(thing) for thing in reachable_from([scheduler.original for scheduler in run.schedulers])}
        of_torch = [one for one in of_torch if id(one) not in wrapped]
    for scheduler, locations in checked.original_locations.items():
        yield from _conflicts_within(checked, scheduler)
        for peer in of_ignite:
            groups = {id(group) for group in peer.optimizer_param_groups}
            shared = [one for one in locations if id(one.holder) in groups and one.key == peer.param_name]
            if shared:
                both = f"{scheduler.description} and ignite's {type(peer).__name__} on the same engine"
                message = f"{both} both write this parameter; the scheduler with the later event wins"
                yield Finding("write-conflict", "error", locations_text(shared), message, "attach only one of them")
        for unwrapped in of_torch:
            if shared := [one for one in locations if one.owner is unwrapped.optimizer and one.key == "lr"]:
                both = f"{scheduler.description} writes this parameter, and so does torch's {type(unwrapped).__name__}"
                message = f"{both}, if your code calls its step()"
                suggestion = "wrap torch's scheduler in LRScheduler and combine both, or delete it"
                yield Finding("write-conflict", "warning", locations_text(shared), message, suggestion)


def attached_twice(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedulers that one event of an engine calls twice."""
    for scheduler in checked.run.schedulers:
        handlers, events = scheduler.writing_handlers, len(scheduler.event_iterations)
        calls = Counter((handler.engine, handler.event) for handler in handlers)
        again = int(np.count_nonzero(np.diff(scheduler.event_iterations) == 0))
        times = max((times_attached(scheduler.original, handler.engine) for handler in handlers), default=0)
        if again and max(calls.values()) > 1:
            message = (
                f"the scheduler is attached {len(handlers)} times, so it moves on too fast: {again} of its {events} "
                "events come at an iteration that already had one"
            )
            numbers = {"times": len(handlers), "events": events, "again": again}
            yield Finding("attached-twice", "error", scheduler.description, message, "attach it once", numbers)
        elif times > 1:
            message = f"the scheduler is attached {times} times, and counts all their events: {events} in this run"
            suggestion = "attach it once; if you mean all events, attach it to them together: attach(engine, a | b)"
            numbers = {"times": times, "events": events}
            yield Finding("attached-twice", "warning", scheduler.description, message, suggestion, numbers)
