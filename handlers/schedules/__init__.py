"""Schedules: the value of a hyper-parameter at each event. Most are pure functions of the event index."""

from .anneal import Anneal
from .base import Schedule
from .concatenation import Concatenation
from .constant import Constant, PiecewiseConstant
from .cooldown import Bounded, Cooldown
from .cumulative_product import CumulativeProduct
from .curves import (
    Cosine,
    Curve,
    Exponential,
    KDecay,
    Linear,
    Logarithmic,
    Polynomial,
    Power,
    Reversed,
    Rex,
    Stairs,
    Tanh,
)
from .cycles import CosineAnnealing, Cyclical, LinearCyclical
from .decays import ExponentialDecay, InverseTimeDecay, MultiStepDecay, PowerDecay, StepDecay
from .greedy import Greedy
from .handover import Handover
from .interpolation import LinearInterpolation
from .mapped import Mapped
from .noise import Noise
from .one_cycle import OneCycle
from .phases import Phases
from .plateau import Plateau
from .product import Product
from .recursion import Recursion, Turn
from .reduced import Reduced
from .restarts import Restarts
from .rules import Addition, Approach, Assignment, Scaling
from .shift import Shift
from .side_by_side import SideBySide
from .stateful import FunctionSchedule, LiveSchedule, StatefulSchedule
from .triangular_cycles import Cyclic
from .warmup_stable_decay import WarmupStableDecay
from .window import Stretch, Window

__all__ = [
    "Addition",
    "Anneal",
    "Approach",
    "Assignment",
    "Bounded",
    "Concatenation",
    "Constant",
    "Cooldown",
    "Cosine",
    "CosineAnnealing",
    "CumulativeProduct",
    "Curve",
    "Cyclic",
    "Cyclical",
    "Exponential",
    "ExponentialDecay",
    "FunctionSchedule",
    "Greedy",
    "Handover",
    "InverseTimeDecay",
    "KDecay",
    "Linear",
    "LinearCyclical",
    "LinearInterpolation",
    "LiveSchedule",
    "Logarithmic",
    "Mapped",
    "MultiStepDecay",
    "Noise",
    "OneCycle",
    "Phases",
    "PiecewiseConstant",
    "Plateau",
    "Polynomial",
    "Power",
    "PowerDecay",
    "Product",
    "Recursion",
    "Reduced",
    "Restarts",
    "Reversed",
    "Rex",
    "Scaling",
    "Schedule",
    "Shift",
    "SideBySide",
    "Stairs",
    "StatefulSchedule",
    "StepDecay",
    "Stretch",
    "Tanh",
    "Turn",
    "WarmupStableDecay",
    "Window",
]
