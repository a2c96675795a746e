"""Makes the lines and dots of a page, as traces of plotly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lehr.engine import ParamHistory
from lehr.engine.plots import drawstyle_of, style_of
from lehr.handlers.plans.plan import Plan, named_groups
from lehr.handlers.plans.plot_plan import recorded_events
from lehr.handlers.schedules.base import Array

from .downsampling import FEWEST, kept_points
from .escaping import plain

UNITS = {"iteration": "iteration", "epoch": "epoch (of {} iterations)"}  # the titles of the x axes, by unit
DASHES = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
MOST_DOTS = 40
NUMBER = ".6~g"
WHERE = "iteration %{customdata[0]}, epoch %{customdata[1]}, event %{customdata[2]}"


@dataclass(frozen=True)
class Panel:
    """The values of one plan under one name.

    Args:
        plan: the plan.
        name: the name of the values. The plan may have no values under this name.
        column: 0 for the plan of the page, 1 for the other plan.
        number: the number of the panel's axes in plotly, from 1.
        lines: the values of each line, by the names of its param groups.
        kept: the iterations whose values are drawn, from 0.
        is_log: whether the values are on a logarithmic axis at first.
    """

    plan: Plan
    name: str
    column: int
    number: int
    lines: dict[str, Array]
    kept: NDArray[np.int64]
    is_log: bool

    @property
    def axes(self) -> dict[str, str]:
        """The axes of the panel, in the form that a trace of plotly needs."""
        suffix = self.number if self.number > 1 else ""
        return {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}

    def trace(self, iterations: NDArray[np.int64], properties: dict[str, Any]) -> "Trace":
        """Return a trace on the axes of the panel."""
        return Trace(iterations, self.plan.epoch_length, {"type": "scatter", **properties, **self.axes})

    def places(self) -> NDArray[np.int64]:
        """Return a row for each kept iteration: the iteration, the epoch, and the index of the last event, or -1.

        Iterations and epochs count from 1, events from 0.
        """
        column = self.plan.columns[self.name]
        events = np.searchsorted(column.event_iterations, self.kept, side="right") - 1
        events = np.where(events < 0, -1, events + column.first_event)
        return np.stack([self.kept + 1, self.kept // self.plan.epoch_length + 1, events], axis=1).astype(np.int32)


@dataclass(frozen=True)
class Trace:
    """A trace of plotly whose x values depend on the unit of the x axes.

    Args:
        iterations: the iteration of each point, from 0.
        epoch_length: iterations of an epoch.
        properties: the trace without its x values.
    """

    iterations: NDArray[np.int64]
    epoch_length: int
    properties: dict[str, Any]

    def x(self, unit: str) -> NDArray[Any]:
        """Return the x values: iterations from 1, or the number of epochs before each iteration."""
        return np.asarray(x_of(self.iterations, unit, self.epoch_length))


def x_of(iterations: Any, unit: str, epoch_length: int) -> Any:
    """Return the x values of iterations that count from 0: iterations from 1, or the epochs before each iteration."""
    return iterations / epoch_length if unit == "epoch" else np.int32(1) + np.asarray(iterations, dtype=np.int32)


def styles_of(labels: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the colour and the dashes of the lines with each label."""
    from matplotlib.colors import to_hex

    styles = {label: style_of(line, len(labels)) for line, label in enumerate(labels)}
    return {label: {"color": to_hex(one["color"]), "dash": DASHES[one["linestyle"]]} for label, one in styles.items()}


def ruler(panel: Panel) -> Iterator[Trace]:
    """Yield an invisible trace. Its hover text is the iteration, the epoch and the event at the pointer."""
    if not panel.lines:  # plotly draws no axes without a trace
        empty = {"y": np.array([np.nan]), "legendgroup": "ruler", "name": "", "hoverinfo": "skip"}
        yield panel.trace(np.zeros(1, dtype=np.int64), empty)
    for values in [*panel.lines.values()][:1]:
        properties = {
            "mode": "markers",
            "marker": {"opacity": 0, "size": 1},
            "y": values[panel.kept],
            "customdata": panel.places(),
            "hovertemplate": f"{WHERE}<extra></extra>",
            "legendgroup": "ruler",
            "name": "",
        }
        yield panel.trace(panel.kept, properties)


