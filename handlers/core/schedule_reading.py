"""Reads the values of a schedule: in blocks of events if the schedule is pure, and event by event if it is not.

Training and simulation both read values with this module, so they get bit-identical values.
"""

import contextlib
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lehr.handlers.schedules import LiveSchedule, Schedule, arguments
from lehr.handlers.schedules.base import Array, Value
from lehr.handlers.targets.legal_values import LARGEST

from .simulation.keep_random_state import random_state_kept

BLOCK_SIZE, BLOCK_VALUES = 8192, 2**17  # the largest numbers of events and of values in a block
FEW_GROUPS = 64  # for so few groups, a block is a list of lists
FIRST_BLOCK_SIZE, GROWTH = 64, 8  # the number of events in the first block, and the factor by which later blocks grow
Limits = tuple[Any, Any]  # the lowest and the highest legal value, or two arrays with a value for each column


def block_size(schedule: Schedule) -> int:
    """Return the largest number of events to read at once.

    A formula takes as long for one event as for hundreds of events. For a pure schedule, the number is therefore
    :data:`BLOCK_SIZE`, or a smaller power of two, so that a block has at most :data:`BLOCK_VALUES` values. For a
    schedule that is not pure, the number is 1.
    """
    return _block_size_for(schedule.groups) if schedule.is_pure else 1


def _block_size_for(groups: int | None) -> int:
    fitting = max(BLOCK_VALUES // (groups or 1), 1)
    return min(BLOCK_SIZE, 1 << (fitting.bit_length() - 1))


def read_block(schedule: Schedule, index: int, size: int | None = None) -> tuple[int, Array]:
    """Return the first event and the values of a block of events that includes ``index``.

    A block starts at a multiple of its size, which is 1 or a power of two of at least 64. NumPy computes such arrays in
    whole vectors of the processor, so a value has the same bits in every block. A block is shorter if the schedule
    raises an error for some of its events.

    Args:
        schedule: the schedule.
        index: the index of the event.
        size: the number of events, which is a power of two. If None, the number is :func:`block_size`.

    Returns:
        The first event, and values ``(n,)`` or ``(n, G)`` with n <= ``size``.

    Raises:
        ValueError: the value at ``index`` is NaN or infinite, or the values do not have the schedule's shape.
    """
    size = block_size(schedule) if size is None else size
    while True:
        start = index - index % size
        try:
            values = evaluate(schedule, np.arange(start, start + size, dtype=np.float64))
            break
        except Exception:
            # The error may concern a later event, such as the end of a table: read fewer events.
            if size == 1:
                raise
            size = FIRST_BLOCK_SIZE if size > FIRST_BLOCK_SIZE else 1
    check_shape(schedule, values, size)
    values = values.astype(np.float64, copy=False)
    finite = np.isfinite(values)
    if finite.all():
        return start, values
    # A NaN may come after the end of training: end the block before the first NaN.
    bad = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))
    bad = bad[bad >= index - start]
    if index - start in bad:
        given = arguments.shown_text(str(values[index - start]), 100)
        raise ValueError(f"{arguments.shown(schedule)} gave {given} for event {index}, and must give finite numbers")
    return start, values[: bad[0]] if len(bad) else values


def evaluate(schedule: Schedule, indices: Array) -> NDArray[Any]:
    """Return the unchecked values of a schedule at events."""
    with np.errstate(all="ignore"):
        return np.asarray(schedule.values(indices))


def check_shape(schedule: Schedule, values: NDArray[Any], size: int) -> None:
    """Raise a ValueError unless values are real numbers in the schedule's shape for ``size`` events."""
    groups = schedule.groups
    wanted = (size,) if groups is None else (size, groups)
    # A Python function may give one value at one event and a list at the next.
    if values.shape != wanted and (schedule.is_pure or values.ndim not in (1, 2) or len(values) != size):
        raise ValueError(
            f"{arguments.shown(schedule)} gave an array of shape {values.shape} for {size} events, "
            f"but its groups={groups} needs the shape {wanted}"
        )
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{arguments.shown(schedule)} gave values of type {values.dtype}, but must give real numbers")


