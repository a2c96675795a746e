"""Makes one schedule from entries that follow one another, each for its duration."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from lehr.handlers.schedules import Concatenation, Plateau, RunLength, Schedule, arguments
from lehr.handlers.schedules.duration_texts import has_unit
from lehr.handlers.schedules.durations_to_events import as_events, duration_in_events, has_text, with_epoch_length

from .context import ConfigContext
from .entries import Entry
from .entry_schedules import EntrySchedule


def in_sequence(entries: Sequence[EntrySchedule], durations: Sequence[int]) -> Schedule:
    """Return a schedule in which entries follow one another. Each entry starts at its own event 0."""
    value = entries[0].context.initial_value
    if len(entries) == 1:
        return entries[0].starting_from(value)
    starts = accumulate(durations, initial=0)
    return Concatenation(
        [_starting_at(one, value, start) for one, start in zip(entries, starts, strict=True)], durations
    )


def _starting_at(entry: EntrySchedule, value: Any, start: int) -> Schedule:
    """Return the schedule of an entry that begins at event ``start`` and ignores the metrics before that event."""
    schedule = entry.starting_from(value)
    if entry.metric_name is None or not start:
        return schedule
    if not isinstance(schedule, Plateau):
        raise ValueError(f"{entry.where}, which reads a metric, must come first or be a plain plateau")
    return replace(schedule, begin=schedule.begin + start // entry.metric_every)


def check_sequence(entries: Sequence[EntrySchedule]) -> None:
    """Raise an error if entries cannot follow one another."""
    first = entries[0]
    for one in entries:
        if one.context.param_name != first.context.param_name:
            raise ValueError(
                f"{one.where} must schedule {arguments.shown(first.context.param_name)}, like the first entry"
            )
        if one.groups is not None or first.groups is not None:
            raise ValueError(
                f"{one.where}: a sequence must not have param_group_tags: put the entries into a SequentialLR"
            )
        if one.momentum is not None:
            raise ValueError(
                f"{one.where}: cycle_momentum must be false in a list of entries that follow each other; a "
                "SequentialLR with these entries may have cycle_momentum"
            )


def durations_of(
    context: ConfigContext,
    where: str,
    options: Mapping[str, Any],
    listed: Sequence[Entry],
    schedules: Sequence[EntrySchedule],
) -> list[int]:
    """Return the duration in events of each entry except the last, as the list, the entry or its schedule gives it."""

    def events(name: str, value: object) -> int:
        if has_unit(value):
            return int(as_events(name, value, _run_of(context)))
        if context.epoch_length is None:
            return arguments.whole_number(name, value, at_least=0)
        arguments.number(name, value, at_least=0)
        return int(duration_in_events(name, value, context.epoch_length))

    own = [
        events(f"{entry.where}['duration']", entry.values["duration"]) if "duration" in entry.values else one.length
        for entry, one in zip(listed, schedules, strict=True)
    ][:-1]
    given = [key for key in ("durations", "milestones") if key in options]
    of_entries = any("." in entry.type and "duration" in entry.values for entry in listed[:-1])
    if len(given) + of_entries > 1:
        names = [*given, "duration of an entry"] if of_entries else given
        raise ValueError(f"{where}: the durations must be under one key, given {' and '.join(names)}")
    if given == ["durations"] and has_text(options["durations"]) and len(options["durations"]) == len(own):
        values = [one if has_unit(one) else events(f"{where}['durations']", one) for one in options["durations"]]
        return _run_of(context).events_of_phases(values, [f"{where}['durations'][{at}]" for at in range(len(own))])
    if given:
        return _given_durations(f"{where}[{given[0]!r}]", given[0], options[given[0]], len(own), events)
    for entry, duration in zip(listed, own, strict=False):
        if duration is None:
            raise ValueError(f"{entry.where}: 'duration' must be the number of events until the next entry, given none")
    return [int(duration) for duration in own if duration is not None]


def _run_of(context: ConfigContext) -> RunLength:
    return context.run if context.epoch_length is None else with_epoch_length(context.run, context.epoch_length)


def _given_durations(path: str, key: str, values: Any, wanted: int, events: Any) -> list[int]:
    """Return the durations in events that the ``durations`` or the ``milestones`` of the list give."""
    if not isinstance(values, list | tuple) or len(values) != wanted:
        raise ValueError(f"{path} must be a list of {wanted} numbers, given {arguments.shown(values)}")
    numbers = [events(f"{path}[{at}]", value) for at, value in enumerate(values)]
    if key == "durations":
        return numbers
    if numbers != sorted(numbers):
        raise ValueError(f"{path} must be in rising order, given {arguments.shown(values)}")
    return [int(one) for one in np.diff([0, *numbers])]
