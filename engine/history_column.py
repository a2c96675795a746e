"""The values that were written under one name, event by event."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHOWN = 100  # events that a column is printed with in full
MOST_GROUPS, MOST_EVENTS = 2**20, 2**53


class Run(NamedTuple):
    """Events in a row of one shape: ``groups`` values each, of which ``stored`` are kept (1 if all are equal).

    Where ``groups`` is 0, an event is a bare number, since there are no parameter groups where it was written.
    """

    first_event: int
    first_value: int
    groups: int
    stored: int


class HistoryColumn(Sequence[Any]):
    """The recorded values under one name: a sequence with a list of group values for each event.

    What was written where there are no parameter groups, to ``engine.state`` or to a data loader, is a bare number
    for each event instead.

    Underneath, the values stand in one array of 8 bytes each. Where one value served all groups of an event,
    it is kept once.

    With ``max_events``, no more than so many are kept: when there would be one more, every second one is dropped, and
    from then on every second one is not kept at all. What stays is evenly spaced, from the first event on, and
    :attr:`event_indices` says which events they are.

    Args:
        rows: events to begin with.
        max_events: how many events are kept at most, at least 2; None for all.

    Raises:
        TypeError, ValueError: ``max_events`` is no whole number of at least 2; a row has no values.

    Example:
        >>> column = HistoryColumn([[0.1], [0.05]])
        >>> column.append([0.025])
        >>> column[-1], len(column), column == [[0.1], [0.05], [0.025]]
        ([0.025], 3, True)
        >>> few = HistoryColumn([[float(event)] for event in range(1000)], max_events=4)
        >>> few, few.event_indices.tolist(), few.num_events
        ([[0.0], [256.0], [512.0], [768.0]], [0, 256, 512, 768], 1000)
    """

    def __init__(self, rows: Iterable[float | Sequence[float]] = (), max_events: int | None = None) -> None:
        if max_events is not None and (isinstance(max_events, bool) or not isinstance(max_events, int)):
            raise TypeError(f"max_events must be an int or None, given {max_events!r}")
        if max_events is not None and max_events < 2:
            raise ValueError(f"max_events must be at least 2, given {max_events!r}")
        self.max_events = max_events
        self.stride = 1  # from one event that is kept to the next
        self._left_out = 0  # events since the last one that was kept
        self._values = array("d")
        self._runs: list[Run] = []
        self.run: Run | None = None  # the last of them; a recorder that sees another one opens its own anew
        for row in rows:
            self.append(row)

    def append(self, row: float | Sequence[float]) -> None:
        """Add one event: a list with a value for each group, or a bare number."""
        if not isinstance(row, Iterable):
            self.appender(groups=0, per_group=False)(float(row))
            return
        values = [float(value) for value in row]
        if not values:
            raise ValueError("an event must have a value for at least one group, given none")
        self.appender(len(values), per_group=True)(values)

    def appender(self, groups: int, per_group: bool) -> Callable[[Any], None]:
        """Prepare for events of so many groups, and return what adds one event.

        It takes a list of values, one for each group, if ``per_group``; otherwise a float, one value that served
        them all, or a bare number where ``groups`` is 0. It is good for as long as :attr:`run` stays the same object.
        """
        stored = groups if per_group else 1
        if self.run is None or self.run[2:] != (groups, stored):
            if self.run is not None and self.run.first_event == len(self):
                self._runs.pop()  # none of its events was kept
            self.run = Run(len(self), len(self._values), groups, stored)
            self._runs.append(self.run)
        add = self._values.extend if per_group else self._values.append
        return add if self.max_events is None and self.stride == 1 else self._thinned(add)

    def _thinned(self, add: Callable[[Any], None]) -> Callable[[Any], None]:
        def add_some(value: Any) -> None:
            kept = len(self)
            if kept and self._left_out < self.stride - 1:
                self._left_out += 1
                return
            add(value)
            self._left_out = 0
            if kept == self.max_events:
                self._halve()

        return add_some

    def _halve(self) -> None:
        """Drop every second event."""
        num_events, values = self.num_events, array("d")
        runs: list[Run] = []
        kept = 0
        for run, end in zip(self._runs, self._ends(), strict=True):
            rows = np.array(self._values[run.first_value : end]).reshape(-1, run.stored)[run.first_event % 2 :: 2]
            if len(rows):
                runs.append(Run(kept, len(values), run.groups, run.stored))
                values.frombytes(rows.tobytes())
                kept += len(rows)
        self._values[:], self._runs[:], self.run = values, runs, runs[-1]
        self.stride *= 2
        self._left_out = num_events - 1 - (len(self) - 1) * self.stride

    @property
    def num_events(self) -> int:
        """How many events there were, with those that were not kept."""
        return (len(self) - 1) * self.stride + 1 + self._left_out if len(self) else 0

    @property
    def event_indices(self) -> NDArray[np.int64]:
        """Which of the events are kept, counted from 0: ``(events,)``."""
        return np.arange(len(self)) * self.stride

    def take_back(self, num_events: int) -> None:
        """Forget the last events, as many as there are at most."""
        left = max(self.num_events - num_events, 0)
        kept = -(-left // self.stride)
        while self._runs and self._runs[-1].first_event >= kept:
            del self._values[self._runs.pop().first_value :]
        self.run = self._runs[-1] if self._runs else None
        if self.run is not None:
            del self._values[self.run.first_value + (kept - self.run.first_event) * self.run.stored :]
        self._left_out = left - 1 - (kept - 1) * self.stride if kept else 0

    def to_numpy(self) -> NDArray[np.float64]:
        """The values as an array ``(events, groups)``; NaN where an event had fewer groups than another."""
        table = np.full((len(self), max((run.groups or 1 for run in self._runs), default=1)), np.nan)
        for run, end in zip(self._runs, self._ends(), strict=True):
            rows = np.frombuffer(self._values, offset=8 * run.first_value, count=end - run.first_value)
            events = slice(run.first_event, run.first_event + len(rows) // run.stored)
            table[events, : run.groups or 1] = rows.reshape(-1, run.stored)
        return table

    def _ends(self) -> list[int]:
        """Where the values of each run end."""
        return [*(run.first_value for run in self._runs[1:]), len(self._values)] if self._runs else []

    def state_dict(self) -> dict[str, Any]:
        """The column as plain data."""
        thinned = {"stride": self.stride, "left_out": self._left_out} if self.stride > 1 else {}
        return {"values": self._values.tolist(), "runs": [list(run) for run in self._runs], **thinned}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Any], max_events: int | None = None) -> "HistoryColumn":
        """The column that such a state was taken from; one of more events than are to be kept is thinned.

        Raises:
            ValueError: it is not the state of a column.
        """
        column = cls(max_events=max_events)
        thinned = {"stride", "left_out"}
        if not isinstance(state_dict, Mapping) or set(state_dict) - thinned != {"values", "runs"}:
            raise ValueError(
                f"not the state of a history column, which has values and runs: {type(state_dict).__name__}"
            )
        stride, left_out = state_dict.get("stride", 1), state_dict.get("left_out", 0)
        if type(stride) is not int or type(left_out) is not int or not 0 <= left_out < stride <= MOST_EVENTS:
            raise ValueError("not the state of a history column: its stride must be an int above the events left out")
        runs = state_dict["runs"]
        try:
            if not isinstance(state_dict["values"], list | tuple) or not isinstance(runs, list | tuple):
                raise ValueError("not the state of a history column: its values and runs must be lists")
            if not all(type(value) is float for value in state_dict["values"]):
                raise ValueError("not the state of a history column: its values must be floats")
            if not all(len(run) == 4 and all(type(field) is int for field in run) for run in runs):
                raise ValueError("not the state of a history column: its runs must be four ints each")
        except TypeError as error:
            raise ValueError(f"not the state of a history column: {error}") from error
        column._values.extend(state_dict["values"])
        column._runs.extend(Run(*run) for run in runs)
        events = values = 0
        for run, end in zip(column._runs, column._ends(), strict=True):
            if (
                (run.first_event, run.first_value) != (events, values)
                or not 0 <= run.groups <= MOST_GROUPS
                or run.stored not in (1, run.groups or 1)
                or end < values
                or (end - values) % run.stored
            ):
                raise ValueError("not the state of a history column: its values do not make up its runs")
            events, values = events + (end - values) // run.stored, end
        if values != len(column._values):
            raise ValueError(f"not the state of a history column: {len(column._values)} values belong to no event")
        if events * stride > MOST_EVENTS:
            raise ValueError(f"not the state of a history column: {events} events must not stand for more than 2**53")
        column.run = column._runs[-1] if column._runs else None
        column.stride, column._left_out = stride, left_out
        while max_events is not None and len(column) > max_events:
            column._halve()
        return column

    def __len__(self) -> int:
        run = self.run
        if run is None:
            return 0
        return run.first_event + (len(self._values) - run.first_value) // run.stored

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[event] for event in range(*index.indices(len(self)))]
        event = index + len(self) if index < 0 else index
        if not 0 <= event < len(self):
            raise IndexError(f"event {index} of a history of {len(self)} events")
        run = self._runs[bisect_right(self._runs, event, key=attrgetter("first_event")) - 1]
        first = run.first_value + (event - run.first_event) * run.stored
        values = self._values[first : first + run.stored].tolist()
        return values * (run.groups // run.stored) if run.groups else values[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[event] for event in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self[:]) if len(self) <= SHOWN else f"<{len(self)} events, from {self[0]} to {self[-1]}>"
