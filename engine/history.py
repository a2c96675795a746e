"""The class :class:`ParamHistory`, which records the values that schedulers write in a run, and metrics."""

import csv
import weakref
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .history_column import HistoryColumn
from .history_csv import csv_rows
from .history_state import columns_of_state, state_of_columns
from .notebook import MOST_PANELS, as_html, figure_with
from .plots import draw_values, without_math
from .values_in_errors import shown

if TYPE_CHECKING:
    from ignite.engine import Engine
    from ignite.engine.events import RemovableEventHandle
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


class ParamHistory:
    """The history of a run: the values that schedulers with ``save_history=True`` wrote, and metrics.

    The history is ``engine.state.param_history``. ``history[name]`` is a :class:`HistoryColumn`. For each event, it has
    a list with a value for each param group. A scheduler constructs the history if there is none. To save the history
    with a run, construct it yourself and pass it to ignite's ``Checkpoint``. The class has the methods of a dictionary
    but is not a ``Mapping``, because ``Checkpoint`` would search a mapping for objects to save.

    :meth:`record` adds a metric, such as the training loss.

    ``max_events`` limits the memory of each column to about ``8 * max_events * groups`` bytes; see
    :class:`HistoryColumn`.

    Args:
        columns: the first events of each column, by the name of the column.
        max_events: the largest number of events that each column keeps, at least 2. If None, all events are kept. Pass
            this argument by name.

    Raises:
        TypeError: ``max_events`` is not an int or None, or ``columns`` is not a mapping.
        ValueError: ``max_events`` is less than 2.

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

    def __init__(
        self,
        columns: Mapping[str, Iterable[float | Sequence[float]]] | None = None,
        *,
        max_events: int | None = None,
    ) -> None:
        self.max_events = HistoryColumn(max_events=max_events).max_events
        if not isinstance(columns, Mapping | ParamHistory | None):
            raise TypeError(f"columns must be a mapping of names to rows, given {shown(columns)}")
        self.columns: dict[str, HistoryColumn] = {}
        # Maps each name to the scheduler that records under it. The references are weak, so a scheduler may be deleted.
        self.recorders: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        self.labels: dict[str, list[str]] = {}  # the names of the param groups in each column; they are not saved
        for name, rows in (columns or {}).items():
            self[name] = rows

    def appender(self, name: str, groups: int, per_group: bool) -> Callable[[Any], None]:
        """Return the function that adds an event to a column; see :meth:`HistoryColumn.appender`.

        If the column is missing, it is added first.
        """
        return self.setdefault(name).appender(groups, per_group)

    def record(
        self, name: str, engine: "Engine", *, output_transform: Callable[[Any], Any] | None = None
    ) -> "RemovableEventHandle":
        """Record a metric of each iteration, such as the training loss, under a name.

        The metric is ``engine.state.output`` after the iteration. The metric of the i-th iteration, counted from 0, has
        the index i, like the value that a scheduler wrote before this iteration. If an iteration was not recorded, its
        value is NaN. A second run continues after the last event of the first run. In a distributed run, each rank
        records the metric of this rank.

        Args:
            name: the name of the column.
            engine: the trainer. If it has no ``engine.state.param_history`` yet, this history is set there.
            output_transform: a function that computes the metric from ``engine.state.output``. If None, the output must
                be a number, or a tensor of one number. If the tensor is on a GPU, each iteration waits for the GPU.

        Returns:
            A handle whose ``remove()`` stops the recording.

        Raises:
            TypeError: an argument has the wrong type; or, at the first iteration, the output is not a number.
            ValueError: a scheduler, or another call of this method, records under this name.

        Example:
            >>> from ignite.engine import Engine
            >>> trainer = Engine(lambda engine, batch: 1.0 / engine.state.iteration)
            >>> history = ParamHistory()
            >>> handle = history.record("loss", trainer)
            >>> state = trainer.run([None] * 4)
            >>> history["loss"], history["loss"].event_indices.tolist()
            ([1.0, 0.5, 0.3333333333333333, 0.25], [0, 1, 2, 3])
        """
        from .training_metric_recorder import attach_recorder

        return attach_recorder(self, name, engine, output_transform)

    def to_numpy(self, name: str) -> NDArray[np.float64]:
        """Return the values of a column as an array.

        Args:
            name: the name of the column.

        Shapes: the array is ``(events, groups)``. If an event has fewer groups than another event, its missing values
        are NaN.

        Raises:
            KeyError: nothing was recorded under this name.
        """
        return self[name].to_numpy()

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write a CSV file with a row for each event, and a column for each name, or ``name[group]`` for each group.

        The file has enough digits to restore each float64 number exactly. If a column has no value for an event, the
        cell is empty. A heading that begins with ``=``, ``+``, ``-``, ``@`` or a tab is written after an apostrophe, so
        that no spreadsheet reads the heading as a formula.

        Args:
            path: the file to write.

        Raises:
            OSError: the file cannot be written.
            ValueError: two columns have the same heading.
        """
        headings = self._headings(safe_heading)
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(["event_index", *headings])
            file.writelines(csv_rows([*self.values()]))

    def to_pandas(self) -> Any:
        """Return the table of :meth:`to_csv` as a ``pandas.DataFrame``, whose index is the event index.

        Raises:
            ImportError: pandas is not installed.
            ValueError: two columns have the same heading.
        """
        pandas = pandas_module("to_pandas")
        headings, columns = iter(self._headings(str)), {}
        for column in self.values():
            for values in column.to_numpy().T:
                columns[next(headings)] = pandas.Series(values, index=column.event_indices)
        return pandas.DataFrame(columns, dtype=np.float64).sort_index().rename_axis("event_index")

    def _headings(self, heading_of: Callable[[str], str]) -> list[str]:
        headings: dict[str, None] = {}
        for name, column in self.items():
            groups = column.num_groups
            for group in range(groups):
                heading = heading_of(name if groups == 1 else f"{name}[{group}]")
                if heading in headings or heading == "event_index":
                    raise ValueError(f"names must lead to different headings, given {shown(heading)} twice")
                headings[heading] = None
        return list(headings)

    def plot(self, name: str, ax: "Axes | None" = None, **line_style: Any) -> "list[Line2D]":
        """Draw the values of a column over the events, with a line for each group.

        If a scheduler with this history was attached in this process, the legend shows the names of the param groups.

        Args:
            name: the name of the column.
            ax: the axes to draw into. If None, pyplot makes a new figure.
            line_style: arguments of matplotlib's ``Axes.plot``, such as ``color``.

        Raises:
            KeyError: nothing was recorded under this name.
        """
        if ax is None:
            from matplotlib import pyplot as plt

            ax = plt.figure().add_subplot()
        column = self[name]
        title = without_math(f"{name}, recorded at {column.num_events} events")
        return draw_values(
            column.event_indices, column.to_numpy(), name, ax, self.labels.get(name), title, **line_style
        )

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows: the number of events in each column, and a picture."""
        names = [name for name in self if len(self[name])][:MOST_PANELS]
        figure = figure_with(len(names)) if names else None
        for name, panel in zip(names, figure.axes if figure else (), strict=False):
            self.plot(name, panel)
        counts = [f"{name}: {column.num_events} events" for name, column in self.items()]
        return as_html("\n".join(["a history of " + (", ".join(self) or "nothing"), *counts]), figure)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole history as plain data.

        ``torch.load(weights_only=True)``, JSON and distributed checkpoints can save this data and load it into an empty
        history. The values of a column are stored as one text, which is the base 64 encoding of their bytes. To read
        values, use the history instead of its state.
        """
        return state_of_columns({name: column.state_dict() for name, column in self.columns.items()})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Replace all recorded values by a saved state. After an error, nothing is replaced.

        Args:
            state_dict: the result of :meth:`state_dict`.

        Raises:
            TypeError: ``state_dict`` is not a mapping, or a name is not a string.
            ValueError: ``state_dict`` is not the state of a history.
        """
        states = columns_of_state(state_dict)
        self.columns = {name: HistoryColumn.from_state_dict(state, self.max_events) for name, state in states.items()}

    def __getitem__(self, name: str) -> HistoryColumn:
        return self.columns[name]

    def __setitem__(self, name: str, rows: Iterable[float | Sequence[float]]) -> None:
        self.columns[name] = rows if isinstance(rows, HistoryColumn) else HistoryColumn(rows, self.max_events)

    def __delitem__(self, name: str) -> None:
        del self.columns[name]

    def setdefault(self, name: str, rows: Iterable[float | Sequence[float]] = ()) -> HistoryColumn:
        """Return the column with this name. If the column is missing, add it first, with the events ``rows``."""
        if name not in self.columns:
            self[name] = rows
        return self.columns[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the column with this name, or ``default`` if it is missing."""
        return self.columns.get(name, default)

    def keys(self) -> KeysView[str]:
        """Return the names of the columns."""
        return self.columns.keys()

    def values(self) -> ValuesView[HistoryColumn]:
        """Return the columns."""
        return self.columns.values()

    def items(self) -> ItemsView[str, HistoryColumn]:
        """Return pairs of a name and its column."""
        return self.columns.items()

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        return self.columns == (other.columns if isinstance(other, ParamHistory) else other)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        columns = ", ".join(f"{shown(name)}: {column.num_events} events" for name, column in self.items())
        text = f"<ParamHistory of {columns or 'nothing'}>"
        return text if len(text) <= 120 else f"{text[:116]}...>"

    def __getstate__(self) -> dict[str, Any]:
        return {"columns": self.state_dict(), "max_events": self.max_events}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # An older version saved only the columns, each of which is a mapping.
        older = not isinstance(state, Mapping) or isinstance(state.get("max_events", {}), Mapping)
        given: dict[str, Any] = {"columns": state, "max_events": None} if older else state
        if set(given) != {"columns", "max_events"}:
            raise ValueError("not the state of a history: the state must have columns and max_events")
        self.max_events = HistoryColumn(max_events=given["max_events"]).max_events
        self.columns = {}
        self.recorders, self.labels = weakref.WeakValueDictionary(), {}
        self.load_state_dict(given["columns"])


def pandas_module(function: str) -> Any:
    """Import and return the module pandas.

    Args:
        function: the name of the function that needs pandas, for the error text.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"{function} needs pandas: pip install 'lehr[pandas]'") from error
    return pandas


def safe_heading(heading: str) -> str:
    """Return the heading of a CSV column, after an apostrophe if a spreadsheet would take the heading for a formula.

    >>> safe_heading("lr"), safe_heading("=1+1")
    ('lr', "'=1+1")
    """
    return f"'{heading}" if heading[:1] in ("=", "+", "-", "@", "\t", "\r") else heading
