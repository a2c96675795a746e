"""Lines of a parameter's values over events, into the axes one is given."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def thinned(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Which of many values to draw, so that the line looks like the whole one: at most ``most`` of them and both ends.

    Of each of so many stretches, the least and the largest value are kept; NaN, where there is none, counts as 0.

    >>> thinned(np.array([0.0, 5.0, 1.0, 2.0, 9.0, 3.0]), most=4).tolist()
    [0, 1, 3, 4, 5]
    """
    if len(values) <= most:
        return np.arange(len(values))
    size = -(-len(values) // max(most // 2, 1))
    padded = np.concatenate([values, np.repeat(values[-1:], -len(values) % size)]).reshape(-1, size)
    filled, first = np.nan_to_num(padded), np.arange(len(padded)) * size
    kept = np.concatenate([[0], first + filled.argmin(axis=1), first + filled.argmax(axis=1), [len(values) - 1]])
    return np.unique(np.minimum(kept, len(values) - 1))


def drawstyle_of(values: NDArray[np.float64]) -> str:
    """How to join values: in steps where they stay for long, since a slope would show values that are never there."""
    return "steps-post" if len(values) > 1 and np.mean(values[1:] != values[:-1]) < 0.25 else "default"


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

    def own_style(at: int, column: NDArray[np.float64]) -> dict[str, Any]:
        return {**style_of(at, count), "drawstyle": drawstyle_of(column)}

    drawn = len(ax.lines)  # by others, whose colours are left to them
    count = drawn + len(columns)
    lines = [
        line
        for at, (column, label) in enumerate(zip(columns, labels, strict=True), start=drawn)
        for line in ax.plot(np.asarray(indices), column, **{"label": label, **own_style(at, column), **line_style})
    ]
    ax.set_xlabel(ax.get_xlabel() or "event")
    ax.set_ylabel(ax.get_ylabel() or param_name)
    ax.grid(True, alpha=0.3)
    if count <= MOST_NAMED:
        ax.legend()
    return lines
