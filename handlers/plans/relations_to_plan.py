"""Searches for a simple relation, such as a shift or a factor, between values and a plan that they do not match."""

from collections.abc import Iterator
from itertools import islice
from math import gcd
from typing import Any, NamedTuple

import numpy as np

from lehr.handlers.schedules.base import Array

from .series_relations import FEWEST, Indices, Points, Relation, common_factor, equal, planned_at

MOST_STEPS_OFF = 8
MOST_TIMES = 64
PROBES = 64
MANY = 8  # a relation with a faster schedule must explain at least this many points
MOST_JUMPS = 4_000_000  # if more shifts are possible, none of them is tried
# With (9, 10), the run makes 9 steps of the plan in 10 of its own steps.
FRACTIONS = [(one, other) for other in range(2, 21) for one in range(1, 21) if gcd(one, other) == 1]


def find_relations(points: Points, planned: Array, epoch_length: int | None = None) -> list[Relation]:
    """Return at most three simple relations between points and planned values that differ, the likeliest first.

    Args:
        points: the points.
        planned: the planned values ``(events,)``, which may continue after the end of the run.
        epoch_length: events in an epoch. This number is tried in addition to the factors 2 to 64.
    """
    search = _Search(points, planned, epoch_length)
    if not search.differing.any():
        return []
    families = (search.shifts, search.faster, search.slower, search.factors, search.jumps, search.constants)
    found: list[Relation] = []
    for family in families:
        found += islice(family(), 1)
    for family in (search.stretched, search.scaled_counts):
        if not found:
            found += islice(family(), 1)
    return found[:3]


class Count(NamedTuple):
    """How a schedule counts: after ``steps`` steps, it is at planned step ``(up * steps + off) // down``."""

    up: int = 1
    down: int = 1
    off: int = 0

    def of(self, events: Indices) -> Indices:
        """Return the index of the planned value at each event."""
        indices: Indices = (self.up * events + self.off) // self.down
        return indices


