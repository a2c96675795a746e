"""Fits the law of the loss to runs by robust least squares, which keep the fitted numbers near preferred values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lehr.handlers.schedules.base import Array

from .lr_changes import Changes, Steps, changes_of
from .multi_power_law import log_losses
from .runs import Run

MOST_POINTS = 100  # if a run has more losses, they are averaged in this many windows
# The fit penalizes a relative error of this size as much as a number that is one spread away from its center.
TOLERANCE = 0.02
# `CENTER` has the preferred values of the fitted numbers. `SPREAD` says how far the numbers may differ from them, and
# `LOWEST` and `HIGHEST` are their bounds. Losses alone hardly determine beta, gamma and C. Without preferred values, a
# fit ends at extreme numbers, which fit the runs a little better, and other schedules far worse. To choose the spread,
# each of the three runs of two models that the paper fits was left out in turn. The spread is the smallest one whose
# error (0.115%) is within one standard error of the lowest error (0.112%). The center is near the paper's parameters
# for these models.
#                     L0    log A  alpha  log B  log C        beta  gamma
CENTER = np.array([0.90, 0.00, 0.50, -3.00, np.log(0.1), 0.60, 0.60])
SPREAD = np.array([0.15, np.inf, 0.10, 1.00, 1.00, 0.10, 0.10])
LOWEST = np.array([0.00, -12.0, 0.05, -16.0, -12.0, 0.05, -1.00])
HIGHEST = np.array([1.00, 20.0, 2.00, 4.00, 8.00, 2.00, 2.00])
SCALE = np.array([0.10, 0.30, 0.10, 0.30, 1.00, 0.20, 0.20])
SPREAD_OF_RATE = 3.0  # a wider spread of log C for runs whose peaks differ, because these runs determine log C
# Each start has a value for alpha, log C, beta and gamma.
STARTS = ((0.5, -2.3, 0.6, 0.6), (0.4, -3.5, 0.4, 0.4), (0.7, -1.0, 0.8, 0.8), (0.3, -4.0, 0.6, 1.0))
POWERS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)  # values of p to try if the peaks of runs differ
PEAKS_DIFFER = 1.25  # peaks differ if their ratio is at least this number


@dataclass(frozen=True, eq=False)
class Points:
    """The losses of a run as at most 100 points. Each point is the mean logarithm of the losses in some steps."""

    steps: Steps
    changes: Changes
    log_losses: Array

    @property
    def weight(self) -> float:
        """The weight of each point. All runs count equally, however many losses they have."""
        return float((MOST_POINTS / len(self.log_losses)) ** 0.5)

    def errors(self, numbers: Array) -> Array:
        """Return ``log(loss / forecast)`` at each point."""
        return np.asarray(self.log_losses - log_losses(numbers, self.changes)[0])


@dataclass(frozen=True, eq=False)
class Fitted:
    """The result of a fit.

    Args:
        numbers: L0, log A, alpha, log B, log C, beta, gamma, in units of the lowest loss and the highest learning rate.
        power: the parameter p of the law.
        spread: how far the numbers may differ from their center ``(7,)``.
        cost: the robust sum of squares that was minimized.
    """

    numbers: Array
    power: float
    spread: Array
    cost: float


def least_squares() -> Any:
    """Return SciPy's function ``least_squares``.

    Raises:
        ImportError: SciPy is not installed.
    """
    try:
        from scipy.optimize import least_squares as solve
    except ImportError as error:
        raise ImportError("LossForecast.fit needs SciPy: pip install 'lehr[forecast]'") from error
    return solve


def points_of(run: Run, highest_lr: float, lowest_loss: float, power: float) -> Points:
    """Return the losses of a run after its warm-up, averaged in windows."""
    steps, losses = run.fitted_steps, np.log(run.fitted_losses / lowest_loss)
    count = min(len(steps), MOST_POINTS)
    window = np.arange(len(steps)) * count // len(steps)
    sizes = np.bincount(window)
    middle = np.rint(np.bincount(window, steps) / sizes).astype(np.int64)
    return Points(middle, changes_of(run.lrs / highest_lr, middle, power), np.bincount(window, losses) / sizes)


def fit_points(points: Sequence[Points], power: float, spread: Array, firsts: Sequence[Array]) -> Fitted:
    """Minimize the robust sum of squares from several first guesses, and return the best result."""
    solve = least_squares()

    def residuals(numbers: Array) -> Array:
        found = [-one.weight * one.errors(numbers) for one in points]
        return np.concatenate([*found, TOLERANCE * (numbers - CENTER) / spread])

    def slopes(numbers: Array) -> Array:
        found = [one.weight * log_losses(numbers, one.changes)[1] for one in points]
        return np.concatenate([*found, np.diag(TOLERANCE / spread)])

    results = [
        solve(residuals, first, slopes, bounds=(LOWEST, HIGHEST), loss="soft_l1", f_scale=TOLERANCE, x_scale=SCALE)
        for first in firsts
    ]
    best = min(results, key=lambda result: result.cost)
    return Fitted(best.x, power, spread, float(best.cost))


def starts(points: Sequence[Points]) -> list[Array]:
    """Return several first guesses. The power law of each guess goes through the mean of the losses."""
    loss = float(np.exp(np.mean([one.log_losses.mean() for one in points])))
    log_sum = float(np.mean([one.changes.log_sums.mean() for one in points]))
    limit = 0.85
    return [
        np.array([limit, np.log(loss - limit) + alpha * log_sum, alpha, np.log(0.1), rate, beta, gamma])
        for alpha, rate, beta, gamma in STARTS
    ]


def fit_runs(runs: Sequence[Run], highest_lr: float, lowest_loss: float) -> tuple[Fitted, list[Points]]:
    """Fit the law to runs. If their peaks differ, fit the parameter p as well."""
    peaks = [float(run.lrs.max()) for run in runs]
    powers: tuple[float, ...] = (1.0,)
    spread = SPREAD
    if max(peaks) >= PEAKS_DIFFER * min(peaks):
        powers, spread = POWERS, SPREAD.copy()
        spread[4] = SPREAD_OF_RATE
    best: tuple[Fitted, list[Points]] | None = None
    firsts: list[Array] = []
    for power in powers:
        points = [points_of(run, highest_lr, lowest_loss, power) for run in runs]
        fitted = fit_points(points, power, spread, firsts or starts(points))
        firsts = [fitted.numbers]  # the best numbers for the next power are close to these
        if best is None or fitted.cost < best[0].cost:
            best = fitted, points
    assert best is not None
    return best
