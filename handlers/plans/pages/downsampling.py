"""Selects the points of long lines that a page draws: extremes, jumps and both ends."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lehr.handlers.schedules.base import Array

FEWEST = 8  # each line chooses at least this many points


def kept_points(lines: Sequence[Array], most: int, also: Iterable[int] = ()) -> NDArray[np.int64]:
    """Return the indices of about ``most`` points to keep of all lines. Shorter lines keep all points.

    Each line is cut into equal intervals. For each interval, the smallest and the largest value are kept, and the
    values before and after its largest step. Both ends of the line are kept. NaN counts as 0. If many lines differ,
    intervals are longer, so that the number of points of all lines together stays at about ``most``.

    Args:
        lines: the values of each line, ``(n,)``.
        most: how many points to keep, at least 8. A few more are kept if many lines differ.
        also: more indices to keep. Indices outside of the lines are ignored.

    Example:
        >>> values = np.zeros(1_000_000)
        >>> values[123_456], values[700_000:] = 9.0, 1.0
        >>> kept = kept_points([values], most=1000)
        >>> len(kept) <= 1000, float(values[kept].max()), {699_999, 700_000} <= {*kept.tolist()}
        (True, 9.0, True)
    """
    length, share = len(lines[0]), most
    if length <= most:
        return np.arange(length)
    marked = np.array([index for index in also if 0 <= index < length], dtype=np.int64)
    while True:
        kept = np.unique(np.concatenate([marked, *(_kept_of(values, share) for values in lines)]))
        if len(kept) <= most + len(marked) or share <= FEWEST:
            return kept
        share = max(share * most // len(kept), FEWEST)


def _kept_of(values: Array, most: int) -> NDArray[np.int64]:
    """Return the indices of at most ``most`` points of one line."""
    size = -(-len(values) // max((most - 2) // 4, 1))
    filled = np.nan_to_num(np.append(values, np.repeat(values[-1:], -len(values) % size)))
    steps = np.abs(np.diff(filled, prepend=filled[:1])).reshape(-1, size)
    filled, first = filled.reshape(-1, size), np.arange(0, len(filled), size)
    after = first + steps.argmax(axis=1)
    kept = np.concatenate([[0], first + filled.argmin(axis=1), first + filled.argmax(axis=1), after - 1, after])
    return np.append(np.clip(kept, 0, len(values) - 1), len(values) - 1)
