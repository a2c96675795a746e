"""Selects the events at which the law is computed. Between these events, the loss is interpolated."""

import numpy as np

from lehr.handlers.schedules.base import Array

from .lr_changes import Steps

EVEN, EARLY, OF_CHANGES = 160, 100, 120
JUMPS, AFTER_JUMP = 8, 40
JUMP = 0.01  # a change is a jump if it is larger than this fraction of the highest learning rate


def steps_for(lrs: Array, begin: int) -> Steps:
    """Return a few hundred events from ``begin`` to the last event, close to each other where the loss bends.

    The loss bends after the warm-up, where the learning rate changes, and after each of its largest jumps.

    >>> steps_for(np.ones(6), begin=2).tolist()
    [2, 3, 4, 5]
    """
    last = len(lrs) - 1
    changed = np.abs(np.diff(lrs, prepend=lrs[:1]))
    changed[: begin + 1] = 0
    found = [
        np.linspace(begin, last, EVEN),
        begin + np.geomspace(1, last - begin + 1, EARLY) - 1,
        np.array([begin, last]),
    ]
    if changed.any():
        total = np.cumsum(changed)
        found.append(np.searchsorted(total, np.linspace(0, total[-1], OF_CHANGES)))
        largest = np.argsort(changed, kind="stable")[-JUMPS:]
        for jump in largest[changed[largest] > JUMP * lrs.max()].tolist():
            found += [np.array([jump - 1]), jump + np.geomspace(1, last - jump + 1, AFTER_JUMP) - 1]
    steps = np.rint(np.concatenate(found)).astype(np.int64)
    return np.unique(np.clip(steps, begin, last))
