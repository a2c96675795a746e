"""The phases of a schedule: where each begins, and what it is called."""

import re
from collections.abc import Sequence
from functools import singledispatch
from itertools import accumulate, pairwise
from math import ceil, inf
from typing import NamedTuple

import numpy as np

from .anneal import Anneal
from .base import Schedule
from .concatenation import Concatenation
from .cooldown import Cooldown
from .handover import Handover
from .one_cycle import OneCycle
from .phases import Phases
from .shift import Shift
from .warmup_stable_decay import WarmupStableDecay
from .window import Stretch, Window


class NamedPhase(NamedTuple):
    """A phase: its first event, and its name."""

    first_event: float
    name: str


@singledispatch
def phases_of(schedule: Schedule) -> tuple[NamedPhase, ...]:
    """The phases of a schedule in time, the first of which begins at event 0; none where it is of one piece.

    A schedule that is composed of others has the phases of the first of them that has any.

    Example:
        >>> from lehr.handlers.schedules import Constant, LinearInterpolation
        >>> warmup = LinearInterpolation([(0, 0.0), (100, 0.1)])
        >>> for segment in phases_of(Concatenation([warmup, Constant(0.1)], durations=[100])):
        ...     print(segment)
        NamedPhase(first_event=0, name='warm-up')
        NamedPhase(first_event=100, name='constant')
    """
    return next(filter(None, map(phases_of, schedule.parts)), ())


@phases_of.register
def _(schedule: Concatenation) -> tuple[NamedPhase, ...]:
    return _one_after_another(schedule.schedules, list(accumulate(schedule.durations, initial=0)))


@phases_of.register
def _(schedule: Phases) -> tuple[NamedPhase, ...]:
    return _one_after_another(schedule.phases, [0, *schedule.state_dict()["starts"]])


@phases_of.register
def _(schedule: WarmupStableDecay) -> tuple[NamedPhase, ...]:
    durations = (schedule.num_warmup_events, schedule.num_stable_events, schedule.num_decay_events)
    starts = accumulate(durations[:2], initial=0)
    named = zip(starts, durations, ("warm-up", "stable", "decay"), strict=True)
    return tuple(NamedPhase(start, name) for start, duration, name in named if duration)


@phases_of.register
def _(schedule: OneCycle) -> tuple[NamedPhase, ...]:
    peak = schedule.pct_start * schedule.total_steps - 1
    up, down = ("down", "up") if schedule.inverse else ("up", "down")
    third = [(2 * peak, "end")] if schedule.three_phase else []
    found = [NamedPhase(max(ceil(first), 0), name) for first, name in [(0, up), (peak, down), *third]]
    return _in_order(*(one for one in found if one.first_event < schedule.total_steps))


@phases_of.register
def _(schedule: Cooldown) -> tuple[NamedPhase, ...]:
    return _then(schedule.schedule, schedule.begin, "cool-down")


@phases_of.register
def _(schedule: Handover) -> tuple[NamedPhase, ...]:
    taking_over = (NamedPhase(0, "as before"), NamedPhase(schedule.begin, "hand-over"))
    after = schedule.begin + schedule.duration
    own = phases_of(schedule.schedule) or (NamedPhase(0, _words(schedule.schedule)),)
    return _in_order(*taking_over, *(NamedPhase(max(first, after), name) for first, name in own))


@phases_of.register
def _(schedule: Window) -> tuple[NamedPhase, ...]:
    inner = phases_of(schedule.schedule) or (NamedPhase(0, _words(schedule.schedule)),)
    before = (NamedPhase(0, "before"),) if schedule.begin else ()
    held = () if schedule.end is None else (NamedPhase(schedule.end, "held"),)
    interval = schedule.interval
    within = [NamedPhase(schedule.begin + ceil(first / interval) * interval, name) for first, name in inner]
    found = _in_order(*before, *(one for one in within if one.first_event < (schedule.end or inf)), *held)
    return found if len(found) > 1 else ()


@phases_of.register
def _(schedule: Shift) -> tuple[NamedPhase, ...]:
    inner = phases_of(schedule.schedule)  # the first of them waits for itself, if it is shifted back
    return _in_order(*(NamedPhase(max(first - schedule.by, 0) if first else 0, name) for first, name in inner))


@phases_of.register
def _(schedule: Stretch) -> tuple[NamedPhase, ...]:
    return tuple(NamedPhase(first * schedule.by, name) for first, name in phases_of(schedule.schedule))


def _one_after_another(schedules: Sequence[Schedule], starts: list[int]) -> tuple[NamedPhase, ...]:
    """The phases of schedules that begin at these events, each up to the beginning of the next."""
    found: list[NamedPhase] = []
    for schedule, (start, end) in zip(schedules, pairwise([*starts, inf]), strict=False):
        name = "warm-up" if start == 0 and _rises(schedule, end) else _words(schedule)
        inner = phases_of(schedule) or (NamedPhase(0, name),)
        found += [NamedPhase(first + start, name) for first, name in inner if first + start < end]
    return tuple(found)


def _then(schedule: Schedule, begin: float, name: str) -> tuple[NamedPhase, ...]:
    inner = phases_of(schedule) or (NamedPhase(0, _words(schedule)),)
    return (*(one for one in inner if one.first_event < begin), NamedPhase(begin, name))


def _in_order(*segments: NamedPhase) -> tuple[NamedPhase, ...]:
    """Those that last for any events at all."""
    nexts = [*(segment.first_event for segment in segments[1:]), inf][: len(segments)]
    return tuple(segment for segment, end in zip(segments, nexts, strict=True) if segment.first_event < end)


def _rises(schedule: Schedule, end: float) -> bool:
    """Whether it ends higher than it begins."""
    return schedule.is_pure and end < inf and bool(np.all(np.asarray(schedule(int(end))) > schedule(0)))


def _words(schedule: Schedule) -> str:
    """The curve that a schedule goes along, or its class, in words."""
    if isinstance(schedule, Anneal):
        return _words_of(schedule.curve)
    return _words_of(schedule)


def _words_of(thing: object) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(thing).__name__).lower()
