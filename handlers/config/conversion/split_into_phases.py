"""Splits a schedule of one param group into phases in sequence. Each phase is one simple schedule."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np

from lehr.handlers.schedules import Concatenation, Constant, Product, Schedule, Shift, SideBySide, Stretch, Window

from .rewrite_as_sequence import composed
from .schedule_rewrites import at_every, from_step, of_one_group, scaled, simplified


@dataclass(frozen=True)
class Phase:
    """A simple schedule of one param group in a range of events.

    Args:
        schedule: the schedule; its event 0 is the first event of the phase.
        begin: the first event.
        end: the event after the last event; infinite if the phase has no end.
        every: the number of events in each step of the schedule.
    """

    schedule: Schedule
    begin: int
    end: float
    every: int = 1

    @property
    def steps(self) -> float:
        """The number of steps in the phase."""
        return math.ceil((self.end - self.begin) / self.every) if math.isfinite(self.end) else math.inf

    @property
    def first(self) -> float:
        """The first value of the phase."""
        return float(self.schedule(0))

    def value(self, step: float) -> float:
        """Return the value at a step of the phase."""
        return float(self.schedule(int(step)))


def phases_of(schedule: Schedule, group: int = 0, total: float = math.inf) -> list[Phase]:
    """Return the phases of a schedule in one param group. A schedule that cannot be split is one phase.

    Args:
        schedule: the schedule.
        group: the param group.
        total: the number of events in the run.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> warmup = Anneal(0.0, 1.0, duration=4)
        >>> for phase in phases_of(Concatenation([warmup, Constant(1.0)], [4])):
        ...     print(phase.begin, phase.end, phase.schedule)
        0 4 Anneal(start_value=0.0, end_value=1.0, duration=4.0, curve=Linear(), beyond='hold')
        4 inf Constant(value=1.0)
    """
    found: list[Phase] = []
    for phase in _read(_Part(schedule, group, 1.0, 0, total)):
        last = found[-1] if found else None
        if last is not None and isinstance(last.schedule, Constant) and last.schedule == phase.schedule:
            found[-1] = Phase(last.schedule, last.begin, phase.end)
        elif phase.end > phase.begin:
            found.append(phase)
    return found


@dataclass(frozen=True)
class _Part:
    """The ``count`` steps of a schedule from the step ``first`` on, multiplied by a factor."""

    schedule: Schedule
    group: int
    factor: float
    first: int
    count: float


def _read(part: _Part) -> Iterator[Phase]:
    if part.count > 0:
        yield from _phases(part.schedule, part)


def _later(phases: Iterator[Phase], by: int) -> Iterator[Phase]:
    for phase in phases:
        yield replace(phase, begin=phase.begin + by, end=phase.end + by)


def _leaf(schedule: Schedule, part: _Part) -> Iterator[Phase]:
    """Yield the phases of one schedule with the numbers of one group, in the simplest form."""
    own = scaled(of_one_group(schedule, part.group), part.factor)
    begin = 0
    for simple, steps in simplified(from_step(own, part.first), part.count):
        yield Phase(simple, begin, begin + steps)
        begin += int(steps) if math.isfinite(steps) else 0


def _constant(value: Any, part: _Part, steps: float) -> Iterator[Phase]:
    is_list = isinstance(value, Sequence) or bool(np.ndim(value))
    number = value[part.group] if is_list else value
    yield Phase(Constant(float(number) * part.factor), 0, steps)


@singledispatch
def _phases(schedule: Schedule, part: _Part) -> Iterator[Phase]:
    same = composed(schedule)
    yield from _leaf(schedule, part) if same is None else _read(replace(part, schedule=same))


@_phases.register
def _(schedule: Concatenation, part: _Part) -> Iterator[Phase]:
    starts = [0]
    for duration in schedule.durations:
        starts.append(starts[-1] + duration)
    last = part.first + part.count
    for inner, start, stop in zip(schedule.schedules, starts, [*starts[1:], math.inf], strict=True):
        low, high = max(start, part.first), min(stop, last)
        if low < high:
            yield from _later(
                _read(replace(part, schedule=inner, first=low - start, count=high - low)), low - part.first
            )


@_phases.register
def _(schedule: Shift, part: _Part) -> Iterator[Phase]:
    waits = min(max(-schedule.by - part.first, 0), part.count)
    if waits:
        yield from _constant(schedule.schedule(0), part, waits)
    inner = replace(part, schedule=schedule.schedule, first=max(part.first + schedule.by, 0), count=part.count - waits)
    yield from _later(_read(inner), int(waits) if math.isfinite(waits) else 0)


@_phases.register
def _(schedule: Window, part: _Part) -> Iterator[Phase]:
    inside = schedule.schedule
    if schedule.interval != 1:
        rarely = at_every(inside, schedule.interval)
        if rarely is None:
            yield from _leaf(schedule, part)
            return
        inside = Stretch(rarely, schedule.interval)
    at, last = part.first, part.first + part.count
    end = math.inf if schedule.end is None else schedule.end
    if at < schedule.begin:
        stop = min(schedule.begin, last)
        yield from _constant(schedule.schedule(0) if schedule.before is None else schedule.before, part, stop - at)
        at = int(stop)
    if at < min(end, last):
        inner = replace(part, schedule=inside, first=at - schedule.begin, count=min(end, last) - at)
        yield from _later(_read(inner), at - part.first)
    if end < last:
        at = int(max(end, part.first))
        kept = inside(int(end) - 1 - schedule.begin)
        yield from _later(_constant(kept, part, last - at), at - part.first)


@_phases.register
def _(schedule: Stretch, part: _Part) -> Iterator[Phase]:
    by, rest = schedule.by, part.first % schedule.by
    if rest:
        yield from _leaf(schedule, part)
        return
    count = math.ceil(part.count / by) if math.isfinite(part.count) else math.inf
    inner = replace(part, schedule=schedule.schedule, first=part.first // by, count=count)
    for phase in _read(inner):
        yield Phase(phase.schedule, phase.begin * by, min(phase.end * by, part.count), phase.every * by)


@_phases.register
def _(schedule: Product, part: _Part) -> Iterator[Phase]:
    if not all(one.is_pure for one in schedule.schedules):
        others = [one for one in schedule.schedules if not isinstance(one, Constant)]
        yield Phase(others[0] if len(others) == 1 else schedule, 0, part.count)
        return
    factors = [list(_read(replace(part, schedule=one, factor=1.0))) for one in schedule.schedules]
    cuts = sorted({one.begin for phases in factors for one in phases})
    for begin, end in zip(cuts, [*cuts[1:], part.count], strict=True):
        together = [next(one for one in phases if one.begin <= begin < one.end) for phases in factors]
        yield from _at_once(together, part.factor, begin, end)


def _at_once(phases: list[Phase], factor: float, begin: int, end: float) -> Iterator[Phase]:
    """Yield the product of phases between two events. Usually at most one phase is not constant."""
    moving: list[tuple[Schedule, int]] = []
    for one in phases:
        steps, rest = divmod(begin - one.begin, one.every)
        if rest:
            moving.append((Shift(Stretch(one.schedule, one.every), by=begin - one.begin), 1))
            continue
        left = from_step(one.schedule, steps)
        [(simple, _), *others] = simplified(left, replace(one, begin=begin, end=end).steps)
        if isinstance(simple, Constant) and not others:
            factor *= simple(0)
        else:
            moving.append((left, one.every))
    if len(moving) == 1:
        [(schedule, every)] = moving
        for simple, steps_of_it in simplified(scaled(schedule, factor), Phase(schedule, begin, end, every).steps):
            last = min(begin + steps_of_it * every, end)
            yield Phase(simple, begin, last, every)
            begin = int(last) if math.isfinite(last) else begin
    elif not moving:
        yield Phase(Constant(factor), begin, end)
    elif len({every for _, every in moving}) == 1:
        yield Phase(Product([Constant(factor), *(one for one, _ in moving)]), begin, end, moving[0][1])
    else:
        in_events = [one if every == 1 else Stretch(one, every) for one, every in moving]
        yield Phase(Product([Constant(factor), *in_events]), begin, end)


@_phases.register
def _(schedule: SideBySide, part: _Part) -> Iterator[Phase]:
    column = part.group
    for one in schedule.schedules:
        if column < (one.groups or 1):
            yield from _read(replace(part, schedule=one, group=column))
            return
        column -= one.groups or 1
