"""Checks of the values that are written: their range, the first one, and jumps."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise, permutations
from typing import Any, NamedTuple

import numpy as np

from lehr.handlers.core.inspection import locations_of, shared_locations
from lehr.handlers.plans.plan import named_groups
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.named_phases import segments_of

from .checked_run import Review, called, ratio_of, shown
from .findings import Finding


class Range(NamedTuple):
    """The values that an optimizer allows, in words and by its bounds."""

    words: str
    low: float = -np.inf
    high: float = np.inf
    with_low: bool = True
    with_high: bool = True

    def holds(self, values: Array) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Which of the values are allowed; NaN, where there is none, is."""
        above = values >= self.low if self.with_low else values > self.low
        below = values <= self.high if self.with_high else values < self.high
        return (above & below) | np.isnan(values)


NOT_NEGATIVE = Range("at least 0", 0.0)
A_BETA = Range("at least 0 and less than 1", 0.0, 1.0, with_high=False)
ALLOWED = {
    **dict.fromkeys(("lr", "weight_decay", "momentum", "eps", "alpha", "lr_decay", "momentum_decay"), NOT_NEGATIVE),
    "rho": Range("at least 0 and at most 1", 0.0, 1.0),
    "betas[0]": A_BETA,
    "betas[1]": A_BETA,
    "betas[2]": A_BETA,
    "etas[0]": Range("more than 0 and less than 1", 0.0, 1.0, with_low=False, with_high=False),
    "etas[1]": Range("more than 1", 1.0, with_low=False),
}


def illegal_values(review: Review) -> Iterator[Finding]:
    """Values outside what optimizers allow: lr < 0, betas >= 1, momentum < 0; and what cannot be written at all."""
    for name, sample in review.samples.items():
        for column, place in enumerate(sample.places):
            allowed = ALLOWED.get(place.param_name) if place.is_in_optimizer else None
            if allowed is None:
                continue
            values = review.plan[name][:, column]
            bad = np.flatnonzero(~allowed.holds(values))
            if len(bad):
                first, worst = int(bad[0]), float(values[bad[np.argmax(np.abs(values[bad]))]])
                yield Finding(
                    "illegal-value",
                    "error",
                    f"{name!r}, {place.label}",
                    f"{place.param_name!r} must be {allowed.words}, and is {values[first]:.6g} at {review.at(first)}; "
                    f"so it is wrong at {len(bad)} of {len(values)} iterations, with {worst:.6g} at worst",
                    "keep the schedule within that range, for example by Bounded of lehr.handlers.schedules",
                    {"iteration": first, "value": float(values[first]), "iterations": len(bad), "worst": worst},
                )


def zero_starts(review: Review) -> Iterator[Finding]:
    """Learning rates that begin with 0: a step that changes nothing."""
    if review.plan.start:
        return
    for name, sample in review.samples.items():
        groups: dict[int, list[str]] = defaultdict(list)
        for values, place in zip(review.plan[name].T, sample.places, strict=False):
            if place.is_in_optimizer and place.key == "lr" and values[0] == 0:
                groups[int(np.argmax(values != 0)) if values.any() else len(values)].append(place.label)
        others_learn = sum(map(len, groups.values())) < len(sample.places)
        for zeros, labels in groups.items():
            steps = -(-zeros // review.rehearsal.accumulation)
            yield Finding(
                "zero-start",
                "info" if steps == 1 or others_learn else "warning",
                f"{name!r}, {named_groups(labels)}",
                f"it is 0 for the first {'iteration' if zeros == 1 else f'{zeros} iterations'} "
                f"(of {review.plan.num_iterations}), in which "
                + (
                    "these groups learn nothing, as they should if they are frozen"
                    if others_learn
                    else "nothing is learnt"
                ),
                "begin with more than 0, or one event later",
                {"iterations": zeros},
            )


def jumps(review: Review) -> Iterator[Finding]:
    """Jumps from one phase of a schedule to the next."""
    for written in review.written():
        values, first = written.by_event, written.part.first_event
        segments = segments_of(written.schedule)
        for before, segment in pairwise(segments):
            at = int(np.ceil(segment.first_event)) - first
            if 2 <= at < len(values):
                tick = int(written.ticks[at])
                yield from _jump(
                    review,
                    written.where(),
                    f"where {segment.name!r} takes over from {before.name!r}, at event {at + first}, {review.at(tick)}",
                    "let one phase begin with the value that the one before ends with",
                    values[at - 2 : at + 1],
                    {"event": at + first, "iteration": tick},
                )


def hand_overs(review: Review) -> Iterator[Finding]:
    """Jumps where one scheduler takes over from another one, by the filters of their events."""
    engine, seen = review.rehearsal.engine, set[tuple[str, int]]()
    for one, other in permutations([part for part in review.rehearsal.parts if part.ticks], 2):
        at = other.ticks[0]
        if one.ticks[-1] >= at or not review.plan.start + 2 <= at < review.plan.num_iterations:
            continue
        shared = {
            place.identity
            for place in shared_locations(locations_of(one.copy, engine), locations_of(other.copy, engine))
        }
        for name, sample in review.samples.items():
            columns = [
                column
                for part, written in sample.writers
                for column in written
                if part is other and sample.places[column].identity in shared
            ]
            if columns and (name, at) not in seen:
                seen.add((name, at))
                yield from _jump(
                    review,
                    repr(name),
                    f"where {called(other)} takes over from {called(one)}, at {review.at(at)}",
                    "let one begin with the value that the one before ends with",
                    review.plan[name][at - 2 : at + 1, columns],
                    {"iteration": at},
                )


def _jump(
    review: Review, where: str, words: str, suggestion: str, values: Array, numbers: dict[str, Any]
) -> Iterator[Finding]:
    """A finding if the last of three rows of values is far from the one before, and from where both rows point to."""
    _, before, after = values
    ratio = min(ratio_of(before, after), ratio_of(2 * before - values[0], after))
    if ratio > review.jump_ratio:
        yield Finding(
            "jump",
            "warning" if (np.abs(after) > np.abs(before)).any() else "info",
            where,
            f"{words}, it goes from {shown(before)} to {shown(after)}",
            suggestion,
            {**numbers, "ratio": float(ratio), "before": before.tolist(), "after": after.tolist()},
        )
