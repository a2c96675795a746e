"""The plan of a run: the values of all schedulers at each iteration, with tables, pages and a forecast."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lehr.engine.history import ParamHistory, pandas_module, safe_heading
from lehr.engine.notebook import MOST_PANELS, as_html, figure_with
from lehr.handlers.core.duration_unit_checks import GivenUnit
from lehr.handlers.schedules.arguments import shown, shown_names
from lehr.handlers.schedules.base import Array

if TYPE_CHECKING:
    from .checks.findings import Finding


class PhaseSpan(NamedTuple):
    """A phase of a schedule in a plan: iterations ``first`` to ``stop - 1``, counted from 0, and a name."""

    first: int
    stop: int
    name: str


@dataclass(frozen=True)
class PlanColumn:
    """The values of a plan under one name.

    Args:
        values: the value at each iteration ``(iterations, groups)``. It is NaN at iterations before a resume. If an
            attribute did not exist before the run, its value is also NaN before the first write.
        labels: the name of each group. It is empty if the value is in no param group.
        spans: the phases of the schedule.
        event_iterations: for each event, the iteration of the next training step, from 0 ``(events,)``.
        first_event: the index of the first event in ``event_iterations``. It is more than 0 if the run is resumed.
        band: the lower and the upper end of the band of a forecast ``(2, iterations)``. It is None for other values.
        counts: the count of a clock before each event ``(events,)``, such as the number of tokens. It is None if there
            is no clock.
    """

    values: Array
    labels: tuple[str, ...]
    spans: tuple[PhaseSpan, ...] = ()
    event_iterations: "NDArray[np.int64]" = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    first_event: int = 0
    band: Array | None = None
    counts: "NDArray[np.int64] | None" = None


class Plan(Mapping[str, Array]):
    """The values that :func:`dry_run` computed: ``plan[name]`` is an array.

    Args:
        columns: the values under each name.
        max_epochs: epochs of the run.
        epoch_length: iterations of an epoch.
        start: the first iteration of the run, counted from 0. It is more than 0 if the run is resumed.
        unforeseen: a text for each scheduler that the dry run cannot predict and leaves out.

    Shapes: ``plan[name]`` is ``(iterations, groups)``, NaN before ``start``.

    Raises:
        KeyError: the plan does not have the name.

    Example:
        >>> import torch
        >>> from ignite.engine import Engine
        >>> from lehr.handlers import CosineDecayScheduler, dry_run
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: optimizer.step())
        >>> handle = CosineDecayScheduler(optimizer, "lr", duration=40).attach(trainer)
        >>> plan = dry_run(trainer, max_epochs=4, epoch_length=10)
        >>> plan["lr"].shape, plan["lr"][20].round(3).tolist()
        ((40, 1), [0.05])
        >>> print(plan)
        a plan of 40 iterations: 4 epochs of 10
        name  group    first  lowest     highest  last
        lr    group 0  0.1    0.0001541  0.1      0.0001541
    """

    def __init__(
        self,
        columns: Mapping[str, PlanColumn],
        max_epochs: int,
        epoch_length: int,
        start: int = 0,
        unforeseen: Sequence[str] = (),
    ) -> None:
        self.columns: dict[str, PlanColumn] = dict(columns)
        self.max_epochs: int = max_epochs
        self.epoch_length: int = epoch_length
        self.start: int = start
        self.unforeseen: tuple[str, ...] = tuple(unforeseen)
        self.given_unit: GivenUnit | None = None  # the unit of the schedulers' durations, and the length of the run
        self.num_iterations: int = max_epochs * epoch_length  # iterations of the run; max_iters may end it earlier

    def __getitem__(self, name: str) -> Array:
        if name not in self.columns:
            raise KeyError(f"{shown(name)}: the plan has {shown_names(self.columns) or 'nothing'}")
        return self.columns[name].values

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        """Return whether two plans have the same values under the same names."""
        if not isinstance(other, Plan):
            return NotImplemented
        return set(self) == set(other) and all(
            np.array_equal(self[name], other[name], equal_nan=True) for name in self.columns
        )

    def __repr__(self) -> str:
        return f"<Plan of {', '.join(self.columns) or 'nothing'}: {self.max_epochs} epochs of {self.epoch_length}>"

    def __str__(self) -> str:
        resumed = f", from iteration {self.start + 1} on" if self.start else ""
        rows = [["name", "group", "first", "lowest", "highest", "last"]]
        for name, column in self.columns.items():
            for label, values in zip(column.labels, column.values.T[:, self.start :], strict=True):
                known = values[~np.isnan(values)]
                some = (values[0], known.min(), known.max(), values[-1]) if len(known) else (np.nan,) * 4
                rows.append([name, label or "-", *(f"{value:.4g}" for value in some)])
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        left_out = [f"left out, because dry_run cannot predict it: {one}" for one in self.unforeseen]
        return "\n".join([f"a {title_of(self)}{resumed}", *table, *left_out])

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write a CSV table with a row for each iteration, and a column for each name or for each ``name[group]``.

        The numbers have enough digits to read the same float64 again. A NaN is written as an empty cell. A heading that
        a spreadsheet would read as a formula gets an apostrophe before it, as in :meth:`ParamHistory.to_csv`.

        Args:
            path: the file to write.
        """
        columns = self._table()
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(map(safe_heading, ["iteration", *columns]))
            rows = zip(*(column.tolist() for column in columns.values()), strict=True)
            for iteration, row in enumerate(rows, start=1):
                writer.writerow([iteration, *("" if value != value else repr(value) for value in row)])

    def to_pandas(self) -> Any:
        """Return the table of :meth:`to_csv` as a ``pandas.DataFrame``, whose index is the iteration, from 1.

        Raises:
            ImportError: pandas is not installed.

        Example:
            >>> columns = {"lr": PlanColumn(np.array([[0.1], [0.05]]), labels=("group 0",))}
            >>> Plan(columns, max_epochs=1, epoch_length=2).to_pandas()  # doctest: +NORMALIZE_WHITESPACE
                         lr
            iteration
            1          0.10
            2          0.05
        """
        pandas, columns = pandas_module("to_pandas"), self._table()
        index = pandas.RangeIndex(1, self.num_iterations + 1, name="iteration")
        if columns:
            index = index[: len(next(iter(columns.values())))]
        return pandas.DataFrame(columns, index)

    def to_html(
        self,
        path: str | PathLike[str],
        *,
        findings: "Iterable[Finding] | None" = None,
        recorded: ParamHistory | None = None,
        other: "Plan | None" = None,
        labels: tuple[str, str] = ("a", "b"),
        title: str | None = None,
    ) -> None:
        """Write an interactive page that shows the plan in a browser. The page is one file, which loads no other file.

        The page has a panel for each name and a line for each param group. It shows the values, the iteration, the
        epoch and the event at the pointer. You can zoom all panels together, hide and show groups, and change between
        iterations and epochs, and between linear and logarithmic axes. Phases are shaded.

        A line of up to 20,000 iterations shows all its values. In a page with many lines the limit is lower, so that
        the page has about 80,000 values. Longer lines are cut into equal intervals. The page then shows the smallest
        and the largest value of each interval, the values before and after its largest step, and the values at
        findings, phases and both ends.

        The file includes plotly and has about 5 MB. The same plan gives the same bytes with the same version of plotly.
        An existing file is replaced when the new file is complete.

        Args:
            path: the file to write.
            findings: the findings of :func:`check_plan`. The page lists the findings, and marks them at their
                iterations.
            recorded: a history, ``engine.state.param_history``, which is drawn as dots over the plan.
            other: another plan, which is drawn beside this plan. A click on the legend draws the other plan over this
                plan.
            labels: the names of this plan and of the other plan.
            title: the title of the page. If None, it lists the names in the plan.

        Raises:
            ImportError: plotly is not installed.
            OSError: the file cannot be written.
            TypeError: an argument has the wrong type.
            ValueError: ``labels`` does not have two items.

        Example:
            >>> import pathlib, tempfile
            >>> columns = {"lr": PlanColumn(np.array([[0.1], [0.05]]), labels=("group 0",))}
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = pathlib.Path(folder, "plan.html")
            ...     Plan(columns, max_epochs=1, epoch_length=2).to_html(path, title="two steps")
            ...     "<h1>two steps</h1>" in path.read_text(encoding="utf-8"), path.stat().st_size > 1_000_000
            (True, True)
        """
        from .pages.page import write_page
        from .pages.page_inputs import checked_contents

        write_page(path, checked_contents(self, findings, recorded, other, labels), title)

    def forecast(self, forecast: Any, *, param_name: str = "lr", name: str = "loss", **options: Any) -> "Plan":
        """Return this plan with a forecast of the loss that its learning rate leads to.

        The forecast is a column with a band. The text and the tables of the plan, :func:`plot_plan` and :meth:`to_html`
        show this column. :func:`diff_plans` compares the forecasts of two plans at their ends.

        Args:
            forecast: a :class:`~lehr.handlers.forecast.LossForecast`, or an object whose ``predict(values,
                num_events, **options)`` returns arrays ``loss``, ``low`` and ``high``.
            param_name: the name of the learning rate in the plan.
            name: the name of the forecast.
            options: arguments of ``predict``, such as ``group=0`` or ``extrapolate=True``.

        Raises:
            TypeError: ``forecast`` has no method ``predict``.
            ValueError: the plan does not have ``param_name``, has ``name`` already, or begins in the middle of a run.
                See also ``predict``.

        Example:
            >>> class Halves:
            ...     def predict(self, values, num_events):
            ...         loss = 4.0 * 0.5 ** np.arange(num_events)
            ...         return type("Curve", (), {"loss": loss, "low": 0.9 * loss, "high": 1.1 * loss})
            >>> columns = {"lr": PlanColumn(np.full((3, 1), 0.1), labels=("group 0",))}
            >>> print(Plan(columns, max_epochs=1, epoch_length=3).forecast(Halves()))
            a plan of 3 iterations: 1 epoch of 3
            name  group    first  lowest  highest  last
            lr    group 0  0.1    0.1     0.1      0.1
            loss  -        4      1       4        1
        """
        if not callable(getattr(forecast, "predict", None)):
            raise TypeError(f"forecast must be a LossForecast, given {shown(forecast)}")
        if param_name not in self.columns:
            raise ValueError(f"param_name must be among {shown_names(self)}, given {shown(param_name)}")
        if name in self.columns:
            raise ValueError(f"name must be a name that the plan does not have, given {shown(name)}")
        if self.start:
            raise ValueError(
                f"a forecast needs the learning rate from the first iteration on, but the plan begins at iteration "
                f"{self.start + 1}, where the run is resumed: plan the whole run with a new trainer"
            )
        values = self.columns[param_name].values
        curve = forecast.predict(values, len(values), **options)
        loss, band = np.asarray(curve.loss, dtype=np.float64), np.stack([curve.low, curve.high])
        column = PlanColumn(loss[:, None], ("",), event_iterations=np.arange(len(loss)), band=band)
        columns: dict[str, PlanColumn] = {}
        for one, written in self.columns.items():
            columns |= {one: written, **({name: column} if one == param_name else {})}
        plan = Plan(columns, self.max_epochs, self.epoch_length, self.start, self.unforeseen)
        plan.num_iterations, plan.given_unit = self.num_iterations, self.given_unit
        return plan

    def _table(self) -> dict[str, Array]:
        """Return the values of each group by their heading."""
        return {
            name if values.shape[1] == 1 else f"{name}[{group}]": values[:, group]
            for name, values in self.items()
            for group in range(values.shape[1])
        }

    def _repr_html_(self) -> str:
        """Return the plan for a notebook: its table and a picture."""
        from .plot_plan import plot_plan

        names = [*self][:MOST_PANELS]
        figure = figure_with(len(names)) if names else None
        if figure:
            plot_plan(self, figure.axes, names=names)
        return as_html(str(self), figure)


def title_of(plan: Plan) -> str:
    """Return the title of a picture of a plan, which says how long the plan is."""
    epochs = f"{counted(plan.max_epochs, 'epoch')} of {plan.epoch_length}"
    return f"plan of {counted(plan.num_iterations, 'iteration')}: {epochs}"


def named_groups(labels: Sequence[str]) -> str:
    """Return the names of param groups, shortened if there are more than 4 groups."""
    return ", ".join(labels) if len(labels) <= 4 else f"{len(labels)} groups, {labels[0]} to {labels[-1]}"


def counted(number: int, thing: str) -> str:
    """Return a number and a noun, with an s for the plural."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
