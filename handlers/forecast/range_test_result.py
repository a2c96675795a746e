"""The result of a learning rate range test: its curves, a suggestion with its reason, and a picture."""

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lehr.engine.notebook import as_html, figure_with
from lehr.engine.plots import COLORS
from lehr.handlers.schedules.base import Array

from .suggestion import smoothed, suggest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class LRRangeTest:
    """The result of :func:`find_lr`: the losses of a learning rate range test, and the learning rate that they suggest.

    All learning rates are for the first param group whose own learning rate is not 0. ``ratios`` has the factor of each
    group, and ``result.of_groups(lr)`` returns the learning rates of all groups.

    Args:
        lrs: the learning rate of each step of the optimizer, up to the end of the longest run.
        losses: the loss of each step, computed before the step. With gradient accumulation, it is the mean over the
            batches of the step. The loss is NaN after the end of a run.
        seeds: the seed of each run.
        ratios: the learning rate of each param group, divided by the learning rate of the first group.
        num_steps: the number of steps of a run that does not diverge.

    There are three more attributes. ``suggestion`` is the learning rate at which the loss falls most steeply, or None
    if none stands out. ``diverges_at`` is the lowest learning rate at which a run diverges, or None if no run diverges.
    A run diverges if its smoothed loss is above the loss at the beginning, or if ignite's finder stops the run.
    ``reason`` is a sentence that says why a learning rate is suggested, or why none is.

    The suggestion is a careful choice for a constant learning rate. The peak of a cycle may be higher: between the
    suggestion and about a quarter of ``diverges_at``.

    Shapes: ``lrs`` is ``(steps,)``, and ``losses`` is ``(runs, steps)``.

    Example:
        >>> lrs = np.geomspace(1e-5, 10, 60)
        >>> loss = 2 - 1.5 / (1 + (0.01 / lrs) ** 2) + (lrs / 0.5) ** 2
        >>> result = LRRangeTest(lrs, np.stack([loss, loss + 0.1]), seeds=(0, 1), ratios=(1.0, 0.1), num_steps=60)
        >>> result
        <LRRangeTest of 2 runs: lr 0.0089 suggested, diverges from 0.602 on>
        >>> [round(lr, 5) for lr in result.of_groups(result.suggestion)]
        [0.0089, 0.00089]
        >>> print(result)
        suggested lr: 0.0089, for param groups 0.0089, 0.00089
        the loss falls most steeply at 0.0089: it goes from 2.05 at first to 0.607 at 0.0732. One of the 2 runs
        diverges from 0.602 on
        2 runs of up to 60 steps, from lr 1e-05 to 10, seeds 0, 1
    """

    lrs: Array
    losses: Array
    seeds: tuple[int, ...]
    ratios: tuple[float, ...]
    num_steps: int
    suggestion: float | None = field(init=False)
    diverges_at: float | None = field(init=False)
    reason: str = field(init=False)

    def __post_init__(self) -> None:
        """Make the arrays read-only, and find the suggestion."""
        suggested = suggest(self.lrs, self.losses, self.num_steps)
        values: dict[str, Any] = {"lrs": np.array(self.lrs), "losses": np.array(self.losses)}
        for array in values.values():
            array.flags.writeable = False
        values |= {"suggestion": suggested.lr, "diverges_at": suggested.diverges_at, "reason": suggested.reason}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def of_groups(self, lr: float | None) -> list[float]:
        """Return the learning rate of each param group if the first group has the learning rate ``lr``.

        Args:
            lr: the learning rate of the first param group.

        Raises:
            ValueError: ``lr`` is None, for example because the test has no suggestion.
        """
        if lr is None:
            raise ValueError(f"lr must be a number, given None; {self.reason}")
        return [lr * ratio for ratio in self.ratios]

    def band(self) -> tuple[Array, Array, Array]:
        """Return the smallest, median and largest smoothed loss at each step, up to the end of the shortest run.

        Shapes: three arrays ``(steps,)``.
        """
        curves = smoothed(self.losses, self.num_steps)
        curves = curves[:, (~np.isnan(curves)).all(axis=0)]
        return curves.min(axis=0), np.median(curves, axis=0), curves.max(axis=0)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the median of the smoothed losses, the band from the smallest to the largest loss, and the suggestion.

        Args:
            ax: the axes to draw into. If None, pyplot makes a new figure.

        Returns:
            The axes.
        """
        if ax is None:
            from matplotlib import pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        low, median, high = self.band()
        lrs = self.lrs[: len(median)]
        if len(self.seeds) > 1:
            band = f"least to greatest of {len(self.seeds)} runs"
            ax.fill_between(lrs, low, high, color=COLORS[0], alpha=0.25, linewidth=0, label=band)
        for number, losses in enumerate(self.losses):
            label = "loss of each step" if number == 0 else "_"
            ax.plot(self.lrs, losses, ".", color="0.6", markersize=2.5, label=label)
        ax.plot(lrs, median, color=COLORS[0], label="smoothed" if len(self.seeds) == 1 else "median, smoothed")
        for lr, style, words in ((self.suggestion, "--", "suggested"), (self.diverges_at, ":", "diverges from")):
            if lr is not None:
                ax.axvline(lr, color=COLORS[1], linestyle=style, label=f"{words} {lr:.3g}")
        if len(median):
            ax.set_ylim(0, 1.5 * float(np.max(median[: max(5, len(median) // 10)])))
        gaps = np.diff(self.lrs)
        ax.set_xscale("linear" if len(gaps) and np.allclose(gaps, gaps[0]) else "log")
        ax.set_xlabel("learning rate" if len(self.ratios) == 1 else "learning rate of the first param group")
        ax.set_ylabel("loss")
        ax.set_title("Learning rate range test")
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="small")
        return ax

    def __str__(self) -> str:
        first = "no lr suggested"
        if self.suggestion is not None:
            groups = ", ".join(f"{lr:.3g}" for lr in self.of_groups(self.suggestion)[:6])
            first = f"suggested lr: {self.suggestion:.3g}"
            if len(self.ratios) > 1:
                first += f", for param groups {groups}{', ...' * (len(self.ratios) > 6)}"
        seeds = ", ".join(map(str, self.seeds[:6])) + ", ..." * (len(self.seeds) > 6)
        runs = f"{_runs(self.seeds)} of up to {self.num_steps} steps, from lr {self.lrs[0]:.3g} to {self.lrs[-1]:.3g}"
        return "\n".join([first, textwrap.fill(self.reason, 104), f"{runs}, seeds {seeds}"])

    def __repr__(self) -> str:
        words = "no lr suggested" if self.suggestion is None else f"lr {self.suggestion:.3g} suggested"
        ends = "" if self.diverges_at is None else f", diverges from {self.diverges_at:.3g} on"
        return f"<LRRangeTest of {_runs(self.seeds)}: {words}{ends}>"

    def _repr_html_(self) -> str:
        figure = figure_with(1)
        figure.set_size_inches(7, 4)
        self.plot(figure.axes[0])
        return as_html(str(self), figure)


def _runs(seeds: tuple[int, ...]) -> str:
    return "1 run" if len(seeds) == 1 else f"{len(seeds)} runs"
