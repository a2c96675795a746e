"""Suggests a learning rate from the losses of a range test, or says why no learning rate can be suggested."""

from dataclasses import dataclass

import numpy as np

from lehr.handlers.schedules.base import Array

FEWEST_STEPS = 10
# Higher losses are cut to this multiple of the first loss, so that a single loss does not bend the curve.
HIGHEST = 4.0
CLEAR = 8.0  # the loss must fall by at least this multiple of the curve's noise
# The noise is at least this fraction of the loss, because losses in float32 are not more exact.
ROUNDING = 2.0**-24


@dataclass(frozen=True)
class Suggestion:
    """The learning rate that a range test suggests, with the reason.

    Args:
        lr: the suggested learning rate, or None if no learning rate stands out.
        diverges_at: the lowest learning rate at which a run diverges, or None if no run diverges. A run diverges if its
            loss is above the loss at its beginning, or if ignite's finder stops the run.
        reason: a sentence that says why this learning rate is suggested, or why none is.
    """

    lr: float | None
    diverges_at: float | None
    reason: str


def width_of(num_steps: int) -> float:
    """Return the standard deviation, in steps, of the weights that smooth a curve."""
    return max(1.0, num_steps / 50)


def first_loss(losses: Array) -> float:
    """Return the loss at the beginning, which is the median loss in the first tenth of the steps of all runs."""
    return float(np.nanmedian(losses[:, : max(5, losses.shape[1] // 10)]))


def smoothed(losses: Array, num_steps: int) -> Array:
    """Return the smoothed losses ``(runs, steps)``: weighted means around each step, NaN after the end of a run.

    The weights are a normal distribution around the step. Unlike a running mean, they do not delay the curve.

    >>> smoothed(np.array([[1.0, 1.0, 4.0, 1.0, np.nan]]), 5).round(2)
    array([[1.23, 1.77, 2.28, 2.04,  nan]])
    """
    if np.isnan(losses).all():
        return losses.copy()
    steps = np.arange(losses.shape[1])
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / width_of(num_steps)) ** 2)
    ended, capped = np.isnan(losses), np.minimum(losses, HIGHEST * first_loss(losses))
    sums = np.where(ended, 0.0, capped) @ weights
    return np.where(ended, np.nan, sums / np.maximum(~ended @ weights, np.finfo(float).tiny))


def suggest(lrs: Array, losses: Array, num_steps: int) -> Suggestion:
    """Suggest the learning rate at which the loss falls most steeply over the logarithm of the learning rate.

    The steepest point is taken from the median of the smoothed curves. The loss must fall by more than its noise, and
    the steepest point must not be at an end of the range.

    Args:
        lrs: the learning rate of each step ``(steps,)``, up to the end of the longest run.
        losses: the losses of each run ``(runs, steps)``, NaN after the end of a run.
        num_steps: the steps of a run that does not diverge.

    Example:
        >>> lrs = np.geomspace(1e-5, 10, 60)
        >>> loss = 2 - 1.5 / (1 + (0.01 / lrs) ** 2) + (lrs / 0.5) ** 2
        >>> print(suggest(lrs, loss[None], 60).reason)
        the loss falls most steeply at 0.0089: it goes from 2 at first to 0.557 at 0.0732. It diverges from 0.602 on
    """
    one = "the run" if len(losses) == 1 else f"one of the {len(losses)} runs"
    common = int((~np.isnan(losses)).all(axis=0).sum())
    if common < FEWEST_STEPS:
        reason = f"{one} has no more than {common} steps with a finite loss before it diverges"
        return Suggestion(None, float(lrs[max(common - 1, 0)]), reason)
    curves, start = smoothed(losses, num_steps), first_loss(losses)
    median = np.median(curves[:, :common], axis=0)
    lowest, noise = int(median.argmin()), max(_noise(losses, curves, num_steps), ROUNDING * abs(start))
    is_clear = start - median[lowest] > CLEAR * noise
    # If the loss does not fall clearly, a loss above the first one may be noise.
    diverges_at = _diverges_at(lrs, curves, start if is_clear else np.inf, num_steps)
    ends = f"No run diverges up to {lrs[-1]:.3g}"
    if diverges_at is not None:
        ends = f"{'It' if len(losses) == 1 else one.capitalize()} diverges from {diverges_at:.3g} on"
    if not is_clear:
        reason = (
            f"the loss does not fall clearly at any learning rate: it is {start:.3g} at first, and "
            f"{median[lowest]:.3g} at best, where its noise is {noise:.2g}. {ends}"
        )
        return Suggestion(None, diverges_at, reason)
    falls = f"it goes from {start:.3g} at first to {median[lowest]:.3g} at {lrs[lowest]:.3g}. {ends}"
    steepest = int(np.gradient(median, np.log(lrs[:common]))[: lowest + 1].argmin())
    edge = 3 * width_of(num_steps)
    if steepest < edge:
        return Suggestion(None, diverges_at, f"the loss falls most steeply where the range starts: {falls}")
    if steepest > common - 1 - edge:
        return Suggestion(None, diverges_at, f"the loss falls most steeply where the range ends: {falls}")
    lr = float(lrs[steepest])
    if diverges_at is not None and diverges_at <= lr:
        return Suggestion(
            None, diverges_at, f"{one} diverges at {diverges_at:.3g}, before the others fall most steeply"
        )
    return Suggestion(lr, diverges_at, f"the loss falls most steeply at {lr:.3g}: {falls}")


def _diverges_at(lrs: Array, curves: Array, start: float, num_steps: int) -> float | None:
    """Return the lowest learning rate at which a run has a loss above ``start`` or was stopped; None if no run did."""
    found = []
    for curve in curves:
        ended = int((~np.isnan(curve)).sum())
        after = np.arange(int(np.nanargmin(curve)), ended)
        worse = after[curve[after] > start]
        if len(worse):
            found.append(lrs[worse[0]])
        elif ended < num_steps:
            found.append(lrs[ended - 1])
    return float(min(found)) if found else None


def _noise(losses: Array, curves: Array, num_steps: int) -> float:
    """Estimate the noise of the median of the smoothed curves from the distances between losses and curves."""
    deviations = np.abs(losses - curves)
    of_one = float(np.nanmedian(deviations)) / 0.6745  # exact for normal deviations; a few high losses have no effect
    averaged = 2 * np.sqrt(np.pi) * width_of(num_steps) * len(losses)
    return of_one / float(np.sqrt(averaged))