class _Search:
    """Searches for each type of relation between points and planned values."""

    def __init__(self, points: Points, planned: Array, epoch_length: int | None) -> None:
        self.points, self.planned = points, planned
        expected, inside = planned_at(planned, points.events)
        self.differing = inside & ~equal(points, expected)
        at = np.flatnonzero(self.differing)
        spread = np.concatenate([_spread(at, PROBES // 2), _spread(np.arange(len(points.events)), PROBES // 2)])
        self.probes = points.part(np.unique(spread).astype(np.int64))
        times = range(2, MOST_TIMES + 1)
        self.times = [*times, *([epoch_length] if epoch_length is not None and epoch_length > MOST_TIMES else [])]

    def shifts(self) -> Iterator[Relation]:
        """Find shifts by a few steps. If the first point differs, find shifts by any number of steps, too."""
        sizes = range(1, MOST_STEPS_OFF + 1)
        for count, reached in self.reached([Count(off=steps) for size in sizes for steps in (size, -size)]):
            yield self.relation("shift", count.off, reached)
        if self.differing[0]:
            for steps in self.shifts_of(self.points):
                reached = int(planned_at(self.planned, self.points.events + steps)[1].sum())
                yield self.relation("shift", steps, reached)

    def faster(self) -> Iterator[Relation]:
        """Find schedules that move several planned steps in each step."""
        counts = [Count(one, off=off) for one in self.times for off in (0, 1, one - 1, one, -1, -one)]
        for count, reached in self.reached(counts):
            yield self.relation("faster", count.up, reached, steps_off=count.off)

    def slower(self) -> Iterator[Relation]:
        """Find schedules that move one planned step in several steps."""
        counts = [Count(1, one, off) for one in self.times for off in (0, 1, one - 1, one, -1)]
        for count, reached in self.reached(counts):
            yield self.relation("slower", count.down, reached, steps_off=count.off)

    def factors(self) -> Iterator[Relation]:
        """Find a factor of all values, or of the values from the first difference on."""
        first = int(np.argmax(self.differing))
        for since in dict.fromkeys((0, first)):
            points = self.points.part(slice(since, None))
            expected, inside = planned_at(self.planned, points.events)
            factor = common_factor(points.part(inside), expected[inside])
            if factor is not None and (since == 0 or self.tells_enough(points, expected)):
                yield self.relation("factor", factor, int(inside.sum()), since=int(points.events[0]) if since else 0)

    def jumps(self) -> Iterator[Relation]:
        """Find values that are as planned up to some step, and shifted from this step on."""
        first = int(np.argmax(self.differing))
        if first == 0:
            return
        tail = self.points.part(slice(first, None))
        for steps in self.shifts_of(tail, after=int(self.points.events[first - 1])):
            again = tail.events[0] + steps >= 0 and self.points.events[first - 1] + steps < 0
            reached = int(planned_at(self.planned, tail.events + steps)[1].sum())
            since = -steps if again else int(tail.events[0])
            yield self.relation("again" if again else "jump", steps, first + reached, since=since)

    def constants(self) -> Iterator[Relation]:
        """Find a value that stays constant from some step on although the plan changes."""
        last = self.points.values[-1]
        other = np.flatnonzero(~equal(self.points, np.full(len(self.points.values), last)))
        since = int(other[-1]) + 1 if len(other) else 0
        tail = self.points.part(slice(since, None))
        before = self.differing[:since].any()
        if (
            len(tail.events) >= FEWEST
            and not before
            and self.tells_enough(tail, planned_at(self.planned, tail.events)[0], values=2)
        ):
            yield self.relation("constant", float(last), len(self.points.events), since=int(tail.events[0]))

    def scaled_counts(self) -> Iterator[Relation]:
        """Find schedules that are faster, slower or shifted, with all values multiplied by a number."""
        counts = [("shift", steps, Count(off=steps)) for steps in (1, -1)]
        for times in self.times:
            counts += [("faster", times, Count(times)), ("slower", times, Count(1, times))]
        for kind, number, count in counts:
            for points in (self.probes, self.points):
                expected, inside = planned_at(self.planned, count.of(points.events))
                factor = common_factor(points.part(inside), expected[inside])
                if factor is None:
                    break
            else:
                if inside.sum() >= 2 * FEWEST and self.tells_enough(points, expected):
                    yield self.relation(kind, number, int(inside.sum()), factor=factor or 1.0)

    def stretched(self) -> Iterator[Relation]:
        """Find schedules that are longer or shorter. A value between two planned steps must be between their values."""
        bends = np.zeros(len(self.planned))
        bends[1:-1] = np.abs(np.diff(self.planned, 2))
        for numerator, denominator in FRACTIONS:
            for points in (self.probes, self.points):
                lower, rest = np.divmod(points.events * numerator, denominator)
                whole = rest == 0
                (low, inside), (high, _) = planned_at(self.planned, lower), planned_at(self.planned, lower + ~whole)
                bend = np.fmax(planned_at(bends, lower)[0], planned_at(bends, lower + 1)[0]) * ~whole + points.errors
                with np.errstate(invalid="ignore"):
                    between = (points.values >= np.fmin(low, high) - bend) & (
                        points.values <= np.fmax(low, high) + bend
                    )
                if not between[inside].all() or not equal(points, low)[inside & whole].all():
                    break
            else:
                exact = inside & whole
                enough = exact.sum() > FEWEST and 2 * inside.sum() >= len(inside) and (inside & self.differing).any()
                if enough and self.tells_enough(points.part(exact), low[exact]):
                    times = denominator / numerator
                    yield self.relation("stretched", times, int(inside.sum()), exact=int(exact.sum()))

    def reached(self, counts: "list[Count]") -> "Iterator[tuple[Count, int]]":
        """Yield each count with which all points in the plan match, if they are enough, and the number of points."""
        up, down, off = np.array(counts).T[:, :, None]
        expected, inside = planned_at(self.planned, (up * self.probes.events + off) // down)
        for at in np.flatnonzero((equal(self.probes, expected) | ~inside).all(axis=1)).tolist():
            count, points = counts[at], self.points
            expected, inside = planned_at(self.planned, count.of(points.events))
            number = int(inside.sum())
            enough = number >= (FEWEST if inside.all() or count.up == 1 else MANY)
            same = enough and equal(points, expected)[inside].all() and (inside & self.differing).any()
            if same and self.tells_enough(points, expected, values=2 if count.up == count.down else FEWEST):
                yield count, number

    def tells_enough(self, points: Points, expected: Array, values: int = FEWEST) -> bool:
        """Return whether the expected values have at least ``values`` different numbers."""
        order = np.argsort(expected)  # NaN comes last
        expected, errors = expected[order], points.errors[order]
        with np.errstate(invalid="ignore"):
            steps = np.diff(expected) > errors[1:] + errors[:-1]
        return bool(len(expected) and np.isfinite(expected[0]) and 1 + int(steps.sum()) >= values)

    def shifts_of(self, tail: Points, after: int | None = None) -> list[int]:
        """Return a list of the smallest shift by which all points of ``tail`` match, or an empty list if there is none.

        Args:
            tail: the last points.
            after: the event of the point just before ``tail``, or None if ``tail`` has all points. A shift by which the
                plan begins again after this event is preferred.
        """
        length = len(self.planned)
        low, high = -int(tail.events[-1]), length - 1 - int(tail.events[0])
        if high - low > MOST_JUMPS or len(tail.events) < FEWEST:
            return []
        shifts = np.arange(low, high + 1)
        for at in _spread(np.arange(len(tail.events)), PROBES).tolist():
            one = tail.part(slice(at, at + 1))
            expected, inside = planned_at(self.planned, one.events + shifts)
            same = equal(one, expected)
            shifts = shifts[same | ~inside]
        preferred = [] if after is None else shifts[(shifts >= -tail.events[0]) & (shifts < -after)].tolist()
        for steps in [*preferred[-MOST_TIMES:], *sorted(shifts.tolist(), key=abs)[:MOST_TIMES]]:
            expected, inside = planned_at(self.planned, tail.events + steps)
            enough = 2 * int(inside.sum()) >= len(inside) and inside.sum() >= FEWEST
            if enough and equal(tail, expected)[inside].all() and self.tells_enough(tail, expected):
                return [int(steps)]
        return []

    def relation(self, kind: str, number: float, reached: int, **more: Any) -> Relation:
        return Relation(kind, number, reached=reached, num_points=len(self.points.events), **more)


def _spread(indices: Indices, most: int) -> Indices:
    """Return at most ``most`` of the indices, evenly spaced and including both ends."""
    if len(indices) <= most:
        return indices
    chosen: Indices = indices[np.linspace(0, len(indices) - 1, most).astype(np.int64)]
    return chosen
