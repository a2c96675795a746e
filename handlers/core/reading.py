"""Reading a schedule block by block: the one way in which training and simulation get their values."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lehr.handlers.schedules import LiveSchedule, Schedule, arguments
from lehr.handlers.schedules.base import Array, Value

BLOCK_SIZE, BLOCK_VALUES = 8192, 2**17  # events of a block at most, and values of all groups together


def block_size(schedule: Schedule) -> int:
    """How many events are read at once: many, since a formula costs as much for one of them as for hundreds.

    It is a power of two, and less than :data:`BLOCK_SIZE` where so many groups have values of their own that a block
    would have more than :data:`BLOCK_VALUES`; 1 where the schedule may not be asked ahead of time.
    """
    if not schedule.is_pure:
        return 1
    fitting = max(BLOCK_VALUES // (schedule.groups or 1), 1)
    return min(BLOCK_SIZE, 1 << (fitting.bit_length() - 1))


def read_block(schedule: Schedule, index: int) -> tuple[int, Array]:
    """The values of a block of events that includes ``index``, and its first event.

    Blocks begin at multiples of their size wherever reading begins, so that a run, a resumed run and a
    simulation evaluate the same arrays and get the same bits. A block is a single event where the schedule may
    not be asked ahead of time, or raises when it is.

    Returns:
        The first event, and values ``(n,)`` or ``(n, G)``; n may be less than a block's size.

    Raises:
        ValueError: the value at ``index`` is NaN or infinite, or the schedule does not keep to its shape.
    """
    size = block_size(schedule)
    start = index - index % size
    try:
        values = _evaluate(schedule, start, size)
    except Exception:
        # Perhaps only beyond its end, as a table raises. If it is at this event, let that be what is raised.
        if size == 1:
            raise
        start, size = index, 1
        values = _evaluate(schedule, start, size)
    _check_shape(schedule, values, size)
    values = values.astype(np.float64, copy=False)
    finite = np.isfinite(values)
    if finite.all():
        return start, values
    # Nor do NaNs matter that lie beyond the end of training: cut the block before the first one after index.
    bad = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))
    bad = bad[bad >= index - start]
    if index - start in bad:
        raise ValueError(f"{schedule!r} gave {values[index - start]} for event {index}")
    return start, values[: bad[0]] if len(bad) else values


def _evaluate(schedule: Schedule, start: int, size: int) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        return np.asarray(schedule.values(np.arange(start, start + size, dtype=np.float64)))


def _check_shape(schedule: Schedule, values: NDArray[Any], size: int) -> None:
    groups = schedule.groups
    wanted = (size,) if groups is None else (size, groups)
    # A Python function may give one value at one event and a list at the next.
    as_it_likes = not schedule.is_pure and values.ndim in (1, 2) and len(values) == size
    if values.shape != wanted and not as_it_likes:
        raise ValueError(
            f"{schedule!r} gave an array of shape {values.shape} for {size} events, "
            f"where its groups={groups} wants {wanted}"
        )
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{schedule!r} gave values of type {values.dtype}, where real numbers are wanted")


class Block(NamedTuple):
    """Values read ahead, as a tuple that is replaced as a whole: a float for each event, or a row of them.

    The floats are in a list, from which Python takes them fastest. Rows, of one value for each of ``groups``, stay in
    their array: as lists they would take four times as much memory, and keep the garbage collector busy.
    """

    first_event: int
    values: list[float] | Array
    groups: int

    def at(self, index: int) -> Value | None:
        """The value at an event: a float, or a list with one for each group; None where the block does not have it."""
        at = index - self.first_event
        if not 0 <= at < len(self.values):
            return None
        value: Any = self.values[at]
        return value.tolist() if self.groups else value  # type: ignore[no-any-return]


NO_BLOCK = Block(0, [], 0)


def block_ahead(schedule: Schedule, index: int) -> Block:
    """The block of events that includes ``index``: see :func:`read_block`."""
    start, values = read_block(schedule, index)
    if values.ndim == 1:
        return Block(start, values.tolist(), 0)
    return Block(start, values.copy(), values.shape[1])  # the schedule may go on using its own array


class EventReader:
    """Reads a schedule that may not be asked ahead of time, event by event.

    What may be of its parts is read ahead in blocks, as if that part stood alone.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[bool, Schedule]] = {}
        self._blocks: dict[int, Block] = {}
        self._asked: dict[tuple[int, int], Value] | None = None  # what was read in one event, while it is held

    @contextlib.contextmanager
    def one_event(self) -> Iterator[None]:
        """Ask what is live once, however many follow it at this event."""
        self._asked = {}
        try:
            yield
        finally:
            self._asked = None

    def read(self, schedule: Schedule, index: int) -> Value:
        """The value at an event: a float, or a list with one for each group.

        Raises:
            TypeError, ValueError: as :func:`read_block`.
        """
        if isinstance(schedule, LiveSchedule):
            if self._asked is None:
                return schedule.checked(index)
            if (id(schedule), index) not in self._asked:
                self._asked[id(schedule), index] = schedule.checked(index)
            return self._asked[id(schedule), index]
        known = self._known.get(id(schedule))
        if known is None:
            known = self._known[id(schedule)] = schedule.is_pure, schedule
        if known[0]:
            value = self._blocks.get(id(schedule), NO_BLOCK).at(index)
            if value is None:
                block = self._blocks[id(schedule)] = block_ahead(schedule, index)
                value = block.at(index)
            assert value is not None
            return value
        value = schedule.value_from_parts(index, self.read)
        if value is None:
            return read_block(schedule, index)[1].tolist()[0]  # type: ignore[no-any-return]
        return arguments.value_at(index, value, lambda at: f"the value of {schedule!r} at event {at}")


def read_values(schedule: Schedule, start: int, num_events: int, groups: int | None) -> Array:
    """The values of events ``start`` to ``start + num_events - 1`` as an array ``(num_events, groups)``.

    Args:
        schedule: what to read.
        start: the first event.
        num_events: how many.
        groups: how many param groups there are to write; as many as the schedule has values for where None.

    Raises:
        ValueError: as :func:`read_block`; or the schedule has values for another number of groups.
    """
    groups = groups or schedule.groups
    if not schedule.is_pure:
        return _read_live(schedule, start, num_events, groups)
    table = np.empty((num_events, groups or 1))
    event, stop = start, start + num_events
    while event < stop:
        first, values = read_block(schedule, event)
        rows = values[event - first : stop - first]
        if rows.ndim == 2 and rows.shape[1] != table.shape[1]:
            raise ValueError(f"{schedule!r} gave {rows.shape[1]} values at event {event}, for {groups} groups")
        table[event - start : event - start + len(rows)] = rows if rows.ndim == 2 else rows[:, None]
        event += len(rows)
    return table


def _read_live(schedule: Schedule, start: int, num_events: int, groups: int | None) -> Array:
    reader = EventReader()
    with random_state_kept():
        values = []
        for event in range(start, start + num_events):
            with reader.one_event():
                values.append(reader.read(schedule, event))
    # A Python function shows only now how many groups it has values for.
    groups = groups or next((len(value) if isinstance(value, list) else 1 for value in values), 1)
    table = np.empty((num_events, groups))
    for at, value in enumerate(values):
        if isinstance(value, list) and len(value) != groups:
            raise ValueError(f"{schedule!r} gave {len(value)} values at event {start + at}, for {groups} groups")
        table[at] = value
    return table


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Leave the random numbers as they were, whatever a user's function draws."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
