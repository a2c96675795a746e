"""Makes the figure of a page for plotly: panels of values, findings, phases, and a second plan beside the first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lehr.engine.plots import MOST_NAMED
from lehr.handlers.plans.plan import Plan
from lehr.handlers.plans.plot_plan import lines_of, needs_log
from lehr.handlers.schedules.base import Array

from . import figure_annotations
from .escaping import plain
from .page_inputs import Contents
from .traces import (
    UNITS,
    Panel,
    Trace,
    band_traces,
    line_traces,
    overlay_traces,
    recorded_traces,
    ruler,
    styles_of,
    x_of,
)

PANEL, GAP, TOP = 230, 62, 56  # in pixels
# The limits are the most and the fewest points of a line, and the most values of a page.
MOST_POINTS, FEWEST_POINTS, MOST_VALUES = 20_000, 200, 80_000
LEGEND_LINE, MOST_LEGEND, UNDER_AXIS = 29, 160, 66  # in pixels
SPACE = 0.035  # half of the space between two panels side by side, as a fraction of the width
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"

Json = dict[str, Any]


def figure_of(contents: Contents) -> Json:
    """Return the figure in plotly's form: ``{"data": traces, "layout": layout}``."""
    panels = _panels(contents)
    styles = styles_of(list(dict.fromkeys(label for panel in panels for label in panel.lines)))
    is_crowded = any(len(panel.lines) > MOST_NAMED for panel in panels)
    traces: list[Trace] = []
    for panel in panels:
        traces += [*(() if is_crowded and panel.lines else ruler(panel)), *line_traces(panel, styles, is_crowded)]
        traces += band_traces(panel)
    if contents.other is not None:
        traces += overlay_traces(panels, contents.labels[1], styles)
    if contents.recorded is not None:
        traces += [
            trace for panel in panels if panel.column == 0 for trace in recorded_traces(panel, contents.recorded)
        ]
    _name_once(traces)
    return {
        "data": [{**trace.properties, "x": trace.x("iteration")} for trace in traces],
        "layout": _layout(contents, panels, traces, is_crowded),
    }


def _panels(contents: Contents) -> list[Panel]:
    plans, names = contents.plans, contents.names
    found = []
    for row, name in enumerate(names):
        has = [plan for plan in plans if name in plan]
        is_log = all(needs_log(plan[name]) for plan in has)
        all_lines = _lines_of(plans, name)
        for column, (plan, lines) in enumerate(zip(plans, all_lines, strict=True)):
            number = row * len(plans) + column + 1
            panel = Panel(plan, name, column, number, lines, np.empty(0, dtype=np.int64), is_log)
            share = MOST_VALUES // (len(names) * len(plans) * max(len(lines), 1))
            most = min(max(share, FEWEST_POINTS), MOST_POINTS)
            found.append(replace(panel, kept=contents.kept_in(panel, most)) if lines else panel)
    return found


def _lines_of(plans: Sequence[Plan], name: str) -> list[dict[str, Array]]:
    columns = [plan.columns[name] for plan in plans if name in plan]
    if len(columns) == len(plans) and len({column.labels for column in columns}) == 1:
        lengths = max(len(column.values) for column in columns)
        return lines_of(*columns) if lengths else [{} for _ in plans]
    return [lines_of(plan.columns[name])[0] if name in plan else {} for plan in plans]


def _name_once(traces: list[Trace]) -> None:
    """Show only the first trace of each group of traces in the legend."""
    seen = set()
    for trace in traces:
        group = trace.properties["legendgroup"]
        trace.properties["showlegend"] = group not in seen and group != "ruler"
        seen.add(group)


