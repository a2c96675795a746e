"""The law with its fitted numbers, which computes curves, bands and final losses for schedules."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lehr.handlers.schedules.arguments import flag, whole_number
from lehr.handlers.schedules.base import Array

from .bands import Uncertainty, band_of
from .coverage_checks import Range, check_asked
from .fit import Fitted
from .forecast_curve import LossCurve
from .lr_changes import Steps, changes_of
from .lr_values import lr_values, warmup_of
from .multi_power_law import log_losses
from .sampled_events import steps_for


@dataclass(frozen=True, eq=False)
class FittedLaw:
    """A fit of the law, with its units, its uncertainty and its range.

    Args:
        fitted: the result of the fit.
        uncertainty: the resampled errors of the fit.
        covered: the range that the runs cover. Its highest learning rate is the unit of learning rates.
        lowest_loss: the unit of losses.
    """

    fitted: Fitted
    uncertainty: Uncertainty
    covered: Range
    lowest_loss: float

    def lrs_of(self, schedule: Any, num_events: object, group: int | None, extrapolate: object) -> Array:
        """Return the learning rates of a schedule. Unless ``extrapolate`` is True, check that the runs cover them."""
        count = whole_number("num_events", num_events, at_least=2)
        lrs = lr_values("schedule", schedule, count, group)
        if not flag("extrapolate", extrapolate):
            check_asked(self.covered, lrs, schedule)
        return lrs

    def log_losses(self, lrs: Array, steps: Steps) -> tuple[Array, Array]:
        """Return the logarithm of the loss at steps, and its derivatives by the fitted numbers."""
        changes = changes_of(lrs / self.covered.highest_lr, steps, self.fitted.power)
        return log_losses(self.fitted.numbers, changes)

    def growth(self, lrs: Array, steps: Steps) -> Array:
        """Return the factor that widens the band at each step: 1 within the range of the runs, and more outside."""
        longer = np.maximum(1.0, (steps + 1) / self.covered.longest) ** 0.5
        beyond = max(1.0, len(lrs) / self.covered.most_events, self.covered.fewest_events / len(lrs))
        return np.asarray(longer * beyond * self.covered.excess(lrs))

    def final(self, lrs: Array) -> tuple[float, Array, float]:
        """Return the logarithm of the loss at the last event, its derivatives, and the factor that widens its band."""
        steps = np.array([len(lrs) - 1])
        logs, slopes = self.log_losses(lrs, steps)
        return float(logs[0]), slopes[0], float(self.growth(lrs, steps)[0])

    def curve(self, lrs: Array) -> LossCurve:
        """Return the loss at each event after the warm-up, with its band."""
        begin = max(warmup_of(lrs), int(np.argmax(lrs > 0)))
        steps, events = steps_for(lrs, begin), np.arange(len(lrs))
        logs, slopes = self.log_losses(lrs, steps)
        low, high = band_of(self.uncertainty, slopes, self.growth(lrs, steps))
        loss, least, most = (
            np.exp(np.interp(events, steps, one, left=np.nan)) * self.lowest_loss
            for one in (logs, logs + low, logs + high)
        )
        return LossCurve(events, loss, least, most, lrs)
