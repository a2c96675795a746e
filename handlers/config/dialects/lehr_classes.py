"""The classes of lehr that a config may name, and which of their arguments stand nowhere in their signatures."""

from collections.abc import Callable

from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.core.state_param_scheduler import StateParamScheduler
from lehr.handlers.schedulers.batch_size import BatchSizeScheduler
from lehr.handlers.schedulers.chained import ChainedScheduler
from lehr.handlers.schedulers.concat import ConcatScheduler
from lehr.handlers.schedulers.cosine import CosineDecayScheduler, CosineRestartScheduler, WarmupStableDecayScheduler
from lehr.handlers.schedulers.cycles import CosineAnnealingScheduler, LinearCyclicalScheduler
from lehr.handlers.schedulers.decays import (
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
from lehr.handlers.schedulers.factor_functions import LambdaScheduler, MultiplicativeScheduler
from lehr.handlers.schedulers.metric_scheduler import MetricScheduler
from lehr.handlers.schedulers.one_cycle import OneCycleScheduler
from lehr.handlers.schedulers.phase_scheduler import PhaseScheduler
from lehr.handlers.schedulers.piecewise_linear import PiecewiseLinear
from lehr.handlers.schedulers.reduce_on_plateau import ReduceLROnPlateauScheduler, ReduceOnPlateauScheduler
from lehr.handlers.schedulers.state_schedulers import (
    ExpStateScheduler,
    LambdaStateScheduler,
    MultiStepStateScheduler,
    PiecewiseLinearStateScheduler,
    StepStateScheduler,
)
from lehr.handlers.schedulers.torch.lr_scheduler import LRScheduler
from lehr.handlers.schedulers.triangular_cycles import CyclicScheduler
from lehr.handlers.schedules import (
    Concatenation,
    CosineAnnealing,
    Cyclic,
    LinearCyclical,
    LinearInterpolation,
    OneCycle,
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
