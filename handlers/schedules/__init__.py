"""Schedules, which give the value of a hyper-parameter at each event.

Most schedules are pure functions of the event index.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # type checkers read these imports
    from .anneal import Anneal
    from .base import Schedule
    from .bounded import Bounded
    from .chainable_rules import Addition, Approach, Assignment, Scaling
    from .concatenation import Concatenation
    from .constant import Constant, PiecewiseConstant
    from .cooldown import Cooldown
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
    from .decays import ExponentialDecay, InverseTimeDecay, MultiStepDecay, PowerDecay, StepDecay
    from .greedy import Greedy
    from .handover import Handover
    from .ignite_cycles import CosineAnnealing, Cyclical, LinearCyclical
    from .interpolation import LinearInterpolation
    from .mapped import Mapped
    from .noise import Noise
    from .one_cycle import OneCycle
    from .phases_on_demand import Phases
    from .product import Product
    from .ranking.by_bound import rank_by_bound
    from .ranking.table import BoundRanking, RankedSchedule
    from .recursion import Recursion, Turn
    from .restarts import Restarts
    from .run_length import RunLength
    from .schedule_reduced_on_plateau import Reduced
    from .shift import Shift
    from .side_by_side import SideBySide
    from .stateful import FunctionSchedule, LiveSchedule, StatefulSchedule
    from .stretch import Stretch
    from .triangular_cycles import Cyclic
    from .value_reduced_on_plateau import Plateau
    from .warmup_stable_decay import WarmupStableDecay
    from .window import Window
else:  # if type checkers saw this ``__getattr__``, they would accept misspelt names
    from lehr.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        globals(),
        {
            "anneal": ("Anneal",),
            "base": ("Schedule",),
            "ranking.by_bound": ("rank_by_bound",),
            "ranking.table": ("BoundRanking", "RankedSchedule"),
            "concatenation": ("Concatenation",),
            "constant": ("Constant", "PiecewiseConstant"),
            "bounded": ("Bounded",),
            "cooldown": ("Cooldown",),
            "cumulative_product": ("CumulativeProduct",),
            "curves": (
                "Cosine",
                "Curve",
                "Exponential",
                "KDecay",
                "Linear",
                "Logarithmic",
                "Polynomial",
                "Power",
                "Reversed",
                "Rex",
                "Stairs",
                "Tanh",
            ),
            "ignite_cycles": ("CosineAnnealing", "Cyclical", "LinearCyclical"),
            "decays": ("ExponentialDecay", "InverseTimeDecay", "MultiStepDecay", "PowerDecay", "StepDecay"),
            "greedy": ("Greedy",),
            "handover": ("Handover",),
            "interpolation": ("LinearInterpolation",),
            "mapped": ("Mapped",),
            "noise": ("Noise",),
            "one_cycle": ("OneCycle",),
            "phases_on_demand": ("Phases",),
            "value_reduced_on_plateau": ("Plateau",),
            "product": ("Product",),
            "recursion": ("Recursion", "Turn"),
            "schedule_reduced_on_plateau": ("Reduced",),
            "restarts": ("Restarts",),
            "chainable_rules": ("Addition", "Approach", "Assignment", "Scaling"),
            "run_length": ("RunLength",),
            "shift": ("Shift",),
            "side_by_side": ("SideBySide",),
            "stateful": ("FunctionSchedule", "LiveSchedule", "StatefulSchedule"),
            "triangular_cycles": ("Cyclic",),
            "warmup_stable_decay": ("WarmupStableDecay",),
            "stretch": ("Stretch",),
            "window": ("Window",),
        },
    )

__all__ = [
    "Addition",
    "Anneal",
    "Approach",
    "Assignment",
    "BoundRanking",
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
    "RankedSchedule",
    "Recursion",
    "Reduced",
    "Restarts",
    "Reversed",
    "Rex",
    "RunLength",
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
    "rank_by_bound",
]
