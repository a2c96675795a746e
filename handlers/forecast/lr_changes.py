"""Sums the learning rates of a run, and their changes in windows of events, for the law of the loss."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lehr.handlers.schedules.base import Array

Steps = NDArray[np.integer[Any]]

WINDOWS = 300  # the changes of a run are divided into this many windows; a window also ends at each step
LEAST = 1e-12  # smaller sums and learning rates are replaced by this number, because 0 has no logarithm


@dataclass(frozen=True, eq=False)
class Changes:
    """The learning rates of a run up to each of T steps, in units of the highest learning rate of all runs.

    All changes of the learning rate in a window of events count as one change, with the weighted mean of their learning
    rates and positions. A window never includes events on both sides of a step. Rises and falls are counted separately.
    So the sum of the law has at most a few hundred terms, instead of one for each event. The loss changes by less than
    0.01%, or by 0.3% if the learning rate jumps at every event.

    Args:
        log_sums: the logarithm of S', the sum of powers of the learning rate up to each step ``(T,)``.
        sizes: the fall of the learning rate in each window ``(W,)``, negative for a rise.
        log_lrs: the logarithm of the learning rate after the window's change ``(W,)``.
        passed: the sum of the learning rates from each change to each step, or 0 if the change comes later ``(T, W)``.
    """

    log_sums: Array
    sizes: Array
    log_lrs: Array
    passed: Array


def changes_of(lrs: Array, steps: Steps, power: float = 1.0, windows: int | None = WINDOWS) -> Changes:
    """Sum the learning rates ``(n,)`` of a run, and their changes, up to each of the steps ``(T,)``.

    Args:
        lrs: the learning rate of each event, in units of the highest learning rate.
        steps: the event indices of the steps, in rising order.
        power: the parameter p of the law.
        windows: the number of windows. If None, each event has its own window, which is exact but slow.

    Example:
        >>> changes = changes_of(np.array([1.0, 1.0, 0.5, 0.5]), np.array([1, 3]))
        >>> changes.sizes, changes.passed
        (array([0.5]), array([[0.],
               [1.]]))
    """
    sums = np.cumsum(lrs)
    powers = sums if power == 1.0 else np.cumsum(lrs**power)
    falls = lrs[:-1] - lrs[1:]
    at = np.flatnonzero(falls) + 1  # the events whose learning rate differs from that of the event before
    at = at[at <= steps[-1]]
    falls = falls[at - 1]
    ends = at if windows is None else _ends(falls, at, steps, windows)
    number = np.searchsorted(ends, at, side="left")
    _, first, window = np.unique(2 * number + (falls > 0), return_index=True, return_inverse=True)
    sizes = np.bincount(window, falls).astype(np.float64)  # without changes, bincount returns whole numbers
    weights = falls / sizes[window] if len(at) else falls
    begins = np.bincount(window, weights * sums[at - 1])
    is_before = ends[number[first]] <= steps[:, None]
    return Changes(
        log_sums=np.log(np.maximum(powers[steps], LEAST)),
        sizes=sizes,
        log_lrs=np.log(np.maximum(np.bincount(window, weights * lrs[at]), LEAST)),
        passed=np.where(is_before, np.maximum(sums[steps][:, None] - begins, 0), 0.0),
    )


def _ends(falls: Array, at: Steps, steps: Steps, windows: int) -> Steps:
    """Return the last event of each window. Windows end at each step, and share the remaining changes equally."""
    if not len(at):
        return steps
    changed = np.cumsum(np.abs(falls))
    equal = np.searchsorted(changed, np.linspace(0, changed[-1], windows + 1)[1:-1])
    return np.unique(np.concatenate([steps, at[equal]]))
