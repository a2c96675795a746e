"""The forecast curve of a run: its loss at each event with a band, as arrays, a picture and a table."""

import csv
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lehr.engine.plots import COLORS
from lehr.handlers.schedules.base import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


@dataclass(frozen=True, eq=False, repr=False)
class LossCurve:
    """The forecast loss of a run at each event, with a band, as :meth:`.LossForecast.predict` returns it.

    Args:
        events: the event indices ``(n,)``.
        loss: the loss at each event ``(n,)``. It is NaN in the warm-up, which has no forecast.
        low: the lower end of the 90% band ``(n,)``.
        high: the upper end of the band ``(n,)``.
        lrs: the learning rate at each event ``(n,)``.

    Shapes: all arrays are ``(n,)``.

    Example:
        >>> import numpy as np
        >>> events = np.arange(3)
        >>> curve = LossCurve(events, 3.0 - events, 2.9 - events, 3.1 - events, np.full(3, 0.1))
        >>> curve
        <LossCurve of 3 events: 1 (0.9 to 1.1)>
        >>> curve.final
        1.0
    """

    events: NDArray[Any]
    loss: Array
    low: Array
    high: Array
    lrs: Array

    @property
    def final(self) -> float:
        """The loss at the last event."""
        return float(self.loss[-1])

    def plot(self, ax: "Axes | None" = None, **line_style: Any) -> "list[Line2D]":
        """Draw the loss and its band, and return a list with the line of the loss.

        Args:
            ax: the axes to draw into. If None, pyplot makes a new figure.
            line_style: arguments of ``Axes.plot``, such as ``color`` or ``label``.
        """
        if ax is None:
            from matplotlib import pyplot as plt

            ax = plt.figure().add_subplot()
        lines: list[Line2D] = ax.plot(self.events, self.loss, **{"color": COLORS[0], **line_style})
        ax.fill_between(self.events, self.low, self.high, color=lines[0].get_color(), alpha=0.25, linewidth=0)
        ax.set_xlabel(ax.get_xlabel() or "event")
        ax.set_ylabel(ax.get_ylabel() or "loss")
        return lines

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write a row for each event: ``event_index``, ``lr``, ``loss``, ``low`` and ``high``.

        Args:
            path: the file to write. An existing file is replaced.
        """
        columns = [self.events, self.lrs, self.loss, self.low, self.high]
        # A NaN is written as an empty cell.
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["event_index", "lr", "loss", "low", "high"])
            rows = zip(*(column.tolist() for column in columns), strict=True)
            writer.writerows(["" if value != value else value for value in row] for row in rows)

    def __repr__(self) -> str:
        return f"<LossCurve of {len(self.events)} events: {self.final:.4g} ({self.low[-1]:.4g} to {self.high[-1]:.4g})>"
