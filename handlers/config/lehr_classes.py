"""The classes of lehr that a config may name, and which of their arguments stand nowhere in their signatures."""

from collections.abc import Callable

from ..anneals import CosineDecayScheduler, CosineRestartScheduler, WarmupStableDecayScheduler
from ..base import BaseParamScheduler
from ..batch_size import BatchSizeScheduler
from ..chained import ChainedScheduler
from ..concat import ConcatScheduler
from ..cyclic import CyclicScheduler
from ..cyclical import CosineAnnealingScheduler, LinearCyclicalScheduler
from ..decays import (
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
from ..functions import LambdaScheduler, MultiplicativeScheduler
from ..lr_scheduler import LRScheduler
from ..metric_scheduler import MetricScheduler
from ..one_cycle import OneCycleScheduler
from ..param_group_scheduler import ParamGroupScheduler
from ..param_scheduler import ParamScheduler
from ..phase_scheduler import PhaseScheduler
from ..piecewise import PiecewiseLinear
from ..reduce_on_plateau import ReduceLROnPlateauScheduler, ReduceOnPlateauScheduler
from ..schedules import Concatenation, CosineAnnealing, Cyclic, LinearCyclical, LinearInterpolation, OneCycle
from ..state_param_scheduler import StateParamScheduler
from ..state_schedulers import (
    ExpStateScheduler,
    LambdaStateScheduler,
    MultiStepStateScheduler,
    PiecewiseLinearStateScheduler,
    StepStateScheduler,
)

CLASSES: dict[str, Callable[..., BaseParamScheduler]] = {
    cls.__name__: cls
    for cls in (
        BatchSizeScheduler,
        ChainedScheduler,
        ConcatScheduler,
        ConstantScheduler,
        CosineAnnealingScheduler,
        CosineDecayScheduler,
        CosineRestartScheduler,
        CyclicScheduler,
        ExpStateScheduler,
        ExponentialScheduler,
        InverseSquareRootScheduler,
        InverseTimeDecayScheduler,
        LRScheduler,
        LambdaScheduler,
        LambdaStateScheduler,
        LinearCyclicalScheduler,
        LinearScheduler,
        MetricScheduler,
        MultiStepScheduler,
        MultiStepStateScheduler,
        MultiplicativeScheduler,
        OneCycleScheduler,
        ParamGroupScheduler,
        ParamScheduler,
        PhaseScheduler,
        PiecewiseConstantScheduler,
        PiecewiseLinear,
        PiecewiseLinearStateScheduler,
        PolynomialScheduler,
        ReduceLROnPlateauScheduler,
        ReduceOnPlateauScheduler,
        StateParamScheduler,
        StepScheduler,
        StepStateScheduler,
        WarmupStableDecayScheduler,
    )
}
# Which arguments of the others are durations: those that are durations of their schedules.
TIMED: dict[str, type] = {
    "ConcatScheduler": Concatenation,
    "CosineAnnealingScheduler": CosineAnnealing,
    "CyclicScheduler": Cyclic,
    "LinearCyclicalScheduler": LinearCyclical,
    "OneCycleScheduler": OneCycle,
    "PiecewiseLinear": LinearInterpolation,
}
PLATEAU = {"mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr", "eps", "nan_policy"}
BY_KEYWORD = {"ReduceLROnPlateauScheduler": {*PLATEAU, "missing_policy", "reduction", "initial_value", "verbose"}}
