"""The windows of mmengine's and mmagic's entries: from which epoch or iteration to which they act."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.checks import flag, minus_one, not_negative
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import Constant, Product, Scaling, Schedule, Stretch, Turn, Window, arguments
from lehr.handlers.schedules.arguments import Number

ENDLESS = 1_000_000_000  # the end that mmengine gives to windows without one
WINDOW: Arguments = {
    "begin": (not_negative, 0),
    "end": (not_negative, ENDLESS),
    "by_epoch": (flag, True),
    "convert_to_iter_based": (flag, False),
    "last_step": (minus_one, -1),
    "verbose": (flag, False),
}


@dataclass(frozen=True)
class StepWindow:
    """The steps at which an entry acts.

    Args:
        begin: the first step.
        end: the step after the last one.
        every: events in each step.
        scale: steps in each step of the config: events in an epoch where epochs are converted to iterations.
    """

    begin: int
    end: int
    every: int
    scale: int

    @property
    def steps(self) -> int:
        """The number of steps."""
        return self.end - self.begin

    @property
    def known_end(self) -> int | None:
        """The step after the last one; None for a window without an end."""
        return None if self.end >= ENDLESS else self.end

    @property
    def duration(self) -> int | None:
        """The event after the last one; None for a window without an end."""
        return None if self.end >= ENDLESS else self.end * self.every


def step_window(context: ConfigContext, a: SimpleNamespace) -> StepWindow:
    """The window of an entry with the arguments of ``WINDOW``.

    Raises:
        ValueError: the window is empty, or epochs cannot be converted.
    """
    begin, end, length = a.begin, a.end, context.epoch_length
    if a.convert_to_iter_based:
        if not a.by_epoch:
            raise ValueError("['convert_to_iter_based'] must be left out where by_epoch is false")
        if length is None:
            raise ValueError("['convert_to_iter_based'] wants epoch_length to be given to configure_scheduler")
        window = StepWindow(int(begin * length), ENDLESS if end == ENDLESS else int(end * length), 1, length)
    else:
        begin = arguments.whole_number("['begin']", begin, at_least=0)
        end = arguments.whole_number("['end']", end, at_least=0)
        window = StepWindow(begin, end, context.every if a.by_epoch else 1, 1)
    if window.end <= window.begin:
        raise ValueError(f"['end'] must be more than begin, {window.begin}, given {window.end}")
    return window


def _windowed(window: StepWindow, schedule: Schedule, before: Number) -> Schedule:
    """A schedule of steps as one of events, with a value for the events before the window."""
    begin, end = window.begin, window.known_end
    in_steps = schedule if begin == 0 and end is None else Window(schedule, begin, end, before=before)
    return in_steps if window.every == 1 else Stretch(in_steps, window.every)


def assigning(
    context: ConfigContext,
    window: StepWindow,
    starting_from: Callable[[Number], Schedule],
    rule: Any,
) -> EntrySchedule:
    """An entry that has values of its own within its window, and keeps the value before it.

    Args:
        context: the parameter.
        window: the steps at which the entry acts.
        starting_from: makes the schedule of the steps from the value before the window.
        rule: changes the value at each step where other entries change it too.
    """
    return EntrySchedule(
        context,
        lambda value: _windowed(window, starting_from(value), before=value),
        Turn(rule, window.begin, window.known_end, window.every),
        duration=window.duration,
    )


def scaling(context: ConfigContext, window: StepWindow, factors: Schedule) -> EntrySchedule:
    """An entry that multiplies the value before its window by factors."""
    return EntrySchedule(
        context,
        lambda value: Product([Constant(value), _windowed(window, factors, before=1.0)]),
        Turn(Scaling(factors), window.begin, window.known_end, window.every),
        multiplies=True,
        duration=window.duration,
    )
