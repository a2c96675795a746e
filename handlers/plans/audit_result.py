"""The result of ``audit_log``: how each column of a log differs from the plan, as data, as text and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lehr.engine.plots import COLORS, drawstyle_of, thinned, without_math
from lehr.handlers.schedules.base import Array

from .logs.log import Rounding
from .plan import counted
from .plot_plan import MOST_POINTS, panels_for
from .series_relations import Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DOTS = 120


@dataclass(frozen=True)
class LoggedDifference:
    """The difference between a column of a log and the plan.

    Args:
        column: the name of the column in the log.
        first: the first step at which log and plan differ, as the log counts steps.
        values: the logged value and the planned value at ``first``.
        num_differing: the number of points at which log and plan differ.
        num_points: the number of points that were compared.
        ratio: the largest ratio of the larger to the smaller value. It is infinite if one of the two values is 0.
        ratio_at: the step of the largest ratio.
        explanations: texts, the likeliest first. Each text describes a simple change of the plan that makes all points
            match. If no simple change does, there are no texts.

    Example:
        >>> print(LoggedDifference("lr", 50, (0.1, 0.2), num_differing=9, num_points=10, ratio=2.0, ratio_at=50))
        lr: from step 50 on (0.1 logged, 0.2 planned), at 9 of 10 points; ratio up to 2, at step 50
          no simple relation to the plan explains it
    """

    column: str
    first: int
    values: tuple[float, float]
    num_differing: int
    num_points: int
    ratio: float
    ratio_at: int
    explanations: tuple[str, ...] = ()

    def __str__(self) -> str:
        logged, planned = self.values
        lines = [
            f"{self.column}: from step {self.first} on ({logged:.6g} logged, {planned:.6g} planned), "
            f"at {self.num_differing} of {counted(self.num_points, 'point')}; "
            f"ratio up to {self.ratio:.4g}, at step {self.ratio_at}",
            *(f"  {'or ' if number else ''}{one}" for number, one in enumerate(self.explanations)),
        ]
        return "\n".join(lines if self.explanations else [*lines, "  no simple relation to the plan explains it"])


class Compared(NamedTuple):
    """A column of a log beside the planned values.

    Args:
        column: the name of the column in the log.
        steps: the steps ``(points,)`` that were compared.
        points: the event, the value and the largest error of the value at each step of ``steps``.
        expected: the planned values ``(points,)``.
        planned: the planned values of all events.
        differing: for each point, whether log and plan differ, ``(points,)``.
        rounding: how the log is rounded.
    """

    column: str
    steps: NDArray[np.int64]
    points: Points
    expected: Array
    planned: Array
    differing: NDArray[np.bool_]
    rounding: Rounding


class Audit(Sequence[LoggedDifference]):
    """The result of :func:`audit_log`: a sequence of differences, which is false if the log is as planned.

    Args:
        compared: each column of the log beside its plan.
        differences: the difference of each column that is not as planned.
        counting: a text that says how the log counts steps.
        notes: texts that say which points or values were left out. A note is not a difference.

    Example:
        >>> from lehr.handlers.plans import Log, audit_log
        >>> audit = audit_log(Log({"lr": ([0, 10], [0.4, 0.1])}), np.linspace(0.4, 0.0, 21))
        >>> audit, bool(audit), audit[0].first, audit[0].values
        (<Audit of lr: 1 differ>, True, 10, (0.1, 0.2))
    """

    def __init__(
        self,
        compared: Sequence[Compared],
        differences: Sequence[LoggedDifference],
        counting: str,
        notes: Sequence[str] = (),
    ) -> None:
        self.compared: tuple[Compared, ...] = tuple(compared)
        self.differences: tuple[LoggedDifference, ...] = tuple(differences)
        self.counting: str = counting
        self.notes: tuple[str, ...] = tuple(notes)

    def __getitem__(self, at: Any) -> Any:
        return self.differences[at]

    def __len__(self) -> int:
        return len(self.differences)

    def __repr__(self) -> str:
        return f"<Audit of {', '.join(one.column for one in self.compared)}: {len(self)} differ>"

    def __str__(self) -> str:
        differing = {one.column: str(one) for one in self.differences}
        lines = [differing.get(one.column) or _equal_words(one) for one in self.compared]
        return "\n".join([*lines, f"({self.counting})", *self.notes])

    def plot(self, axes: "Axes | Sequence[Axes] | None" = None) -> "list[Axes]":
        """Draw each column of the log over its plan. Points that differ are marked, and their steps are shaded.

        The method does not show or save the figure.

        Args:
            axes: the axes to draw into, one for each column. If None, a new figure is made.

        Returns:
            The axes, one for each column.
        """
        panels = panels_for(axes, [one.column for one in self.compared])
        for panel, one in zip(panels, self.compared, strict=True):
            _draw(panel, one)
        if panels:
            panels[-1].set_xlabel("step, as the log counts")
            differing = f"{len(self)} of {counted(len(self.compared), 'column')} not as planned"
            panels[0].set_title(differing if self else "the log is as planned", fontsize="medium")
        return panels


def _equal_words(one: Compared) -> str:
    steps = f"steps {one.steps[0]} to {one.steps[-1]}" if len(one.steps) else "no step in the plan"
    return f"{one.column}: as planned at {counted(len(one.steps), 'point')}, {steps}, within {one.rounding.words}"


def _draw(panel: "Axes", one: Compared) -> None:
    offset = int(one.steps[0] - one.points.events[0]) if len(one.steps) else 0
    last = int(one.points.events[-1]) + 1 if len(one.steps) else 0
    planned = one.planned[:last]
    shown_events = thinned(planned, MOST_POINTS)
    style: dict[str, Any] = {"color": COLORS[0], "linewidth": 1.6, "drawstyle": drawstyle_of(planned)}
    panel.plot(shown_events + offset, planned[shown_events], label="planned", **style)
    for differing, label, color in ((~one.differing, "logged", "0.2"), (one.differing, "logged, differs", COLORS[1])):
        at = np.flatnonzero(differing)
        if len(at):
            dots = at[thinned(one.points.values[at], MOST_DOTS)]
            marks: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4, "markerfacecolor": "none"}
            panel.plot(one.steps[dots], one.points.values[dots], color=color, label=label, **marks)
    if one.differing.any():
        at = np.flatnonzero(one.differing)
        panel.axvspan(float(one.steps[at[0]]), float(one.steps[at[-1]]), color=COLORS[4], alpha=0.15, linewidth=0)
        panel.axvline(float(one.steps[at[0]]), color="0.4", linewidth=0.8, linestyle=":")
    panel.set_ylabel(without_math(one.column))
    panel.grid(True, alpha=0.3)
    panel.legend(fontsize="small")
