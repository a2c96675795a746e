"""Fits the law of the loss to earlier runs, and forecasts, ranks and searches schedules with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from lehr.handlers.schedules.arguments import instance, shown
from lehr.handlers.schedules.base import Array, Schedule

from .bands import uncertainty_of
from .coverage_checks import Range, checked_runs, range_of
from .fit import fit_runs
from .fitted_law import FittedLaw
from .forecast_curve import LossCurve
from .multi_power_law import LawParameters
from .ranking import Ranking, rank_losses
from .report import report_of
from .runs import Run
from .search import best_schedule

S = TypeVar("S", bound=Schedule)


@dataclass(frozen=True, eq=False, repr=False)
class LossForecast:
    """The multi-power law, fitted to runs. It forecasts the loss of a run under another schedule before the run starts.

    The law gives the loss at event t. In it, lr_k is the learning rate of event k, and S(t) = lr_0 + ... + lr_t is the
    sum of all learning rates up to event t, including the warm-up::

        loss(t) = L0 + A * S(t)**-alpha - B * D(t)
        D(t)    = sum over k <= t of (lr_{k-1} - lr_k) * (1 - (1 + C * lr_k**-gamma * (S(t) - S(k-1)))**-beta)

    S(t) measures the progress of a run, and D(t) measures how much the falls of the learning rate have lowered the
    loss. Call :meth:`fit` to make a forecast. The law depends on the learning rate alone. All runs must have the same
    momentum, weight decay, batch size, model and data, and the forecast run must have them as well. The law is for
    losses that fall smoothly, as in the pretraining of language models, and not for runs that diverge or overfit.

    Args:
        parameters: the parameters of the law.
        runs: the runs to which the law was fitted, in sorted order.
        residuals: for each run, ``log(loss / forecast)`` at its points.
        left_out: like ``residuals``, but the law was fitted only to the runs of other schedules. Points where one of
            these runs has losses under the same learning rates are dropped.
        covered: the range of learning rates and lengths that the runs cover.
        fitted_law: the law with its units and its uncertainty.

    Shapes: ``residuals`` and ``left_out`` have an array ``(n,)`` for each run, of at most 100 points.

    Source: Luo et al., "A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules", 2025,
    https://arxiv.org/abs/2503.12811. If the peaks of runs differ, the law has the sum of ``lr**p`` in place of S where
    it has alpha, and p is fitted. The parameter p is not from the paper.

    Example:
        >>> from lehr.handlers.schedules import Constant, WarmupStableDecay
        >>> steps = np.arange(19, 2000, 20)
        >>> constant = Run(Constant(0.01), steps, 2 + 3 * (0.01 * (steps + 1)) ** -0.5)
        >>> decayed = Run(WarmupStableDecay(0.01, 0, 1000, 1000, end_value=0.001), steps, constant.losses * 0.97)
        >>> forecast = LossForecast.fit([constant, decayed])
        >>> curve = forecast.predict(Constant(0.01), num_events=3000)
        >>> bool(abs(curve.final - (2 + 3 * 30**-0.5)) < 0.02)
        True
    """

    parameters: LawParameters
    runs: tuple[Run, ...]
    residuals: tuple[Array, ...]
    left_out: tuple[Array, ...]
    covered: Range
    fitted_law: FittedLaw

    @classmethod
    def fit(cls, runs: Sequence[Run]) -> "LossForecast":
        """Fit the law to runs under two schedules or more, of which at least one decays.

        The logarithms of a run's losses are averaged in at most 100 windows of steps. All runs have the same weight.
        Losses in the warm-up are not fitted, but the sums over steps in the law begin with the warm-up. SciPy minimizes
        a robust sum of squares (``soft_l1``) of the errors of these logarithms, from several first guesses. Losses
        alone hardly determine some parameters. The fit keeps these parameters near the paper's results: alpha near 0.5,
        beta and gamma near 0.6, C within about a factor of 3, and L0 near nine tenths of the lowest loss. The order of
        the runs does not matter, and the same runs give the same forecast.

        Args:
            runs: runs of the same model on the same data. Three runs are enough for a good fit: a constant learning
                rate, a cosine, and a learning rate that drops within one event. If there are ten runs or more, the
                final loss of each run is enough.

        Raises:
            TypeError: ``runs`` is not a list of runs.
            ValueError: the runs are not enough to fit the law. The error says which run to add.
            ImportError: SciPy is not installed.
        """
        sorted_runs = checked_runs(runs)
        covered = range_of(sorted_runs)
        lowest_loss = min(float(run.fitted_losses.min()) for run in sorted_runs)
        fitted, points = fit_runs(sorted_runs, covered.highest_lr, lowest_loss)
        uncertainty = uncertainty_of(points, fitted, [run.lrs for run in sorted_runs])
        return cls(
            parameters=LawParameters.from_fitted(fitted.numbers, covered.highest_lr, lowest_loss, fitted.power),
            runs=sorted_runs,
            residuals=tuple(one.errors(fitted.numbers) for one in points),
            left_out=uncertainty.left_out,
            covered=covered,
            fitted_law=FittedLaw(fitted, uncertainty, covered, lowest_loss),
        )

    @property
    def law(self) -> str:
        """The name of the law."""
        return "multi-power law"

    def predict(
        self, schedule: Any, num_events: int, *, group: int | None = None, extrapolate: bool = False
    ) -> LossCurve:
        """Forecast the loss at each event of a run, with a band that should cover 90% of its losses.

        The band combines three sources: the errors on runs that are left out in turn, the variation of parameters that
        are fitted to resampled losses, and the uncertainty of parameters that the runs do not determine. Each run is
        left out together with all runs of its schedule. Errors at events where another run has the same learning rates
        are not used. If all runs have similar schedules and the forecast schedule differs from them, the band is too
        narrow. Fit the law to schedules that differ from each other as much as the schedules that you forecast. Beyond
        the longest run, the band widens with the square root of the length. The band holds for losses that are as
        smooth as the points of the fit. If a run logs the loss of each batch, the band holds for the mean loss of each
        hundredth of the run.

        Args:
            schedule: a schedule, a scheduler, or an array of the learning rate of each event.
            num_events: the events of the run, at least 2.
            group: the index of the param group whose learning rate is used. If None, the mean of all groups is used.
            extrapolate: whether to forecast outside the learning rates of the runs (5% tolerance), and beyond 3.5 times
                the length of the longest run. The band is wider there, and it is unknown whether the law holds.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: the runs do not cover the schedule, and ``extrapolate`` is False.
        """
        return self.fitted_law.curve(self.fitted_law.lrs_of(schedule, num_events, group, extrapolate))

    def final(self, schedule: Any, num_events: int, *, group: int | None = None, extrapolate: bool = False) -> float:
        """Forecast the loss at the last event, which takes less time than the whole curve.

        Args:
            schedule: as in :meth:`predict`.
            num_events: the events of the run, at least 2.
            group: as in :meth:`predict`.
            extrapolate: as in :meth:`predict`.

        Raises:
            TypeError, ValueError: as in :meth:`predict`.
        """
        law = self.fitted_law
        log, _, _ = law.final(law.lrs_of(schedule, num_events, group, extrapolate))
        return float(np.exp(log)) * law.lowest_loss

    def rank(
        self,
        schedules: Mapping[str, Any],
        num_events: int,
        *,
        group: int | None = None,
        extrapolate: bool = False,
    ) -> Ranking:
        """Rank schedules by their forecast loss at the last event, the best first.

        Args:
            schedules: a mapping from names to two schedules or more, each of a type that :meth:`predict` accepts.
            num_events: the events of each run.
            group: as in :meth:`predict`.
            extrapolate: as in :meth:`predict`.

        Raises:
            TypeError: ``schedules`` is not a mapping from names to two schedules or more.
            ValueError: the runs do not cover a schedule, and ``extrapolate`` is False.
        """
        if not isinstance(schedules, Mapping) or len(schedules) < 2:
            raise TypeError(f"schedules must map two names or more to schedules, given {shown(schedules)}")
        law = self.fitted_law
        finals = {
            instance("a name of schedules", name, str, "a string"): law.final(
                law.lrs_of(schedule, num_events, group, extrapolate)
            )
            for name, schedule in schedules.items()
        }
        return rank_losses(finals, law.uncertainty, law.lowest_loss)

    def best(
        self,
        schedule_class: type[S],
        *,
        num_events: int,
        search: Mapping[str, tuple[float | str, float | str]],
        extrapolate: bool = False,
        **fixed: Any,
    ) -> S:
        """Find the schedule of a class with the lowest forecast loss at the last event, within the range of the runs.

        You may leave out arguments that are numbers of events. The warm-up is then as long as in the runs, and a stable
        phase takes the rest of the run.

        Args:
            schedule_class: a class of schedules, such as ``WarmupStableDecay``.
            num_events: the events of the run.
            search: the lowest and the highest value of each argument to search, as numbers. Numbers of events may also
                be percentages of ``num_events``: ``{"num_decay_events": ("5%", "90%")}``.
            extrapolate: as in :meth:`predict`.
            fixed: the values of other arguments of the class.

        Returns:
            A schedule of the class, ready to attach.

        Raises:
            TypeError: an argument has the wrong type, or an argument of the class is missing.
            ValueError: no schedule within the range can be made and forecast.
        """
        return best_schedule(self, schedule_class, num_events, search, fixed, extrapolate)

    def __str__(self) -> str:
        return report_of(self)

    def __repr__(self) -> str:
        return f"<LossForecast of {len(self.runs)} runs: {self.law}, {self.parameters}>"
