"""Lines of a parameter's values over events, into the axes one is given."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


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
    lines = [
        line
        for column, label in zip(columns, labels, strict=True)
        for line in ax.plot(np.asarray(indices), column, **{"label": label, **line_style})
    ]
    ax.set_xlabel(ax.get_xlabel() or "event")
    ax.set_ylabel(ax.get_ylabel() or param_name)
    ax.grid(True, alpha=0.3)
    ax.legend()
    return lines
