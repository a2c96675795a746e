"""Ranks schedules by their forecast losses, with the probability that the order is right."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lehr.handlers.schedules.arguments import shown_text
from lehr.handlers.schedules.base import Array

from .bands import COVERED, DRAWS, WIDEST, Uncertainty

MOST_OF_A_NAME = 60  # characters of a name in the table


@dataclass(frozen=True, eq=False, repr=False)
class Ranking:
    """Schedules in the order of their forecast losses at the last event, the best first.

    ``print(ranking)`` shows the table. The probabilities come from resampled parameters of the law and from resampled
    errors on runs left out. All schedules have the same resampled parameters, and each schedule has its own resampled
    errors. If two schedules are much alike, the probability that one of them is better is near a half.

    Args:
        names: the names of the schedules, the best first.
        losses: the forecast loss of each schedule at the last event.
        low: the lower end of the 90% band of each schedule.
        high: the upper end of the band.
        better: for each schedule except the last, the probability that it is better than the next schedule.
        probability: the probability that the whole order is right.

    Example:
        >>> print(Ranking(("wsd", "cosine"), (2.95, 2.98), (2.93, 2.96), (2.97, 3.0), (0.97,), 0.97))
           schedule  final loss  90% band          better than the next
         1 wsd       2.9500      2.9300 to 2.9700  97%
         2 cosine    2.9800      2.9600 to 3.0000
        the whole order is right with a probability of 97%
    """

    names: tuple[str, ...]
    losses: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    better: tuple[float, ...]
    probability: float

    def __str__(self) -> str:
        names = [" ".join(shown_text(name, MOST_OF_A_NAME).split()) for name in self.names]
        width = max(map(len, (*names, "schedule")))
        rows = [f"   {'schedule':<{width}}  final loss  {COVERED:.0%} band          better than the next"]
        better = [f"{one:.0%}" for one in self.better] + [""]
        for at, name in enumerate(names):
            band = f"{self.low[at]:.4f} to {self.high[at]:.4f}"
            rows.append(f"{at + 1:>2} {name:<{width}}  {self.losses[at]:<10.4f}  {band:<16}  {better[at]}".rstrip())
        rows.append(f"the whole order is right with a probability of {self.probability:.0%}")
        return "\n".join(rows)

    def __repr__(self) -> str:
        return f"<Ranking: {' < '.join(self.names)}, right with a probability of {self.probability:.0%}>"


def rank_losses(
    finals: Mapping[str, tuple[float, Array, float]], uncertainty: Uncertainty, lowest_loss: float
) -> Ranking:
    """Return schedules sorted by their final losses.

    Args:
        finals: a mapping from the name of each schedule to a tuple. The tuple has the logarithm of the final loss, its
            derivatives by the fitted numbers ``(7,)``, and the factor that widens its band.
        uncertainty: the uncertainty of the fit.
        lowest_loss: the unit of the losses.
    """
    names = sorted(finals, key=lambda name: finals[name][0])
    random = np.random.default_rng(0)
    drawn = np.empty((len(names), DRAWS))
    for at, name in enumerate(names):
        log, slopes, growth = finals[name]
        own = random.permutation(uncertainty.errors)
        drawn[at] = log + np.clip(growth * (uncertainty.deviations @ slopes + own), -WIDEST, WIDEST)
    low, high = np.exp(np.quantile(drawn, [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=1)) * lowest_loss
    is_better = drawn[:-1] < drawn[1:]
    return Ranking(
        names=tuple(names),
        losses=tuple(float(np.exp(finals[name][0])) * lowest_loss for name in names),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        better=tuple(is_better.mean(axis=1).tolist()),
        probability=float(is_better.all(axis=0).mean()),
    )
