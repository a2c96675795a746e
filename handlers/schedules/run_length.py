"""The class :class:`RunLength`: the length of a run, which converts durations such as ``"10%"`` to events."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from math import ceil
from typing import Any, Literal

from . import arguments, duration_texts
from .duration_texts import EPOCHS, EVENTS, MILLISECONDS, PERCENT, SAMPLES, STEPS, TOKENS, Quantity

Counts = Literal["steps", "epochs", "tokens", "samples", "milliseconds"]
COUNTS = (STEPS, EPOCHS, TOKENS, SAMPLES, MILLISECONDS)
# RATES: for each unit, the argument that says how many units a step has; for epochs, how many steps an epoch has.
# TOTALS: for each unit, the argument that says how many units the run has.
RATES = {EPOCHS: "epoch_length", TOKENS: "tokens_per_step", SAMPLES: "samples_per_step"}
TOTALS = {EPOCHS: "max_epochs", STEPS: "total_steps", TOKENS: "total_tokens", SAMPLES: "total_samples"}


@dataclass(frozen=True)
class RunLength:
    """The length of a run in epochs, steps, tokens, samples or time. You may leave out any argument.

    A run length converts a duration such as ``"10%"``, ``"3 epochs"`` or ``"2B tokens"`` to a whole number of events.
    It computes with exact fractions, and rounds only the result, by these rules:

    - A percentage is a share of the events of the run. If the tokens or samples of the run do not fill its last step,
      the last step counts in full.
    - A duration is rounded to the nearest whole number of events, and halves are rounded up. A duration above 0 that
      rounds to 0 is an error.
    - If phases follow one another, the first event of each phase is rounded instead of its duration. This event is the
      exact sum of the durations before the phase, rounded once. So phases whose percentages add up to 100%, such as
      ``"1%", "79%", "20%"``, end exactly at the end of the run.

    Args:
        max_epochs: the number of epochs of the run.
        epoch_length: the number of steps in an epoch.
        total_steps: the number of steps (iterations) of the run.
        tokens_per_step: the number of tokens in a step over all ranks, or the average if steps differ; it is above 0.
        samples_per_step: the number of samples in a step over all ranks, or the average if steps differ; it is above 0.
        total_tokens: the number of tokens of the run, as a number or a text such as ``"300B"``.
        total_samples: the number of samples of the run, as a number or a text such as ``"10M"``.
        counts: the unit that the event index of the scheduler counts. It is ``"steps"`` by default. Use ``"epochs"`` if
            the scheduler is attached to ``EPOCH_STARTED``, and ``"tokens"``, ``"samples"`` or ``"milliseconds"`` if the
            scheduler has a clock.
        total_time: the time that the run takes, such as ``"8 h"``. You may give it only if ``counts`` is
            ``"milliseconds"``.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is not whole or less than 1; two arguments contradict each other.

    Example:
        >>> run = RunLength(max_epochs=10, epoch_length=500, tokens_per_step=524_288)
        >>> [run.events_of(duration) for duration in ("10%", "3 epochs", "500 steps", "1B tokens")]
        [500, 1500, 500, 1907]
        >>> RunLength(total_steps=1050).events_of_phases(["1%", "79%", "20%"])
        [11, 829, 210]
        >>> RunLength(max_epochs=3, epoch_length=4, total_steps=10)
        Traceback (most recent call last):
        ...
        ValueError: total_steps must be max_epochs * epoch_length = 3 * 4 = 12, given 10
    """

    max_epochs: int | None = None
    epoch_length: int | None = None
    total_steps: int | None = None
    tokens_per_step: float | None = None
    samples_per_step: float | None = None
    total_tokens: int | str | None = None
    total_samples: int | str | None = None
    counts: Counts = "steps"
    total_time: str | None = None

    def __post_init__(self) -> None:
        """Check each argument, and check that the arguments do not contradict each other."""
        for name in (*TOTALS.values(), *RATES.values()):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, _checked(name, given))
        arguments.one_of("counts", self.counts, COUNTS)
        if self.total_time is not None:
            if self.counts != MILLISECONDS:
                given = arguments.shown(self.total_time)
                raise ValueError(f"total_time must be left out if counts is not 'milliseconds', given {given}")
            if not duration_texts.milliseconds("total_time", self.total_time):
                raise ValueError(f"total_time must be more than 0, given {arguments.shown(self.total_time)}")
        self._check_steps()

    def _check_steps(self) -> None:
        first: tuple[Fraction, str] | None = None
        for unit, name in TOTALS.items():
            total, rate = getattr(self, name), self._rate(unit)
            if total is None or rate is None:
                continue
            steps = Fraction(total) / rate
            shown = name
            if unit != STEPS:
                sign = "*" if unit == EPOCHS else "/"
                rule = f"{name} {sign} {RATES[unit]} = {total} {sign} {getattr(self, RATES[unit])}"
                shown = f"{rule} = {float(steps):.12g}"
            if first is not None and abs(steps - first[0]) >= 1:
                if unit == STEPS:
                    raise ValueError(f"total_steps must be {first[1]}, given {total}")
                raise ValueError(f"all arguments must lead to the same number of steps, given {first[1]}, and {shown}")
            first = first or (steps, shown if unit != STEPS else f"total_steps = {total}")

    @property
    def epochs(self) -> int | None:
        """The number of epochs, or None if it is unknown or not whole."""
        if self.max_epochs is None and self.steps is not None and self.epoch_length is not None:
            whole, rest = divmod(self.steps, self.epoch_length)
            return None if rest else whole
        return self.max_epochs

    @property
    def steps(self) -> int | None:
        """The number of steps, or None if it is unknown."""
        return self.total_of(STEPS)

    @property
    def num_events(self) -> int | None:
        """The number of events of the run, in the unit ``counts``, or None if it is unknown."""
        if self.counts == MILLISECONDS:
            return None if self.total_time is None else duration_texts.milliseconds("total_time", self.total_time)
        return self.total_of(self.counts)

    def events_of(self, duration: float | str, name: str = "duration") -> int:
        """Convert a duration to a number of events.

        Args:
            duration: a text such as ``"10%"``, or a whole number of events.
            name: the name of the argument in error messages.

        Raises:
            TypeError: ``duration`` is neither a text nor a number.
            ValueError: ``duration`` is not a number with a known unit; the run lacks an argument that the conversion
                needs; ``duration`` is above 0 and rounds to 0.

        Example:
            >>> RunLength(total_steps=1050).events_of("1%", name="num_warmup_events")
            11
            >>> RunLength(total_steps=1050).events_of("2B tokens")
            Traceback (most recent call last):
            ...
            ValueError: duration must convert to steps, given '2B tokens': give the run tokens_per_step
        """
        return self.events_of_phases([duration], [name])[0]

    def events_of_phases(self, durations: Sequence[float | str], names: Sequence[str] | None = None) -> list[int]:
        """Convert the durations of phases that follow one another to numbers of events.

        If percentages add up to 100%, the numbers of events add up to the number of events of the run.

        Args:
            durations: the duration of each phase: a text such as ``"10%"``, or a whole number of events.
            names: the names of the durations in error messages.

        Raises:
            TypeError, ValueError: a duration cannot be converted; see :meth:`events_of`.

        Example:
            >>> run = RunLength(max_epochs=3, epoch_length=35)
            >>> run.events_of_phases(["10%", "1 epochs", 20, "10%"])
            [11, 35, 20, 10]
        """
        names = [f"durations[{position}]" for position in range(len(durations))] if names is None else names
        exact = list(map(self.exact_events, durations, names))
        borders = [self._rounded(border) for border in accumulate(exact, initial=Fraction(0))]
        for position in range(len(exact) - 1, 0, -1):
            if exact[position].denominator == 1 and not isinstance(durations[position], str):
                # A duration that is given as a number of events keeps this number.
                borders[position] = borders[position + 1] - int(exact[position])
        return [
            duration_texts.positive(name, amount, after - before, arguments.shown(duration))
            for name, amount, duration, (before, after) in zip(names, exact, durations, pairwise(borders), strict=True)
        ]

    def exact_events(self, duration: object, name: str = "duration") -> Fraction:
        """Convert a duration to an exact number of events, as a fraction.

        Args:
            duration: a text such as ``"10%"``, a whole number of events, or a ``duration_texts.Quantity``.
            name: the name of the argument in error messages.

        Raises:
            TypeError, ValueError: ``duration`` cannot be converted; see :meth:`events_of`.

        >>> RunLength(total_steps=1050).exact_events("1%")
        Fraction(21, 2)
        """
        if not isinstance(duration, str | Quantity):
            return Fraction(arguments.whole_number(name, duration, at_least=0))
        given = duration if isinstance(duration, Quantity) else duration_texts.quantity(name, duration)
        if given.unit in (EVENTS, self.counts):
            return given.amount
        if given.unit == PERCENT:
            if self.num_events is None:
                raise ValueError(self._missing(name, given))
            return given.amount * self.num_events / 100
        if (amount := self._converted(given.amount, given.unit, self.counts)) is not None:
            return amount
        total = self.total_of(given.unit) if given.unit in TOTALS else None
        if total is None or self.num_events is None:
            raise ValueError(self._missing(name, given))
        return given.amount * self.num_events / total

    def amount_of(self, events: float, unit: str) -> Fraction | None:
        """Convert a number of events to another unit. Return None if the run lacks an argument for this.

        Args:
            events: the number of events, at least 0.
            unit: ``"percent"``, ``"epochs"``, ``"steps"``, ``"tokens"`` or ``"samples"``.

        >>> run = RunLength(total_steps=1000, tokens_per_step=500)
        >>> run.amount_of(90, "tokens"), run.amount_of(90, "percent"), run.amount_of(90, "epochs")
        (Fraction(45000, 1), Fraction(9, 1), None)
        """
        exact = Fraction(events)
        if unit == EVENTS:
            return exact
        if unit != PERCENT and (amount := self._converted(exact, self.counts, unit)) is not None:
            return amount
        whole = Fraction(100) if unit == PERCENT else self.total_of(unit) if unit in TOTALS else None
        return None if whole is None or self.num_events is None else exact * whole / self.num_events

    def config(self) -> dict[str, Any]:
        """Return the arguments as plain data, in the form that a config has under ``run``."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in given.items() if value is not None}

    def total_of(self, unit: str) -> int | None:
        """Return the length of the run in a unit, rounded up to a whole number, or None if it is unknown.

        Args:
            unit: ``"epochs"``, ``"steps"``, ``"tokens"`` or ``"samples"``.

        >>> RunLength(max_epochs=2, epoch_length=10, samples_per_step=32).total_of("samples")
        640
        """
        given = getattr(self, TOTALS[unit])
        if given is None:
            ends = self._ends(unit)
            given = ceil(ends[0]) if ends else None
        return given  # type: ignore[no-any-return]

    def _rounded(self, exact: Fraction) -> int:
        """Round an exact event to a whole number.

        Different arguments may lead to slightly different ends of the run. An event between the earliest and the latest
        of these ends becomes the end of the run. Any other event is rounded.
        """
        if (end := self.num_events) is not None:
            if exact.denominator == 1:
                return int(exact)
            ends = [*self._ends(self.counts), Fraction(end)]
            if min(ends) <= exact <= max(ends):
                return end
        return duration_texts.nearest(exact)

    @lru_cache(maxsize=64)  # noqa: B019 -- the cache keeps only a few small objects
    def _ends(self, unit: str) -> tuple[Fraction, ...]:
        """Return the exact lengths of the run in a unit, one for each given total that converts to this unit."""
        given = ((getattr(self, name), one) for one, name in TOTALS.items())
        found = [self._converted(Fraction(total), one, unit) for total, one in given if total is not None]
        return tuple([one for one in found if one is not None])

    def _converted(self, amount: Fraction, unit: str, to: str) -> Fraction | None:
        """Convert an amount to another unit. Return None if the number of either unit in a step is unknown."""
        if unit == to:
            return amount
        there, here = self._rate(unit), self._rate(to)
        return None if there is None or here is None else amount * here / there

    def _rate(self, unit: str) -> Fraction | None:
        """Return how many units a step has, or None if this is unknown."""
        if unit == STEPS:
            return Fraction(1)
        given = getattr(self, RATES[unit]) if unit in RATES else None
        if given is None:
            return None
        return 1 / Fraction(given) if unit == EPOCHS else Fraction(given)

    def _missing(self, name: str, given: Quantity) -> str:
        """Return the error text for a duration that cannot be converted."""
        start = f"{name} must convert to {self.counts}, given {given.text!r}"
        if MILLISECONDS in (given.unit, self.counts):
            if given.unit == PERCENT:
                return f"{start}: give the run its total_time"
            if self.counts == MILLISECONDS:
                return f"{start}: give a time such as '30 min'"
            return f"{start}: attach the scheduler with a TimeClock, and give the run counts='milliseconds'"
        if given.unit == PERCENT:
            hint = {EPOCHS: "max_epochs", STEPS: "total_steps, or max_epochs and epoch_length"}
            needed = hint.get(self.counts, TOTALS[self.counts])
            if self.counts == STEPS and self.max_epochs is not None:
                needed = "epoch_length, or counts='epochs' if each event is an epoch"
            return f"{start}: give the run {needed}"
        rates = [RATES[unit] for unit in (given.unit, self.counts) if unit != STEPS and self._rate(unit) is None]
        return f"{start}: give the run {' and '.join(rates)}"


def _checked(name: str, given: Any) -> Any:
    """Check an argument of :class:`RunLength`, and return it as an int if it is whole."""
    if name in (RATES[TOKENS], RATES[SAMPLES]):
        rate = arguments.number(name, given, above=0)
        return int(rate) if rate.is_integer() else rate
    if isinstance(given, str) and name in (TOTALS[TOKENS], TOTALS[SAMPLES]):
        unit = TOKENS if name == TOTALS[TOKENS] else SAMPLES
        read = duration_texts.quantity(name, given, unit)
        if read.unit != unit or read.amount.denominator != 1:
            raise ValueError(f"{name} must be a whole number of {unit}, given {arguments.shown(given)}")
        given = int(read.amount)
    return arguments.whole_number(name, given, at_least=1)
