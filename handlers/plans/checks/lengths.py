"""Checks that schedules fit the length of the run: their ends, their cycles and the unit of their durations."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lehr.handlers.core.clocks.time_clock import TimeClock
from lehr.handlers.core.duration_unit_checks import given_unit
from lehr.handlers.core.for_plans_and_cli import reads_metric
from lehr.handlers.plans.plan import counted
from lehr.handlers.plans.simulation.simulated_scheduler import WrittenSchedule
from lehr.handlers.plans.simulation.timeline import RunSettings
from lehr.handlers.schedulers.torch.lengths import begins_anew
from lehr.handlers.schedules import Concatenation, Cooldown, Cyclic, Cyclical, Restarts, Schedule
from lehr.handlers.schedules.arguments import MAX_EVENT_INDEX
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.duration_texts import PERCENT
from lehr.handlers.schedules.schedule_length import end_of

from .checked_run import CheckedRun, values_text
from .findings import Finding

# Suggestions for durations that look like iterations, or like epochs.
IN_ITERATIONS = "attach it to ITERATION_STARTED, or give durations in epochs"
IN_EPOCHS = (
    "attach it to EPOCH_STARTED, or give durations in iterations (a decay converts epochs with epoch_length=..., "
    "and a one-cycle with epochs= and steps_per_epoch=)"
)


def wrong_lengths(checked: CheckedRun) -> Iterator[Finding]:
    """Find schedules that are longer or shorter than the run, or whose durations and events have different units."""
    settings = checked.run.settings
    for written in checked.run.written_schedules:
        length, events = end_of(written.schedule), written.num_events
        if written.scheduler.clock is not None:
            yield from _unfinished_by_clock(written, length)
            yield from _not_landed(checked, written)
            continue
        if not length:
            yield from _vanishing(settings, written)
            yield from _last_phase_not_reached(written)
            yield from _never_changing(written)
        if not length or not len(written.event_iterations) or reads_metric(written.scheduler.original):
            continue
        cyclic, numbers = repeats(written.schedule), {"length": float(length), "events": events}
        unit = _unit_meant(settings, written, length, cyclic)
        if unit:
            other, suggestion = ("epochs", IN_ITERATIONS) if unit == "iterations" else ("iterations", IN_EPOCHS)
            message = (
                f"the schedule takes {length:g} events, but it has {events}, which are {other}; in a run of "
                f"{settings.max_epochs} epochs and {settings.iterations} iterations, its durations look like {unit}"
            )
            yield Finding("unit-mismatch", "warning", written.description, message, suggestion, numbers)
        elif events < length:
            yield from _unfinished(written, length, cyclic, numbers)
        elif events > length and cyclic:
            yield _repeated(checked, written, length, numbers)
        elif events > length:
            yield from _ended(checked, written, length, numbers)


def _vanishing(settings: RunSettings, written: WrittenSchedule) -> Iterator[Finding]:
    """Find an endless schedule that counts iterations and falls to almost 0, but would not if it counted epochs."""
    values, epochs = written.event_values, settings.max_epochs
    by_epoch = any(handler.event.name.startswith("EPOCH") for handler in written.scheduler.writing_handlers)
    if by_epoch or len(values) < 4 * epochs or settings.epoch_length < 2:
        return
    sizes = np.abs(values).max(axis=1)
    tiny = np.flatnonzero(sizes < 1e-8 * sizes.max())
    # A schedule may be meant to reach exactly 0, or almost 0 at the end of the run.
    if len(tiny) and epochs <= tiny[0] < 0.5 * len(values) and sizes[tiny[0]] and sizes[tiny].max() < sizes[epochs - 1]:
        first, small, at_epochs = (values_text(values[at]) for at in (0, tiny[0], epochs - 1))
        message = (
            f"the schedule has {len(values)} events, which are iterations, and falls from {first} to {small} in "
            f"{tiny[0]} of them; with one event for each of the {epochs} epochs it would end at {at_epochs}, so its "
            "durations look like epochs"
        )
        numbers = {"events": written.num_events, "vanishes_after": int(tiny[0])}
        yield Finding("unit-mismatch", "warning", written.description, message, IN_EPOCHS, numbers)


def _last_phase_not_reached(written: WrittenSchedule) -> Iterator[Finding]:
    """Find a schedule without an end whose last phase begins after the run."""
    phases, events = written.phases, written.num_events
    if written.schedule.is_pure and len(phases) > 1 and 0.95 * phases[-1].first_event > events > 0:
        begin, name = phases[-1]
        shown = in_given_unit(written, events, begin)
        message = f"the last phase, {name!r}, begins at event {begin:g}, but the run has {events} events{shown}"
        suggestion = "shorten the phases before it, or make the run longer"
        numbers = {"length": float(begin), "events": events}
        yield Finding("end-not-reached", "warning", written.description, message, suggestion, numbers)


def _never_changing(written: WrittenSchedule) -> Iterator[Finding]:
    """Find an endless schedule that has one value in the whole run, and would change only later."""
    schedule, values = written.schedule, written.event_values
    if not schedule.is_pure or len(values) < 2 or (values != values[0]).any():
        return
    later = np.array([schedule(min(written.num_events * times, MAX_EVENT_INDEX)) for times in (10, 100, 1000)])
    if (later != later.flat[0]).any() or later.flat[0] not in values[0]:
        message = (
            f"the value stays at {values_text(values[0])} for all {len(values)} events, and would only change later"
        )
        suggestion = "make its steps shorter, or attach it to an event that fires more often"
        numbers = {"events": written.num_events}
        yield Finding("end-not-reached", "warning", written.description, message, suggestion, numbers)


def _unit_meant(settings: RunSettings, written: WrittenSchedule, length: float, cyclic: bool) -> str | None:
    """Return the unit in which durations were probably given, or None if the events have this unit."""
    epochs, iterations, events = settings.max_epochs, settings.iterations, written.num_events
    units = {handler.event.name.split("_")[0] for handler in written.scheduler.writing_handlers}
    if settings.epoch_length < 2:
        return None
    fits_run = length <= 2 * iterations  # a longer schedule does not fit in iterations either
    if units == {"EPOCH"} and fits_run and length >= 2 * events and length**2 > epochs * iterations:
        return "iterations"
    values = written.event_values[: int(length) + 1]
    if len(values) and (values[-1] > values[0]).all():
        return None  # a rising schedule is a warm-up, which is short
    low, high = (1.0, 1.0) if cyclic else (0.5, 1.5)
    fits_epochs = low * epochs <= length <= high * epochs and length >= 3
    if "EPOCH" not in units and fits_epochs and 2 * length <= events and length**2 < epochs * events:
        return "epochs"
    return None


def _unfinished(written: WrittenSchedule, length: float, cyclic: bool, numbers: dict[str, Any]) -> Iterator[Finding]:
    """Find a schedule that ends after the run, if the last value of the run is not close to its end value."""
    schedule, events = written.schedule, written.num_events
    reached, end_value = "", {}
    last = written.event_values[-1] if len(written.event_values) else np.empty(0)
    if schedule.is_pure:  # the end value of a schedule that is not pure depends on the run
        last, end = np.atleast_1d(schedule(events - 1)), np.atleast_1d(schedule(int(np.ceil(length))))
        end_value = {"end_value": end.tolist()}
        if not cyclic:
            values = np.atleast_2d(schedule(np.linspace(0, length, 101).round())).T
            if np.abs(last - end).max() <= 0.01 * np.abs(values - end[:, np.newaxis]).max():
                return
            reached = f": its last value is {values_text(last)}, not {values_text(end)}"
    share, suggestion = events / length, f"{_how_to_fit(written, events)}, or the run longer"
    message = (
        f"the schedule takes {length:g} events, but the run has {events} of them, {share:.0%}"
        f"{in_given_unit(written, events, length)}{reached}"
    )
    numbers = {**numbers, "last_value": last.tolist(), **end_value}
    severity = "warning" if share < 0.95 else "info"
    yield Finding("end-not-reached", severity, written.description, message, suggestion, numbers)


def _unfinished_by_clock(written: WrittenSchedule, length: float | None) -> Iterator[Finding]:
    """Find a schedule that, counted in the unit of its clock, ends after the run."""
    clock, counted_up = written.scheduler.clock, written.num_events
    if clock is None or not length or not written.schedule.is_pure or not 0 < counted_up < 0.95 * length:
        return
    last, end = np.atleast_1d(written.event_values[-1]), np.atleast_1d(written.schedule(int(np.ceil(length))))
    message = (
        f"the schedule takes {length:.6g} {clock.unit}, but the run has {counted_up:.6g} of them, "
        f"{counted_up / length:.0%}: its last value is {values_text(last)}, not {values_text(end)}"
    )
    suggestion = f"make the schedule {counted_up:.6g} {clock.unit} long, or the run longer"
    numbers = {"length": float(length), "events": counted_up, "last_value": last.tolist(), "end_value": end.tolist()}
    yield Finding("end-not-reached", "warning", written.description, message, suggestion, numbers)


def _not_landed(checked: CheckedRun, written: WrittenSchedule) -> Iterator[Finding]:
    """Find a run that ends before the deadline of a clock."""
    clock, settings = written.scheduler.clock, checked.run.settings
    if isinstance(clock, TimeClock) and clock.has_deadline and checked.run.stop == settings.iterations:
        message = f"the run ends after {settings.iterations} iterations, before the deadline: it does not land"
        suggestion = "make max_epochs so large that the deadline ends the run"
        numbers = {"iterations": settings.iterations}
        yield Finding("end-not-reached", "warning", written.description, message, suggestion, numbers)


def _how_to_fit(written: WrittenSchedule, events: int) -> str:
    """Return a suggestion that makes a schedule as long as the run, or that changes only its cool-down."""
    schedule, given = written.schedule, given_unit(written.scheduler.original)
    if given is not None and given.unit == PERCENT and given.run.num_events not in (None, events):
        return f"give run= the length of this run, {counted(events, 'event')} instead of {given.run.num_events}"
    if isinstance(schedule, Cooldown) and events > schedule.begin:
        return f"make the cool-down {counted(events - schedule.begin, 'event')} long"
    return f"make the schedule {counted(events, 'event')} long"


def _repeated(checked: CheckedRun, written: WrittenSchedule, length: float, numbers: dict[str, Any]) -> Finding:
    """Return a finding about a schedule that begins a new cycle before the run ends."""
    values = written.event_values
    starts = [0, *_cycle_starts(values, checked.jump_ratio)]
    last = len(values) - starts[-1]
    shown = in_given_unit(written, length, written.num_events)
    message = f"the first cycle takes {length:g} events, and the run has {written.num_events}{shown}"
    if len(starts) < 2 or last >= 0.1 * (starts[-1] - starts[-2]):
        return Finding("repeats", "info", written.description, message, "nothing, if you mean it", numbers)
    end = f"{values_text(values[-last])} after {values_text(values[-last - 1])}"
    message += f": the last {'event begins' if last == 1 else f'{last} events begin'} a new cycle, with {end}"
    suggestion = "make the cycle longer, or the run shorter, so that the run ends with a cycle"
    return Finding("repeats", "warning", written.description, message, suggestion, numbers)


def _cycle_starts(values: Array, jump_ratio: float) -> list[int]:
    """Return the events at which the value jumps against its direction, as at the start of a new cycle."""
    steps, sizes = np.diff(values, axis=0), np.abs(values)
    low, high = np.minimum(sizes[1:-1], sizes[2:]), np.maximum(sizes[1:-1], sizes[2:])
    starts = (high > jump_ratio * low) & (steps[1:] * steps[:-1] < 0)
    found: list[int] = (np.flatnonzero(starts.any(axis=1)) + 2).tolist()
    return found


def _ended(checked: CheckedRun, written: WrittenSchedule, length: float, numbers: dict[str, Any]) -> Iterator[Finding]:
    """Find a schedule that ends before the run ends, if the value then goes back or stays at almost 0."""
    events, table, values = written.num_events, written.values, written.event_values
    after = np.abs(values[int(np.ceil(length)) - written.scheduler.first_event :])
    ended = f"the schedule ends after {length:g} of {events} events{in_given_unit(written, length, events)}"
    if len(after) and (after.max(axis=0) > checked.jump_ratio * np.maximum(after[0], 0.01 * after.max())).any():
        message = f"{ended}, then goes back from {values_text(after[0])} to {values_text(after.max(axis=0))}"
        suggestion = f"make the schedule {events} events long, or the run shorter; nothing, if you mean it to go back"
        severity, numbers = "warning" if events < 2 * length else "info", {**numbers, "highest": float(after.max())}
        yield Finding("repeats", severity, written.description, message, suggestion, numbers)
        return
    if written.location.key != "lr":
        return
    zeros, held = _last_iterations(table, np.zeros_like(table[-1])), _last_iterations(table, table[-1])
    if zeros > max(1, 0.01 * len(table)):
        message = f"{ended} with the value 0: the last {zeros} iterations learn nothing"
        suggestion = f"{_how_to_fit(written, events)}, or its end value more than 0"
        yield Finding("repeats", "warning", written.description, message, suggestion, {**numbers, "iterations": zeros})
        return
    sizes, end = np.abs(table[~np.isnan(table).any(axis=1)]), table[-1]
    before_end = values[: int(length)]
    in_steps = len(before_end) < 2 or np.mean((before_end[1:] != before_end[:-1]).any(axis=1)) < 0.25
    if 0.1 * len(table) < held < len(table) and not in_steps and (np.abs(end) < 1e-3 * sizes.max(axis=0)).all():
        message = (
            f"{ended}, and the last {held} iterations train with its end value, {values_text(end)}, which is less than "
            f"a thousandth of its highest value, {values_text(sizes.max(axis=0))}"
        )
        suggestion = f"{_how_to_fit(written, events)}, or its end value larger"
        yield Finding("repeats", "warning", written.description, message, suggestion, {**numbers, "iterations": held})


def in_given_unit(written: WrittenSchedule, part: float, whole: float) -> str:
    """Return two numbers of events as a text in brackets, in the unit of the durations. Without a unit, it is empty."""
    given = given_unit(written.scheduler.original)
    words = None if given is None else given.in_words(part, whole)
    return "" if words is None else f" ({words})"


def _last_iterations(table: Array, value: Array) -> int:
    """Return how many rows at the end of ``table`` equal ``value``."""
    different = np.flatnonzero((table != value).any(axis=1))
    return len(table) - 1 - int(different[-1]) if len(different) else len(table)


def repeats(schedule: Schedule) -> bool:
    """Return whether a schedule starts again after its end."""
    if isinstance(schedule, Concatenation):
        return repeats(schedule.schedules[-1])
    if isinstance(schedule, Restarts):
        return schedule.num_cycles is None and not isinstance(schedule.periods, tuple)
    return isinstance(schedule, Cyclical | Cyclic) or begins_anew(schedule) or any(map(repeats, schedule.parts))
