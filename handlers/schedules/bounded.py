"""``Bounded``: a schedule that limits the values of another schedule."""

from dataclasses import dataclass

import numpy as np

from . import fields
from .base import Array
from .wrapper import Wrapper


@dataclass(frozen=True)
class Bounded(Wrapper):
    """A schedule that limits the values of another schedule: ``value(i) = min(max(schedule(i), at_least), at_most)``.

    Args:
        schedule: the other schedule.
        at_least: the lower bound. If None, there is no lower bound.
        at_most: the upper bound, at least ``at_least``. If None, there is no upper bound.

    Shapes: the result has the shape of ``schedule``.

    Raises:
        TypeError, ValueError: a bound is not a finite number; the upper bound is below the lower bound.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay
        >>> Bounded(ExponentialDecay(8.0, gamma=0.5), at_least=1.5)([0, 1, 2, 3]).tolist()
        [8.0, 4.0, 2.0, 1.5]
    """

    at_least: float | None = fields.number(None)
    at_most: float | None = fields.number(None)

    def __post_init__(self) -> None:
        """Check the bounds."""
        super().__post_init__()
        if self.at_least is not None and self.at_most is not None and self.at_most < self.at_least:
            raise ValueError(f"at_most must be at least at_least={self.at_least}, given {self.at_most}")

    def _changed(self, values: Array, indices: Array) -> Array:
        low = -np.inf if self.at_least is None else self.at_least
        return np.asarray(np.clip(values, low, np.inf if self.at_most is None else self.at_most))
