"""Functions that rewrite a schedule for one param group, with a factor, from a later step on, or in a simpler form."""

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from lehr.handlers.schedules import (
    Anneal,
    Constant,
    Cosine,
    Curve,
    Cyclic,
    ExponentialDecay,
    KDecay,
    Linear,
    MultiStepDecay,
    OneCycle,
    Polynomial,
    Power,
    PowerDecay,
    Product,
    Restarts,
    Reversed,
    Schedule,
    Shift,
    StepDecay,
)
from lehr.handlers.schedules.decays import Decay

# These fields are values of the parameter, and may have one number for each param group.
VALUES = (
    "value",
    "peak_value",
    "start_value",
    "end_value",
    "initial_value",
    "max_value",
    "base_value",
    "before",
    "min_value",
)


def of_one_group(schedule: Any, group: int) -> Any:
    """Return a schedule with the numbers of one param group."""
    if not isinstance(schedule, Schedule) or not schedule.is_pure:
        return schedule
    own: dict[str, Any] = {}
    for field in fields(schedule):
        if field.init:
            value = getattr(schedule, field.name)
            if field.name in VALUES and isinstance(value, tuple):
                own[field.name] = value[group]
            elif isinstance(value, Schedule):
                own[field.name] = of_one_group(value, group)
            elif field.name == "schedules":
                own[field.name] = [of_one_group(one, group) for one in value]
            elif field.name == "constants":
                own[field.name] = [_of_group(one, group) for one in value]
            elif field.name == "milestones_values":
                own[field.name] = [(at, _of_group(one, group)) for at, one in value]
    return replace(schedule, **own) if own else schedule


def _of_group(value: Any, group: int) -> Any:
    return value[group] if isinstance(value, tuple | list) else value


def scaled(schedule: Schedule, factor: float) -> Schedule:
    """Return a schedule of one param group, multiplied by a factor."""
    if factor == 1:
        return schedule
    names = {
        Constant: ("value",),
        Anneal: ("start_value", "end_value"),
        Restarts: ("start_value", "end_value"),
        OneCycle: ("max_value", "base_value"),
        Cyclic: ("base_value", "max_value"),
    }.get(type(schedule), ("initial_value",) if isinstance(schedule, Decay) else ())
    own = {name: getattr(schedule, name) for name in names}
    if not own:
        return Product([Constant(factor), schedule])
    return replace(schedule, **{name: value * factor for name, value in own.items() if value is not None})


def from_step(schedule: Any, first: int) -> Schedule:
    """Return a schedule whose step 0 is the step ``first`` of ``schedule``."""
    if first == 0 or isinstance(schedule, Constant):
        return schedule  # type: ignore[no-any-return]
    match schedule:
        case Anneal(beyond="hold", end_value=end, duration=duration) if first >= duration:
            return Constant(end)
        case Anneal(beyond="hold", duration=duration, curve=curve) if first <= duration - 1:
            simple = simple_curve(curve)
            if isinstance(simple, Linear | Polynomial):  # a power curve without its first steps is a power curve
                return replace(schedule, start_value=schedule(first), duration=duration - first, curve=simple)
        case Anneal(beyond="mirror", duration=duration) if first % (2 * duration) == 0:
            return schedule
        case ExponentialDecay(staircase=False):
            return replace(schedule, initial_value=schedule(first))
        case StepDecay(step_size=size) if first % size == 0:
            return replace(schedule, initial_value=schedule(first))
        case MultiStepDecay(milestones=milestones):
            left = [one - first for one in milestones if one > first]
            return replace(schedule, initial_value=schedule(first), milestones=left)
        case PowerDecay(timescale=timescale):
            return replace(schedule, initial_value=schedule(first), timescale=timescale + first)
        case Restarts(periods=float() as period, period_mult=1.0, restart_weights=1.0) if first % period == 0:
            return schedule
    return Shift(schedule, by=first)


def at_every(schedule: Any, by: int) -> Schedule | None:
    """Return a simple schedule whose step k has the value of step ``by * k`` of ``schedule``, or None."""
    match schedule:
        case Constant():
            return schedule
        case Anneal(duration=duration):
            return replace(schedule, duration=duration / by) if duration == 0 or duration >= by else None
        case ExponentialDecay(decay_events=events, staircase=False):
            return replace(schedule, decay_events=events / by)
        case StepDecay(step_size=size) if size % by == 0:
            return replace(schedule, step_size=size / by)
        case MultiStepDecay(milestones=milestones):
            return replace(schedule, milestones=[math.ceil(one / by) for one in milestones])
        case PowerDecay(timescale=timescale):
            return replace(schedule, timescale=timescale / by)
        case Restarts(periods=float() as period) if period % by == 0:
            return replace(schedule, periods=period / by)
        case Product(schedules=schedules):
            parts = [part for one in schedules if (part := at_every(one, by)) is not None]
            return Product(parts) if len(parts) == len(schedules) else None
    return None


def simple_curve(curve: Curve) -> Curve:
    """Return a simpler curve with the same values, or the curve itself if it has no simpler form.

    Example:
        >>> simple_curve(Reversed(Linear())), simple_curve(Polynomial(1.0)), simple_curve(Polynomial(2.0))
        (Linear(), Linear(), Polynomial(power=2.0))
    """
    match curve:
        case Polynomial(power=1.0) | Power(power=1.0):
            return Linear()
        case Reversed(curve=inner):
            same = simple_curve(inner)
            if isinstance(same, Linear | Cosine):
                return same
            if isinstance(same, Power):  # 1 - (1 - p) ** power
                return Polynomial(same.power)
            if isinstance(same, Polynomial) and same.power > 0:
                return Power(same.power)
            if isinstance(same, Reversed):
                return same.curve
        case KDecay(curve=inner, k=1.0):
            return simple_curve(inner)
    return curve


def simplified(schedule: Schedule, steps: float) -> Iterator[tuple[Schedule, float]]:
    """Yield one or two simpler schedules for the first ``steps`` steps, in sequence, each with its number of steps."""
    if isinstance(schedule, Anneal) and schedule.beyond != "hold" and steps <= schedule.duration + 1:
        schedule = replace(schedule, beyond="hold")  # the steps end before the value moves back or starts again
    match schedule:
        case Anneal(start_value=start, end_value=end, duration=duration, beyond="hold", curve=curve):
            whole = math.ceil(duration)
            if start == end or duration == 0:
                yield Constant(end), steps
                return
            yield replace(schedule, curve=simple_curve(curve)), min(whole, steps)
            if whole < steps:
                yield Constant(end), steps - whole
        case Anneal():
            yield replace(schedule, curve=simple_curve(schedule.curve)), steps
        case ExponentialDecay(gamma=1.0, initial_value=value) | StepDecay(gamma=1.0, initial_value=value):
            yield Constant(value), steps
        case ExponentialDecay(staircase=True, initial_value=value, gamma=gamma, decay_events=size):
            yield StepDecay(value, gamma, size), steps
        case ExponentialDecay(initial_value=value, gamma=gamma, decay_events=events):
            yield ExponentialDecay(value, gamma ** (1 / events)), steps
        case MultiStepDecay(initial_value=float() as value, milestones=milestones, gamma=gamma):
            at_first = sum(one <= 0 for one in milestones)
            left = [one for one in milestones if 0 < one < steps]
            value = value * gamma**at_first
            yield (MultiStepDecay(value, gamma, left) if left and gamma != 1 else Constant(value)), steps
        case StepDecay(initial_value=value, step_size=size) if size >= steps:
            yield Constant(value), steps
        case _:
            yield schedule, steps
