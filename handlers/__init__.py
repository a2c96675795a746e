"""Schedulers of hyper-parameters, and the schedules they write."""

from .base import BaseParamScheduler
from .batch_size import BatchSizeScheduler
from .concat import ConcatScheduler
from .cyclic import CyclicScheduler
from .cyclical import CosineAnnealingScheduler, CyclicalScheduler, LinearCyclicalScheduler
from .lr_scheduler import LRScheduler
from .one_cycle import OneCycleScheduler
from .param_group_scheduler import ParamGroupScheduler
from .param_scheduler import ParamScheduler
from .piecewise import PiecewiseLinear
from .reduce_on_plateau import ReduceLROnPlateauScheduler, ReduceOnPlateauScheduler
from .schedules import Schedule
from .state_param_scheduler import StateParamScheduler
from .state_schedulers import (
    ExpStateScheduler,
    LambdaStateScheduler,
    MultiStepStateScheduler,
    PiecewiseLinearStateScheduler,
    StepStateScheduler,
)
from .warmup import create_lr_scheduler_with_warmup

__all__ = [
    "BaseParamScheduler",
    "BatchSizeScheduler",
    "ConcatScheduler",
    "CosineAnnealingScheduler",
    "CyclicScheduler",
    "CyclicalScheduler",
    "ExpStateScheduler",
    "LRScheduler",
    "LambdaStateScheduler",
    "LinearCyclicalScheduler",
    "MultiStepStateScheduler",
    "OneCycleScheduler",
    "ParamGroupScheduler",
    "ParamScheduler",
    "PiecewiseLinear",
    "PiecewiseLinearStateScheduler",
    "ReduceLROnPlateauScheduler",
    "ReduceOnPlateauScheduler",
    "Schedule",
    "StateParamScheduler",
    "StepStateScheduler",
    "create_lr_scheduler_with_warmup",
]
