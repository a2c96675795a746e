"""Schedulers of hyper-parameters, and the schedules they write."""

from .anneals import CosineDecayScheduler, CosineRestartScheduler, WarmupStableDecayScheduler
from .base import BaseParamScheduler
from .batch_size import BatchSizeScheduler
from .chained import ChainedScheduler
from .concat import ConcatScheduler
from .config import configure_scheduler
from .cyclic import CyclicScheduler
from .cyclical import CosineAnnealingScheduler, CyclicalScheduler, LinearCyclicalScheduler
from .decays import (
    ConstantScheduler,
    ExponentialScheduler,
    InverseSquareRootScheduler,
    InverseTimeDecayScheduler,
    LinearScheduler,
    MultiStepScheduler,
    PiecewiseConstantScheduler,
    PolynomialScheduler,
    StepScheduler,
)
from .device_plan import DevicePlan
from .drift_check import DriftCheck
from .functions import LambdaScheduler, MultiplicativeScheduler
from .group_selection import Groups
from .lr_scheduler import LRScheduler
from .metric_scheduler import MetricScheduler
from .one_cycle import OneCycleScheduler
from .param_group_scheduler import ParamGroupScheduler
from .param_scheduler import ParamScheduler
from .phase_scheduler import PhaseScheduler
from .piecewise import PiecewiseLinear
from .plans import check_plan, diff_plans, dry_run, plot_plan
from .reduce_on_plateau import ReduceLROnPlateauScheduler, ReduceOnPlateauScheduler
from .resume_policy import ResumeWarning
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
    "ChainedScheduler",
    "ConcatScheduler",
    "ConstantScheduler",
    "CosineAnnealingScheduler",
    "CosineDecayScheduler",
    "CosineRestartScheduler",
    "CyclicScheduler",
    "CyclicalScheduler",
    "DevicePlan",
    "DriftCheck",
    "ExpStateScheduler",
    "ExponentialScheduler",
    "Groups",
    "InverseSquareRootScheduler",
    "InverseTimeDecayScheduler",
    "LRScheduler",
    "LambdaScheduler",
    "LambdaStateScheduler",
    "LinearCyclicalScheduler",
    "LinearScheduler",
    "MetricScheduler",
    "MultiStepScheduler",
    "MultiStepStateScheduler",
    "MultiplicativeScheduler",
    "OneCycleScheduler",
    "ParamGroupScheduler",
    "ParamScheduler",
    "PhaseScheduler",
    "PiecewiseConstantScheduler",
    "PiecewiseLinear",
    "PiecewiseLinearStateScheduler",
    "PolynomialScheduler",
    "ReduceLROnPlateauScheduler",
    "ReduceOnPlateauScheduler",
    "ResumeWarning",
    "Schedule",
    "StateParamScheduler",
    "StepScheduler",
    "StepStateScheduler",
    "WarmupStableDecayScheduler",
    "check_plan",
    "configure_scheduler",
    "create_lr_scheduler_with_warmup",
    "diff_plans",
    "dry_run",
    "plot_plan",
]
