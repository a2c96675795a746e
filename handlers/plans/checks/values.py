"""Checks of the values that are written: their range, their start, and their jumps."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise, permutations
from typing import Any, NamedTuple

import numpy as np

from lehr.handlers.core.inspection import shared_locations
from lehr.handlers.plans.plan import named_groups
from lehr.handlers.schedules.base import Array

from .checked_run import CheckedRun, values_text
from .findings import Finding


class Range(NamedTuple):
    """The values that an optimizer allows, in words and as bounds."""

    words: str
    low: float
    high: float = np.inf
    with_low: bool = True
    with_high: bool = True

    def contains(self, values: Array) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Whether each value is allowed; NaN, which stands for no value, is."""
        above = values >= self.low if self.with_low else values > self.low
        below = values <= self.high if self.with_high else values < self.high
        return (above & below) | np.isnan(values)


NOT_NEGATIVE = Range("at least 0", 0.0)
BETA = Range("at least 0 and less than 1", 0.0, 1.0, with_high=False)
ALLOWED = {
    **dict.fromkeys(("lr", "weight_decay", "momentum", "eps", "alpha", "lr_decay", "momentum_decay"), NOT_NEGATIVE),
    **dict.fromkeys(("betas[0]", "betas[1]", "betas[2]"), BETA),
    "rho": Range("at least 0 and at most 1", 0.0, 1.0),
    "etas[0]": Range("more than 0 and less than 1", 0.0, 1.0, with_low=False, with_high=False),
    "etas[1]": Range("more than 1", 1.0, with_low=False),
}


def illegal_values(checked: CheckedRun) -> Iterator[Finding]:
    """The optimizer does not allow a value, such as lr < 0, betas >= 1 or momentum < 0."""
    for name, recorded in checked.run.recorded.items():
        for column, location in enumerate(recorded.locations):
            param_name = location.param_name
            if param_name not in ALLOWED or not location.is_in_optimizer:
                continue
            allowed, values = ALLOWED[param_name], checked.plan[name][:, column]
            illegal = np.flatnonzero(~allowed.contains(values))
            if len(illegal):
                first, worst = int(illegal[0]), float(values[illegal[np.argmax(np.abs(values[illegal]))]])
                yield Finding(
                    "illegal-value",
                    "error",
                    f"{name!r}, {location.label}",
                    f"{param_name!r} must be {allowed.words}, but is {values[first]:.6g} at "
                    f"{checked.iteration_text(first)}; it is illegal at {len(illegal)} of {len(values)} iterations, "
                    f"with {worst:.6g} at worst",
                    "keep the schedule in this range, for example with Bounded of lehr.handlers.schedules",
                    {"iteration": first, "value": float(values[first]), "iterations": len(illegal), "worst": worst},
                )


def zero_starts(checked: CheckedRun) -> Iterator[Finding]:
    """The learning rate is 0 at first, so that steps change nothing."""
    plan = checked.plan
    for name, recorded in checked.run.recorded.items() if not plan.start else ():
        groups: dict[int, list[str]] = defaultdict(list)
        for values, location in zip(plan[name].T, recorded.locations, strict=False):
            if location.is_in_optimizer and location.key == "lr" and values[0] == 0:
                groups[int(np.argmax(values != 0)) if values.any() else len(values)].append(location.label)
        others_learn = sum(map(len, groups.values())) < len(recorded.locations)
        for zeros, labels in groups.items():
            steps = -(-zeros // checked.run.accumulation)
            yield Finding(
                "zero-start",
                "info" if steps == 1 or others_learn else "warning",
                f"{name!r}, {named_groups(labels)}",
                f"the value is 0 for the first {'iteration' if zeros == 1 else f'{zeros} iterations'} of "
                f"{plan.num_iterations}: "
                + (
                    "these groups learn nothing, which is right if they are frozen"
                    if others_learn
                    else "nothing is learnt"
                ),
                "start above 0, or one event later",
                {"iterations": zeros},
            )


def phase_jumps(checked: CheckedRun) -> Iterator[Finding]:
    """The value jumps from one phase of a schedule to the next."""
    for written in checked.written_schedules:
        values, first_event = written.event_values, written.scheduler.first_event
        for before, phase in pairwise(written.phases):
            event = int(np.ceil(phase.first_event))
            at = event - first_event
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
    """The value jumps where one scheduler follows another, as the filters of their events decide."""
    plan, seen = checked.plan, set[tuple[str, int]]()
    for one, other in permutations([one for one in checked.run.schedulers if one.event_iterations], 2):
        at = other.event_iterations[0]
        if one.event_iterations[-1] >= at or not plan.start + 2 <= at < plan.num_iterations:
            continue
        shared = {location.identity for location in shared_locations(one.locations, other.locations)}
        for name, recorded in checked.run.recorded.items():
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
                    plan[name][at - 2 : at + 1, columns],
                    {"iteration": at},
                )


def _jump(checked: CheckedRun, where: str, change: str, values: Array, numbers: dict[str, Any]) -> Iterator[Finding]:
    """A finding if the last of three rows of values is far from the row before, and from the line through both."""
    _, before, after = values
    ratio = min(_largest_ratio(before, after), _largest_ratio(2 * before - values[0], after))
    if ratio > checked.jump_ratio:
        yield Finding(
            "jump",
            "warning" if (np.abs(after) > np.abs(before)).any() else "info",
            where,
            f"the value goes from {values_text(before)} to {values_text(after)} where {change}",
            "let each begin with the value that the one before ends with",
            {**numbers, "ratio": float(ratio), "before": before.tolist(), "after": after.tolist()},
        )


def _largest_ratio(before: Array, after: Array) -> float:
    """The largest ratio, over the groups, of the larger to the smaller of two values."""
    low, high = np.sort(np.abs(np.stack([before, after])), axis=0)
    ratios = np.divide(high, low, out=np.where(high > 0, np.inf, 1.0), where=low > 0)
    return float(np.nanmax(ratios, initial=1.0))
