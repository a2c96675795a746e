"""What the parameters were: the values written in a run, event by event."""

import csv
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from operator import attrgetter
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .plots import draw_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


SHOWN = 100  # events that a column is printed with in full


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

    Example:
        >>> column = HistoryColumn([[0.1], [0.05]])
        >>> column.append([0.025])
        >>> column[-1], len(column), column == [[0.1], [0.05], [0.025]]
        ([0.025], 3, True)
    """

    def __init__(self, rows: Iterable[float | Sequence[float]] = ()) -> None:
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
            self.run = Run(len(self), len(self._values), groups, stored)
            self._runs.append(self.run)
        return self._values.extend if per_group else self._values.append

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
        return {"values": self._values.tolist(), "runs": [list(run) for run in self._runs]}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Any]) -> "HistoryColumn":
        """The column that such a state was taken from.

        Raises:
            ValueError: it is not the state of a column.
        """
        column = cls()
        if not isinstance(state_dict, Mapping) or set(state_dict) != {"values", "runs"}:
            raise ValueError(f"not the state of a history column: {state_dict!r}")
        runs = state_dict["runs"]
        try:
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
                or run.groups < 0
                or run.stored not in (1, run.groups or 1)
                or end < values
                or (end - values) % run.stored
            ):
                raise ValueError(f"not the state of a history column: its values do not make up {run}")
            events, values = events + (end - values) // run.stored, end
        if values != len(column._values):
            raise ValueError(f"not the state of a history column: {len(column._values)} values belong to no event")
        column.run = column._runs[-1] if column._runs else None
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


class ParamHistory:
    """The history of a run: ``engine.state.param_history``.

    ``history[name]`` is a :class:`HistoryColumn`, and reads as a list of lists: one list of group values for
    each event at which a scheduler with ``save_history=True`` wrote. A scheduler makes the history where there
    is none; to save it with a run, make it first and give it to ignite's ``Checkpoint``. It reads like a
    dictionary but is no ``Mapping``, since ``Checkpoint`` would look into one for objects to save.

    Example:
        >>> from ignite.engine import Engine
        >>> history = ParamHistory()
        >>> trainer = Engine(lambda engine, batch: None)
        >>> trainer.state.param_history = history
        >>> to_save = {"trainer": trainer, "history": history}  # for ignite.handlers.Checkpoint
        >>> history["lr"] = [[0.1, 1.0], [0.05, 0.5]]
        >>> history["lr"][-1]
        [0.05, 0.5]
        >>> history.to_numpy("lr").shape
        (2, 2)
    """

    def __init__(self, columns: Mapping[str, Iterable[float | Sequence[float]]] | None = None) -> None:
        self.columns: dict[str, HistoryColumn] = {}
        # Who records under each name, for as long as it lives; a recorder puts itself in.
        self.recorders: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        for name, rows in (columns or {}).items():
            self[name] = rows

    def appender(self, name: str, groups: int, per_group: bool) -> Callable[[Any], None]:
        """What adds an event to a column, made where it is missing; see :meth:`HistoryColumn.appender`."""
        return self.setdefault(name).appender(groups, per_group)

    def to_numpy(self, name: str) -> NDArray[np.float64]:
        """The values under a name as an array ``(events, groups)``."""
        return self[name].to_numpy()

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write a table: a row for each event, a column for each name, or ``name[group]`` if it has several.

        Numbers are written so that reading them gives the same float64; a cell is empty where a name has
        fewer events than another.

        Raises:
            ValueError: two columns would have one heading.
        """
        columns: dict[str, list[float]] = {"event_index": []}
        for name in self:
            for group, values in enumerate(table := self.to_numpy(name).T.tolist()):
                heading = name if len(table) == 1 else f"{name}[{group}]"
                if heading in columns:
                    raise ValueError(f"names must give headings of their own, given {heading!r} twice")
                columns[heading] = values
        del columns["event_index"]
        events = max(map(len, columns.values()), default=0)
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["event_index", *columns])
            for event in range(events):
                cells = [column[event] if event < len(column) else np.nan for column in columns.values()]
                writer.writerow([event, *("" if np.isnan(cell) else repr(cell) for cell in cells)])

    def plot(self, name: str, ax: "Axes | None" = None, **line_style: Any) -> "list[Line2D]":
        """Draw the values under a name over the events, a line for each group; see :func:`draw_values`."""
        table = self.to_numpy(name)
        return draw_values(np.arange(len(table)), table, name, ax, **line_style)

    def state_dict(self) -> dict[str, Any]:
        """The whole history as plain data, safe for ``torch.load(weights_only=True)`` and for JSON."""
        return {name: column.state_dict() for name, column in self.columns.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take the place of what was recorded so far; all of it or, after an error, nothing.

        Raises:
            TypeError: not a mapping.
            ValueError: not the state of a history.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping, given {state_dict!r}")
        for name in state_dict:
            if not isinstance(name, str):
                raise TypeError(f"not the state of a history: its names must be strings, given {name!r}")
        self.columns = {name: HistoryColumn.from_state_dict(state) for name, state in state_dict.items()}

    def __getitem__(self, name: str) -> HistoryColumn:
        return self.columns[name]

    def __setitem__(self, name: str, rows: Iterable[float | Sequence[float]]) -> None:
        self.columns[name] = rows if isinstance(rows, HistoryColumn) else HistoryColumn(rows)

    def __delitem__(self, name: str) -> None:
        del self.columns[name]

    def setdefault(self, name: str, rows: Iterable[float | Sequence[float]] = ()) -> HistoryColumn:
        """The column of this name, made of ``rows`` where it is missing."""
        if name not in self.columns:
            self[name] = rows
        return self.columns[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The column of this name, or another value where there is none."""
        return self.columns.get(name, default)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self.columns.keys()

    def values(self) -> ValuesView[HistoryColumn]:
        """The columns."""
        return self.columns.values()

    def items(self) -> ItemsView[str, HistoryColumn]:
        """Names and columns."""
        return self.columns.items()

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        return self.columns == (other.columns if isinstance(other, ParamHistory) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ParamHistory({self.columns!r})"

    def __getstate__(self) -> dict[str, Any]:
        return self.state_dict()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.recorders = weakref.WeakValueDictionary()
        self.load_state_dict(state)


# Where a user adds it to ignite's ``state_dict_user_keys``, a checkpoint holds the history itself. Unpickling one runs
# nothing but load_state_dict, which takes plain data alone.
torch.serialization.add_safe_globals([ParamHistory])
