"""Draws a plan with matplotlib: a panel for each name, a line for each group."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lehr.engine import ParamHistory
from lehr.engine.history_column import HistoryColumn
from lehr.engine.plots import MOST_NAMED, drawstyle_of, style_of, thinned, without_math
from lehr.handlers.schedules import RunLength
from lehr.handlers.schedules.arguments import shown, shown_names
from lehr.handlers.schedules.base import Array

from .plan import Plan, PlanColumn, named_groups, title_of
from .secondary_axis import add_unit, unit_along_the_top

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DOTS = 80  # a recorded history has at most this many dots
MOST_POINTS = 20_000  # a line has at most this many points


def plot_plan(
    plan: Plan,
    axes: "Axes | Sequence[Axes] | None" = None,
    *,
    names: Sequence[str] | None = None,
    recorded: ParamHistory | None = None,
    log: bool | None = None,
    unit: str | None = None,
    run: RunLength | None = None,
) -> "list[Axes]":
    """Draw a plan: a panel for each name, a line for each group, shaded phases with names, epochs along the top.

    The function does not show or save the figure: call ``matplotlib.pyplot.show()`` or ``Figure.savefig``. It does not
    change matplotlib's style.

    Args:
        plan: a plan that :func:`dry_run` returned.
        axes: the axes to draw into, one for each name. If None, a new figure is made.
        names: the names to draw, in this order. If None, all names are drawn.
        recorded: a history, ``engine.state.param_history``. It is drawn as dots, one for each recorded event.
        log: whether the value axes are logarithmic. If None, an axis is logarithmic if all values are positive and at
            least a third of them are less than 2 % of the largest value.
        unit: the unit of the axis at the top: ``"epochs"``, ``"tokens"``, ``"samples"`` or ``"percent"``. If None, it
            is tokens or samples if a scheduler has durations in this unit, and epochs otherwise.
        run: a :class:`RunLength` that says how many tokens or samples an iteration has. If None, it is the run length
            of the schedulers.

    Returns:
        The axes, one for each name.

    Raises:
        TypeError: ``plan`` is not a plan, or ``recorded`` is not a history.
        ValueError: the number of axes is not the number of names; the plan does not have a name; or the run cannot
            convert iterations to ``unit``.

    Example:
        >>> import torch
        >>> from ignite.engine import Engine
        >>> from matplotlib.figure import Figure
        >>> from lehr.handlers import OneCycleScheduler, dry_run
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: optimizer.step())
        >>> handle = OneCycleScheduler(optimizer, "lr", max_value=0.5, total_steps=100).attach(trainer)
        >>> axes = Figure().subplots()
        >>> panels = plot_plan(dry_run(trainer, max_epochs=4, epoch_length=25), axes)
        >>> axes.get_xlabel(), axes.get_ylabel(), [text.get_text() for text in axes.texts]
        ('iteration', 'lr', ['up', 'down'])
    """
    if not isinstance(plan, Plan):
        raise TypeError(f"plan must be a Plan that dry_run returned, given {shown(plan)}")
    if not isinstance(recorded, ParamHistory | None):
        raise TypeError(f"recorded must be a ParamHistory or None, given {shown(recorded)}")
    if unit is not None:
        unit_along_the_top(plan, unit, run)  # raises an error before anything is drawn
    names = list(plan) if names is None else list(names)
    for name in names:
        if name not in plan:
            raise ValueError(f"names must be among {shown_names(plan)}, given {shown(name)}")
    panels = panels_for(axes, names)
    for panel, name in zip(panels, names, strict=True):
        _draw(panel, name, plan, log)
        if recorded is not None and name in recorded:
            _draw_recorded(panel, plan.columns[name], recorded, name)
    if panels:
        add_unit(panels[0], plan, *unit_along_the_top(plan, unit, run))
        panels[-1].set_xlabel("iteration")
        panels[0].set_title("\n".join(filter(None, [title_of(plan), panels[0].get_title()])), fontsize="medium")
    return panels


def _draw(panel: "Axes", name: str, plan: Plan, log: bool | None) -> None:
    column = plan.columns[name]
    (lines,) = lines_of(column)
    for line, (label, values) in enumerate(lines.items()):
        shown = thinned(values, MOST_POINTS)
        style = {
            **style_of(line, len(lines)),
            "drawstyle": drawstyle_of(values),
            "label": without_math(label) if len(column.labels) > 1 else _name_of(column),
            "marker": "o" if len(values) == 1 else "",  # a line needs two points
        }
        (drawn,) = panel.plot(shown + 1, values[shown], linewidth=1.6, **style)
        if column.band is not None:
            low, high = column.band[:, shown]
            panel.fill_between(shown + 1, low, high, color=drawn.get_color(), alpha=0.25, linewidth=0)
    if log or (log is None and needs_log(column.values)):
        panel.set_yscale("log")
    _shade(panel, column)
    panel.set_ylabel(without_math(name))
    panel.set_xlim(0.5, plan.num_iterations + 0.5)
    panel.grid(True, alpha=0.3)
    if len(column.labels) > 1 and len(lines) <= MOST_NAMED:
        _name_lines(panel)
    elif len(lines) > MOST_NAMED:
        shades = f"{len(lines)} lines, from {column.labels[0]} (dark) to {column.labels[-1]}"
        panel.set_title(without_math(shades), fontsize="small")


def _name_of(column: PlanColumn) -> str:
    """Return the name of a single line in the legend."""
    return "planned" if column.band is None else "forecast"


def lines_of(*columns: PlanColumn) -> list[dict[str, Array]]:
    """Return the lines of each column by their labels. All columns have the same labels.

    Groups share a line if they have the same values in each column.
    """
    found: dict[tuple[bytes, ...], tuple[list[str], list[Array]]] = {}
    for number, label in enumerate(columns[0].labels):
        values = [column.values[:, number] for column in columns]
        found.setdefault(tuple(one.tobytes() for one in values), ([], values))[0].append(label)
    return [
        {named_groups(labels): values[number] for labels, values in found.values()} for number in range(len(columns))
    ]


def _name_lines(panel: "Axes") -> None:
    """Add a legend below the names of the phases."""
    panel.legend(fontsize="small", loc="best", bbox_to_anchor=(0, 0, 1, 0.93))


def _shade(panel: "Axes", column: PlanColumn) -> None:
    for number, span in enumerate(column.spans):
        if number % 2:
            panel.axvspan(span.first + 0.5, span.stop + 0.5, color="0.5", alpha=0.12, linewidth=0)
        if span.stop - span.first > 0.009 * len(span.name) * len(column.values):
            middle, transform = (span.first + span.stop) / 2 + 0.5, panel.get_xaxis_transform()
            style: dict[str, Any] = {"fontsize": "x-small", "color": "0.3", "clip_on": True}
            panel.text(middle, 0.98, span.name, transform=transform, ha="center", va="top", **style)
    if column.spans:
        panel.margins(y=0.14)  # space for the names of the phases


def _draw_recorded(panel: "Axes", column: PlanColumn, recorded: ParamHistory, name: str) -> None:
    iterations, table = recorded_events(column, recorded[name])
    every = max(1, len(iterations) // MOST_DOTS)
    for values in np.unique(table, axis=1).T:
        label = "_recorded" if any(line.get_label() == "recorded" for line in panel.lines) else "recorded"
        dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 5, "markerfacecolor": "none"}
        panel.plot(iterations + 1, values, color="0.2", label=label, markevery=every, **dots)
    _name_lines(panel)


def recorded_events(column: PlanColumn, history: HistoryColumn) -> tuple[NDArray[np.int64], Array]:
    """Return the recorded events that the plan has: their iterations from 0, and their values ``(events, groups)``.

    If the run is resumed, and the history has fewer events than the run had before, the history contains only events of
    the resumed run.
    """
    before = column.first_event if history.num_events >= column.first_event else 0
    events = history.event_indices - before
    known = (events >= 0) & (events < len(column.event_iterations))
    return column.event_iterations[events[known]], history.to_numpy()[known]


def needs_log(values: Array) -> bool:
    """Return whether all values are positive and at least a third of them are less than 2 % of the largest value."""
    known = values[~np.isnan(values)]
    return bool(len(known) and known.min() > 0 and np.quantile(known, 1 / 3) < 0.02 * known.max())


def panels_for(axes: "Axes | Sequence[Axes] | None", names: Sequence[str]) -> "list[Axes]":
    """Return the axes for each name: the given axes, or the axes of a new figure.

    Raises:
        ValueError: the number of axes is not the number of names.
    """
    if axes is None:
        from matplotlib import pyplot as plt

        rows = max(len(names), 1)
        _, panels = plt.subplots(
            rows, 1, sharex=True, squeeze=False, figsize=(8, 1.2 + 2.2 * rows), layout="constrained"
        )
        return list(panels[: len(names), 0])
    given = list(axes) if hasattr(axes, "__iter__") else [axes]
    if len(given) != len(names):
        raise ValueError(f"axes must be one for each of {shown_names(names)}, given {len(given)}")
    return given
