"""The function :func:`draw_values`, which draws the values of a parameter over the events, and its helpers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


# Okabe and Ito's colours, which colour-blind readers can distinguish. The line styles are for prints in grey.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
LINE_STYLES = ("-", "--", "-.", ":")
MOST_NAMED = 12  # a plot of more lines has no legend


def style_of(line: int, lines: int) -> dict[str, Any]:
    """Return the colour and the style of one of several lines. More than seven lines go from dark to light."""
    if lines <= len(COLORS):
        return {"color": COLORS[line], "linestyle": LINE_STYLES[line % len(LINE_STYLES)]}
    from matplotlib import colormaps

    return {"color": colormaps["cividis"](line / (lines - 1)), "linestyle": "-"}


def without_math(text: str) -> str:
    """Return a text with escaped dollar signs, so that matplotlib does not draw it as a formula."""
    return text.replace("$", r"\$")


def thinned(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the indices of some values, such that a line through them looks like a line through all values.

    The values are divided into ``most / 2`` equal intervals. The result has the indices of the least and the largest
    value of each interval, and of the first and the last value. NaN counts as 0.

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
    """Return the draw style of a line: steps if the values rarely change, because a slope shows values in between."""
    return "steps-post" if len(values) > 1 and np.mean(values[1:] != values[:-1]) < 0.25 else "default"


def draw_values(
    indices: ArrayLike,
    values: ArrayLike,
    param_name: str,
    ax: "Axes | None" = None,
    labels: Sequence[str] | None = None,
    title: str = "",
    /,
    **line_style: Any,
) -> "list[Line2D]":
    """Draw a line for each param group and return the lines.

    Args:
        indices: event indices ``(n,)``.
        values: ``(n, G)``, a column for each group.
        param_name: the label of the value axis. Each line has this label, followed by the index of the group.
        ax: the axes to draw into. If None, the current axes of pyplot are used.
        labels: the labels of the lines, one for each group. If None, the labels contain ``param_name``.
        title: the title of the axes. It does not replace a title that you set. The titles of several calls with the
            same axes are joined by commas.
        line_style: arguments of ``Axes.plot``, such as ``color``, ``marker`` or another ``label``.
    """
    if ax is None:
        # The import stands here because it takes most of a second, and only drawing needs it.
        from matplotlib import pyplot as plt

        ax = plt.gca()
    columns = np.atleast_2d(np.asarray(values, dtype=np.float64).T)
    if labels is None or len(labels) != len(columns):
        numbered = [f"{param_name}, group {group}" for group in range(len(columns))]
        labels = numbered if len(columns) > 1 else [param_name]
    drawn = len(ax.lines)  # the number of lines of earlier calls, which keep their colours
    count = drawn + len(columns)
    lines = []
    for at, (column, label) in enumerate(zip(columns, labels, strict=True), start=drawn):
        style = {"label": without_math(label), "drawstyle": drawstyle_of(column), **style_of(at, count), **line_style}
        lines += ax.plot(np.asarray(indices), column, **style)
    ax.set_xlabel(ax.get_xlabel() or "event")
    ax.set_ylabel(ax.get_ylabel() or without_math(param_name))
    _add_title(ax, title, is_first=drawn == 0)
    ax.grid(True, alpha=0.3)
    if count <= MOST_NAMED:
        ax.legend()
    return lines


def _add_title(ax: "Axes", title: str, is_first: bool) -> None:
    """Add a title to the titles of earlier calls.

    Do not change a title that the user set. If the axes already have lines without a title, do not add a title.
    """
    earlier = ax.get_title()
    is_ours = bool(earlier) and ax.title.get_gid() == earlier
    if is_ours:
        title = earlier if f", {title}, " in f", {earlier}, " else f"{earlier}, {title}"
    if is_ours or (is_first and not earlier):
        # The gid has the text of the title. So the next call knows that this function wrote the title.
        ax.set_title(title, fontsize="medium", wrap=True).set_gid(title)
