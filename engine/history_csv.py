"""The function :func:`csv_rows`, which writes the rows of a CSV file with the values of several columns."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .history_column import HistoryColumn

CELLS_AT_ONCE = 2**13


def csv_rows(columns: Sequence[HistoryColumn]) -> Iterator[str]:
    """Yield texts with many rows each. A row has the index of an event and the values of all groups of all columns.

    There is a row for each event that at least one column keeps, in order. If a value is missing or NaN, its cell is
    empty.
    """
    kept = [range(0, len(column) * column.stride, column.stride) for column in columns]
    groups = [column.num_groups for column in columns]
    rows_at_once = max(CELLS_AT_ONCE // max(sum(groups), 1), 1)
    begin = 0
    while begin < max((events.stop for events in kept), default=0):
        end = begin + rows_at_once * min(events.step for events in kept if events.stop > begin)
        parts = [events[-(-begin // events.step) : -(-end // events.step)] for events in kept]
        events_of = {part: np.arange(part.start, part.stop, part.step) for part in parts}
        indices = np.unique(np.concatenate([*events_of.values()]))
        table = np.full((len(indices), sum(groups)), np.nan)
        left = 0
        for column, part, width in zip(columns, parts, groups, strict=True):
            values = np.full((len(part), width), np.nan)
            column.fill(values, part.start // column.stride)
            table[np.searchsorted(indices, events_of[part]), left : left + width] = values
            left += width
        cells = iter(_cells(table.ravel()))
        rows = zip(map(str, indices.tolist()), *[cells] * sum(groups), strict=True)
        # ``csv.writer`` would take 1.5 times as long, because it looks for characters that need quotes.
        yield "".join(f"{row}\r\n" for row in map(",".join, rows))
        begin = end


def _cells(values: NDArray[np.float64]) -> list[str]:
    cells = [*map(repr, values.tolist())]
    for at in np.flatnonzero(np.isnan(values)).tolist():
        cells[at] = ""
    return cells
