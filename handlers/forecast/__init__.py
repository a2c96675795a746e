"""Judges schedules: finds a learning rate by a range test, and forecasts the loss under schedules from earlier runs."""

from .find_lr import find_lr
from .forecast_curve import LossCurve
from .loss_forecast import LossForecast
from .range_test_result import LRRangeTest
from .ranking import Ranking
from .runs import Run

__all__ = ["LRRangeTest", "LossCurve", "LossForecast", "Ranking", "Run", "find_lr"]
