"""Leaves out points of long lines, and keeps their extremes and jumps."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lehr.handlers.schedules.base import Array

FEWEST = 8  # points of a line


def kept_points(lines: Sequence[Array], most: int, also: Iterable[int] = ()) -> NDArray[np.int64]:
    """The indices of about ``most`` points, which all lines share. Lines of at most ``most`` values keep all of them.

    Each line is cut into equal intervals. Its least and its largest value in each interval are kept, the values before
    and after its largest step, and both of its ends. NaN counts as 0. The more lines differ, the longer are the
    intervals, so that the points of all lines together stay about ``most``.

    Args:
        lines: the values of each line, ``(n,)``.
        most: how many points to keep, at least 8; a few more are kept if many lines differ.
        also: indices to keep besides these; those outside of the lines are ignored.

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
    """The indices of at most ``most`` points of one line."""
    size = -(-len(values) // max((most - 2) // 4, 1))
    filled = np.nan_to_num(np.append(values, np.repeat(values[-1:], -len(values) % size)))
    steps = np.abs(np.diff(filled, prepend=filled[:1])).reshape(-1, size)
    filled, first = filled.reshape(-1, size), np.arange(0, len(filled), size)
    after = first + steps.argmax(axis=1)
    kept = np.concatenate([[0], first + filled.argmin(axis=1), first + filled.argmax(axis=1), after - 1, after])
    return np.append(np.clip(kept, 0, len(values) - 1), len(values) - 1)
