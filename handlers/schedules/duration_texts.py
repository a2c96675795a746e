"""Functions that read and show durations as texts with a unit, such as ``"10%"``, ``"3 epochs"`` or ``"30 min"``."""

import difflib
import re
from fractions import Fraction
from math import floor
from typing import NamedTuple

from . import arguments

EVENTS, PERCENT, STEPS, EPOCHS = "events", "percent", "steps", "epochs"
TOKENS, SAMPLES, MILLISECONDS = "tokens", "samples", "milliseconds"
MULTIPLIERS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
# For each word, in lower case and in the singular: a unit, and the factor that converts an amount to this unit.
WORDS: dict[str, tuple[str, int]] = {
    "%": (PERCENT, 1),
    "percent": (PERCENT, 1),
    "event": (EVENTS, 1),
    "step": (STEPS, 1),
    "iteration": (STEPS, 1),
    "epoch": (EPOCHS, 1),
    "token": (TOKENS, 1),
    "sample": (SAMPLES, 1),
    "ms": (MILLISECONDS, 1),
    "millisecond": (MILLISECONDS, 1),
    "s": (MILLISECONDS, 1000),
    "sec": (MILLISECONDS, 1000),
    "second": (MILLISECONDS, 1000),
    "min": (MILLISECONDS, _MINUTE),
    "minute": (MILLISECONDS, _MINUTE),
    "h": (MILLISECONDS, _HOUR),
    "hour": (MILLISECONDS, _HOUR),
    "d": (MILLISECONDS, _DAY),
    "day": (MILLISECONDS, _DAY),
}
EXAMPLES = "'10%', '3 epochs', '500 steps', '2B tokens', '1.5M samples' or '30 min'"
# No letter may follow a multiplier, so that the T of "2 Tokens" is not read as a multiplier.
TEXT = re.compile(
    r"\s*(?P<number>[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]{1,2})?|\.[0-9][0-9_]*)"
    r"\s*(?P<multiplier>[kKMBGT](?![A-Za-z]))?\s*(?P<unit>%|[A-Za-z]+)?\s*"
)
MAX_LENGTH = 60  # the largest number of characters in a text


class Quantity(NamedTuple):
    """An amount with a unit.

    Args:
        amount: the exact amount, at least 0.
        unit: ``"events"``, ``"percent"``, ``"steps"``, ``"epochs"``, ``"tokens"``, ``"samples"`` or
            ``"milliseconds"``. All times are in milliseconds.
        text: the text from which the amount was read.
    """

    amount: Fraction
    unit: str
    text: str


def has_unit(value: object) -> bool:
    """Return whether a value is a text that begins with a digit and contains a letter or ``%``.

    >>> [has_unit(value) for value in ("10%", "3 parsecs", "10", "cos", 10)]
    [True, True, False, False, False]
    """
    return (
        isinstance(value, str)
        and re.match(r"\s*\.?[0-9]", value) is not None
        and re.search("[A-Za-z%]", value) is not None
    )


