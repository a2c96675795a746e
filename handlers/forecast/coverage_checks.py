"""Checks that runs are enough to fit the law, and that a schedule is within the range that the runs cover."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lehr.handlers.schedules.arguments import instance, listed, shown
from lehr.handlers.schedules.base import Array

from .lr_values import warmup_of
from .runs import Run
from .runs_with_shared_lrs import follow_one_schedule, shared_by_pairs

FEWEST_LOSSES = 10  # the runs need at least this many losses in all, because the law has seven parameters
DECAYED = 0.9  # a learning rate that stays above this fraction of its peak has not decayed
UNITS_DIFFER = 50.0  # if the ratio of two peaks or two losses is larger, their units differ
TIMES_LONGEST = 3.5  # a forecast run may be this many times as long as the longest run
TOLERANCE = 0.05  # a learning rate or a length may exceed its range by this fraction
# A learning rate may be below the lowest learning rate of the runs by this fraction of the highest one.
OF_PEAK = 0.005


@dataclass(frozen=True)
class Range:
    """The learning rates and run lengths that earlier runs cover, so that a forecast may have them.

    Args:
        lowest_lr: the lowest learning rate of all runs after their warm-up.
        highest_lr: the highest learning rate of all runs after their warm-up.
        fewest_events: the fewest events that a forecast run may have.
        most_events: the most events that a forecast run may have.
        longest: the number of events of the longest run.
    """

    lowest_lr: float
    highest_lr: float
    fewest_events: float
    most_events: float
    longest: int

    def excess(self, lrs: Array) -> float:
        """Return the factor that widens a band: 1 within the range of learning rates, and more outside of the range."""
        after = lrs[warmup_of(lrs) :]
        above = float(after.max()) / self.highest_lr
        below = (self.lowest_lr - float(after.min())) / self.highest_lr
        return max(1.0, above) + (10 * below if below > OF_PEAK else 0.0)


def range_of(runs: Sequence[Run]) -> Range:
    """Return the range that runs cover.

    If all runs have similar lengths and fewer than three losses each, shorter and longer runs are not in the range.
    """
    after = [run.lrs[run.warmup :] for run in runs]
    lengths = [run.num_events for run in runs]
    longest, fewest, most = max(lengths), 2.0, TIMES_LONGEST * max(lengths)
    if all(len(run.fitted_steps) < 3 for run in runs) and min(lengths) * 1.25 > longest:
        fewest, most = min(lengths) * (1 - TOLERANCE), longest * (1 + TOLERANCE)
    lowest, highest = (pick(pick(lrs) for lrs in after) for pick in (min, max))
    return Range(float(lowest), float(highest), fewest, most, longest)


def checked_runs(runs: object) -> tuple[Run, ...]:
    """Check the runs, and return them in a sorted order that does not depend on the order of ``runs``.

    Raises:
        TypeError: ``runs`` is not a list of runs.
        ValueError: the runs are not enough to fit the law. The error says which run to add.
    """
    items = listed("runs", runs)
    checked = [instance(f"runs[{at}]", run, Run, "a Run") for at, run in enumerate(items)]
    if not checked:
        raise ValueError("runs must have two schedules or more, given no runs")
    for at, run in enumerate(checked):
        if not len(run.fitted_steps):
            raise ValueError(
                f"runs[{at}] must have losses after its warm-up of {run.warmup} events, given the last loss at "
                f"step {run.steps[-1]}: losses in the warm-up are not fitted"
            )
    count = sum(len(run.fitted_steps) for run in checked)
    if count < FEWEST_LOSSES:
        raise ValueError(
            f"runs must have {FEWEST_LOSSES} losses or more after their warm-ups, given {count}: the law has seven "
            "parameters; give more of the losses that were logged, or more runs"
        )
    peaks = [float(run.lrs.max()) for run in checked]
    if max(peaks) > UNITS_DIFFER * min(peaks):
        raise ValueError(
            f"runs must have learning rates in one unit, given peaks from {min(peaks):.3g} to {max(peaks):.3g}: is one "
            "of them in percent?"
        )
    medians = [float(np.median(run.fitted_losses)) for run in checked]
    if max(medians) > UNITS_DIFFER * min(medians):
        raise ValueError(
            f"runs must have losses in one unit, given medians from {min(medians):.3g} to {max(medians):.3g}: is one a "
            "sum and another a mean?"
        )
    if not any(run.lrs[run.warmup :].min() < DECAYED * run.lrs.max() for run in checked):
        raise ValueError(
            f"runs must have a run whose learning rate decays, given {_these(checked)} that stay near their peaks: add "
            "a run whose learning rate falls to a tenth of its peak, by a cosine or in its last fifth"
        )
    if follow_one_schedule(shared_by_pairs([run.lrs for run in checked])):
        raise ValueError(
            f"runs must have two schedules or more, given {_these(checked)} under one schedule: add a run with the "
            "same peak and another schedule, such as a constant learning rate that drops to a third halfway"
        )
    return tuple(sorted(checked, key=_sort_key))


def _these(runs: Sequence[Run]) -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"


def _sort_key(run: Run) -> tuple[object, ...]:
    return (run.num_events, run.lrs.tobytes(), run.steps.tobytes(), run.losses.tobytes())


def check_asked(asked: Range, lrs: Array, schedule: object) -> None:
    """Check that the learning rates and the events of a run are in the range of a forecast.

    Raises:
        ValueError: a learning rate or the number of events is outside of the range.
    """
    advice = "add a run that reaches it, or give extrapolate=True for a wider band"
    after = lrs[warmup_of(lrs) :]
    lowest, highest = float(after.min()), float(after.max())
    where = "an array" if isinstance(schedule, np.ndarray | list | tuple) else shown(schedule, 80)
    if highest > asked.highest_lr * (1 + TOLERANCE):
        units = "; is it in percent?" if highest > UNITS_DIFFER * asked.highest_lr else ""
        raise ValueError(
            f"schedule must have learning rates of at most {asked.highest_lr:.4g}, the highest of the runs, given "
            f"{highest:.4g} in {where}{units}: {advice}"
        )
    if lowest < asked.lowest_lr - max(TOLERANCE * asked.lowest_lr, OF_PEAK * asked.highest_lr):
        raise ValueError(
            f"schedule must have learning rates of at least {asked.lowest_lr:.4g}, the lowest of the runs after their "
            f"warm-up, given {lowest:.4g} in {where}: {advice}"
        )
    if not asked.fewest_events <= len(lrs) <= asked.most_events:
        rule = f"at most {asked.most_events:.0f}, {TIMES_LONGEST} times the longest run"
        if asked.fewest_events > 2:
            rule = f"from {asked.fewest_events:.0f} to {asked.most_events:.0f}, since all runs have only a final loss"
        raise ValueError(f"num_events must be {rule}, given {len(lrs)}: {advice}")
