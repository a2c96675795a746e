"""Pure schedules: what value a hyper-parameter has at which event."""

from .base import FunctionSchedule, Schedule
from .concatenation import Concatenation
from .cyclic import Cyclic
from .cyclical import CosineAnnealing, Cyclical, LinearCyclical
from .interpolation import LinearInterpolation
from .one_cycle import OneCycle
from .shift import Shift

__all__ = [
    "Concatenation",
    "CosineAnnealing",
    "Cyclic",
    "Cyclical",
    "FunctionSchedule",
    "LinearCyclical",
    "LinearInterpolation",
    "OneCycle",
    "Schedule",
    "Shift",
]
