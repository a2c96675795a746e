"""The marks that a page draws on its panels: phases, findings and the first difference between two plans."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lehr.handlers.plans.diff_plans import Difference

from .escaping import plain, plain_lines
from .placed_findings import PlacedFindings
from .traces import Panel, x_of

GREY = "#57606a"
COLORS = {"error": "#cf222e", "warning": "#b35900", "info": "#0969da"}  # the color of a finding by its severity
ROOM = 0.012  # the fraction of a panel's width that one character of a phase's name needs
NEAR = 0.05  # findings that are closer than this fraction of a panel's width share a label
MOST_NUMBERS, MOST_WORDS = 3, 6  # a label shows at most this many numbers and messages

Json = dict[str, Any]


def of_panel(
    panel: Panel, places: Sequence[PlacedFindings], difference: Difference | None, unit: str, columns: int
) -> tuple[list[Json], list[Json]]:
    """Return the shapes and the annotations of a panel, in plotly's form.

    Args:
        panel: the panel.
        places: the findings about the name of the panel, sorted by iteration.
        difference: the first difference between two plans under the name, or None if there is none.
        unit: the unit of the x axes.
        columns: the number of panels side by side.
    """
    lines = [(place.iteration, COLORS[place.severity]) for place in places]
    labels = [(place.iteration, *_about_findings(place)) for place in _joined(panel, places, columns)]
    if difference is not None:
        lines.append((difference.first, GREY))
        labels.append((difference.first, "\u2260", plain_lines(str(difference)), GREY))
    drawn = [*_phases(panel, unit, columns)]
    drawn += [("shape", _line(panel, float(x_of(at, unit, panel.plan.epoch_length)), color)) for at, color in lines]
    for number, (at, text, words, color) in enumerate(sorted(labels)):
        x = float(x_of(at, unit, panel.plan.epoch_length))
        level = number % 2  # so that labels beside each other do not overlap
        drawn.append(("annotation", _label(panel, x, text, words, color, level)))
    shapes, annotations = ([thing for kind, thing in drawn if kind == one] for one in ("shape", "annotation"))
    return shapes, annotations


def _phases(panel: Panel, unit: str, columns: int) -> Iterator[tuple[str, Json]]:
    """Yield a shaded area for every other phase of a panel, and the name of each phase that has space for its name."""
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
            middle, font = float(begin + end) / 2, {"size": 11, "color": GREY}
            yield "annotation", _text(panel, middle, 1, plain(span.name), font)


def _about_findings(place: PlacedFindings) -> tuple[str, str, str]:
    """Return the numbers of the findings of a label, their texts, and a colour."""
    numbers = [str(number) for number, _ in place.numbered]
    text = ", ".join(numbers if len(numbers) <= MOST_NUMBERS else [*numbers[: MOST_NUMBERS - 1], "..."])
    words = [
        f"<b>{number}. {finding.severity}: {finding.code}</b><br>{plain_lines(finding.message)}"
        for number, finding in place.numbered[:MOST_WORDS]
    ]
    if len(numbers) > MOST_WORDS:
        words.append(f"and {len(numbers) - MOST_WORDS} more, in the list below")
    return text, "<br>".join(words), COLORS[place.severity]


def _joined(panel: Panel, places: Sequence[PlacedFindings], columns: int) -> list[PlacedFindings]:
    """Return the findings of each label. Findings that are close to each other share a label."""
    found: list[PlacedFindings] = []
    for place in places:  # `places` is sorted by iteration
        if found and place.iteration - found[-1].iteration < NEAR * columns * panel.plan.num_iterations:
            found[-1] = replace(found[-1], numbered=tuple(sorted(found[-1].numbered + place.numbered)))
        else:
            found.append(place)
    return found


def _line(panel: Panel, x: float, color: str) -> Json:
    line = {"color": color, "width": 1.4, "dash": "dash"}
    return {**_within(panel), "type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}


def _label(panel: Panel, x: float, text: str, words: str, color: str, level: int) -> Json:
    """Return a short text above a line, which shows a longer text on hover."""
    return {
        **_text(panel, x, 1, f"<b>{text}</b>", {"size": 11, "color": "white"}),
        "bgcolor": color,
        "borderpad": 2,
        "yshift": 18 + 18 * level,
        "hovertext": words,
        "hoverlabel": {"bgcolor": "white", "bordercolor": color, "font": {"color": "#1b1f24"}},
    }


def missing(panel: Panel) -> Json:
    """Return the text of a panel without values."""
    text = "not in this plan" if panel.name not in panel.plan else "no values"
    return {**_text(panel, 0.5, 0.5, text, {"color": GREY}), "xref": f"{panel.axes['xaxis']} domain"}


def _text(panel: Panel, x: float, y: float, text: str, font: Json) -> Json:
    return {**_within(panel), "x": x, "y": y, "yanchor": "bottom", "text": text, "showarrow": False, "font": font}


def _within(panel: Panel) -> Json:
    """Return the units of a position for plotly: x is a value of the x axis, and y a fraction of the panel's height."""
    return {"xref": panel.axes["xaxis"], "yref": f"{panel.axes['yaxis']} domain"}
