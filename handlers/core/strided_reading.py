"""Reads a pure schedule at event indices that are far apart, for example because a clock counts tokens."""

from typing import Any

import numpy as np

from lehr.handlers.schedules import Schedule
from lehr.handlers.schedules.base import Array, Value

from .schedule_reading import (
    BLOCK_VALUES,
    FIRST_BLOCK_SIZE,
    GROWTH,
    BlockReader,
    check_shape,
    evaluate,
    own_value,
    read_block,
)

NEAR = 256  # for smaller amounts, blocks of all indices are read
LARGEST_STRIDED = 1024  # the most indices that are read at once


class StridedReader(BlockReader):
    """Reads a pure schedule at event indices that grow by an amount at each event, such as the number of its tokens.

    If the amounts are small, the reader reads blocks of all indices, like :class:`BlockReader`. If two amounts in a row
    are equal, the reader assumes that this amount repeats, and reads the values of the next 64 events or more at once.
    It reads any other index in an array of 64 indices. NumPy computes all these arrays in whole vectors of the
    processor, so a value has the same bits in each array.
    """

    def __init__(self, schedule: Schedule, limits: Any = None) -> None:
        super().__init__(schedule, limits)
        self.strided: dict[int, Any] = {}  # values at later indices, if the last amounts were equal
        self._last = -1  # the last index that was not read in advance
        self._stride = 0  # the last amount
        self._next = -1  # the index after the strided values
        self._count = 0  # the number of strided values

    def read(self, index: int) -> Value:
        """Return the value at an event: a float, or a list with one float for each group.

        Raises:
            ValueError: see :func:`.read_block`.
        """
        value: Any = self.strided.get(index)
        if value is None:
            at = index - self.first_event
            value = self.values[at] if 0 <= at < len(self.values) else self._read_anew(index)
        return own_value(value)

    def _read_anew(self, index: int) -> Any:
        """Read the value at an index that was not read in advance. Also read values at later indices in advance."""
        amount, last, self._last = index - self._last, self._last, index
        if last < 0 or 0 < amount < NEAR or self._follows(index):
            return self._read_near(index)
        if index == self._next:
            return self._read_far(index, self._stride, self._count * GROWTH)
        # A short batch, such as the last batch of an epoch, is followed by batches of the usual size.
        is_short = bool(self.strided) and amount > self._stride
        is_equal, self._stride = amount == self._stride, self._stride if is_short else max(amount, 1)
        return self._read_far(index, self._stride, FIRST_BLOCK_SIZE if is_short or is_equal else 1)

    def _follows(self, index: int) -> bool:
        """Return whether an index comes soon after a block of all indices."""
        return len(self.values) > 0 and 0 <= index - self.first_event - len(self.values) < NEAR

    def _read_near(self, index: int) -> Any:
        """Read a block of all indices around an index. The block is larger if it follows the previous block."""
        self.strided, self._next = {}, -1
        if self._follows(index):
            self.first_event = index - len(self.values)
        at = self._read_block(index)
        return self.values[at]

    def _read_far(self, index: int, stride: int, count: int) -> Any:
        """Read the values at ``count`` indices that are ``stride`` apart, and return the first value."""
        most = max(BLOCK_VALUES // (self.schedule.groups or 1), FIRST_BLOCK_SIZE)
        count = min(count, LARGEST_STRIDED, most)
        values = read_strided(self.schedule, index, stride, max(count, FIRST_BLOCK_SIZE))
        if self.limits is not None:
            values = self._legal_part(values, index, index)
        self.values, self.first_event, self.strided, self._next = (), 0, {}, -1
        if count == 1:
            return float(values[0]) if values.ndim == 1 else values[0].copy()
        rows = values.tolist() if values.ndim == 1 else list(values.copy())
        self._next, self._count = index + stride * len(rows), count
        self.strided = dict(zip(range(index, self._next, stride), rows, strict=True))
        return rows[0]


def read_strided(schedule: Schedule, index: int, stride: int, size: int) -> Array:
    """Return the values at ``size`` indices that start at ``index`` and are ``stride`` apart.

    If the value at a later index cannot be computed, return only the values before this index.

    Args:
        schedule: a pure schedule.
        index: the first index.
        stride: the distance from one index to the next, at least 1.
        size: the number of indices, which is a multiple of 64.

    Raises:
        ValueError: the value at ``index`` is NaN or infinite, or the values do not have the schedule's shape.
    """
    try:
        values = _evaluate_at(schedule, index + stride * np.arange(size, dtype=np.float64))
    except Exception:  # the error may concern a later index
        start, block = read_block(schedule, index, FIRST_BLOCK_SIZE)
        return block[index - start : index - start + 1]
    finite = np.isfinite(values)
    if finite.all():
        return values
    bad = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))
    if bad[0] > 0:
        return values[: bad[0]]
    start, block = read_block(schedule, index, FIRST_BLOCK_SIZE)  # this raises the error
    return block[index - start : index - start + 1]


def _evaluate_at(schedule: Schedule, indices: Array) -> Array:
    """Return the values at indices. The number of indices is a multiple of 64."""
    values = evaluate(schedule, indices)
    check_shape(schedule, values, len(indices))
    return values.astype(np.float64, copy=False)
