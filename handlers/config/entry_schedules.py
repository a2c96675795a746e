"""The schedule of one entry of a config, and the window of steps in which the entry changes the value."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lehr.handlers.schedules import Constant, Product, Scaling, Schedule, Stretch, Turn, Window
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.chainable_rules import Rule

from .context import ConfigContext

ENDLESS = 1_000_000_000  # mmengine gives this end to a window without an end


@dataclass(frozen=True)
class StepWindow:
    """The steps at which an entry changes the value.

    Args:
        begin: the first step.
        end: the step after the last step.
        every: the number of events in each step.
        scale: the number of steps of the window in each step of the config. If epochs are converted to iterations, it
            is the number of iterations in an epoch. Otherwise, it is 1.
        counts_iterations: whether the steps are iterations. If two entries step at the same event, the entry that
            counts iterations steps first.
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
        """The first event after the window, or None if the window has no end."""
        return None if self.end >= ENDLESS else self.end * self.every

    def in_events(self, schedule: Schedule, before: Number) -> Schedule:
        """Convert a schedule of steps to a schedule of events. Before the window, the value is ``before``."""
        if self.begin > 0 or self.end < ENDLESS:
            schedule = Window(schedule, self.begin, self._end(), before=before)
        return schedule if self.every == 1 else Stretch(schedule, self.every)

    def turn(self, rule: Rule) -> Turn:
        """Return a ``Turn``, which lets a rule change the value at the steps of this window."""
        return Turn(rule, self.begin, self._end(), self.every)

    def _end(self) -> int | None:
        return None if self.end >= ENDLESS else self.end


@dataclass(frozen=True)
class EntrySchedule:
    """The schedule of one entry.

    Args:
        context: the parameter that the entry schedules.
        starting_from: a function that makes the schedule from the value that the parameter has before the entry changes
            it.
        rule: a function that makes the rule of the entry, which applies if other entries change the same value. If
            None, the entry cannot be combined with other entries.
        window: the steps at which the rule changes the value.
        momentum: the schedule of the momentum, if the entry has one.
        metric_name: the metric on which the schedule depends. If None, it depends on no metric.
        metric_every: the number of events between two values of the metric.
        reduces_in_order: whether a plateau reduces the value before later entries change it. If not, the plateau
            reduces the value after all entries have changed it.
        multiplies: whether the schedule only multiplies the value from which it starts.
        duration: the length in events, if it differs from the end of the window.
        groups: for each param group, whether the entry schedules the group. If None, it schedules all groups.
        where: the path to the entry in the config.
        others: the schedules that the same entry has for other parameters.
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
        """The number of events until the entry ends by its duration or its window, or None if the entry has no end."""
        return self.window.duration if self.duration is None else self.duration


def scaling(
    context: ConfigContext, factors: Schedule, window: StepWindow, duration: int | None = None
) -> EntrySchedule:
    """Return the schedule of an entry that multiplies the value by factors."""
    return EntrySchedule(
        context,
        lambda value: Product([Constant(value), window.in_events(factors, before=1.0)]),
        (lambda: Scaling(factors)) if factors.is_pure else None,
        window,
        multiplies=True,
        duration=duration,
    )


def number_at(schedule: Schedule, index: int) -> Number:
    """Return the value of a schedule at an event: a number, or a list with one number for each param group."""
    value = schedule(index)
    return value.tolist() if isinstance(value, np.ndarray) else value
