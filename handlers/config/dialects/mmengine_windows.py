"""When mmengine's schedulers move: windows of epochs or iterations."""

from dataclasses import dataclass
from typing import Any

from lehr.handlers.config.argument_checks import Flag, LastStep, NotNegative
from lehr.handlers.config.context import Target
from lehr.handlers.schedules import Schedule, Stretch, Turn, Window, arguments
from lehr.handlers.schedules.arguments import Number

INFINITY = 1_000_000_000  # mmengine's, for windows without an end


@dataclass(frozen=True)
class Clock:
    """When an entry moves: from ``begin`` to ``end`` of its own steps, each of ``every`` events.

    Args:
        begin: its first step.
        end: the first step after its last.
        every: events of one step.
        scale: what durations, given in epochs, are multiplied by to be in its steps.
        is_given: whether a length of the epoch is known, and with which unit.
    """

    begin: int
    end: int
    every: int
    scale: int

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return self.end - self.begin

    def windowed(self, schedule: Schedule, before: Number | None) -> Schedule:
        """A schedule of its own steps, on events, with a value for those before the window."""
        end = None if self.end >= INFINITY else self.end
        window = schedule if self.begin == 0 and end is None else Window(schedule, self.begin, end, before=before)
        return window if self.every == 1 else Stretch(window, self.every)

    def turn(self, rule: Any) -> Turn:
        """The rule in its window."""
        return Turn(rule, self.begin, None if self.end >= INFINITY else self.end, self.every)


def clock_of(target: Target, begin: float, end: float, by_epoch: bool, convert_to_iter_based: bool) -> Clock:
    """The clock of an entry.

    Raises:
        ValueError: the window is empty; a conversion without the length of an epoch, or of what counts iterations.
    """
    length = target.epoch_length
    if convert_to_iter_based:
        if not by_epoch:
            raise ValueError("['convert_to_iter_based'] must be left out where by_epoch is false")
        if length is None:
            raise ValueError("['convert_to_iter_based'] wants epoch_length to be given to configure_scheduler")
        begin, end = int(begin * length), INFINITY if end == INFINITY else int(end * length)
        clock = Clock(begin, end, 1, length)
    else:
        begin, end = (
            arguments.whole_number(f"[{name!r}]", given, at_least=0) for name, given in (("begin", begin), ("end", end))
        )
        clock = Clock(begin, end, length if by_epoch and length is not None else 1, 1)
    if clock.end <= clock.begin:
        raise ValueError(f"['end'] must be more than begin, {begin}, given {end}")
    return clock


def window_of(
    begin: NotNegative = 0,
    end: NotNegative = INFINITY,
    by_epoch: Flag = True,
    convert_to_iter_based: Flag = False,
    last_step: LastStep = -1,
    verbose: Flag = False,
) -> tuple[float, float, bool, bool]:
    """The arguments of an entry that say when it moves."""
    return begin, end, by_epoch, convert_to_iter_based
