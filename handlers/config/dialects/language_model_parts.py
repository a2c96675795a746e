"""What several libraries of language models have in common: the steps of a run, and parts of curves."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lehr.handlers.config.checks import milestones
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Entry, EntryType, build, lookup, read_entry
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import Anneal, Concatenation, Curve, Mapped, PowerDecay, Schedule
from lehr.handlers.schedules.arguments import Number, shown
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.curves import curve_field, rounded_if_near


@dataclass(frozen=True)
class Part(Curve):
    """A curve from a progress of ``begin`` on: ``f(p) = curve(begin + (1 - begin) * p)``."""

    curve: Curve = curve_field()  # noqa: RUF009
    begin: float = 0.0

    def __call__(self, progress: Array) -> Array:
        """The formula."""
        return self.curve(self.begin + (1 - self.begin) * progress)


@dataclass(frozen=True)
class Raised(Curve):
    """What is left of another curve, raised to a power: ``f(p) = 1 - (1 - curve(p)) ** power``."""

    curve: Curve = curve_field()  # noqa: RUF009
    power: float = 1.0

    def __call__(self, progress: Array) -> Array:
        """The formula."""
        return np.asarray(1 - (1 - self.curve(progress)) ** self.power)


def annealed(start: Number, end: Number, begin: float, stop: float, first: int, curve: Curve) -> Schedule:
    """The values from ``start`` to ``end`` on a curve between two times, from event ``first`` on.

    Args:
        start: the value at the time ``begin``.
        end: the value at the time ``stop``, and after it.
        begin: the time in events, not necessarily whole.
        stop: the time in events, likewise.
        first: the event that becomes event 0.
        curve: the curve.
    """
    if first >= stop:
        return Anneal(end, end, 0)
    progress = (first - begin) / (stop - begin)
    part = Part(curve, progress) if progress else curve
    if stop - first < 1:  # one event, of no whole duration
        return Concatenation([Anneal(start, end, 1, part), Anneal(end, end, 0)], [1])
    return Anneal(start, end, stop - first, part)


def after(parts: list[tuple[Schedule, int]], last: Schedule) -> Schedule:
    """Schedules of so many events each, and another one after them."""
    kept = [(schedule, events) for schedule, events in parts if events > 0]
    if not kept:
        return last
    return Concatenation([*(one for one, _ in kept), last], [events for _, events in kept])


def whole_if_near(number: float) -> float:
    """A number, or the whole one that a rounding error has missed."""
    return float(rounded_if_near(number))


def steps_of_run(context: ConfigContext, key: str, given: Any) -> Any:
    """The steps of the run that an argument gives, or else those of the context; None if both are unknown.

    Raises:
        ValueError: the two differ.
    """
    steps = context.run.steps
    if given is not None and steps is not None and given != steps:
        raise ValueError(f"[{key!r}] must be the steps of the run, {steps}, given {given}")
    return steps if given is None else given


def needed_steps(context: ConfigContext, key: str, given: Any, why: str) -> Any:
    """The steps of the run.

    Raises:
        ValueError: they are unknown, or differ from an argument.
    """
    steps = steps_of_run(context, key, given)
    if steps is None:
        raise ValueError(f"[{key!r}] must be given, or total_steps to configure_scheduler, since {why}")
    return steps


def level_above(lowest: float, start: float, timescale: float) -> Schedule:
    """A fall with the square root of time, from ``start`` at event 0 towards ``lowest``."""
    decay = PowerDecay(1.0, timescale)
    return decay if (lowest, start) == (0, 1) else Mapped(decay, partial(_blended, lowest, start))


def _blended(lowest: float, start: float, fraction: float) -> float:
    return lowest + (start - lowest) * fraction


def counting_steps(
    context: ConfigContext, schedule: Schedule, library: str, duration: float | None = None
) -> EntrySchedule:
    """An entry whose values do not depend on the value before, of a library that counts steps.

    Args:
        context: the parameter.
        schedule: the schedule.
        library: the name of the library, for the error.
        duration: its length in events; None, or a number that is not whole, for no length.

    Raises:
        ValueError: there is an ``epoch_length``.
    """
    if context.epoch_length is not None:
        raise ValueError(f"epoch_length must be left out, since {library} counts steps")
    whole = None if duration is None or duration != int(duration) else int(duration)
    return EntrySchedule(context, lambda value: schedule, duration=whole)


def inner_entry(
    context: ConfigContext, where: str, given: Any, prefix: str, types: Mapping[str, EntryType]
) -> EntrySchedule:
    """The schedule of an entry in an argument of another one, of the same library.

    Args:
        context: the parameter.
        where: the path to the inner entry.
        given: the inner entry; its type may have no prefix.
        prefix: the prefix of the library.
        types: the types that it may name.
    """
    entry = read_entry(where, given)
    name = lookup(f"{where}['type']", entry.type.removeprefix(f"{prefix}."), types)
    made: EntrySchedule = build(types[name], Entry(where, f"{prefix}.{name}", entry.values), context)
    return made


def rising(name: str, value: object, *, at_least: int = 0) -> list[int]:
    """Check that a value is a list of at least so many whole numbers, none less than the one before."""
    numbers = milestones(name, value)
    if numbers != sorted(numbers) or len(numbers) < at_least:
        rule = "rise" if numbers else f"have at least {at_least} in it"
        raise ValueError(f"{name} must {rule}, given {shown(value)}")
    return numbers