def own_value(value: Any) -> Value:
    """Return a value of a block as a float or as a new list, which a user's code may change."""
    if type(value) is float:
        return value
    return value.copy() if type(value) is list else value.tolist()


class BlockReader:
    """Reads a pure schedule in blocks, and keeps the last block.

    A block is a list, because Python reads lists fastest. Each item is a float, or a list with one float for each
    group. For more than :data:`FEW_GROUPS` groups, a block is an array, because lists take four times the memory.

    Args:
        schedule: the schedule.
        limits: the lowest and the highest legal value. A block ends before the first value outside the limits, so that
            the reader notices this value at its event, and not earlier. The reader then drops the limits.
    """

    def __init__(self, schedule: Schedule, limits: Limits | None = None) -> None:
        self.schedule, self.limits = schedule, limits
        self.illegal: tuple[int, float, int] | None = None  # the first illegal value: its event, the value, its column
        self.first_event, self.values = 0, ()  # type: tuple[int, Any]
        self.strided: dict[int, Any] = {}  # values by their indices, for a clock
        self._size = FIRST_BLOCK_SIZE // GROWTH

    @property
    def by_index(self) -> tuple[Any, int]:
        """The values that were read: a list and the index of its first value, or a dict by index and 0."""
        return (self.values, self.first_event) if type(self.values) is list else (self.strided, 0)

    def read(self, index: int) -> Value:
        """Return the value at an event: a float, or a list with one float for each group.

        Raises:
            ValueError: see :func:`read_block`.
        """
        at = index - self.first_event
        if not 0 <= at < len(self.values):
            at = self._read_block(index)
        return own_value(self.values[at])

    def known(self, index: int) -> Value | None:
        """Return the value at an event if the last block contains the value; otherwise None."""
        at = index - self.first_event
        value = self.values[at] if 0 <= at < len(self.values) else self.strided.get(index)
        return None if value is None else own_value(value)

    def _read_block(self, index: int) -> int:
        follows = index == self.first_event + len(self.values)
        most = _block_size_for(self.schedule.groups)
        self._size = min(self._size * GROWTH if follows else FIRST_BLOCK_SIZE, most)
        first, values = read_block(self.schedule, index, self._size)
        if self.limits is not None:
            values = self._legal_part(values, first, index)
        # Copy the array, because the schedule may change it later.
        is_list = values.ndim == 1 or values.shape[1] <= FEW_GROUPS
        self.first_event, self.values = first, values.tolist() if is_list else values.copy()
        return index - first

    def _legal_part(self, values: Array, first: int, index: int) -> Array:
        """Return the values of a block before the first illegal value, or all if the value at ``index`` is illegal."""
        lowest, highest = self.limits  # type: ignore[misc]
        if type(lowest) is float and values.min() >= lowest and (highest == LARGEST or values.max() <= highest):
            return values  # the usual case, which is quick to check
        is_illegal = (values < lowest) | (values > highest)
        if not is_illegal.any():
            return values
        at = index - first
        rows = np.flatnonzero(is_illegal.reshape(len(values), -1).any(axis=1))
        rows = rows[rows >= at]
        if not len(rows):
            return values
        if rows[0] > at:
            return values[: rows[0]]
        column = int(np.argmax(is_illegal[at]))
        self.limits, self.illegal = None, (index, float(values[at].flat[column]), column)
        return values


