"""Where the growing cycles of ignite begin: each cycle and warm-up is a number of times longer, rounded down."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from . import arguments
from .base import Array

LONGEST = 2 * arguments.MAX_EVENT_INDEX  # a cycle has at most this number of events


def located_in_growing_cycles(indices: Array, sizes: tuple[int, int], ratio: float) -> tuple[Array, ...]:
    """Return the cycle of each event, the position in the cycle, and the cycle's size and warm-up.

    Args:
        indices: the event indices.
        sizes: the size and warm-up of the first cycle, of which at least one grows.
        ratio: the factor from each cycle to the next.
    """
    # A table reaches to the next power of two above the last index, so that one table serves many calls.
    table = growing_cycles(sizes, ratio, 1 << int(indices.max(initial=0)).bit_length())
    run = np.searchsorted(table[0], indices, side="right") - 1
    first, cycle, size, warmup = table[:4, run]
    position = indices - first
    if (position < size + warmup).all():
        return cycle, position, size, warmup
    size_growth, warmup_growth = table[4:, run]
    length, growth = size + warmup, size_growth + warmup_growth
    # The solution of ``length * n + growth * n * (n - 1) / 2 == position``; a rounding error changes n by 1 at most.
    linear = length - growth / 2
    number = np.floor(2 * position / (linear + np.sqrt(linear**2 + 2 * growth * position)))
    number += _events(number + 1, length, growth) <= position
    number -= _events(number, length, growth) > position
    position -= _events(number, length, growth)
    return cycle + number, position, size + number * size_growth, warmup + number * warmup_growth


def grown(sizes: tuple[int, int], ratio: float) -> tuple[int, int]:
    """Return the size and warm-up of the next cycle, rounded down as in ignite, and at most ``LONGEST``."""
    size, warmup = (int(min(duration * ratio, LONGEST)) for duration in sizes)
    return size, warmup


@lru_cache(maxsize=64)
def growing_cycles(sizes: tuple[int, int], ratio: float, horizon: int) -> Array:
    """Return all cycles that begin before ``horizon``, as an array ``(6, runs)``.

    A run is a number of cycles that each grow by the same number of events. The rows are the first event and the first
    cycle of each run, the size and warm-up of this cycle, and their growth from each cycle of the run to the next.
    """
    tables: list[list[Array]] = []
    start, cycle = 0.0, 0.0
    while not tables or start < horizon:
        count = _estimated_cycles(sum(sizes), ratio, horizon - start)
        both = [_runs(one, ratio, horizon, count) for one in sizes]
        firsts, end = _joined(*both)
        size, size_growth, warmup, warmup_growth = (row for runs in both for row in _at(firsts, runs))
        counts, events = np.diff(firsts, append=end), size + warmup
        if len(firsts) < end:
            events = _events(counts, events, size_growth + warmup_growth)
        ends = start + np.cumsum(events)
        kept = slice(int(np.searchsorted(ends, horizon)) + 1)
        rows = np.append(start, ends[:-1]), cycle + firsts, size, warmup, size_growth, warmup_growth
        tables.append([row[kept] for row in rows])
        start, cycle = float(ends[-1]), cycle + end
        sizes = int(size[-1] + counts[-1] * size_growth[-1]), int(warmup[-1] + counts[-1] * warmup_growth[-1])
    table = np.empty((6, sum(len(rows[0]) for rows in tables)))
    for row, parts in zip(table, zip(*tables, strict=True), strict=True):
        np.concatenate(parts, out=row)
    table.flags.writeable = False  # all schedules of these sizes share the table
    return table


def _events(number: Array, length: Array, growth: Array) -> Array:
    """Return the number of events of growing cycles; ``length`` is the first cycle's number of events."""
    return number * length + number * (number - 1) / 2 * growth


class Runs(NamedTuple):
    """The runs of the sizes of growing cycles, or of their warm-ups.

    Args:
        firsts: the first cycle of each run, counted from the first cycle of all runs.
        durations: the size or warm-up of this cycle.
        growths: its growth from each cycle of the run to the next.
        end: the first cycle after all runs.
    """

    firsts: Array
    durations: Array
    growths: Array
    end: float


def _joined(sizes: Runs, warmups: Runs) -> tuple[Array, float]:
    """Return the first cycles of the runs in which neither growth changes, and the first cycle after them."""
    more, fewer = (sizes, warmups) if len(sizes.firsts) >= len(warmups.firsts) else (warmups, sizes)
    end = min(more.end, fewer.end)
    if len(fewer.firsts) == 1 and end == more.end:
        return more.firsts, end
    firsts = more.firsts if len(fewer.firsts) == 1 else np.union1d(more.firsts, fewer.firsts)
    return firsts[: np.searchsorted(firsts, end)], end


