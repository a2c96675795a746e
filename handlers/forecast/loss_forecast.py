"""A law of the loss, fitted to runs, that forecasts runs under other schedules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from lehr.handlers.schedules.arguments import whole_number
from lehr.handlers.schedules.base import Array, Schedule

from .fit import fit_law
from .law import LawParameters, changes_of, law_losses
from .loss_curve import LossCurve
from .lr_values import lr_values
from .ranking import Ranking, rank_curves
from .runs import Run
from .search import best_schedule

S = TypeVar("S", bound=Schedule)


@dataclass(frozen=True, eq=False, repr=False)
class LossForecast:
    """A law of the loss that was fitted to runs."""

    law: str
    parameters: LawParameters
    runs: tuple[Run, ...]
    residuals: tuple[Array, ...]

    @classmethod
    def fit(cls, runs: Sequence[Run]) -> "LossForecast":
        """Fit the law to runs."""
        parameters, residuals = fit_law(runs)
        return cls("multi-power law", parameters, tuple(runs), residuals)

    def predict(
        self, schedule: Any, num_events: int, *, group: int | None = None, extrapolate: bool = False
    ) -> LossCurve:
        """The loss at each event of a run under a schedule."""
        num_events = whole_number("num_events", num_events, at_least=2)
        lrs = lr_values("schedule", schedule, num_events, group)
        steps = np.unique(np.linspace(0, num_events - 1, 1000).astype(np.int64))
        losses = law_losses(self.parameters, changes_of(lrs, steps))
        events = np.arange(num_events)
        loss = np.interp(events, steps, losses)
        error = float(np.quantile(np.abs(np.concatenate(self.residuals)), 0.9))
        return LossCurve(events, loss, loss * (1 - error), loss * (1 + error), lrs)

    def rank(self, schedules: Mapping[str, Any], num_events: int, **options: Any) -> Ranking:
        """Rank schedules by their final losses, best first."""
        return rank_curves({name: self.predict(one, num_events, **options) for name, one in schedules.items()})

    def best(
        self,
        schedule_class: type[S],
        *,
        num_events: int,
        search: Mapping[str, tuple[float | str, float | str]],
        **fixed: Any,
    ) -> S:
        """The schedule of a class that ends with the least predicted loss."""
        return best_schedule(self, schedule_class, num_events, search, fixed)
