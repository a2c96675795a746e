"""An order of schedules by their forecast losses."""

from collections.abc import Mapping
from dataclasses import dataclass

from .loss_curve import LossCurve


@dataclass(frozen=True, eq=False, repr=False)
class Ranking:
    """Schedules in the order of their forecast final losses, best first.

    Args:
        names: the names, best first.
        curves: the forecast of each.
        probability: of the order being right.
    """

    names: tuple[str, ...]
    curves: tuple[LossCurve, ...]
    probability: float

    def __str__(self) -> str:
        width = max(map(len, self.names))
        rows = [
            f"{place}. {name:<{width}}  {curve.final:.4f} ({curve.low[-1]:.4f} to {curve.high[-1]:.4f})"
            for place, (name, curve) in enumerate(zip(self.names, self.curves, strict=True), start=1)
        ]
        return "\n".join([*rows, f"the order is right with probability {self.probability:.2f}"])


def rank_curves(curves: Mapping[str, LossCurve]) -> Ranking:
    """Sort by the final loss."""
    names = sorted(curves, key=lambda name: curves[name].final)
    return Ranking(tuple(names), tuple(curves[name] for name in names), 1.0)
