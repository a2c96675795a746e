"""Schedules: what value a hyper-parameter has at which event. All but the live ones are pure functions."""

from .base import Schedule
from .concatenation import Concatenation
from .cyclic import Cyclic
from .cyclical import CosineAnnealing, Cyclical, LinearCyclical
from .decays import ExponentialDecay, MultiStepDecay, StepDecay
from .interpolation import LinearInterpolation
from .live import FunctionSchedule, LiveSchedule, StatefulSchedule
from .one_cycle import OneCycle
from .plateau import Plateau
from .product import Product
from .shift import Shift
from .side_by_side import SideBySide

__all__ = [
    "Concatenation",
    "CosineAnnealing",
    "Cyclic",
    "Cyclical",
    "ExponentialDecay",
    "FunctionSchedule",
    "LinearCyclical",
    "LinearInterpolation",
    "LiveSchedule",
    "MultiStepDecay",
    "OneCycle",
    "Plateau",
    "Product",
    "Schedule",
    "Shift",
    "SideBySide",
    "StatefulSchedule",
    "StepDecay",
]