def _at(firsts: Array, runs: Runs) -> tuple[Array, Array]:
    """Return the duration and its growth at cycles."""
    if firsts is runs.firsts:
        return runs.durations, runs.growths
    at = np.searchsorted(runs.firsts, firsts, side="right") - 1
    growth = runs.growths[at]
    return runs.durations[at] + (firsts - runs.firsts[at]) * growth, growth


def _runs(duration: int, ratio: float, horizon: int, count: int) -> Runs:
    """Return runs of cycles from a cycle of ``duration`` events on, not necessarily until the horizon.

    Args:
        duration: the size or warm-up of the first cycle.
        ratio: the factor from each cycle to the next.
        horizon: a duration, beyond which no cycle is needed.
        count: the number of cycles, if each is a run.
    """
    if grown((duration, 0), ratio)[0] == duration:
        return Runs(np.zeros(1), np.array([float(duration)]), np.zeros(1), np.inf)
    durations, growths = _slowly_growing(duration, ratio, horizon)
    if len(growths):
        counts = np.diff(durations) / growths
        firsts = np.append(0.0, np.cumsum(counts))
        return Runs(firsts[:-1], durations[:-1], growths, float(firsts[-1]))
    durations = _growing(duration, ratio, horizon, count)
    growths = np.diff(durations, append=grown((int(durations[-1]), 0), ratio)[0])
    return Runs(np.arange(float(len(durations))), durations, growths, float(len(durations)))


def _slowly_growing(duration: int, ratio: float, horizon: int) -> tuple[Array, Array]:
    """Return the durations at which the growth changes, and the growth from each of them to the next.

    A longer cycle never grows by fewer events, so the growth is g from a first duration up to the first duration of
    g + 1. Each growth must have several cycles: a fast growth has no runs, and both arrays are empty then.
    """
    excess = ratio - 1
    growth = grown((duration, 0), ratio)[0] - duration
    last = min(1 / (4 * excess), (duration + horizon * excess) * excess + 2)
    growths = np.arange(growth, last) if growth < last else np.empty(0)
    ends = _first_durations(growths + 1, ratio).astype(int).tolist()
    durations = [duration]
    for one, end in enumerate(ends, growth):
        duration = end + (duration - end) % one
        durations.append(duration)
    return np.array(durations, dtype=np.float64), growths[: len(ends)]


def _first_durations(growths: Array, ratio: float) -> Array:
    """Return the first duration with at least each growth, up to the first growth for which it is not found."""
    excess = ratio - 1
    # A product is rounded up to a whole number if it is half a spacing of floats below.
    found = np.ceil((growths - np.spacing(growths / excess + growths) / 2) / excess)
    found -= np.floor((found - 1) * ratio) - (found - 1) >= growths
    found += np.floor(found * ratio) - found < growths
    is_first = (np.floor(found * ratio) - found >= growths) & (np.floor((found - 1) * ratio) - (found - 1) < growths)
    # Each float below 2**52 is exact to half an event.
    return found[: int(np.argmin(np.append(is_first & (found < 2**51), False)))]


def _estimated_cycles(size: int, ratio: float, events: float) -> int:
    """Return an estimate of the number of growing cycles in ``events`` events; the first cycle has ``size`` events."""
    cycles = np.log1p(events / size * (ratio - 1)) / np.log(ratio)
    return int(min(1.02 * cycles + 8, events / size + 1, 2**15))


def _growing(size: int, ratio: float, horizon: int, count: int) -> Array:
    """Return the sizes of ``count`` growing cycles, or of fewer cycles if the last of them reaches ``horizon``.

    Each size depends on the size before. A NumPy loop computes each next size by a division by ``1 / ratio``, rounded
    down. If a rounding error leads to another size than :func:`grown` returns, the loop starts again with the size
    that :func:`grown` returns.
    """
    sizes, first = np.full(count, 1 / ratio), 0
    sizes[0] = size
    while first < count:
        with np.errstate(over="ignore", invalid="ignore"):  # sizes beyond the horizon may overflow; they are cut off
            np.floor_divide.accumulate(sizes[first:], out=sizes[first:])
        sizes = sizes[: np.searchsorted(sizes, horizon) + 1]
        grown = np.floor(sizes[first:-1] * ratio)
        wrong = np.flatnonzero(sizes[first + 1 :] != grown)
        if not len(wrong):
            break
        first += int(wrong[0]) + 1
        sizes[first], sizes[first + 1 :] = grown[wrong[0]], 1 / ratio
    return np.asarray(np.minimum(sizes, LONGEST))
