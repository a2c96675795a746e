"""Schedulers of hyper-parameters, and the schedules they write."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers see
    from .config import configure_scheduler
    from .core.clocks.clock import Clock, EventClock
    from .core.clocks.time_clock import TimeClock
    from .core.clocks.token_and_sample_clocks import SampleClock, TokenClock
    from .core.param_group_scheduler import ParamGroupScheduler
    from .core.param_scheduler import ParamScheduler
    from .core.pausing import paused
    from .core.rank_drift_check import DriftCheck
    from .core.resuming.cooldown_policy import CooldownPolicy
    from .core.resuming.policy import ResumeWarning
    from .core.scheduler import BaseParamScheduler
    from .core.state_param_scheduler import StateParamScheduler
    from .forecast.find_lr import find_lr
    from .integrations.torch_scheduler import as_torch_scheduler
    from .plans.audit_log import audit_log
    from .plans.check_plan import check_plan
    from .plans.diff_plans import diff_plans
    from .plans.dry_run import dry_run
    from .plans.plot_plan import plot_plan
    from .schedulers.batch_ramp import BatchRamp
    from .schedulers.batch_size import BatchSizeScheduler
    from .schedulers.chained import ChainedScheduler
    from .schedulers.concat import ConcatScheduler
    from .schedulers.cosine_decay import CosineDecayScheduler, CosineRestartScheduler
    from .schedulers.decay_scheduler import DecayScheduler
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
    from .schedulers.ignite_cycles import CosineAnnealingScheduler, CyclicalScheduler, LinearCyclicalScheduler
    from .schedulers.metric_scheduler import MetricScheduler
    from .schedulers.one_cycle import OneCycleScheduler
    from .schedulers.phases_on_demand import PhaseScheduler
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
    from .schedulers.warmup_stable_decay import WarmupStableDecayScheduler
    from .schedules import RunLength, Schedule
    from .targets.group_selection import Groups
else:  # a checker that saw this __getattr__ would accept misspelt names
    from lehr.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        globals(),
        {
            "config": ("configure_scheduler",),
            "core.clocks.token_and_sample_clocks": ("SampleClock", "TokenClock"),
            "core.clocks.clock": ("Clock", "EventClock"),
            "core.clocks.time_clock": ("TimeClock",),
            "core.resuming.cooldown_policy": ("CooldownPolicy",),
            "core.rank_drift_check": ("DriftCheck",),
            "core.param_group_scheduler": ("ParamGroupScheduler",),
            "core.param_scheduler": ("ParamScheduler",),
            "core.pausing": ("paused",),
            "core.resuming.policy": ("ResumeWarning",),
            "core.scheduler": ("BaseParamScheduler",),
            "core.state_param_scheduler": ("StateParamScheduler",),
            "forecast.find_lr": ("find_lr",),
            "integrations.torch_scheduler": ("as_torch_scheduler",),
            "plans.audit_log": ("audit_log",),
            "plans.check_plan": ("check_plan",),
            "plans.diff_plans": ("diff_plans",),
            "plans.dry_run": ("dry_run",),
            "plans.plot_plan": ("plot_plan",),
            "schedulers.batch_ramp": ("BatchRamp",),
            "schedulers.batch_size": ("BatchSizeScheduler",),
            "schedulers.chained": ("ChainedScheduler",),
            "schedulers.concat": ("ConcatScheduler",),
            "schedulers.cosine_decay": ("CosineDecayScheduler", "CosineRestartScheduler"),
            "schedulers.warmup_stable_decay": ("WarmupStableDecayScheduler",),
            "schedulers.ignite_cycles": ("CosineAnnealingScheduler", "CyclicalScheduler", "LinearCyclicalScheduler"),
            "schedulers.decay_scheduler": ("DecayScheduler",),
            "schedulers.decays": (
                "ConstantScheduler",
                "ExponentialScheduler",
                "InverseSquareRootScheduler",
                "InverseTimeDecayScheduler",
                "LinearScheduler",
                "MultiStepScheduler",
                "PiecewiseConstantScheduler",
                "PolynomialScheduler",
                "StepScheduler",
            ),
            "schedulers.device_plan": ("DevicePlan",),
            "schedulers.factor_functions": ("LambdaScheduler", "MultiplicativeScheduler"),
            "schedulers.metric_scheduler": ("MetricScheduler",),
            "schedulers.one_cycle": ("OneCycleScheduler",),
            "schedulers.phases_on_demand": ("PhaseScheduler",),
            "schedulers.piecewise_linear": ("PiecewiseLinear",),
            "schedulers.reduce_on_plateau": ("ReduceLROnPlateauScheduler", "ReduceOnPlateauScheduler"),
            "schedulers.state_schedulers": (
                "ExpStateScheduler",
                "LambdaStateScheduler",
                "MultiStepStateScheduler",
                "PiecewiseLinearStateScheduler",
                "StepStateScheduler",
            ),
            "schedulers.torch.lr_scheduler": ("LRScheduler",),
            "schedulers.triangular_cycles": ("CyclicScheduler",),
            "schedulers.warmup": ("create_lr_scheduler_with_warmup",),
            "schedules": ("RunLength", "Schedule"),
            "targets.group_selection": ("Groups",),
        },
        brings_history=True,
    )

__all__ = [
    "BaseParamScheduler",
    "BatchRamp",
    "BatchSizeScheduler",
    "ChainedScheduler",
    "Clock",
    "ConcatScheduler",
    "ConstantScheduler",
    "CooldownPolicy",
    "CosineAnnealingScheduler",
    "CosineDecayScheduler",
    "CosineRestartScheduler",
    "CyclicScheduler",
    "CyclicalScheduler",
    "DecayScheduler",
    "DevicePlan",
    "DriftCheck",
    "EventClock",
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
    "RunLength",
    "SampleClock",
    "Schedule",
    "StateParamScheduler",
    "StepScheduler",
    "StepStateScheduler",
    "TimeClock",
    "TokenClock",
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
