"""Schedulers of hyper-parameters, and the schedules they write."""

from .config import configure_scheduler
from .core.drift_check import DriftCheck
from .core.param_group_scheduler import ParamGroupScheduler
from .core.param_scheduler import ParamScheduler
from .core.pausing import paused
from .core.resume_policy import ResumeWarning
from .core.scheduler import BaseParamScheduler
from .core.state_param_scheduler import StateParamScheduler
from .forecast import find_lr
from .integrations.torch_scheduler import as_torch_scheduler
from .plans import audit_log, check_plan, diff_plans, dry_run, plot_plan
from .schedulers.batch_size import BatchSizeScheduler
from .schedulers.chained import ChainedScheduler
from .schedulers.concat import ConcatScheduler
from .schedulers.cosine import CosineDecayScheduler, CosineRestartScheduler, WarmupStableDecayScheduler
from .schedulers.cycles import CosineAnnealingScheduler, CyclicalScheduler, LinearCyclicalScheduler
from .schedulers.decays import (
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
from .schedulers.device_plan import DevicePlan
from .schedulers.factor_functions import LambdaScheduler, MultiplicativeScheduler
from .schedulers.metric_scheduler import MetricScheduler
from .schedulers.one_cycle import OneCycleScheduler
from .schedulers.phase_scheduler import PhaseScheduler
from .schedulers.piecewise_linear import PiecewiseLinear
from .schedulers.reduce_on_plateau import ReduceLROnPlateauScheduler, ReduceOnPlateauScheduler
from .schedulers.state_schedulers import (
    ExpStateScheduler,
    LambdaStateScheduler,
    MultiStepStateScheduler,
    PiecewiseLinearStateScheduler,
    StepStateScheduler,
)
from .schedulers.torch.lr_scheduler import LRScheduler
from .schedulers.triangular_cycles import CyclicScheduler
from .schedulers.warmup import create_lr_scheduler_with_warmup
from .schedules import Schedule
from .targets.group_selection import Groups

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
    "as_torch_scheduler",
    "audit_log",
    "check_plan",
    "configure_scheduler",
    "create_lr_scheduler_with_warmup",
    "diff_plans",
    "dry_run",
    "find_lr",
    "paused",
    "plot_plan",
]
