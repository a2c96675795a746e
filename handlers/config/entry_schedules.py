"""The schedule of one entry of a config, and of several entries for the same parameter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from lehr.handlers.schedules import (
    Concatenation,
    Constant,
    Plateau,
    Product,
    Recursion,
    Reduced,
    Scaling,
    Schedule,
    Shift,
    SideBySide,
    Stretch,
    Turn,
    Window,
)
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.rules import Rule

from .context import ConfigContext

LIMIT = 1_000_000  # events that a recursion computes one by one to find its last value
ENDLESS = 1_000_000_000  # the end that mmengine gives to windows without one


@dataclass(frozen=True)
class StepWindow:
    """The steps at which an entry changes the value.

    Args:
        begin: the first step.
        end: the step after the last one.
        every: events in each step.
        scale: steps in each step of the config: events in an epoch where epochs are converted to iterations.
    """

    begin: int = 0
    end: int = ENDLESS
    every: int = 1
    scale: int = 1

    @property
    def steps(self) -> int:
        """The number of steps."""
        return self.end - self.begin

    @property
    def duration(self) -> int | None:
        """The event after the last one; None for a window without an end."""
        return None if self.end >= ENDLESS else self.end * self.every

    def in_events(self, schedule: Schedule, before: Number) -> Schedule:
        """A schedule of the steps as one of events, with a value for the events before the window."""
        end = None if self.end >= ENDLESS else self.end
        windowed = schedule if self.begin == 0 and end is None else Window(schedule, self.begin, end, before=before)
        return windowed if self.every == 1 else Stretch(windowed, self.every)

    def windowed(self, rule: Rule) -> Turn:
        """A rule that changes the value at the steps."""
        return Turn(rule, self.begin, None if self.end >= ENDLESS else self.end, self.every)


@dataclass(frozen=True)
class EntrySchedule:
    """The schedule of one entry.

    Args:
        context: the parameter that the entry schedules.
        starting_from: makes the schedule from the value that the parameter has before.
        rule: makes the rule by which the entry changes a value that other entries change too; None where the entry
            cannot be combined with others.
        window: the steps at which the rule changes the value.
        momentum: the schedule of the momentum, where the entry has one.
        metric_name: the metric that the schedule depends on, if any.
        metric_every: events between two values of that metric.
        multiplies: whether the schedule only multiplies the value that it starts from.
        duration: its length in events, where it is not the end of the window.
        groups: whether the entry is for each of the param groups; None for all of them.
        where: the path to the entry in the config.
    """

    context: ConfigContext
    starting_from: Callable[[Number], Schedule]
    rule: Callable[[], Rule] | None = None
    window: StepWindow = StepWindow()
    momentum: Schedule | None = None
    metric_name: str | None = None
    metric_every: int = 1
    multiplies: bool = False
    duration: int | None = None
    groups: tuple[bool, ...] | None = None
    where: str = ""


def scaling(
    context: ConfigContext, factors: Schedule, window: StepWindow, duration: int | None = None
) -> EntrySchedule:
    """An entry that multiplies the value before it by factors."""
    return EntrySchedule(
        context,
        lambda value: Product([Constant(value), window.in_events(factors, before=1.0)]),
        (lambda: Scaling(factors)) if factors.is_pure else None,
        window,
        multiplies=True,
        duration=duration,
    )


def combined(entries: Sequence[EntrySchedule]) -> Schedule:
    """The schedule of entries for one parameter, each of which changes the value that the others leave.

    Entries that only multiply become a product. Entries whose windows do not overlap follow one another. Other
    entries are applied event by event.

    Raises:
        ValueError: an entry cannot be combined with the others.
    """
    value = entries[0].context.initial_value
    if any(entry.groups is not None for entry in entries):
        return _side_by_side(entries)
    if len(entries) == 1:
        return entries[0].starting_from(value)
    with_metric = [entry for entry in entries if entry.metric_name is not None]
    if with_metric:
        return _reduced(with_metric, [entry for entry in entries if entry.metric_name is None])
    only_multiply = all(entry.multiplies for entry in entries)
    for entry in entries:
        if entry.rule is None and not only_multiply:
            others = [one.where for one in entries if one is not entry]
            raise ValueError(
                f"{entry.where} and {others[0]} both write {entry.context.param_name!r}: put them one after another "
                "with 'sequential': true, or into a ChainedScheduler to multiply them"
            )
    return _product(entries, value) if only_multiply else _by_windows(entries, value)


def _product(entries: Sequence[EntrySchedule], value: Number) -> Schedule:
    return Product([Constant(value), *(entry.starting_from(1.0) for entry in entries)])


def _reduced(with_metric: Sequence[EntrySchedule], others: Sequence[EntrySchedule]) -> Schedule:
    """A plateau on top of entries that only multiply."""
    first, value = with_metric[0], with_metric[0].context.initial_value
    unfit = [*with_metric[1:], *(entry for entry in others if not entry.multiplies)]
    if unfit:
        raise ValueError(
            f"{unfit[0].where} cannot be combined with {first.where}, which reads a metric: only entries that multiply "
            "the value can"
        )
    plateau, schedule = first.starting_from(value), _product(others, value)
    if not isinstance(plateau, Plateau) or not schedule.is_pure:
        raise ValueError(f"{first.where}, which reads a metric, must be the only entry for its parameter")
    return Reduced(schedule, plateau)


def _first_event(entry: EntrySchedule) -> int:
    return entry.window.begin * entry.window.every


def _by_windows(entries: Sequence[EntrySchedule], value: Number) -> Schedule:
    """Groups of entries whose windows overlap, one group after another, each starting from the last value before."""
    overlapping: list[list[EntrySchedule]] = []
    last = -1.0
    for entry in sorted(entries, key=_first_event):
        if _first_event(entry) >= last:
            overlapping.append([])
        overlapping[-1].append(entry)
        end = entry.window.duration
        last = np.inf if end is None else max(last, end)
    schedules: list[Schedule] = []
    starts: list[int] = []
    for some in overlapping:
        start = _first_event(some[0])
        if start > LIMIT and schedules and isinstance(schedules[-1], Recursion):
            raise ValueError(
                f"{some[0].where}: an entry after windows that overlap must begin within {LIMIT} events, given {start}"
            )
        if schedules:
            before = schedules[-1](start - starts[-1] - 1 if start > starts[-1] else 0)
            value = before.tolist() if isinstance(before, np.ndarray) else before
        elif start > 0:
            schedules, starts = [Constant(value)], [0]
        schedules.append(_in_window(some, [entry for entry in entries if entry in some], value, start))
        starts.append(start)
    return schedules[0] if len(schedules) == 1 else Concatenation(schedules, np.diff(starts).tolist())


def _in_window(
    by_start: Sequence[EntrySchedule], as_given: Sequence[EntrySchedule], value: Number, start: int
) -> Schedule:
    """The schedule of entries whose windows overlap, from their first event on."""
    if len(by_start) == 1 or all(entry.multiplies for entry in by_start):
        schedule = by_start[0].starting_from(value) if len(by_start) == 1 else _product(by_start, value)
        return Shift(schedule, by=start) if start else schedule
    rules = [entry.window.windowed(entry.rule()) for entry in as_given if entry.rule is not None]
    return Recursion(value, sorted(rules, key=lambda rule: rule.every), start=start)


def _side_by_side(entries: Sequence[EntrySchedule]) -> Schedule:
    """Entries for different param groups: one schedule for each group."""
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


def one_after_another(entries: Sequence[EntrySchedule], durations: Sequence[int]) -> Schedule:
    """The schedule of entries in sequence, each starting from its event 0 and from the present values."""
    value = entries[0].context.initial_value
    if len(entries) == 1:
        return entries[0].starting_from(value)
    starts = accumulate(durations, initial=0)
    return Concatenation(
        [_starting_at(one, value, start) for one, start in zip(entries, starts, strict=True)], durations
    )


def _starting_at(entry: EntrySchedule, value: Number, start: int) -> Schedule:
    """A schedule that begins at an event, and does not count the metrics before."""
    schedule = entry.starting_from(value)
    if entry.metric_name is None or not start:
        return schedule
    if not isinstance(schedule, Plateau):
        raise ValueError(f"{entry.where}, which reads a metric, must come first or be a plain plateau")
    return replace(schedule, begin=schedule.begin + start // entry.metric_every)
