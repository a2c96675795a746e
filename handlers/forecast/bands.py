"""Computes the band of a forecast from the errors on runs left out, and from parameters fitted to resampled losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lehr.handlers.schedules.base import Array

from .fit import TOLERANCE, Fitted, Points, fit_points
from .multi_power_law import NUM_FITTED, log_losses
from .runs_with_shared_lrs import schedule_numbers, shared_by_pairs, told_up_to

DRAWS = 2000
BLOCKS = 4  # the errors of a block of a run are resampled together, because errors of neighbouring steps are alike
MOST_FOLDS = 6  # up to this number of schedules are left out one by one; if there are more, groups of them are left out
OF_A_RUN = 100  # the band uses this many errors of each run, for any number of points
# The logarithm of an end of the band over the forecast is at most this number, because larger numbers may overflow.
WIDEST = 50.0
COVERED = 0.9  # the part of the losses that the band should cover


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """The resampled errors of a fit, from which bands are computed.

    Args:
        left_out: for each run, the logarithm of loss over forecast at its points; the forecast is by a law that was
            fitted to the runs of other schedules.
        deviations: the numbers that were fitted to each resampling, minus the numbers of the fit ``(DRAWS, 7)``.
        errors: errors of the logarithm of the loss, drawn from ``left_out`` and shuffled ``(DRAWS,)``.
    """

    left_out: tuple[Array, ...]
    deviations: Array
    errors: Array


def left_out_errors(points: Sequence[Points], fitted: Fitted, all_lrs: Sequence[Array]) -> tuple[Array, ...]:
    """Return the errors of the law on each run, after a fit to the runs of other schedules.

    The points of a run are dropped up to the last loss that another of these runs measured under the same learning
    rates. For example, a run may have the learning rates of a constant run before its decay.
    """
    shared = shared_by_pairs(all_lrs)
    numbers = schedule_numbers(shared)
    schedules = sorted(set(numbers))
    folds = min(len(schedules), MOST_FOLDS)
    fold_of = [schedules.index(number) % folds for number in numbers]
    errors: list[Array] = []
    laws: dict[int, Array] = {}
    for at, one in enumerate(points):
        fold = fold_of[at]
        others = [other for other in range(len(points)) if fold_of[other] != fold]
        if fold not in laws:
            fitted_to = [points[other] for other in others]
            laws[fold] = fit_points(fitted_to, fitted.power, fitted.spread, [fitted.numbers]).numbers
        told = max(told_up_to(points[other].steps, int(shared[at, other])) for other in others)
        is_new = one.steps >= told
        errors.append(one.errors(laws[fold])[is_new if is_new.any() else slice(None)])
    return tuple(errors)


def uncertainty_of(points: Sequence[Points], fitted: Fitted, all_lrs: Sequence[Array]) -> Uncertainty:
    """Resample the errors on left-out runs, in blocks with random signs, and fit the linearized law to each resampling.

    The preferred numbers of the fit are resampled, too, because numbers that the runs do not determine are uncertain.

    Args:
        points: the losses of the runs.
        fitted: the law that was fitted to these losses.
        all_lrs: the learning rates of each run.
    """
    left_out = left_out_errors(points, fitted, all_lrs)
    random = np.random.default_rng(0)  # a fixed seed gives the same band for the same runs
    curvature = np.diag((TOLERANCE / fitted.spread) ** 2)
    pulls = random.standard_normal((DRAWS, NUM_FITTED)) * TOLERANCE**2 / fitted.spread
    for one, errors in zip(points, left_out, strict=True):
        slopes = one.weight * log_losses(fitted.numbers, one.changes)[1]
        curvature += slopes.T @ slopes
        pulls += one.weight * resampled(errors, len(one.steps), random) @ slopes
    # The runs may not determine a number: final losses at one length do not determine L0. Of its possible deviations,
    # the smallest are used.
    deviations = pulls @ np.linalg.pinv(curvature, rcond=1e-12, hermitian=True)
    # All runs have the same weight. After n errors, the next error exceeds all of them with a probability of 1/(n + 1).
    ranks = (np.arange(OF_A_RUN) + 0.5) / OF_A_RUN
    sizes = np.concatenate([np.quantile(np.abs(errors), ranks, method="weibull") for errors in left_out])
    errors = np.quantile(np.concatenate([sizes, -sizes]), (np.arange(DRAWS) + 0.5) / DRAWS)
    return Uncertainty(left_out, np.asarray(deviations), random.permutation(errors))


def resampled(errors: Array, count: int, random: np.random.Generator) -> Array:
    """Return errors for ``count`` points ``(DRAWS, count)``: blocks of the given errors, with random signs."""
    size = max(1, count // BLOCKS)
    blocks = -(-count // size)
    begins = random.integers(0, len(errors), (DRAWS, blocks))
    at = (begins[:, :, None] + np.arange(size)) % len(errors)
    signs = random.choice([-1.0, 1.0], (DRAWS, blocks, 1))
    return np.asarray((errors[at] * signs).reshape(DRAWS, -1)[:, :count])


def band_of(uncertainty: Uncertainty, slopes: Array, growth: Array) -> tuple[Array, Array]:
    """Return the lower and upper end of the band around the logarithm of a forecast, at each of T steps.

    Args:
        uncertainty: the uncertainty of the fit.
        slopes: the derivatives of the logarithm of the forecast by the fitted numbers ``(T, 7)``.
        growth: the factor that widens the band at each step ``(T,)``.
    """
    drawn = uncertainty.deviations @ slopes.T + uncertainty.errors[:, None]
    low, high = np.quantile(drawn, [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=0)
    return np.maximum(low * growth, -WIDEST), np.minimum(high * growth, WIDEST)
