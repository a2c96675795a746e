"""Reads the thresholds at which a batch size changes, in any unit, and converts them to event indices."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Any, NamedTuple

import ignite.distributed as idist

from lehr.handlers.schedules import RunLength, arguments, duration_texts
from lehr.handlers.schedules.duration_texts import EVENTS, MILLISECONDS, PERCENT, SAMPLES, STEPS, TOKENS

Sizes = str | Sequence[tuple[float | str, int]]
EXAMPLE = "'0 tokens: 32, 1M: 64, 4M: 128' or [(0, 32), (1000, 64)]"


class Threshold(NamedTuple):
    """An amount of events, tokens or another unit, and the batch size that begins there.

    Args:
        name: the name of the threshold in error messages.
        amount: the exact amount.
        unit: the unit of the amount, as in :class:`~lehr.handlers.schedules.duration_texts.Quantity`.
        size: the batch size.
    """

    name: str
    amount: Fraction
    unit: str
    size: int


class EventThresholds(NamedTuple):
    """Thresholds that were converted to event indices.

    Args:
        milestones: the event index at which each size after the first one begins.
        sizes: the batch sizes: one more than the milestones.
        counts: the unit that the event index counts. If the thresholds have no units, it is ``"events"``, and every
            clock is allowed.
    """

    milestones: list[int]
    sizes: list[int]
    counts: str


def as_thresholds(sizes: object) -> list[Threshold]:
    """Read the thresholds from a text or from a list of pairs.

    A threshold without a unit has the unit of the threshold before it. The first threshold counts events by default.

    Raises:
        TypeError: ``sizes`` is neither a text nor a list of pairs.
        ValueError: an item is not a pair; the first threshold is not 0; a batch size is not a whole number of at least
            1.

    >>> [tuple(one)[1:] for one in as_thresholds("0 tokens: 32, 1M: 64, 3 epochs: 128")]
    [(Fraction(0, 1), 'tokens', 32), (Fraction(1000000, 1), 'tokens', 64), (Fraction(3, 1), 'epochs', 128)]
    """
    pairs = _pairs_of_text(sizes) if isinstance(sizes, str) else sizes
    if not isinstance(pairs, list | tuple):
        raise TypeError(f"sizes must be thresholds with batch sizes such as {EXAMPLE}, given {arguments.shown(sizes)}")
    thresholds: list[Threshold] = []
    unit = EVENTS
    for at, pair in enumerate(pairs):
        name = f"sizes[{at}]"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"{name} must be a pair of a threshold and a batch size, given {arguments.shown(pair)}")
        if isinstance(pair[0], str):
            amount, unit, _ = duration_texts.quantity(f"{name}[0]", pair[0], unit)
        else:
            amount = Fraction(arguments.whole_number(f"{name}[0]", pair[0], at_least=0))
        size = arguments.whole_number(f"{name}[1]", pair[1], at_least=1)
        thresholds.append(Threshold(f"{name}[0]", amount, unit, size))
    if not thresholds or thresholds[0].amount:
        raise ValueError(f"sizes must begin with the threshold 0, given {arguments.shown(sizes)}")
    return thresholds


def in_events(thresholds: Sequence[Threshold], run: RunLength | None) -> EventThresholds:
    """Return the event at which each size begins: the first event after its threshold was reached.

    If the event index counts steps, a threshold in tokens or samples takes the size of each step into account. The
    ``tokens_per_step`` and ``samples_per_step`` of ``run`` are the amounts at the first size, and they grow with the
    size. A percentage is a share of the steps of the run. If the number of steps is unknown, it is a share of the
    tokens or samples. The length of an epoch is the ``epoch_length`` of ``run``.

    Raises:
        ValueError: a threshold cannot be converted, or does not begin after the threshold before it.

    >>> in_events(as_thresholds("0 samples: 32, 1000: 64, 3000: 128"), None)
    EventThresholds(milestones=[32, 63], sizes=[32, 64, 128], counts='steps')
    """
    length = RunLength() if run is None else run
    is_plain = all(one.unit == EVENTS for one in thresholds)
    first, milestones = thresholds[0].size, [0]
    count = dict.fromkeys((TOKENS, SAMPLES), Fraction(0))
    for before, one in pairwise(thresholds):
        begin, unit, amount = milestones[-1], *_in_own_total(one, length)
        if length.counts == STEPS and unit in (TOKENS, SAMPLES):
            per_step = _per_step(one, unit, first, length) * before.size
            event = begin + ceil((amount - count[unit]) / per_step)
        else:
            event = ceil(_exact(one, length))
        if event <= begin:
            raise ValueError(
                f"{one.name} must be reached at least one event after the threshold before it, which is reached at "
                f"event {begin}, given {float(one.amount):.12g} {one.unit}"
            )
        for counted in count:
            rate = _rate_of_sample(counted, first, length)
            count[counted] += 0 if rate is None else rate * before.size * (event - begin)
        milestones.append(event)
    return EventThresholds(milestones[1:], [one.size for one in thresholds], EVENTS if is_plain else length.counts)


def _pairs_of_text(text: str) -> list[tuple[str, Any]]:
    pairs = []
    for at, part in enumerate(text.split(",")):
        threshold, colon, size = part.rpartition(":")
        if not colon or not size.strip().isdecimal():
            raise ValueError(
                f"sizes must be thresholds with batch sizes such as {EXAMPLE}, given {arguments.shown(part.strip())} "
                f"at position {at}"
            )
        pairs.append((threshold.strip(), int(size)))
    return pairs


def _in_own_total(one: Threshold, run: RunLength) -> tuple[str, Fraction]:
    """Return a threshold's unit and amount. If the steps are unknown, convert a percentage to tokens or samples."""
    totals = ((TOKENS, run.total_tokens), (SAMPLES, run.total_samples))
    has_steps = run.total_steps is not None or (run.max_epochs is not None and run.epoch_length is not None)
    if one.unit == PERCENT and not has_steps:
        for unit, total in totals:
            if isinstance(total, int):
                return unit, one.amount * total / 100
    return one.unit, one.amount


def _rate_of_sample(unit: str, first: int, run: RunLength) -> Fraction | None:
    """Return how many tokens or samples a step has for each sample of the batch size, or None if this is unknown."""
    given = run.tokens_per_step if unit == TOKENS else run.samples_per_step
    if given is not None:
        return Fraction(given) / first
    return Fraction(idist.get_world_size()) if unit == SAMPLES else None


def _per_step(one: Threshold, unit: str, first: int, run: RunLength) -> Fraction:
    rate = _rate_of_sample(unit, first, run)
    if rate is None:
        raise ValueError(
            f"{one.name} must convert to steps, given {float(one.amount):.12g} {one.unit}: give a run with the "
            "tokens_per_step of the first batch size; or, if a TokenClock counts, with counts='tokens'"
        )
    return rate


def _exact(one: Threshold, run: RunLength) -> Fraction:
    """Return the exact event of a threshold whose unit does not depend on the batch sizes."""
    if one.unit in (EVENTS, run.counts):
        return one.amount
    if one.unit == MILLISECONDS or (run.counts != STEPS and one.unit != PERCENT):
        raise ValueError(
            f"{one.name} must be in {run.counts}, events or percent, given {float(one.amount):.12g} {one.unit}"
        )
    text = f"{float(one.amount):.12g} {'%' if one.unit == PERCENT else one.unit}"
    return run.exact_events(duration_texts.Quantity(one.amount, one.unit, text), one.name)
