"""Schedulers of hyper-parameters, and the schedules they write."""

from .base import BaseParamScheduler
from .concat import ConcatScheduler
from .cyclic import CyclicScheduler
from .cyclical import CosineAnnealingScheduler, CyclicalScheduler, LinearCyclicalScheduler
from .one_cycle import OneCycleScheduler
from .param_scheduler import ParamScheduler
from .piecewise import PiecewiseLinear
from .schedules import Schedule

__all__ = [
    "BaseParamScheduler",
    "ConcatScheduler",
    "CosineAnnealingScheduler",
    "CyclicScheduler",
    "CyclicalScheduler",
    "LinearCyclicalScheduler",
    "OneCycleScheduler",
    "ParamScheduler",
    "PiecewiseLinear",
    "Schedule",
]
