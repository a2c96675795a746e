"""Which events of a run other runs have had, too: what they measured there tells nothing of another schedule."""

from collections.abc import Sequence

import numpy as np

from lehr.handlers.schedules.base import Array

SAME = 0.01  # of the highest learning rate
WHOLE = 0.98  # of the events of a run: its schedule is the other one's


def shared_events(first: Array, second: Array) -> int:
    """The number of events at the beginning whose learning rates are the same in two runs, within 1% of the highest.

    >>> shared_events(np.array([0.1, 0.1, 0.1]), np.array([0.1, 0.1, 0.05, 0.01]))
    2
    """
    count, highest = min(len(first), len(second)), max(float(first.max()), float(second.max()))
    begin = 0
    while begin < count:  # most runs differ early
        end = min(count, max(1000, 2 * begin))
        differs = np.abs(first[begin:end] - second[begin:end]) > SAME * highest
        if differs.any():
            return begin + int(np.argmax(differs))
        begin = end
    return count


def follow_one_schedule(all_lrs: Sequence[Array]) -> bool:
    """Whether all runs are the longest one, or its beginning.

    >>> follow_one_schedule([np.ones(5), np.ones(9)]), follow_one_schedule([np.ones(5), np.zeros(9)])
    (True, False)
    """
    longest = max(all_lrs, key=len)
    return all(shared_events(lrs, longest) >= WHOLE * len(lrs) for lrs in all_lrs)


def held_out_from(all_lrs: Sequence[Array]) -> tuple[list[int], list[int]]:
    """For each run, the number of its schedule, and the event from which no run of another schedule has been like it.

    Runs whose schedules are the same, and as long, have the same number: they are left out together.

    >>> held_out_from([np.ones(5), np.array([1.0, 1, 1, 0.5, 0.5]), np.ones(5)])
    ([0, 1, 0], [3, 3, 3])
    """
    count = len(all_lrs)
    numbers, begins = list(range(count)), [0] * count
    shared = np.zeros((count, count), dtype=np.int64)
    for one in range(count):
        for other in range(one):
            shared[one, other] = shared[other, one] = shared_events(all_lrs[one], all_lrs[other])
            if shared[one, other] >= WHOLE * max(len(all_lrs[one]), len(all_lrs[other])):
                numbers[one] = min(numbers[one], numbers[other])
    for one in range(count):
        begins[one] = max((int(shared[one, at]) for at in range(count) if numbers[at] != numbers[one]), default=0)
    return numbers, begins
