"""Finds the events at which two runs have the same learning rates, and the runs that have the same schedule."""

from collections.abc import Sequence

import numpy as np

from lehr.handlers.schedules.base import Array

from .lr_changes import Steps

SAME = 0.01  # a difference of at most this fraction of the highest learning rate does not count
WHOLE = 0.98  # runs that share this fraction of their events have the same schedule


def shared_events(first: Array, second: Array) -> int:
    """Return how many events at the beginning of two runs have equal learning rates, within 1% of the highest one.

    >>> shared_events(np.array([0.1, 0.1, 0.1]), np.array([0.1, 0.1, 0.05, 0.01]))
    2
    """
    count, highest = min(len(first), len(second)), max(float(first.max()), float(second.max()))
    begin = 0
    while begin < count:  # most runs differ early, so the first blocks are short
        end = min(count, max(1000, 2 * begin))
        differs = np.abs(first[begin:end] - second[begin:end]) > SAME * highest
        if differs.any():
            return begin + int(np.argmax(differs))
        begin = end
    return count


def shared_by_pairs(all_lrs: Sequence[Array]) -> Steps:
    """Return how many events each pair of runs shares ``(runs, runs)``. The diagonal has the length of each run.

    >>> shared_by_pairs([np.ones(5), np.array([1.0, 1, 1, 0.5, 0.5])]).tolist()
    [[5, 3], [3, 5]]
    """
    shared = np.diag([len(lrs) for lrs in all_lrs])
    for one, lrs in enumerate(all_lrs):
        for other in range(one):
            shared[one, other] = shared[other, one] = shared_events(lrs, all_lrs[other])
    return shared


def schedule_numbers(shared: Steps) -> list[int]:
    """Return, for each run, the index of the first run that has the same schedule and length.

    >>> schedule_numbers(shared_by_pairs([np.ones(5), np.array([1.0, 1, 1, 0.5, 0.5]), np.ones(5)]))
    [0, 1, 0]
    """
    lengths = np.diag(shared)
    is_same = shared >= WHOLE * np.maximum(lengths[:, None], lengths)
    numbers: list[int] = []
    for at, same in enumerate(is_same):
        first = int(np.argmax(same))
        numbers.append(numbers[first] if first < at else at)
    return numbers


def told_up_to(steps: Steps, shared: int) -> int:
    """Return the number of events up to the last loss that another run measured in the shared events.

    Both runs have the same learning rates at the first ``shared`` events. The other run measured losses at ``steps``.

    >>> told_up_to(np.array([10, 20, 30]), shared=25), told_up_to(np.array([30]), shared=25)
    (21, 0)
    """
    count = int(np.searchsorted(steps, shared))
    return int(steps[count - 1]) + 1 if count else 0


def follow_one_schedule(shared: Steps) -> bool:
    """Return whether one of the runs begins with the learning rates of every other run.

    >>> follow_one_schedule(shared_by_pairs([np.ones(5), np.ones(9)]))
    True
    >>> follow_one_schedule(shared_by_pairs([np.ones(5), np.linspace(1, 0, 9)]))
    False
    """
    is_part = shared >= WHOLE * np.diag(shared)[:, None]
    return bool(is_part.all(axis=0).any())
