"""How far a forecast may be off: parameters that fit resampled losses, and the errors on runs left out in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lehr.handlers.schedules.base import Array

from .fit import TOLERANCE, Fitted, Points, fit_points
from .law import NUM_FITTED, log_losses

DRAWS = 2000
BLOCKS = 4  # of a run, whose errors are resampled together: errors of neighbouring steps are alike
MOST_FOLDS = 6  # as many runs or fewer are left out one by one, more in groups
WIDEST = 50.0  # of the logarithm: a band that tells nothing overflows nothing
COVERED = 0.9  # of the losses lie in the band


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What a band is made of.

    Args:
        left_out: the logarithm of loss over forecast at the points of each run, for a law fitted to the other runs.
        deviations: the deviations of the fitted numbers of resampled runs ``(DRAWS, 7)``.
        errors: errors of the logarithm of the loss, as those on runs left out, in a random order ``(DRAWS,)``.
    """

    left_out: tuple[Array, ...]
    deviations: Array
    errors: Array


def left_out_errors(points: Sequence[Points], fitted: Fitted) -> tuple[Array, ...]:
    """The errors on each run of a law that is fitted to the others."""
    folds = min(len(points), MOST_FOLDS)
    errors: dict[int, Array] = {}
    for fold in range(folds):
        others = [one for number, one in enumerate(points) if number % folds != fold]
        numbers = fit_points(others, fitted.power, fitted.spread, [fitted.numbers]).numbers
        for number in range(fold, len(points), folds):
            errors[number] = points[number].errors(numbers)
    return tuple(errors[number] for number in range(len(points)))


def uncertainty_of(points: Sequence[Points], fitted: Fitted) -> Uncertainty:
    """Resample the errors on runs left out, in blocks with random signs, and fit the law to them by its derivatives."""
    left_out = left_out_errors(points, fitted)
    random = np.random.default_rng(0)  # the same band for the same runs
    curvature = np.diag((TOLERANCE / fitted.spread) ** 2)
    pulls = np.zeros((DRAWS, NUM_FITTED))
    for one, errors in zip(points, left_out, strict=True):
        slopes = one.weight * log_losses(fitted.numbers, one.changes)[1]
        curvature += slopes.T @ slopes
        pulls += one.weight * resampled(errors, random) @ slopes
    # Of the smallest norm where the runs leave numbers free, as final losses at one length leave L0.
    deviations = pulls @ np.linalg.pinv(curvature, rcond=1e-12, hermitian=True)
    sizes = np.abs(np.concatenate(left_out))
    errors = np.quantile(np.concatenate([sizes, -sizes]), (np.arange(DRAWS) + 0.5) / DRAWS)
    return Uncertainty(left_out, np.asarray(deviations), random.permutation(errors))


def resampled(errors: Array, random: np.random.Generator) -> Array:
    """Errors with blocks of them in another order and with random signs ``(DRAWS, n)``."""
    size = max(1, len(errors) // BLOCKS)
    count = -(-len(errors) // size)
    begins = random.integers(0, len(errors), (DRAWS, count))
    at = (begins[:, :, None] + np.arange(size)) % len(errors)
    signs = random.choice([-1.0, 1.0], (DRAWS, count, 1))
    return np.asarray((errors[at] * signs).reshape(DRAWS, -1)[:, : len(errors)])


def band_of(uncertainty: Uncertainty, slopes: Array, growth: Array) -> tuple[Array, Array]:
    """How far the logarithm of the loss may lie below and above a forecast at each of T steps.

    Args:
        uncertainty: that of the forecast.
        slopes: the derivatives of the logarithm by the fitted numbers ``(T, 7)``.
        growth: by how many times the band is wider at a step ``(T,)``.
    """
    drawn = uncertainty.deviations @ slopes.T + uncertainty.errors[:, None]
    low, high = np.quantile(drawn, [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=0)
    return np.maximum(low * growth, -WIDEST), np.minimum(high * growth, WIDEST)
