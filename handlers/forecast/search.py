"""Searches for the arguments of a schedule with the least forecast loss."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lehr.handlers.schedules.base import Schedule

if TYPE_CHECKING:
    from .loss_forecast import LossForecast

S = TypeVar("S", bound=Schedule)


def best_schedule(
    forecast: "LossForecast",
    schedule_class: type[S],
    num_events: int,
    search: Mapping[str, tuple[float | str, float | str]],
    fixed: Mapping[str, Any],
) -> S:
    """The schedule with the least forecast loss at the end."""
    (name, (low, high)), *_ = search.items()
    tried = [
        schedule_class(**fixed, **{name: round(value)})
        for value in np.linspace(_number(low, num_events), _number(high, num_events), 20)
    ]
    return min(tried, key=lambda one: forecast.predict(one, num_events).final)


def _number(value: float | str, num_events: int) -> float:
    return float(value[:-1]) / 100 * num_events if isinstance(value, str) else value
