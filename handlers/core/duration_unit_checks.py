"""Functions that find the unit of a scheduler's durations, and refuse a unit that the scheduler does not count."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lehr.handlers.schedules import RunLength
from lehr.handlers.schedules.arguments import shown
from lehr.handlers.schedules.awaiting_run_length import InUnits
from lehr.handlers.schedules.cached_by_class import cached_by_class
from lehr.handlers.schedules.duration_texts import (
    EPOCHS,
    EVENTS,
    MILLISECONDS,
    PERCENT,
    STEPS,
    has_unit,
    quantity,
    shown_part,
)
from lehr.handlers.schedules.run_length import COUNTS

UNITS_OF_CLOCKS = {"ms": MILLISECONDS}  # units of clocks, and the names that RunLength uses for these units
EVENTS_OF_RUN = (STEPS, EPOCHS)  # the units that a scheduler without a clock may count
AT_STEPS = (  # each of these events counts as a step, unless it has a filter
    *("ITERATION_STARTED", "ITERATION_COMPLETED", "GET_BATCH_STARTED", "GET_BATCH_COMPLETED"),
    *("STEP_STARTED", "STEP_COMPLETED"),
)
MAX_DEPTH = 20  # how deep arguments of schedulers, schedules and lists are searched


class GivenUnit(NamedTuple):
    """The length of a run, and the unit in which a duration was given."""

    run: RunLength
    unit: str

    def in_words(self, part: float, whole: float) -> str | None:
        """Return a text that gives a part of a run in this unit.

        The result is None if the unit is events or a percentage, or if the run cannot convert events to the unit.

        >>> run = RunLength(total_tokens="1.2B", tokens_per_step=1_000_000)
        >>> GivenUnit(run, "tokens").in_words(900, 1200)
        '0.9 of 1.2B tokens'
        """
        amounts = [self.run.amount_of(events, self.unit) for events in (part, whole)]
        if self.unit in (EVENTS, PERCENT) or None in amounts:
            return None
        return shown_part(amounts[0], amounts[1], self.unit)  # type: ignore[arg-type]


def given_unit(scheduler: Any) -> GivenUnit | None:
    """Return the unit of the first duration that is a text, among the arguments of a scheduler and its members.

    Args:
        scheduler: the scheduler.

    Returns:
        The unit and the length of the run; None if no duration is a text, or if all texts are in events.

    Example:
        >>> from lehr.handlers import PiecewiseLinear
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> run = RunLength(total_steps=1000, tokens_per_step=500)
        >>> given_unit(PiecewiseLinear(optimizer, "lr", [(0, 0.0), ("10k tokens", 0.1)], run=run)).unit
        'tokens'
    """
    return next(_units_in(scheduler, None, MAX_DEPTH), None)


def counts_of(scheduler: Any) -> list[str]:
    """Return the units to which the durations of a scheduler, and of the schedulers that it combines, were converted.

    Args:
        scheduler: the scheduler.

    Returns:
        The ``counts`` of each :class:`~lehr.handlers.RunLength` that converted durations, without repetitions.
    """
    own = getattr(scheduler, "thresholds_count", EVENTS)
    found = dict.fromkeys(one.run.counts for one in _units_in(scheduler, None, MAX_DEPTH))
    return [*found, *([own] if own != EVENTS and own not in found else [])]


def refuse_other_clock(scheduler: Any, clock: Any, event: Any) -> None:
    """Raise an error if durations of a scheduler were converted to a unit that its event index will not count.

    Args:
        scheduler: the scheduler.
        clock: the scheduler's clock; None if the scheduler counts events.
        event: the event that the scheduler is attached to.

    Raises:
        ValueError: durations were converted to a unit that the clock does not count. If there is no clock, durations
            were converted to a unit that the event does not count.
    """
    given = counts_of(scheduler)
    if not given:
        return
    word = EVENTS if clock is None else UNITS_OF_CLOCKS.get(clock.unit, clock.unit)
    expected: tuple[str, ...] = (word,)
    place = f"is attached with a clock of {word}"
    if word == EVENTS:
        expected, place = _counts_at(event)
    elif word not in COUNTS:
        return
    for counts in given:
        if counts not in expected:
            if word == EVENTS and counts not in EVENTS_OF_RUN:
                place = "counts events"
            raise ValueError(
                f"run must have counts={expected[0]!r} where the scheduler {place}, given "
                f"counts={counts!r}, to which the durations of {shown(scheduler, 100)} were converted"
            )


def refuse_in_plain_loop(scheduler: Any, *, counts_amounts: bool) -> None:
    """Raise an error if durations of a scheduler were converted to a unit that a plain loop does not count.

    Args:
        scheduler: the scheduler.
        counts_amounts: whether the loop passes amounts to ``apply``. If False, the loop counts events.

    Raises:
        ValueError: the durations were converted to tokens, samples or milliseconds, but the loop counts events; or the
            durations were converted to steps or epochs, but the loop passes amounts.
    """
    for counts in counts_of(scheduler):
        if counts_amounts and counts in EVENTS_OF_RUN:
            raise ValueError(
                f"run must count what the amounts of apply count, for example counts='tokens', given "
                f"counts={counts!r}, to which the durations of {shown(scheduler, 100)} were converted"
            )
        if not counts_amounts and counts not in EVENTS_OF_RUN:
            raise ValueError(
                f"run must have counts='steps' where the scheduler counts events, given counts={counts!r}, to which "
                f"the durations of {shown(scheduler, 100)} were converted: attach it with a clock, or pass the amount "
                "of each event to apply"
            )


def checked_reader(scheduler: Any) -> Callable[[int], Any]:
    """Return the function that reads a scheduler's value.

    Before the first event, raise an error if durations were converted to a unit that the scheduler does not count.
    """
    if scheduler._counted is None:
        refuse_in_plain_loop(scheduler, counts_amounts=False)
        scheduler._counted = EVENTS
    return scheduler._read  # type: ignore[no-any-return]


def _counts_at(event: Any) -> tuple[tuple[str, ...], str]:
    """Return the units that an event may count, and a phrase for an error, such as ``"counts events"``."""
    from lehr.engine.times_fired import each_of

    events = each_of(event)
    given = [getattr(one, "name", one) for one in events]  # an event may be given by its name
    names = [one.upper() if isinstance(one, str) else "" for one in given]
    if set(names) <= {"EPOCH_STARTED", "EPOCH_COMPLETED"}:
        return (EPOCHS,), f"is attached to {names[0]}"
    if all(name in AT_STEPS and getattr(one, "filter", None) is None for name, one in zip(names, events, strict=True)):
        return (STEPS,), f"is attached to {names[0]}"
    return EVENTS_OF_RUN, "counts events"


def _units_in(value: Any, run: RunLength | None, depth: int) -> Iterator[GivenUnit]:
    inner: Iterable[Any] = ()
    if isinstance(value, str):
        if run is not None and (unit := _unit_of(value)) not in (None, EVENTS):
            yield GivenUnit(run, unit)
    elif depth and hasattr(value, "_given"):  # a scheduler
        args, kwargs = value._given
        run, inner = getattr(value, "run_length", None), (*args, *kwargs.values())
    elif depth and isinstance(value, list | tuple):
        inner = value
    elif depth and isinstance(value, InUnits | Mapping):
        inner = (value.given if isinstance(value, InUnits) else value).values()
    for one in inner:
        if _may_have_units(one.__class__):
            yield from _units_in(one, run, depth - 1)


@cached_by_class
def _may_have_units(class_: Any) -> bool:
    """Return whether an object of a class may be a duration, or may contain durations."""
    is_scheduler = hasattr(class_, "run_length")
    return is_scheduler or issubclass(class_, str | list | tuple | Mapping | InUnits)


def _unit_of(text: str) -> str | None:
    """Return the unit of a duration; None if the text is not a duration."""
    try:
        return quantity("duration", text).unit if has_unit(text) else None
    except ValueError:
        return None