class EventReader:
    """Reads any schedule event by event, except that pure schedules inside the schedule are read in blocks."""

    def __init__(self) -> None:
        self._readers: dict[int, Callable[[int], Value] | None] = {}  # by the id of the schedule
        self._known: list[Schedule] = []  # schedules that are kept alive, so that no other object gets their ids
        self._now: dict[tuple[int, int], Value] | None = None  # the values of one event, while it is read

    @contextlib.contextmanager
    def one_event(self) -> Iterator[None]:
        """Within this context, evaluate each schedule once, even if several other schedules contain it."""
        self._now = {}
        try:
            yield
        finally:
            self._now = None

    def read(self, schedule: Schedule, index: int) -> Value:
        """Return the value at an event: a float, or a list with one float for each group.

        Raises:
            TypeError, ValueError: the value is not a finite number, or the schedule raises the error.
        """
        key = id(schedule)
        try:
            reader = self._readers[key]
        except KeyError:
            reader = self._reader_of(schedule)
        if self._now is None:
            return self._read_composition(schedule, index) if reader is None else reader(index)
        if (key, index) not in self._now:
            value = self._read_composition(schedule, index) if reader is None else reader(index)
            self._now[key, index] = value
        return self._now[key, index]

    def _reader_of(self, schedule: Schedule) -> Callable[[int], Value] | None:
        """Make and keep the function that reads a schedule, and return it. For a composition, return None.

        A composition is read by a bound method of this object. If the object kept this method, the reference cycle
        would keep optimizers in memory until garbage collection.
        """
        reader: Callable[[int], Value] | None = None
        if schedule.is_pure:
            reader = BlockReader(schedule).read
        elif isinstance(schedule, LiveSchedule):
            reader = schedule._reader()
        self._known.append(schedule)
        self._readers[id(schedule)] = reader
        return reader

    def _read_composition(self, schedule: Schedule, index: int) -> Value:
        value = schedule.value_from_parts(index, self.read)
        if type(value) is float and isfinite(value):
            return value
        if value is None:
            return read_block(schedule, index)[1].tolist()[0]  # type: ignore[no-any-return]
        return arguments.value_at(index, value, lambda at: f"the value of {arguments.shown(schedule)} at event {at}")


def read_values(schedule: Schedule, start: int, num_events: int, groups: int | None) -> Array:
    """Return the values of events ``start`` to ``start + num_events - 1`` as an array ``(num_events, groups)``.

    Args:
        schedule: the schedule.
        start: the index of the first event.
        num_events: the number of events.
        groups: the number of param groups. If None, the number of values that the schedule has at an event.

    Raises:
        ValueError: see :func:`read_block`; or the schedule has values for another number of groups.
    """
    groups = groups or schedule.groups
    with random_state_kept(schedule):
        if schedule.is_pure:
            return _read_blocks(schedule, start, num_events, groups)
        return _read_events(schedule, start, num_events, groups)


def _read_blocks(schedule: Schedule, start: int, num_events: int, groups: int | None) -> Array:
    table = np.empty((num_events, groups or 1))
    event, stop, largest = start, start + num_events, _block_size_for(schedule.groups)
    while event < stop:
        wanted = max(FIRST_BLOCK_SIZE, 1 << (stop - event - 1).bit_length())  # read no more than needed
        first, values = read_block(schedule, event, min(wanted, largest))
        rows = values[event - first : stop - first]
        if rows.ndim == 2 and rows.shape[1] != table.shape[1]:
            raise ValueError(
                f"{arguments.shown(schedule)} gave {rows.shape[1]} values at event {event}, for {groups} groups"
            )
        table[event - start : event - start + len(rows)] = rows if rows.ndim == 2 else rows[:, None]
        event += len(rows)
    return table


def _read_events(schedule: Schedule, start: int, num_events: int, groups: int | None) -> Array:
    if isinstance(schedule, LiveSchedule):
        values: list[Value] = [schedule.checked(event) for event in range(start, start + num_events)]
    else:
        reader, values = EventReader(), []
        for event in range(start, start + num_events):
            with reader.one_event():
                values.append(reader.read(schedule, event))
    # The number of values of a Python function is known only now.
    groups = groups or next((len(value) if isinstance(value, list) else 1 for value in values), 1)
    table = np.empty((num_events, groups))
    for at, value in enumerate(values):
        if isinstance(value, list) and len(value) != groups:
            raise ValueError(
                f"{arguments.shown(schedule)} gave {len(value)} values at event {start + at}, for {groups} groups"
            )
        table[at] = value
    return table