def _layout(contents: Contents, panels: list[Panel], traces: list[Trace], is_crowded: bool) -> Json:
    rows, columns = len(contents.names), len(contents.plans)
    plot = rows * PANEL + (rows - 1) * GAP
    in_legend = [trace.properties["name"] for trace in traces if trace.properties["showlegend"]]
    lines = 1 + sum(50 + 7 * len(name) for name in in_legend) // 600  # an estimate; plotly adds lines if needed
    legend = min(lines * LEGEND_LINE, MOST_LEGEND)
    layout: Json = {
        "height": TOP + plot + UNDER_AXIS + legend,
        "margin": {"l": 66, "r": 12, "t": TOP, "b": UNDER_AXIS + legend},
        "font": {"family": FONT, "size": 13, "color": "#1b1f24"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "hovermode": "closest" if is_crowded else "x unified",
        "hoverdistance": -1,
        "hoverlabel": {"namelength": -1, "align": "left", "font": {"family": FONT}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": -UNDER_AXIS / plot,
            "yanchor": "top",
            "maxheight": MOST_LEGEND,
        },
    }
    ranges = _ranges(panels, traces)
    for panel in panels:
        row, column = divmod(panel.number - 1, columns)
        upper = 1 - row * (PANEL + GAP) / plot
        left = column / columns + (SPACE if column else 0)
        right = (column + 1) / columns - (SPACE if column + 1 < columns else 0)
        is_last, suffix = row == rows - 1, str(panel.number) if panel.number > 1 else ""
        line = {"showline": True, "linecolor": "#57606a", "gridcolor": "#e4e7eb", "zeroline": False}
        layout[f"xaxis{suffix}"] = {
            **line,
            "anchor": f"y{suffix}",
            "domain": [left, right],
            "showticklabels": is_last,
            "ticks": "outside" if is_last else "",
            "unifiedhovertitle": {"text": f"<b>{plain(panel.name)}</b>"},
            **({} if panel.number == 1 else {"matches": "x"}),
        }
        layout[f"yaxis{suffix}"] = {
            **line,
            "anchor": f"x{suffix}",
            "domain": [max(upper - PANEL / plot, 0), upper],
            "type": "log" if panel.is_log else "linear",
            "exponentformat": "e",
            **ranges.get(panel.name, {}),
            "showticklabels": column == 0,
            **({} if column == 0 else {"matches": f"y{panel.number - 1 if panel.number > 2 else ''}"}),
            **({"title": {"text": plain(panel.name), "standoff": 8}} if column == 0 else {}),
        }
    for key, value in _in_unit(contents, panels, "iteration").items():
        _set(layout, key, value)
    layout["updatemenus"] = _menus(contents, panels, traces)
    return layout


def _ranges(panels: list[Panel], traces: list[Trace]) -> dict[str, Json]:
    """Return a range of the y axis for each name with a single value, from half of the value to twice the value.

    Plotly's default range is from 1 less than the value to 1 more.
    """
    names, found = {panel.axes["yaxis"]: panel.name for panel in panels}, dict[str, set[float]]()
    for trace in traces:
        y = trace.properties["y"]
        found.setdefault(names[trace.properties["yaxis"]], set()).update(y[np.isfinite(y)].tolist())
    single = {name: values.pop() for name, values in found.items() if len(values) == 1}
    return {
        name: {"autorangeoptions": {"clipmin": min(value / 2, value * 2), "clipmax": max(value / 2, value * 2)}}
        for name, value in single.items()
        if value
    }


def _in_unit(contents: Contents, panels: list[Panel], unit: str) -> Json:
    """Return the part of the layout that depends on the unit of the x axes."""
    columns = len(contents.plans)
    shapes, annotations = [], []
    for panel in panels:
        if panel.lines:
            drawn = figure_annotations.of_panel(
                panel, contents.places_in(panel), contents.difference_in(panel), unit, columns
            )
            shapes += drawn[0]
            annotations += drawn[1]
        else:
            annotations.append(figure_annotations.missing(panel))
    found: Json = {"shapes": shapes, "annotations": annotations}
    ends = [x_of(plan.num_iterations, unit, plan.epoch_length) for plan in contents.plans]
    margin = 0.012 * float(max(ends))
    for panel in panels:
        axis = f"xaxis{panel.number if panel.number > 1 else ''}"
        found[f"{axis}.autorangeoptions.minallowed"] = float(x_of(0, unit, 1)) - margin
        found[f"{axis}.autorangeoptions.maxallowed"] = float(max(ends)) + margin
        found[f"{axis}.autorange"] = True
        if panel in panels[-columns:]:
            found[f"{axis}.title.text"] = UNITS[unit].format(panel.plan.epoch_length)
    return found


def _set(layout: Json, path: str, value: Any) -> None:
    """Set a value in nested dictionaries by a path such as ``xaxis.title.text``."""
    *outer, last = path.split(".")
    for key in outer:
        layout = layout.setdefault(key, {})
    layout[last] = value


def _menus(contents: Contents, panels: list[Panel], traces: list[Trace]) -> list[Json]:
    """Return the menus of the page's buttons: the unit of the x axes, and the scale of the y axes."""
    by_unit = [
        (f"{unit}s", [{"x": [trace.x(unit) for trace in traces]}, _in_unit(contents, panels, unit)]) for unit in UNITS
    ]
    can_be_log = {panel.name for panel in panels if any((values > 0).any() for values in panel.lines.values())}
    by_scale: list[tuple[str, list[Json]]] = []
    for scale in ("linear", "log"):
        types: Json = {}
        for panel in panels:
            axis = f"yaxis{panel.number if panel.number > 1 else ''}"
            types[f"{axis}.type"] = scale if panel.name in can_be_log else "linear"
            types[f"{axis}.autorange"] = True
        by_scale.append((scale, [types]))
    are_log = {panel.is_log for panel in panels}
    return [
        _menu(by_unit, "update", 0),
        _menu(by_scale, "relayout", -1 if len(are_log) > 1 else int(are_log.pop())),
    ]


def _menu(buttons: list[tuple[str, list[Json]]], method: str, active: int) -> Json:
    """Return a menu that plotly does not draw. The page has its own buttons, which a keyboard can reach."""
    return {
        "type": "buttons",
        "visible": False,
        "active": active,
        "buttons": [{"label": label, "method": method, "args": args} for label, args in buttons],
    }
