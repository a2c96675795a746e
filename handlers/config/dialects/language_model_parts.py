"""Helpers that several dialects share: curves and schedules in parts, the steps of a run, and inner entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lehr.handlers.config.argument_validators import milestones
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Entry, EntryType, build, lookup, read_entry
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import Anneal, Concatenation, Curve, Mapped, PowerDecay, Schedule
from lehr.handlers.schedules.arguments import Number, shown
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.curves import curve_field, rounded_if_near


@dataclass(frozen=True)
class Part(Curve):
    """The rest of a curve after a progress of ``begin``: ``f(p) = curve(begin + (1 - begin) * p)``."""

    curve: Curve = curve_field()  # noqa: RUF009
    begin: float = 0.0

    def __call__(self, progress: Array) -> Array:
        """Return the values of the formula."""
        return self.curve(self.begin + (1 - self.begin) * progress)


@dataclass(frozen=True)
class Raised(Curve):
    """A curve whose distance from the end is raised to a power: ``f(p) = 1 - (1 - curve(p)) ** power``."""

    curve: Curve = curve_field()  # noqa: RUF009
    power: float = 1.0

    def __call__(self, progress: Array) -> Array:
        """Return the values of the formula."""
        return np.asarray(1 - (1 - self.curve(progress)) ** self.power)


def annealed(start: Number, end: Number, begin: float, stop: float, first: int, curve: Curve) -> Schedule:
    """Return the part from event ``first`` on of a schedule that goes from ``start`` to ``end`` on a curve.

    Args:
        start: the value at the time ``begin``.
        end: the value from the time ``stop`` on.
        begin: the time in events at which the curve begins; it may have a fraction.
        stop: the time in events at which the curve ends; it may have a fraction.
        first: the event that is event 0 of the result.
        curve: the curve between ``begin`` and ``stop``.
    """
    if first >= stop:
        return Anneal(end, end, 0)
    progress = (first - begin) / (stop - begin)
    part = Part(curve, progress) if progress else curve
    if stop - first < 1:  # less than one event is left
        return Concatenation([Anneal(start, end, 1, part), Anneal(end, end, 0)], [1])
    return Anneal(start, end, stop - first, part)


def after(parts: list[tuple[Schedule, int]], last: Schedule) -> Schedule:
    """Return schedules in sequence, each with its number of events, and then ``last`` without an end."""
    kept = [(schedule, events) for schedule, events in parts if events > 0]
    if not kept:
        return last
    return Concatenation([*(one for one, _ in kept), last], [events for _, events in kept])


def whole_if_near(number: float) -> float:
    """Return a number; if it differs from a whole number only by a rounding error, return the whole number."""
    return float(rounded_if_near(number))


def steps_of_run(context: ConfigContext, key: str, given: Any) -> Any:
    """Return the steps of the run from an argument, or else from the context; None if both are unknown.

    Raises:
        ValueError: the argument and the context differ.
    """
    steps = context.run.steps
    if given is not None and steps is not None and given != steps:
        raise ValueError(f"[{key!r}] must be the steps of the run, {steps}, given {given}")
    return steps if given is None else given


def needed_steps(context: ConfigContext, key: str, given: Any, why: str) -> Any:
    """Return the steps of the run from an argument, or else from the context.

    Raises:
        ValueError: neither the argument nor the context gives the steps, for the reason ``why``; or they differ.
    """
    steps = steps_of_run(context, key, given)
    if steps is None:
        raise ValueError(f"[{key!r}] must be given, or total_steps to configure_scheduler, since {why}")
    return steps


def level_above(lowest: float, start: float, timescale: float) -> Schedule:
    """Return a schedule that falls with the square root of time, from ``start`` at event 0 towards ``lowest``."""
    decay = PowerDecay(1.0, timescale)
    return decay if (lowest, start) == (0, 1) else Mapped(decay, partial(_blended, lowest, start))


def _blended(lowest: float, start: float, fraction: float) -> float:
    return lowest + (start - lowest) * fraction


def counting_steps(
    context: ConfigContext, schedule: Schedule, library: str, duration: float | None = None
) -> EntrySchedule:
    """Return an entry of a library that counts steps; its values do not depend on earlier values.

    Args:
        context: the parameter.
        schedule: the schedule.
        library: the name of the library, for the error.
        duration: the length in events. If it is None or has a fraction, the entry has no length.

    Raises:
        ValueError: the context has an ``epoch_length``.
    """
    if context.epoch_length is not None:
        raise ValueError(f"epoch_length must be left out, since {library} counts steps")
    whole = None if duration is None or duration != int(duration) else int(duration)
    return EntrySchedule(context, lambda value: schedule, duration=whole)


def inner_entry(
    context: ConfigContext, where: str, given: Any, prefix: str, types: Mapping[str, EntryType]
) -> EntrySchedule:
    """Return the schedule of an entry that is an argument of another entry of the same library.

    Args:
        context: the parameter.
        where: the path to the inner entry.
        given: the inner entry; its type may have no prefix.
        prefix: the prefix of the library.
        types: the types that the inner entry may name.
    """
    entry = read_entry(where, given)
    name = lookup(f"{where}['type']", entry.type.removeprefix(f"{prefix}."), types)
    made: EntrySchedule = build(types[name], Entry(where, f"{prefix}.{name}", entry.values), context)
    return made


def rising(name: str, value: object, *, at_least: int = 0) -> list[int]:
    """Check that a value is a list of at least ``at_least`` whole numbers, each at least the number before it."""
    numbers = milestones(name, value)
    if numbers != sorted(numbers) or len(numbers) < at_least:
        rule = "rise" if numbers else f"have at least {at_least} in it"
        raise ValueError(f"{name} must {rule}, given {shown(value)}")
    return numbers
