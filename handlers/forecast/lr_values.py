"""Reads the learning rate of each event of a run from a schedule, a scheduler or an array."""

from typing import Any

import numpy as np

from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules.arguments import shown, whole_number
from lehr.handlers.schedules.base import Array, Schedule

from .check_losses import as_floats

LONGEST_WARMUP = 0.5  # a warm-up is at most this fraction of the run
MOST_LR = 100.0  # a higher learning rate is an error, because it is probably a percentage


def lr_values(name: str, schedule: object, num_events: int, group: int | None = None) -> Array:
    """Return the learning rate of one param group, or the mean of all groups, at events 0 to ``num_events - 1``.

    Args:
        name: the name of the argument in error messages.
        schedule: a schedule, a scheduler, or an array of the learning rate of each event: ``(n,)`` or ``(n, G)``.
        num_events: the number of events n, at least 1.
        group: the index of a param group. If None, the mean of all groups is returned.

    Raises:
        TypeError: ``schedule`` is not a schedule, a scheduler or an array.
        ValueError: a learning rate is negative or not finite; the array is too short; or the schedule depends on a
            metric.

    Example:
        >>> lr_values("schedule", [[0.1, 0.3], [0.2, 0.4]], 2), lr_values("schedule", [[0.1, 0.3]], 1, group=1)
        (array([0.2, 0.3]), array([0.3]))
    """
    values = _values(name, schedule, num_events)
    group = None if group is None else whole_number("group", group, at_least=0)
    if values.ndim == 2:
        if group is not None and group >= values.shape[1]:
            raise ValueError(f"group must be less than {values.shape[1]}, the number of param groups, given {group}")
        values = values.mean(axis=1) if group is None else values[:, group]
    elif group not in (None, 0):
        raise ValueError(f"group must be None or 0 if {name} has one learning rate for each event, given {group}")
    illegal = np.flatnonzero(~((values >= 0) & (values <= MOST_LR)))
    if len(illegal):
        rule = f"{name} must have learning rates from 0 to {MOST_LR:g}"
        raise ValueError(f"{rule}, given {shown(float(values[illegal[0]]))} at event {illegal[0]}{_advice(values)}")
    if not values.any():
        raise ValueError(f"{name} must have a learning rate above 0 at some event, given 0 at all {len(values)} events")
    return values


def warmup_of(lrs: Array) -> int:
    """Return the length of the warm-up: the number of events before the learning rate first reaches a peak.

    A learning rate that is constant at first, and rises only later in the run, has no warm-up.

    >>> warmup_of(np.array([0.0, 0.5, 1.0, 1.0, 0.5])), warmup_of(np.array([1.0, 1.0, 1.0, 1.0, 2.0]))
    (2, 0)
    """
    falls = np.flatnonzero(lrs[1:] < lrs[:-1])
    rising = lrs[: int(falls[0]) + 1] if len(falls) else lrs
    peak = int(np.argmax(rising == rising[-1]))
    if peak <= LONGEST_WARMUP * len(lrs):
        return peak
    still = np.flatnonzero(lrs[1:] <= lrs[:-1])  # stairs that rise during most of the run are not a warm-up
    return int(still[0]) if len(still) else peak


def _values(name: str, schedule: Any, num_events: int) -> Array:
    if isinstance(schedule, Schedule):
        if not schedule.is_pure:
            raise ValueError(
                f"{name} must have learning rates that are known before training, given {shown(schedule)}, which "
                "depends on a metric: give the array of the learning rates that the run had"
            )
        return np.asarray(schedule(np.arange(num_events)), dtype=np.float64)
    if isinstance(schedule, BaseParamScheduler):
        return np.asarray(schedule.simulate(num_events), dtype=np.float64)
    if isinstance(schedule, str | bytes) or not isinstance(schedule, np.ndarray | list | tuple):
        raise TypeError(
            f"{name} must be a schedule, a scheduler, or an array of learning rates, given {shown(schedule)}"
        )
    try:
        values = as_floats(schedule)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must have numbers, one for each event, given {shown(schedule)}") from None
    if values.ndim not in (1, 2) or not values.size:
        raise ValueError(f"{name} must have the shape (events,) or (events, groups), given {values.shape}")
    if len(values) < num_events:
        raise ValueError(
            f"{name} must have the learning rate of each of {num_events} events, given {len(values)}: count steps in "
            "events, as the array does, not in tokens, samples or epochs"
        )
    return values[:num_events]


def _advice(values: Array) -> str:
    finite = values[np.isfinite(values)]
    return ": is it in another unit, such as percent?" if len(finite) and finite.max() > MOST_LR else ""
