"""The unit in which the durations of a scheduler were given, and parts of a run in that unit, in words."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lehr.handlers.schedules import RunLength
from lehr.handlers.schedules.arguments import shown
from lehr.handlers.schedules.in_units import InUnits
from lehr.handlers.schedules.run_length import COUNTS
from lehr.handlers.schedules.units import EPOCHS, EVENTS, MILLISECONDS, PERCENT, STEPS, has_unit, quantity, shown_part

UNITS_OF_CLOCKS = {"ms": MILLISECONDS}  # where a run has another word
MAX_DEPTH = 20  # of schedulers, schedules and lists in arguments


class GivenUnit(NamedTuple):
    """The length of a run, and the unit in which a duration was given."""

    run: RunLength
    unit: str

    def in_words(self, part: float, whole: float) -> str | None:
        """A part of the events of a run in this unit; None if there is nothing to add to the events.

        >>> run = RunLength(total_tokens="1.2B", tokens_per_step=1_000_000)
        >>> GivenUnit(run, "tokens").in_words(900, 1200)
        '0.9 of 1.2B tokens'
        """
        amounts = [self.run.amount_of(events, self.unit) for events in (part, whole)]
        if self.unit in (EVENTS, PERCENT) or None in amounts:
            return None
        return shown_part(amounts[0], amounts[1], self.unit)  # type: ignore[arg-type]


def given_unit(scheduler: Any) -> GivenUnit | None:
    """The unit of the first duration that a scheduler, or one that it combines, was given as a text.

    Args:
        scheduler: the scheduler.

    Returns:
        The unit with the length of the run; None if no duration was a text, or only one in events.

    Example:
        >>> from lehr.handlers import PiecewiseLinear
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> run = RunLength(total_steps=1000, tokens_per_step=500)
        >>> given_unit(PiecewiseLinear(optimizer, "lr", [(0, 0.0), ("10k tokens", 0.1)], run=run)).unit
        'tokens'
    """
    return next(_units_in(scheduler, None, MAX_DEPTH), None)


def refuse_other_clock(scheduler: Any, clock: Any) -> None:
    """Raise an error if durations of a scheduler were converted to something else than its event index will count.

    Args:
        scheduler: the scheduler.
        clock: the clock that it is attached with; None if it counts events.

    Raises:
        ValueError: ``counts`` of its run is another unit than that of the clock.
    """
    given = given_unit(scheduler)
    if given is None:
        return
    word = EVENTS if clock is None else UNITS_OF_CLOCKS.get(clock.unit, clock.unit)
    expected = (STEPS, EPOCHS) if word == EVENTS else (word,)
    if given.run.counts not in expected and set(expected) <= set(COUNTS):
        needed = "counts events" if word == EVENTS else f"is attached with a clock of {word}"
        raise ValueError(
            f"run must have counts={expected[0]!r} where the scheduler {needed}, given "
            f"counts={given.run.counts!r}, to which the durations of {shown(scheduler, 100)} were converted"
        )


def _units_in(value: Any, run: RunLength | None, depth: int) -> Iterator[GivenUnit]:
    if depth and hasattr(value, "_given") and hasattr(value, "run_length"):  # a scheduler
        args, kwargs = value._given
        for one in (*args, *kwargs.values()):
            yield from _units_in(one, value.run_length, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for one in value:
            yield from _units_in(one, run, depth - 1)
    elif depth and isinstance(value, InUnits | Mapping):
        for one in (value.given if isinstance(value, InUnits) else value).values():
            yield from _units_in(one, run, depth - 1)
    elif run is not None and has_unit(value):
        try:
            unit = quantity("duration", value).unit
        except ValueError:  # another text, such as a name
            return
        if unit != EVENTS:
            yield GivenUnit(run, unit)
