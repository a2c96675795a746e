"""Reading a schedule block by block: the one way in which training and simulation get their values."""

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch

from .schedules import Schedule
from .schedules.base import Array

BLOCK_SIZE = 1024


def read_block(schedule: Schedule, index: int) -> tuple[int, Array]:
    """The first event of the block that ``index`` falls into, and the block's values from there.

    Blocks begin at multiples of their size wherever reading begins, so that a run, a resumed run and a
    simulation evaluate the same arrays and get the same bits. A block is a single event where the schedule may
    not be asked ahead of time.

    Returns:
        The first event, and values ``(n,)`` or ``(n, G)`` that include ``index``.

    Raises:
        ValueError: the value at ``index`` is NaN or infinite, or the schedule does not keep to its shape.
    """
    size = BLOCK_SIZE if schedule.ahead else 1
    start = index - index % size
    indices = np.arange(start, start + size, dtype=np.float64)
    with np.errstate(all="ignore"):  # most of the block lies ahead, and perhaps beyond the end of training
        values = np.asarray(schedule.values(indices), dtype=np.float64)
    if values.ndim not in (1, 2) or len(values) != size:
        raise ValueError(f"{schedule!r} gave an array of shape {values.shape} for {size} events")
    finite = np.isfinite(values)
    if not finite.all():
        bad = np.flatnonzero(~finite.reshape(size, -1).all(axis=1))
        bad = bad[bad >= index - start]
        if index - start in bad:
            raise ValueError(f"{schedule!r} gave {values[index - start]} for event {index}")
        values = values[: bad[0]] if len(bad) else values
    return start, values


def read_values(schedule: Schedule, start: int, num_events: int, groups: int) -> Array:
    """The values of events ``start`` to ``start + num_events - 1`` as an array ``(num_events, groups)``.

    Raises:
        ValueError: as :func:`read_block`; or the schedule has values for another number of groups.
    """
    table = np.empty((num_events, groups))
    event, stop = start, start + num_events
    with contextlib.nullcontext() if schedule.ahead else _random_state_kept():
        while event < stop:
            first, values = read_block(schedule, event)
            rows = values[event - first : stop - first]
            if rows.ndim == 2 and rows.shape[1] != groups:
                raise ValueError(f"{schedule!r} gave {rows.shape[1]} values at event {event}, for {groups} groups")
            table[event - start : event - start + len(rows)] = rows if rows.ndim == 2 else rows[:, None]
            event += len(rows)
    return table


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Leave the random numbers as they were, whatever a user's function draws."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
