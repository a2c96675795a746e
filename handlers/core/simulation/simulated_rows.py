"""Converts simulated values to rows for users."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lehr.handlers.schedules.base import Array


def rows_of(table: Array, number_type: type[float] | type[int]) -> list[list[Any]]:
    """Return a table of values as ``[[0, value_0, ...], [1, value_0, ...], ...]``.

    Args:
        table: the values of the first events, ``(num_events, groups)``.
        number_type: ``int`` if the values are whole numbers, such as batch sizes; otherwise ``float``.
    """
    columns = table.T.tolist() if number_type is float else [map(int, column) for column in table.T.tolist()]
    with _without_garbage_collection():
        return list(map(list, zip(range(len(table)), *columns, strict=True)))


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector while many lists are made, because it would traverse these lists repeatedly."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
