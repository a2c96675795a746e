"""What a page draws on its panels besides values: phases, findings and the first difference of two plans."""

from collections.abc import Iterator, Sequence
from typing import Any

from lehr.handlers.plans.diff_plans import Difference

from .escaping import plain, plain_lines
from .placed_findings import PlacedFindings
from .traces import Panel, x_of

COLORS = {"error": "#cf222e", "warning": "#b35900", "info": "#0969da"}  # of findings
ROOM = 0.012  # of a panel, for a character of the name of a phase
MOST_NUMBERS = 3  # of the findings at one place

Json = dict[str, Any]


def of_panel(
    panel: Panel, places: Sequence[PlacedFindings], difference: Difference | None, unit: str, columns: int
) -> tuple[list[Json], list[Json]]:
    """The shapes and the annotations of a panel, in plotly's words.

    Args:
        panel: the panel.
        places: the findings of its name.
        difference: the first difference of two plans under its name, or None.
        unit: the unit of the x axes.
        columns: how many panels are side by side.
    """
    flags: list[tuple[int, str, str, str]] = [(place.iteration, *_about_findings(place)) for place in places]
    if difference is not None:
        flags.append((difference.first, "\u2260", plain_lines(str(difference)), "#57606a"))
    drawn = [*_phases(panel, unit, columns)]
    for at, (iteration, text, words, color) in enumerate(sorted(flags)):
        x = float(x_of(iteration, unit, panel.plan.epoch_length))
        drawn += _flag(panel, x, text, words, color, at % 2)  # neighbours do not cover each other
    shapes, annotations = ([thing for kind, thing in drawn if kind == one] for one in ("shape", "annotation"))
    return shapes, annotations


def _phases(panel: Panel, unit: str, columns: int) -> Iterator[tuple[str, Json]]:
    """The phases of a panel, each second one shaded, and their names where there is room."""
    spans, length = panel.plan.columns[panel.name].spans, panel.plan.num_iterations
    for number, span in enumerate(spans):
        begin, end = (x_of(iteration, unit, panel.plan.epoch_length) for iteration in (span.first, span.stop))
        if number % 2:
            yield (
                "shape",
                {
                    **_within(panel),
                    "type": "rect",
                    "x0": float(begin),
                    "x1": float(end),
                    "y0": 0,
                    "y1": 1,
                    "fillcolor": "#8c959f",
                    "opacity": 0.12,
                    "line": {"width": 0},
                    "layer": "below",
                },
            )
        if span.stop - span.first > ROOM * columns * len(span.name) * length:
            middle, font = float(begin + end) / 2, {"size": 11, "color": "#57606a"}
            yield "annotation", _text(panel, middle, 1, plain(span.name), font)


def _about_findings(place: PlacedFindings) -> tuple[str, str, str]:
    """The numbers of the findings at a place, their texts, and a colour."""
    numbers = [str(number) for number, _ in place.numbered]
    text = ", ".join(numbers if len(numbers) <= MOST_NUMBERS else [*numbers[: MOST_NUMBERS - 1], "..."])
    words = (
        f"<b>{number}. {finding.severity}: {finding.code}</b><br>{plain_lines(finding.message)}"
        for number, finding in place.numbered
    )
    return text, "<br>".join(words), COLORS[place.severity]


def _flag(panel: Panel, x: float, text: str, words: str, color: str, level: int) -> Iterator[tuple[str, Json]]:
    """A line at a place, with a short text above it and more words on hover."""
    yield (
        "shape",
        {
            **_within(panel),
            "type": "line",
            "x0": x,
            "x1": x,
            "y0": 0,
            "y1": 1,
            "line": {"color": color, "width": 1.4, "dash": "dash"},
        },
    )
    yield (
        "annotation",
        {
            **_text(panel, x, 1, f"<b>{text}</b>", {"size": 11, "color": "white"}),
            "bgcolor": color,
            "borderpad": 2,
            "yshift": 18 + 18 * level,
            "hovertext": words,
            "hoverlabel": {"bgcolor": "white", "bordercolor": color, "font": {"color": "#1b1f24"}},
        },
    )


def heading(panel: Panel, label: str) -> Json:
    """The name of a plan above its first panel."""
    return {
        **_text(panel, 0, 1, f"<b>{plain(label)}</b>", {"size": 14}),
        "xref": f"{panel.axes['xaxis']} domain",
        "xanchor": "left",
        "yshift": 56,
    }


def _text(panel: Panel, x: float, y: float, text: str, font: Json) -> Json:
    return {**_within(panel), "x": x, "y": y, "yanchor": "bottom", "text": text, "showarrow": False, "font": font}


def _within(panel: Panel) -> Json:
    """Places by the values of the x axis, and by the height of the panel."""
    return {"xref": panel.axes["xaxis"], "yref": f"{panel.axes['yaxis']} domain"}
