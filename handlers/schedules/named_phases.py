"""Finds the phases of a schedule, such as warm-up and decay, and the event at which each phase begins."""

import itertools
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
from .phases_on_demand import Phases
from .shift import Shift
from .stretch import Stretch
from .warmup_stable_decay import WarmupStableDecay
from .window import Window


class NamedPhase(NamedTuple):
    """A phase of a schedule: its first event and its name."""

    first_event: float
    name: str


@singledispatch
def phases_of(schedule: Schedule) -> tuple[NamedPhase, ...]:
    """Return the phases of a schedule in order, from event 0 on.

    If the schedule has no phases, the tuple is empty. If no function is registered for the class of a schedule that
    contains other schedules, the phases are those of the first contained schedule that has phases.

    Example:
        >>> from lehr.handlers.schedules import Constant, LinearInterpolation
        >>> warmup = LinearInterpolation([(0, 0.0), (100, 0.1)])
        >>> for phase in phases_of(Concatenation([warmup, Constant(0.1)], durations=[100])):
        ...     print(phase)
        NamedPhase(first_event=0, name='warm-up')
        NamedPhase(first_event=100, name='constant')
    """
    return next(filter(None, map(phases_of, schedule.parts)), ())


@phases_of.register
def _(schedule: Concatenation) -> tuple[NamedPhase, ...]:
    return _joined(schedule.schedules, list(accumulate(schedule.durations, initial=0)))


@phases_of.register
def _(schedule: Phases) -> tuple[NamedPhase, ...]:
    return _joined(schedule.phases, [0, *schedule.state_dict()["starts"]])


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
    return _not_empty(*(one for one in found if one.first_event < schedule.total_steps))


@phases_of.register
def _(schedule: Cooldown) -> tuple[NamedPhase, ...]:
    before = [phase for phase in _phases_or_whole(schedule.schedule) if phase.first_event < schedule.begin]
    return (*before, NamedPhase(schedule.begin, "cool-down"))


@phases_of.register
def _(schedule: Handover) -> tuple[NamedPhase, ...]:
    end = schedule.begin + schedule.duration
    own = [NamedPhase(max(first, end), name) for first, name in _phases_or_whole(schedule.schedule)]
    return _not_empty(NamedPhase(0, "as before"), NamedPhase(schedule.begin, "hand-over"), *own)


@phases_of.register
def _(schedule: Window) -> tuple[NamedPhase, ...]:
    begin, end, interval = schedule.begin, schedule.end or inf, schedule.interval
    inner = [(begin + ceil(first / interval) * interval, name) for first, name in _phases_or_whole(schedule.schedule)]
    phases = [(0, "before")] * (begin > 0) + [phase for phase in inner if phase[0] < end] + [(end, "held")]
    found = _not_empty(*itertools.starmap(NamedPhase, phases))
    return found if len(found) > 1 else ()


@phases_of.register
def _(schedule: Shift) -> tuple[NamedPhase, ...]:
    # If a schedule is shifted to later events, the first phase still begins at event 0.
    shifted = [(max(first - schedule.by, 0) if first else 0, name) for first, name in phases_of(schedule.schedule)]
    return _not_empty(*itertools.starmap(NamedPhase, shifted))


@phases_of.register
def _(schedule: Stretch) -> tuple[NamedPhase, ...]:
    return tuple(NamedPhase(first * schedule.by, name) for first, name in phases_of(schedule.schedule))


def _joined(schedules: Sequence[Schedule], starts: list[int]) -> tuple[NamedPhase, ...]:
    """Return the phases of schedules one after another. Schedule k lasts from ``starts[k]`` to ``starts[k + 1]``."""
    found: list[NamedPhase] = []
    for schedule, (start, end) in zip(schedules, pairwise([*starts, inf]), strict=False):
        is_warmup = start == 0 and _rises(schedule, end)
        inner = phases_of(schedule) or [NamedPhase(0, "warm-up" if is_warmup else _name_of(schedule))]
        found += [NamedPhase(first + start, name) for first, name in inner if first + start < end]
    return tuple(found)


def _phases_or_whole(schedule: Schedule) -> tuple[NamedPhase, ...]:
    """Return the phases of a schedule, or if it has no phases, the whole schedule as one phase."""
    return phases_of(schedule) or (NamedPhase(0, _name_of(schedule)),)


def _not_empty(*phases: NamedPhase) -> tuple[NamedPhase, ...]:
    """Return only the phases that last for at least one event."""
    ends = [*(phase.first_event for phase in phases[1:]), inf]
    return tuple(phase for phase, end in zip(phases, ends, strict=False) if phase.first_event < end)


def _rises(schedule: Schedule, end: float) -> bool:
    """Return whether the values of a schedule are higher at its end than at event 0."""
    return schedule.is_pure and end < inf and bool(np.all(np.asarray(schedule(int(end))) > schedule(0)))


def _name_of(schedule: Schedule) -> str:
    """Return the class name of a schedule, or of the curve of an :class:`.Anneal`, in lower-case words."""
    named = schedule.curve if isinstance(schedule, Anneal) else schedule
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(named).__name__).lower()
