"""Checks of the values that schedulers write: their range, their start, and their jumps."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise, permutations
from typing import Any

import numpy as np

from lehr.handlers.core.for_plans_and_cli import shared_locations
from lehr.handlers.plans.plan import named_groups
from lehr.handlers.schedules.base import Array
from lehr.handlers.targets.legal_values import LegalRange, legal_range

from .checked_run import CheckedRun, values_text
from .findings import Finding


def illegal_values(checked: CheckedRun) -> Iterator[Finding]:
    """Find values that the optimizer does not allow, such as lr < 0, betas >= 1 or momentum < 0."""
    for name, recorded in checked.run.recorded.items():
        are_legal = set[tuple[int, LegalRange]]()
        for column, location in enumerate(recorded.locations):
            param_name, legal = location.param_name, legal_range(location.key, location.item)
            if legal is None or not location.is_in_optimizer or (recorded.first_equal(column), legal) in are_legal:
                continue
            (words, lowest, highest), values = legal, checked.run.tables[name][:, column]
            illegal = np.flatnonzero((values < lowest) | (values > highest))
            if len(illegal):
                first, worst = int(illegal[0]), float(values[illegal[np.argmax(np.abs(values[illegal]))]])
                message = (
                    f"{param_name!r} must be {words}, but is {values[first]:.6g} at {checked.iteration_text(first)}; "
                    f"it is illegal at {len(illegal)} of {len(values)} iterations, with {worst:.6g} at worst"
                )
                suggestion = "keep the schedule in this range, for example with Bounded of lehr.handlers.schedules"
                numbers = {
                    "iteration": first,
                    "value": float(values[first]),
                    "iterations": len(illegal),
                    "worst": worst,
                }
                yield Finding("illegal-value", "error", f"{name!r}, {location.label}", message, suggestion, numbers)
            else:
                are_legal.add((column, legal))


def zero_starts(checked: CheckedRun) -> Iterator[Finding]:
    """Find learning rates that are 0 at first, so that training steps change nothing."""
    run = checked.run
    for name, recorded in run.recorded.items() if not run.settings.start else ():
        groups: dict[tuple[int, bool], list[str]] = defaultdict(list)
        steps: dict[int, int] = {}
        for one, columns in recorded.writers:
            steps |= dict.fromkeys(columns, run.settings.accumulation.of_scheduler(one.original))
        for column, (values, location) in enumerate(zip(run.tables[name].T, recorded.locations, strict=False)):
            if location.is_in_optimizer and location.key == "lr" and values[0] == 0:
                zeros = int(np.argmax(values != 0)) if values.any() else len(values)
                groups[zeros, zeros <= steps[column]].append(location.label)  # short: at most one optimizer step
        others_learn = sum(map(len, groups.values())) < len(recorded.locations)
        for (zeros, is_short), labels in groups.items():
            first = "iteration" if zeros == 1 else f"{zeros} iterations"
            effect = (
                "these groups learn nothing, which is right if they are frozen" if others_learn else "nothing is learnt"
            )
            message = f"the value is 0 for the first {first} of {run.settings.iterations}: {effect}"
            severity, where = "info" if is_short or others_learn else "warning", f"{name!r}, {named_groups(labels)}"
            yield Finding(
                "zero-start", severity, where, message, "start above 0, or one event later", {"iterations": zeros}
            )


def phase_jumps(checked: CheckedRun) -> Iterator[Finding]:
    """Find jumps from one phase of a schedule to the next."""
    for written in checked.run.written_schedules:
        values = written.event_values
        for before, phase in pairwise(written.phases):
            event = int(np.ceil(phase.first_event))
            at = written.scheduler.position(event)
            if 2 <= at < len(values):
                iteration = int(written.event_iterations[at])
                yield from _jump(
                    checked,
                    written.description,
                    f"{phase.name!r} follows {before.name!r}, at event {event}, {checked.iteration_text(iteration)}",
                    values[at - 2 : at + 1],
                    {"event": event, "iteration": iteration},
                )


def scheduler_jumps(checked: CheckedRun) -> Iterator[Finding]:
    """Find jumps where one scheduler follows another because their events are filtered."""
    run, seen = checked.run, set[tuple[str, int]]()
    for one, other in permutations([one for one in run.schedulers if len(one.event_iterations)], 2):
        at = int(other.event_iterations[0])
        if one.event_iterations[-1] >= at or not run.settings.start + 2 <= at < run.settings.iterations:
            continue
        shared = {location.identity for location in shared_locations(one.locations, other.locations)}
        for name, recorded in run.recorded.items():
            columns = [
                column
                for scheduler, its_columns in recorded.writers
                for column in its_columns
                if scheduler is other and recorded.locations[column].identity in shared
            ]
            if columns and (name, at) not in seen:
                seen.add((name, at))
                yield from _jump(
                    checked,
                    repr(name),
                    f"{other.description} follows {one.description}, at {checked.iteration_text(at)}",
                    run.tables[name][at - 2 : at + 1, columns],
                    {"iteration": at},
                )


def _jump(checked: CheckedRun, where: str, change: str, values: Array, numbers: dict[str, Any]) -> Iterator[Finding]:
    """Yield a finding if the last of three rows is far from the second row, and from the line through the first two."""
    _, before, after = values
    ratio = min(largest_ratio(before, after), largest_ratio(2 * before - values[0], after))
    if ratio > checked.jump_ratio:
        severity = "warning" if (np.abs(after) > np.abs(before)).any() else "info"
        message = f"the value goes from {values_text(before)} to {values_text(after)} where {change}"
        suggestion = "start at the value with which the previous one ends"
        numbers = {**numbers, "ratio": ratio, "before": before.tolist(), "after": after.tolist()}
        yield Finding("jump", severity, where, message, suggestion, numbers)


def largest_ratio(before: Array, after: Array) -> float:
    """Return the largest ratio, over the groups, of the larger to the smaller of two values."""
    low, high = np.sort(np.abs(np.stack([before, after])), axis=0)
    ratios = np.divide(high, low, out=np.where(high > 0, np.inf, 1.0), where=low > 0)
    return float(np.nanmax(ratios, initial=1.0))