def line_traces(panel: Panel, styles: dict[str, dict[str, str]], is_crowded: bool) -> Iterator[Trace]:
    """Yield a line for each param group of a panel. Groups with the same values share a line.

    Args:
        panel: the panel.
        styles: the style of each label.
        is_crowded: whether there are too many lines to show the values of all of them at once.
    """
    for label, values in panel.lines.items():
        name = plain(label or panel.name)
        properties: dict[str, Any] = {
            "mode": "lines+markers" if len(panel.kept) == 1 else "lines",  # a line needs two points
            "line": {**styles[label], "width": 2, "shape": shape_of(values)},
            "y": values[panel.kept],
            "name": name,
            "legendgroup": f"line {list(styles).index(label)}",
            "hovertemplate": hover_template(""),
        }
        if is_crowded:
            hover = f"%{{fullData.name}}: %{{y:{NUMBER}}}<br>{WHERE}<extra></extra>"
            properties |= {"customdata": panel.places(), "hovertemplate": hover}
        yield panel.trace(panel.kept, properties)


def band_traces(panel: Panel) -> Iterator[Trace]:
    """Yield the band of a forecast: its lower end, and its upper end with the area between them."""
    column = panel.plan.columns.get(panel.name)
    for number, end in enumerate(()) if column is None or column.band is None else enumerate(column.band):
        properties: dict[str, Any] = {
            "mode": "lines",
            "line": {"width": 0},
            "y": end[panel.kept],
            "name": "band",
            "legendgroup": "band",
            "hoverinfo": "skip",
            **({"fill": "tonexty", "fillcolor": "rgba(0, 0, 0, 0.12)"} if number else {}),
        }
        yield panel.trace(panel.kept, properties)


def overlay_traces(panels: Sequence[Panel], label: str, styles: dict[str, dict[str, str]]) -> Iterator[Trace]:
    """Yield the lines of the second plan, to draw over the lines of the first. A click on the legend shows them."""
    for panel, other in zip(panels[::2], panels[1::2], strict=True):
        for trace in line_traces(other, styles, False):
            properties = {
                **trace.properties,
                **panel.axes,
                "line": {**trace.properties["line"], "width": 5},
                "opacity": 0.4,
                "name": f"{plain(label)}, laid over",
                "hovertemplate": hover_template(trace.properties["name"]),
                "legendgroup": "overlay",
                "visible": "legendonly",
            }
            yield Trace(trace.iterations, trace.epoch_length, properties)


def recorded_traces(panel: Panel, history: ParamHistory) -> Iterator[Trace]:
    """Yield the values that a run recorded, as dots. Only some of the dots are drawn."""
    if panel.name not in history or not panel.lines:
        return
    column = panel.plan.columns[panel.name]
    iterations, table = recorded_events(column, history[panel.name])
    found: dict[bytes, tuple[list[str], Array]] = {}
    for number, values in enumerate(table.T):
        label = column.labels[number] if number < len(column.labels) else f"group {number}"
        found.setdefault(values.tobytes(), ([], values))[0].append(label)
    for labels, values in found.values() if len(table) else ():
        kept = kept_points([values], max(len(panel.kept), FEWEST), np.flatnonzero(np.isin(iterations, panel.kept)))
        properties = {
            "mode": "markers",
            "marker": {
                "symbol": "circle-open",
                "size": 6,
                "color": "#333333",
                "line": {"width": 1.2},
                "maxdisplayed": MOST_DOTS,
            },
            "y": values[kept],
            "name": "recorded",
            "legendgroup": "recorded",
            "hovertemplate": hover_template(plain(named_groups(labels))),
        }
        yield panel.trace(iterations[kept], properties)


def hover_template(name: str) -> str:
    """Return the hover text of a value with the name of its groups, in which plotly must not find a placeholder."""
    return f"%{{y:{NUMBER}}}" + (f" ({name.replace('%', '&#37;')})" if name else "")


def shape_of(values: Array) -> str:
    """Return how plotly joins values: in steps if the values rarely change."""
    return "hv" if drawstyle_of(values) == "steps-post" else "linear"
