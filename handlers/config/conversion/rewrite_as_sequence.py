"""Writes a schedule as a sequence of simpler schedules that has the same values."""

from itertools import pairwise
from typing import Any

from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    CosineAnnealing,
    Linear,
    LinearCyclical,
    LinearInterpolation,
    PiecewiseConstant,
    Restarts,
    Schedule,
    WarmupStableDecay,
)

MOST_CYCLES = 50


def composed(schedule: Schedule) -> Schedule | None:
    """Return a schedule as a sequence of simpler schedules, or None if it is simple already or has no such form.

    Example:
        >>> composed(PiecewiseConstant([1.0, 0.5], milestones=[3])).schedules
        (Constant(value=1.0), Constant(value=0.5))
    """
    match schedule:
        case PiecewiseConstant():
            return _in_sequence([Constant(one) for one in schedule.constants], [0, *schedule.milestones])
        case LinearInterpolation(milestones_values=[(first, low), *_] as points) if first >= 0:
            lines: list[Schedule] = [Anneal(a, b, stop - start) for (start, a), (stop, b) in pairwise(points)]
            starts = [0, *(start for start, _ in points)]
            return _in_sequence([Constant(low), *lines, Constant(points[-1][1])], starts)
        case WarmupStableDecay():
            return _three_phases(schedule)
        case Restarts():
            return _cycles(schedule)
        case CosineAnnealing() | LinearCyclical() if schedule.warmup_duration == 0:
            mults = schedule.cycle_mult, schedule.start_value_mult, schedule.end_value_mult
            if mults == (1.0, 1.0, 1.0):
                return _equal_cycles(schedule)
    return None


def _in_sequence(schedules: list[Schedule], starts: list[int]) -> Schedule:
    durations = [stop - start for start, stop in pairwise(starts)]
    return Concatenation(schedules, durations) if durations else schedules[0]


def _three_phases(schedule: WarmupStableDecay) -> Schedule:
    rising = Anneal(schedule.start_value, schedule.peak_value, schedule.num_warmup_events, schedule.warmup_curve)
    falling = Anneal(schedule.peak_value, schedule.end_value, schedule.num_decay_events, schedule.decay_curve)
    durations = [schedule.num_warmup_events, schedule.num_stable_events]
    return Concatenation([rising, Constant(schedule.peak_value), falling], durations)


def _cycles(schedule: Restarts) -> Schedule | None:
    """Return the cycles of a schedule, followed by its end value, or None if a cycle does not have a whole length."""
    periods: Any = schedule.periods
    if not isinstance(periods, tuple):
        number = schedule.num_cycles or 0
        periods = tuple(periods * schedule.period_mult**k for k in range(number)) if number <= MOST_CYCLES else ()
    if not periods or not all(float(one).is_integer() for one in periods):
        return None
    given: Any = schedule.restart_weights
    weights = given if isinstance(given, tuple) else [given**k for k in range(len(periods))]
    cycles = [
        Anneal(_times(schedule.start_value, weight), schedule.end_value, period, schedule.curve)
        for period, weight in zip(periods, weights, strict=True)
    ]
    return Concatenation([*cycles, Constant(schedule.end_value)], [int(one) for one in periods])


def _times(value: Any, weight: float) -> Any:
    return [one * weight for one in value] if isinstance(value, tuple) else value * weight


def _equal_cycles(schedule: CosineAnnealing | LinearCyclical) -> Schedule:
    start, end = schedule.start_value, schedule.end_value
    if isinstance(schedule, CosineAnnealing):
        return Restarts(start, end, schedule.cycle_size)
    size = int(schedule.cycle_size)
    return (
        Restarts(start, end, size, curve=Linear())
        if schedule.monotonic
        else Anneal(start, end, size / 2, beyond="mirror")
    )
