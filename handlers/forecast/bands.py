"""Computes the band of a forecast from its errors on left-out runs, and from parameters that fit resampled losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lehr.handlers.schedules.base import Array

from .fit import TOLERANCE, Fitted, Points, fit_points
from .multi_power_law import NUM_FITTED, log_losses
from .runs_with_shared_lrs import schedule_numbers, shared_by_pairs, told_up_to

DRAWS = 2000
# Each run has this many blocks. The errors of a block are resampled together, because neighbouring errors are alike.
BLOCKS = 4
# Up to this many schedules are left out one by one. If there are more schedules, groups of schedules are left out.
MOST_FOLDS = 6
OF_A_RUN = 100  # the band uses this many errors from each run, however many points the run has
# The band reaches at most from exp(-50) to exp(50) times the forecast, because larger numbers may overflow.
WIDEST = 50.0
COVERED = 0.9  # the fraction of the losses that the band should cover


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """The resampled errors of a fit, from which bands are computed.

    Args:
        left_out: for each run, ``log(loss / forecast)`` at its points. The law of this forecast was fitted to the runs
            of other schedules.
        deviations: the numbers fitted to each resampling, minus the numbers of the original fit ``(DRAWS, 7)``.
        errors: errors of the logarithm of the loss, drawn from ``left_out`` and shuffled ``(DRAWS,)``.
    """

    left_out: tuple[Array, ...]
    deviations: Array
    errors: Array


def left_out_errors(points: Sequence[Points], fitted: Fitted, all_lrs: Sequence[Array]) -> tuple[Array, ...]:
    """Return the errors of the law on each run, after a fit to the runs of other schedules.

    A run may begin with the same learning rates as a run of the fit. For example, a run that decays may begin like a
    constant run. The points of the shared beginning are dropped, up to the last loss that the other run measured there.
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

    The preferred values of the fit are resampled, too, because the runs may not determine all numbers.

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
    # The runs may not determine a number. For example, the final losses of equally long runs do not determine L0. The
    # pseudo-inverse then chooses the smallest deviations of this number.
    deviations = pulls @ np.linalg.pinv(curvature, rcond=1e-12, hermitian=True)
    # All runs have the same weight. Weibull's quantiles assume that the next error exceeds all n earlier errors with a
    # probability of 1/(n + 1).
    ranks = (np.arange(OF_A_RUN) + 0.5) / OF_A_RUN
    sizes = np.concatenate([np.quantile(np.abs(errors), ranks, method="weibull") for errors in left_out])
    errors = np.quantile(np.concatenate([sizes, -sizes]), (np.arange(DRAWS) + 0.5) / DRAWS)
    return Uncertainty(left_out, np.asarray(deviations), random.permutation(errors))


def resampled(errors: Array, count: int, random: np.random.Generator) -> Array:
    """Draw ``count`` errors ``(DRAWS, count)`` as blocks of the given errors with random signs."""
    size = max(1, count // BLOCKS)
    blocks = -(-count // size)
    begins = random.integers(0, len(errors), (DRAWS, blocks))
    at = (begins[:, :, None] + np.arange(size)) % len(errors)
    signs = random.choice([-1.0, 1.0], (DRAWS, blocks, 1))
    return np.asarray((errors[at] * signs).reshape(DRAWS, -1)[:, :count])


def band_of(uncertainty: Uncertainty, slopes: Array, growth: Array) -> tuple[Array, Array]:
    """Return the lower and the upper end of the band at T steps, as distances from the logarithm of the forecast.

    Args:
        uncertainty: the uncertainty of the fit.
        slopes: the derivatives of the logarithm of the forecast by the fitted numbers ``(T, 7)``.
        growth: the factor that widens the band at each step ``(T,)``.
    """
    drawn = uncertainty.deviations @ slopes.T + uncertainty.errors[:, None]
    low, high = np.quantile(drawn, [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=0)
    return np.maximum(low * growth, -WIDEST), np.minimum(high * growth, WIDEST)
