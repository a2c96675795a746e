"""Makes one schedule from several entries that change the same parameter at the same time."""

from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from lehr.handlers.schedules import (
    Assignment,
    Concatenation,
    Constant,
    Plateau,
    Product,
    Recursion,
    Reduced,
    Schedule,
    Shift,
    SideBySide,
    Turn,
)
from lehr.handlers.schedules.arguments import Number, shown

from .entry_schedules import EntrySchedule, number_at

LIMIT = 1_000_000  # a recursion computes at most this many events, one by one, to find its last value


def combined(entries: Sequence[EntrySchedule]) -> Schedule:
    """Return one schedule of several entries for a parameter. Each entry changes the value that the others produce.

    Entries that only multiply the value become a product, which may also include a plateau. Entries whose windows do
    not overlap follow one another. Other entries are applied event by event.

    Raises:
        ValueError: an entry cannot be combined with the others.
    """
    value = entries[0].context.initial_value
    if any(entry.groups is not None for entry in entries):
        return _of_groups(entries)
    if len(entries) == 1:
        return entries[0].starting_from(value)
    plateaus = [entry for entry in entries if entry.metric_name is not None]
    if plateaus:
        return _reduced(entries, plateaus, value)
    if all(entry.multiplies for entry in entries):
        return _product(entries, value)
    for entry in entries:
        if entry.rule is None:
            others = [one.where for one in entries if one is not entry]
            raise ValueError(
                f"{entry.where} and {others[0]} both write {shown(entry.context.param_name)}: put them one after "
                "another with 'sequential': true, or into a ChainedScheduler to multiply them"
            )
    return _by_windows(entries, value)


def _of_groups(entries: Sequence[EntrySchedule]) -> Schedule:
    """Return one schedule for each param group, from entries that schedule different param groups."""
    context = entries[0].context
    columns: list[Schedule] = []
    for group, initial in enumerate(context.initial_values):
        own = [entry for entry in entries if entry.groups is None or entry.groups[group]]
        if len(own) > 1:
            raise ValueError(
                f"{own[0].where} and {own[1].where} both write {context.param_name!r} of param group {group}"
            )
        schedule = own[0].starting_from(context.initial_value) if own else Constant(initial)
        columns.append(schedule.schedules[group] if isinstance(schedule, SideBySide) else schedule)
    return SideBySide(columns)


def _product(entries: Sequence[EntrySchedule], value: Number) -> Schedule:
    return Product([Constant(value), *(entry.starting_from(1.0) for entry in entries)])


def _in_steps(entries: Sequence[EntrySchedule]) -> list[EntrySchedule]:
    """Return the entries in the order in which they step at one event. Entries that count iterations come first."""
    return sorted(entries, key=lambda entry: not entry.window.counts_iterations)


def _reduced(entries: Sequence[EntrySchedule], plateaus: Sequence[EntrySchedule], value: Number) -> Schedule:
    """Return the schedule of a plateau and of entries that only multiply the value."""
    first, *unfit = plateaus
    others = [entry for entry in entries if entry.metric_name is None]
    unfit += [entry for entry in others if not entry.multiplies]
    if unfit:
        raise ValueError(
            f"{unfit[0].where} cannot be combined with {first.where}, which reads a metric: only entries that multiply "
            "the value can be combined with it"
        )
    plateau, schedule = first.starting_from(value), _product(others, value)
    if not isinstance(plateau, Plateau) or not schedule.is_pure:
        raise ValueError(f"{first.where}, which reads a metric, must be the only entry for its parameter")
    in_steps = _in_steps(entries)
    later = in_steps[in_steps.index(first) + 1 :] if first.reduces_in_order else []
    if not later:
        return Reduced(schedule, plateau)
    # The plateau compares values before the later entries step at the same event.
    factors = [Shift(one.starting_from(1.0), by=-1) if one in later else one.starting_from(1.0) for one in others]
    return Reduced(schedule, plateau, compared=Product([Constant(value), *factors]))


def _by_windows(entries: Sequence[EntrySchedule], value: Number) -> Schedule:
    """Return the schedule of entries with windows. Overlapping windows start from the last value before them."""
    schedules: list[Schedule] = []
    starts: list[int] = []
    for start, overlapping in _overlapping(entries):
        if start > LIMIT and schedules and isinstance(schedules[-1], Recursion):
            raise ValueError(
                f"{overlapping[0].where}: an entry after windows that overlap must begin within {LIMIT} events, given "
                f"{start}"
            )
        if schedules:
            value = number_at(schedules[-1], start - starts[-1] - 1)
        elif start > 0:
            schedules, starts = [Constant(value)], [0]
        schedules.append(_from_start(overlapping, entries, value, start))
        starts.append(start)
    return schedules[0] if len(schedules) == 1 else Concatenation(schedules, np.diff(starts).tolist())


def _overlapping(entries: Sequence[EntrySchedule]) -> list[tuple[int, list[EntrySchedule]]]:
    """Return groups of entries whose windows overlap, each group with its first event."""
    runs: list[tuple[int, list[EntrySchedule]]] = []
    last_end: float = 0
    windows = [(entry.window.begin * entry.window.every, entry.window.duration, entry) for entry in entries]
    for begin, end, entry in sorted(windows, key=itemgetter(0)):
        if not runs or begin >= last_end:
            runs.append((begin, []))
        runs[-1][1].append(entry)
        last_end = np.inf if end is None else max(last_end, end)
    return runs


def _from_start(
    overlapping: Sequence[EntrySchedule], entries: Sequence[EntrySchedule], value: Number, start: int
) -> Schedule:
    """Return the schedule of entries whose windows overlap, from their first event on."""
    if len(overlapping) == 1 or all(entry.multiplies for entry in overlapping):
        alone = len(overlapping) == 1
        schedule = overlapping[0].starting_from(value) if alone else _product(overlapping, value)
        return Shift(schedule, by=start) if start else schedule
    as_listed = [entry for entry in entries if entry in overlapping]
    in_order = _turns(as_listed)
    turns = _turns(_in_steps(as_listed))
    if start == 0 and turns != in_order:
        # At event 0, the constructors of mmengine step in the order of the list, also if some count epochs.
        turns.append(Turn(Assignment(Constant(number_at(Recursion(value, in_order), 0))), end=1))
    return Recursion(value, turns, start=start)


def _turns(entries: Sequence[EntrySchedule]) -> list[Turn]:
    return [entry.window.turn(entry.rule()) for entry in entries if entry.rule is not None]
