"""A log of a run: its columns of values at steps, how its logger counts, and how its values are rounded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.base import Array

MOST_STEP = 2**53
# The relative errors of float32 and float64. Another order of operations also causes errors of 1e-9.
FLOAT32, FLOAT64 = 1.2e-7, 1e-9
# The rounding of a column is read from at least 10 and at most 1000 different values.
ENOUGH, MOST_READ = 10, 1000
# Nine of ten rounded numbers end in a digit other than 0. If this fraction of a column does, the column is rounded.
MOST_OF_THEM = 0.7
HALF = 0.505  # half of the last digit, and a little more, because a float64 is inexact


class Counting(NamedTuple):
    """How a logger counts.

    Args:
        first_steps: maps each step number that the first event of a plan may have to a text. The text says how the
            logger counts if the first event has this number.
        unit: the unit that the log counts: ``"steps"``, ``"events"`` of a scheduler, or ``"epochs"``.
    """

    first_steps: Mapping[int, str]
    unit: str = "steps"


FROM_0 = Counting({0: "steps count from 0"})
FROM_1 = Counting({1: "steps count from 1"})
EVENTS = Counting({0: "events count from 0"}, "events")
EPOCHS = Counting({0: "epochs count from 0"}, "epochs")
# At step s, counted from 1, a Trainer of transformers 4.51 or later logs the value with which step s trained. An
# earlier Trainer, and any Trainer with logging_strategy="epoch", logs the value of the next step.
TRAINER = Counting({1: "each step logs the value that it had", 0: "each step logs the value of the next step"})


@dataclass(frozen=True)
class LogColumn:
    """The values that a run logged under one name.

    Args:
        steps: the steps ``(points,)``, in rising order.
        values: the values ``(points,)``.
    """

    steps: NDArray[np.int64]
    values: Array


@dataclass(frozen=True)
class Log:
    """The values that a run logged at some of its steps, under some names.

    Args:
        columns: a mapping from names to steps and values, which are two sequences of the same length.
        counting: how the logger counts. If None, steps count from 0.
        source: the name of the log in messages.
        decimals: the number of decimals to which the logger rounds, or None if it is unknown.
        total_steps: the number of steps of the whole run, or None if the log does not contain it.

    If a step occurs again, for example after a resume, its later values replace the earlier values.

    Raises:
        TypeError: steps or values are not numbers.
        ValueError: a step is negative or not whole; or there are not as many values as steps.

    Example:
        >>> log = Log({"lr": ([0, 10, 20, 10], [0.1, 0.05, 0.02, 0.06])})
        >>> log.columns["lr"].steps.tolist(), log.columns["lr"].values.tolist()
        ([0, 10, 20], [0.1, 0.06, 0.02])
        >>> log.notes
        ('lr: step 10 is logged again with another value: the last one counts',)
    """

    columns: Mapping[str, Any]
    counting: Counting | None = None
    source: str = "the log"
    decimals: int | None = None
    total_steps: int | None = None
    notes: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        """Sort the steps, and keep the last value of each step."""
        columns, notes = {}, list[str]()
        for name, given in self.columns.items():
            steps, values = (given.steps, given.values) if isinstance(given, LogColumn) else given
            columns[name] = _sorted(name, steps, values, notes)
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "notes", tuple(notes))


def _sorted(name: str, steps: ArrayLike, values: ArrayLike, notes: list[str]) -> LogColumn:
    whole, numbers = _numbers(f"the steps of {name}", steps), _numbers(f"the values of {name}", values)
    if len(whole) != len(numbers):
        raise ValueError(f"{name} must have a value for each step, given {len(whole)} steps and {len(numbers)} values")
    wrong = ~((whole >= 0) & (whole <= MOST_STEP) & (whole == np.floor(whole)))
    if wrong.any():
        first = float(whole[wrong][0])
        raise ValueError(f"the steps of {name} must be whole numbers of at least 0, given {arguments.shown(first)}")
    order = np.argsort(whole, kind="stable")
    whole, numbers = whole[order].astype(np.int64), numbers[order]
    same = np.flatnonzero(whole[1:] == whole[:-1]) if len(whole) > 1 else np.empty(0, dtype=np.int64)
    other = same[~np.isclose(numbers[same], numbers[same + 1], rtol=FLOAT32, atol=0, equal_nan=True)]
    if len(other):
        several = np.unique(whole[other])
        count = f"{len(several)} steps, from {several[0]} to {several[-1]}, are" if len(several) > 1 else ""
        what = f"{count} logged again with other values" if count else f"step {several[0]} is logged again with another"
        notes.append(f"{name}: {what}{'' if count else ' value'}: the last {'ones count' if count else 'one counts'}")
    last = np.append(whole[1:] != whole[:-1], True)[: len(whole)]
    return LogColumn(whole[last], numbers[last])


def _numbers(name: str, given: ArrayLike) -> Array:
    try:
        numbers = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be numbers, given {arguments.shown(given)}") from error
    if numbers.ndim != 1:
        raise ValueError(f"{name} must be a list of numbers, given {arguments.shown(given)}")
    return numbers


class Rounding(NamedTuple):
    """The rounding of the values of a log, with the largest error that it causes in each value.

    Args:
        words: a text that describes the rounding.
        relative: the relative error of each value.
        absolute: the absolute error of each value.
        digits: the significant digits of each value. If 0, the value has all digits of a float64.
    """

    words: str
    relative: float = 0.0
    absolute: float = 0.0
    digits: int = 0

    def errors(self, values: Array) -> Array:
        """Return the largest error of each value."""
        sizes = np.abs(values)
        errors: Array = self.relative * sizes + self.absolute
        if self.digits:
            logarithms = np.log10(sizes, out=np.zeros(len(sizes)), where=(sizes > 0) & np.isfinite(sizes))
            errors += np.where(sizes > 0, HALF * 10.0 ** (np.floor(logarithms) + 1 - self.digits), 0.0)
        return errors


def rounding_of(values: Array, decimals: int | None = None) -> Rounding:
    """Return how the values of a log are rounded: as float64 or float32, or to significant digits or decimals.

    The function assumes at least six significant digits. It assumes a coarser rounding, to three, four or five digits,
    only if at least 10 different values show such a rounding.

    Args:
        values: the values.
        decimals: the number of decimals that the logger writes, or None if it is unknown.

    Example:
        >>> rounding_of(np.array([1 / 3, 0.1])).words, rounding_of(np.float32([1 / 3, 0.1]).astype(float)).words
        ('float64', 'float32')
        >>> rounding_of(np.array([0.1, 0.01])).words
        '6 digits'
        >>> rounding_of(np.round(np.linspace(0, 0.1, 30), 5)).words
        '5 decimals'
    """
    known = np.unique(np.abs(values[np.isfinite(values) & (values != 0)]))
    least = 1e-12 * float(known.max(initial=0))
    if decimals is not None:
        return Rounding(f"{decimals} decimals", FLOAT32, HALF * 10.0**-decimals)
    if not len(known):
        return Rounding("6 digits", digits=6)
    if len(known) > MOST_READ:
        known = known[np.linspace(0, len(known) - 1, MOST_READ).astype(np.int64)]
    parts = [Decimal(repr(value)).normalize().as_tuple() for value in known.tolist()]
    digits = np.array([len(part.digits) for part in parts], dtype=np.int64)
    ends = np.array([-int(part.exponent) for part in parts], dtype=np.int64)  # decimals of each value
    most, last = int(digits.max(initial=0)), int(ends.max(initial=0))
    if most >= 10 and np.array_equal(known, known.astype(np.float32)):
        return Rounding("float32", FLOAT32, least)
    if most >= 12:
        return Rounding("float64", FLOAT64, least)
    of_digits, of_decimals = float(np.mean(digits == most)), float(np.mean(ends == last))
    shows = len(known) >= ENOUGH and most >= 3 and max(of_digits, of_decimals) >= MOST_OF_THEM
    if shows and of_decimals > of_digits:
        return Rounding(f"{last} decimals", FLOAT32, HALF * 10.0**-last)
    if not shows and most < 6:
        most = 6
    return Rounding(f"{most} digits", FLOAT32, least, most)


def given_rounding(tolerance: float, values: Array) -> Rounding:
    """Return a rounding with a given relative tolerance."""
    scale = float(np.abs(values[np.isfinite(values)]).max(initial=0))
    return Rounding(f"{tolerance:.3g}", tolerance, 1e-12 * scale)
