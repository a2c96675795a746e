"""Functions and curves that several dialects share."""

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
    """The part of a curve from the progress ``begin`` to the end: ``f(p) = curve(begin + (1 - begin) * p)``."""

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
    """Return a schedule along a curve from ``start`` to ``end``, without the events before ``first``.

    Args:
        start: the value at the time ``begin``.
        end: the value from the time ``stop`` on.
        begin: the time, in events, at which the curve begins. It need not be a whole number.
        stop: the time, in events, at which the curve ends. It need not be a whole number.
        first: the event that becomes event 0 of the returned schedule.
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
    """Join schedules in sequence, each for its number of events. After them, ``last`` runs without an end."""
    kept = [(schedule, events) for schedule, events in parts if events > 0]
    if not kept:
        return last
    return Concatenation([*(one for one, _ in kept), last], [events for _, events in kept])


def whole_if_near(number: float) -> float:
    """Round a number that differs from a whole number only by a rounding error. Return other numbers unchanged."""
    return float(rounded_if_near(number))


def steps_of_run(context: ConfigContext, key: str, given: Any) -> Any:
    """Return the steps of the run, from an argument or else from the context. If both are unknown, return None.

    Raises:
        ValueError: the argument and the context give different numbers.
    """
    steps = context.run.steps
    if given is not None and steps is not None and given != steps:
        raise ValueError(f"[{key!r}] must be {steps}, the steps of the run, given {given}")
    return steps if given is None else given


def needed_steps(context: ConfigContext, key: str, given: Any, why: str) -> Any:
    """Return the steps of the run, from an argument or else from the context.

    If the steps are unknown, ``why`` says in the error what depends on them.

    Raises:
        ValueError: the steps are unknown, or the argument and the context give different numbers.
    """
    steps = steps_of_run(context, key, given)
    if steps is None:
        raise ValueError(f"[{key!r}] or total_steps of configure_scheduler must be given, since {why}")
    return steps


def level_above(lowest: float, start: float, timescale: float) -> Schedule:
    """Return a schedule that falls with the inverse square root of time, from ``start`` towards ``lowest``."""
    decay = PowerDecay(1.0, timescale)
    return decay if (lowest, start) == (0, 1) else Mapped(decay, partial(_blended, lowest, start))


def _blended(lowest: float, start: float, fraction: float) -> float:
    return lowest + (start - lowest) * fraction


def counting_steps(
    context: ConfigContext, schedule: Schedule, library: str, duration: float | None = None
) -> EntrySchedule:
    """Make the ``EntrySchedule`` of a schedule from a library that counts steps.

    Args:
        context: the parameter that the entry schedules.
        schedule: the schedule, in steps.
        library: the name of the library, for the text of the error.
        duration: the length in events. If it is None or not a whole number, the entry has no length.

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
    """Make the schedule of a config entry inside another entry of the same library.

    Args:
        context: the parameter that the outer entry schedules.
        where: the path to the inner entry in the config.
        given: the inner entry. Its type may leave out the prefix of the library.
        prefix: the prefix of the library, such as ``"keras"``.
        types: the types that the inner entry may name.
    """
    entry = read_entry(where, given)
    name = lookup(f"{where}['type']", entry.type.removeprefix(f"{prefix}."), types)
    made: EntrySchedule = build(types[name], Entry(where, f"{prefix}.{name}", entry.values), context)
    return made


def rising(name: str, value: object, *, at_least: int = 0) -> list[int]:
    """Check that a value is a rising list of at least ``at_least`` whole numbers. Equal neighbours are legal."""
    numbers = milestones(name, value)
    if numbers != sorted(numbers) or len(numbers) < at_least:
        rule = "rise" if numbers else f"have at least {at_least} in it"
        raise ValueError(f"{name} must {rule}, given {shown(value)}")
    return numbers
