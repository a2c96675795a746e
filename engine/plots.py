"""Lines of a parameter's values over events, into the axes one is given."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


# Okabe and Ito's colours, which colour-blind readers can tell apart; the line styles are for whoever prints in grey.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
LINE_STYLES = ("-", "--", "-.", ":")
MOST_NAMED = 12  # lines that a legend names


def style_of(line: int, lines: int) -> dict[str, Any]:
    """The colour and the style of one of several lines.

    More lines than there are colours are shaded from dark to light instead, in their order.
    """
    if lines <= len(COLORS):
        return {"color": COLORS[line], "linestyle": LINE_STYLES[line % len(LINE_STYLES)]}
    from matplotlib import colormaps

    return {"color": colormaps["cividis"](line / (lines - 1)), "linestyle": "-"}


def draw_values(
    indices: ArrayLike,
    values: ArrayLike,
    param_name: str,
    ax: "Axes | None" = None,
    labels: Sequence[str] | None = None,
    /,
    **line_style: Any,
) -> "list[Line2D]":
    """Draw one line for each parameter group and return the lines.

    Args:
        indices: event indices ``(n,)``.
        values: ``(n, G)``, a column for each group.
        param_name: the label of the value axis, and of the lines, there with the group's index.
        ax: axes to draw into; the current ones where None, as pyplot does.
        labels: other labels of the lines.
        line_style: what ``Axes.plot`` takes, such as ``color``, ``marker`` or another ``label``.
    """
    if ax is None:
        # Only here: drawing is the one thing that needs matplotlib, and its import costs most of a second.
        from matplotlib import pyplot as plt

        ax = plt.gca()
    columns = np.atleast_2d(np.asarray(values, dtype=np.float64).T)
    if labels is None or len(labels) != len(columns):
        numbered = [f"{param_name}, group {group}" for group in range(len(columns))]
        labels = numbered if len(columns) > 1 else [param_name]
    drawn = len(ax.lines)  # by others, whose colours are left to them
    count = drawn + len(columns)
    lines = [
        line
        for at, (column, label) in enumerate(zip(columns, labels, strict=True), start=drawn)
        for line in ax.plot(np.asarray(indices), column, **{"label": label, **style_of(at, count), **line_style})
    ]
    ax.set_xlabel(ax.get_xlabel() or "event")
    ax.set_ylabel(ax.get_ylabel() or param_name)
    ax.grid(True, alpha=0.3)
    if count <= MOST_NAMED:
        ax.legend()
    return lines