def quantity(name: str, text: object, unit: str | None = None) -> Quantity:
    """Read the amount and the unit from a text such as ``"10%"``.

    A text begins with a number of at least 0, which may contain underscores. A multiplier may follow: ``k``, ``M``,
    ``B``, ``G`` or ``T``. The unit is ``%``, ``events``, ``steps``, ``iterations``, ``epochs``, ``tokens``,
    ``samples``, ``ms``, ``s``, ``min``, ``h`` or ``days``. Spaces are ignored, and each unit may be singular or plural.

    Args:
        name: the name of the argument, for errors.
        text: the text.
        unit: the unit of a text that has none. If None, a text without a unit raises an error.

    Raises:
        TypeError: ``text`` is not a string.
        ValueError: ``text`` is not a number with a known unit.

    >>> quantity("duration", "1.5M samples")
    Quantity(amount=Fraction(1500000, 1), unit='samples', text='1.5M samples')
    >>> quantity("duration", "0.5h")[:2]
    (Fraction(1800000, 1), 'milliseconds')
    >>> quantity("threshold", "4M", unit="tokens")[:2]
    (Fraction(4000000, 1), 'tokens')
    >>> quantity("duration", "1 furlong")
    Traceback (most recent call last):
    ...
    ValueError: duration must have a known unit, as in '10%', '3 epochs' or '2B tokens', given '1 furlong'
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a text such as {EXAMPLES}, given {arguments.shown(text)}")
    found = TEXT.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise ValueError(f"{name} must be a text such as {EXAMPLES}, given {arguments.shown(text)}")
    word = found["unit"]
    if word is None and unit is None:
        raise ValueError(
            f"{name} must be a number, or a text with a unit such as {EXAMPLES}, given {arguments.shown(text)}"
        )
    known, size = (unit, 1) if word is None else _unit_of(name, text, word)
    assert known is not None
    number = Fraction(found["number"].replace("_", "").removesuffix("."))
    return Quantity(number * MULTIPLIERS[found["multiplier"] or ""] * size, known, text)


def milliseconds(name: str, text: object) -> int:
    """Convert a time such as ``"8 h"`` to whole milliseconds.

    Raises:
        TypeError: ``text`` is not a string.
        ValueError: ``text`` is not a time, or is a time above 0 that rounds to 0 milliseconds.

    >>> milliseconds("budget", "1.5 min")
    90000
    """
    read = quantity(name, text)
    if read.unit != MILLISECONDS:
        raise ValueError(f"{name} must be a time such as '90 s', '30 min' or '8 h', given {arguments.shown(text)}")
    return positive(name, read.amount, nearest(read.amount), arguments.shown(text), "milliseconds")


def nearest(amount: Fraction) -> int:
    """Return the nearest whole number. Halves are rounded up.

    >>> nearest(Fraction(5, 2)), nearest(Fraction(7, 3))
    (3, 2)
    """
    return floor(amount + Fraction(1, 2))


def positive(name: str, amount: Fraction, whole: int, given: str, unit: str = EVENTS) -> int:
    """Return the rounded amount ``whole``. Raise an error if it is too large, or if a positive amount was rounded to 0.

    >>> positive("duration", Fraction(1, 5), 0, "'1%'")
    Traceback (most recent call last):
    ...
    ValueError: duration must be 0 or at least 1 after rounding to whole events, given '1%', which is 0.2 events
    """
    if amount > 0 and whole == 0:
        raise ValueError(
            f"{name} must be 0 or at least 1 after rounding to whole {unit}, given {given}, "
            f"which is {float(amount):.3g} {unit}"
        )
    if whole > arguments.MAX_EVENT_INDEX:
        raise ValueError(f"{name} must be at most {arguments.MAX_EVENT_INDEX} {unit}, given {given}")
    return whole


def _unit_of(name: str, text: str, word: str) -> tuple[str, int]:
    folded = word.lower()
    for one in (folded, folded.removesuffix("s")):
        if one in WORDS:
            return WORDS[one]
    near = ["min"] if folded == "m" else difflib.get_close_matches(folded, WORDS, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"{name} must have a known unit, as in '10%', '3 epochs' or '2B tokens', given {arguments.shown(text)}{hint}"
    )


def shown_part(part: Fraction, whole: Fraction, unit: str) -> str:
    """Show a part of a whole, with its unit, as text.

    >>> shown_part(Fraction(9 * 10**8), Fraction(12 * 10**8), "tokens")
    '0.9 of 1.2B tokens'
    >>> shown_part(Fraction(3, 2), Fraction(3), "epochs")
    '1.5 of 3 epochs'
    """
    size, name = size_of(float(whole), unit)
    return f"{_short(float(part) / size)} of {_short(float(whole) / size)}{name}"


def shown_amount(amount: float, unit: str) -> str:
    """Show an amount, with its unit, as text.

    >>> shown_amount(1.2e9, "tokens")
    '1.2B tokens'
    """
    size, name = size_of(amount, unit)
    return f"{_short(amount / size)}{name}"


def size_of(amount: float, unit: str) -> tuple[float, str]:
    """Return the number by which to divide an amount to show it, and the unit of the quotient.

    >>> size_of(1.2e9, "tokens"), size_of(3, "epochs"), size_of(7_200_000, "milliseconds")
    ((1000000000, 'B tokens'), (1, ' epochs'), (3600000, ' h'))
    """
    if unit == MILLISECONDS:
        times = ((_DAY, " days"), (_HOUR, " h"), (_MINUTE, " min"))
        return next((one for one in times if amount >= 2 * one[0] or amount == one[0]), (1000, " s"))
    if unit in (TOKENS, SAMPLES):
        sizes = tuple((MULTIPLIERS[letter], f"{letter} {unit}") for letter in "TBMk")
        return next((one for one in sizes if amount >= one[0]), (1, f" {unit}"))
    return 1, "%" if unit == PERCENT else f" {unit}"


def _short(amount: float) -> str:
    return f"{amount:.0f}" if amount >= 1000 else f"{amount:.3g}"
