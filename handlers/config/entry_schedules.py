"""The schedule of one entry of a config."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lehr.handlers.schedules import Constant, Product, Scaling, Schedule, Stretch, Turn, Window
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.rules_in_turn import Rule

from .context import ConfigContext

ENDLESS = 1_000_000_000  # the end that mmengine gives to windows without one


@dataclass(frozen=True)
class StepWindow:
    """The steps at which an entry changes the value.

    Args:
        begin: the first step.
        end: the step after the last one.
        every: events in each step.
        scale: steps in each step of the config: events in an epoch where epochs are converted to iterations.
        counts_iterations: whether its steps are iterations, which come before the epochs at the same event.
    """

    begin: int = 0
    end: int = ENDLESS
    every: int = 1
    scale: int = 1
    counts_iterations: bool = False

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
        if self.begin > 0 or self.end < ENDLESS:
            schedule = Window(schedule, self.begin, self._end(), before=before)
        return schedule if self.every == 1 else Stretch(schedule, self.every)

    def turn(self, rule: Rule) -> Turn:
        """The steps as turns of a rule that changes the value."""
        return Turn(rule, self.begin, self._end(), self.every)

    def _end(self) -> int | None:
        return None if self.end >= ENDLESS else self.end


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
        reduces_in_order: whether it reduces the value at its own step, before the entries after it; else after all.
        multiplies: whether the schedule only multiplies the value that it starts from.
        duration: its length in events, where it is not the end of the window.
        groups: whether the entry is for each of the param groups; None for all of them.
        where: the path to the entry in the config.
        others: the schedules of other parameters that the same entry has.
    """

    context: ConfigContext
    starting_from: Callable[[Number], Schedule]
    rule: Callable[[], Rule] | None = None
    window: StepWindow = StepWindow()
    momentum: Schedule | None = None
    metric_name: str | None = None
    metric_every: int = 1
    reduces_in_order: bool = False
    multiplies: bool = False
    duration: int | None = None
    groups: tuple[bool, ...] | None = None
    where: str = ""
    others: tuple["EntrySchedule", ...] = ()

    @property
    def length(self) -> int | None:
        """Its duration or the end of its window, in events; None without an end."""
        return self.window.duration if self.duration is None else self.duration


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


def number_at(schedule: Schedule, index: int) -> Number:
    """The value of a schedule at an event, as a number or a list with one for each param group."""
    value = schedule(index)
    return value.tolist() if isinstance(value, np.ndarray) else value
