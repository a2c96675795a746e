"""Examples of every scheduler that is a pure schedule in an optimizer, over which the promises are tested.

A class is registered once, with its picture in ``examples/gallery/gallery_*.py``: the arguments of the picture's first
line are its first example here. ``MORE_EXAMPLES`` has arguments that no picture shows. A scheduler that is more than a
pure schedule in an optimizer has a setup in ``rigs.py``. ``test_registry.py`` tells what is missing.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gallery
import numpy as np

from lehr.handlers import (
    ChainedScheduler,
    ConcatScheduler,
    ConstantScheduler,
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    CosineRestartScheduler,
    CyclicalScheduler,
    CyclicScheduler,
    ExponentialScheduler,
    InverseSquareRootScheduler,
    InverseTimeDecayScheduler,
    LambdaScheduler,
    LinearCyclicalScheduler,
    LinearScheduler,
    MultiplicativeScheduler,
    MultiStepScheduler,
    OneCycleScheduler,
    ParamScheduler,
    PiecewiseConstantScheduler,
    PiecewiseLinear,
    PolynomialScheduler,
    Schedule,
    StepScheduler,
    WarmupStableDecayScheduler,
)
from lehr.handlers.schedules import (
    Anneal,
    Approach,
    Bounded,
    Constant,
    Cooldown,
    Cosine,
    ExponentialDecay,
    KDecay,
    Linear,
    Noise,
    PowerDecay,
    Product,
    Recursion,
    Rex,
    Scaling,
    Stretch,
    Tanh,
    Turn,
    Window,
)


@dataclass(frozen=True)
class Example:
    """A scheduler's class and arguments, on an optimizer of one or, if it needs so many, of three groups."""

    name: str
    cls: type[ParamScheduler]
    kwargs: dict[str, Any] = field(default_factory=dict)
    per_group: bool = False
    seeks: bool = True  # whether any event is reached at once; the product of all values so far is not

    def arguments(self, optimizer: Any, param_name: str = "lr", **more: Any) -> dict[str, Any]:
        """All arguments of the class, by name; a concatenation's members take the further ones."""
        if self.cls in (ConcatScheduler, ChainedScheduler):
            members = [member(optimizer, param_name, **more) for member in self.kwargs["schedulers"]]
            return {**self.kwargs, "schedulers": members}
        return {"optimizer": optimizer, "param_name": param_name, **self.kwargs, **more}

    def __call__(self, optimizer: Any, param_name: str = "lr", save_history: bool = False, **more: Any):
        """Make the scheduler."""
        return self.cls(**self.arguments(optimizer, param_name, **more), save_history=save_history)


@dataclass(frozen=True)
class Sawtooth(Schedule):
    """A user's own schedule."""

    high: float
    period: int

    def values(self, indices):
        return self.high * (1 - indices % self.period / self.period)


class HalvingScheduler(ParamScheduler):
    """A user's own scheduler, written as for ignite."""

    def get_param(self):
        return 0.5 ** (self.event_index / 100)


class CountingScheduler(ParamScheduler):
    """A user's own scheduler that returns a value for each group, and changes itself on the way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked = [0]

    def get_param(self):
        self.asked.append(self.event_index)
        return [(1 + self.event_index) * 0.001 * (group + 1) for group in range(len(self.optimizer_param_groups))]


class HalvedCosine(CosineAnnealingScheduler):
    """A user's own scheduler on top of one of ours."""

    def get_param(self):
        return super().get_param() / 2


class OwnCycle(CyclicalScheduler):
    """A user's own cyclical scheduler, written as for ignite."""

    def get_param(self):
        progress = self.event_index / self.cycle_size
        return self.start_value + (self.end_value - self.start_value) * progress**2


def rounded(event_index: int) -> float:
    """A user's own function, which also draws a random number."""
    random.random()
    return round(0.1 * 0.99**event_index, 6)


def fifth_root(cycle: int) -> float:
    return 5.0 ** (-0.01 * cycle)


def _ex(name: str, cls: type[ParamScheduler], per_group: bool = False, **kwargs: Any) -> Example:
    return Example(name, cls, kwargs, per_group)


_WARMUP = _ex("warmup", LinearCyclicalScheduler, start_value=0.0, end_value=0.1, cycle_size=10, monotonic=True)
_COSINE = _ex("cosine", CosineAnnealingScheduler, start_value=0.1, end_value=0.001, cycle_size=30)
_GROUPS = _ex("one cycle, per group", OneCycleScheduler, True, max_value=[0.1, 0.2, 1.0], total_steps=40)
_FUNCTION = _ex("function", ParamScheduler, schedule=rounded)

MORE_EXAMPLES = [
    _WARMUP,
    _COSINE,
    _GROUPS,
    _FUNCTION,
    _ex("linear, two ways", LinearCyclicalScheduler, start_value=0.01, end_value=1, cycle_size=8),
    _ex(
        "linear, all arguments",
        LinearCyclicalScheduler,
        start_value=1.0,
        end_value=0.1,
        cycle_size=6,
        cycle_mult=1.5,
        start_value_mult=0.9,
        end_value_mult=0.8,
        warmup_duration=3,
        monotonic=True,
    ),
    _ex(
        "cosine, all arguments",
        CosineAnnealingScheduler,
        start_value=0.3,
        end_value=1e-9,
        cycle_size=7,
        cycle_mult=2.0,
        start_value_mult=0.7,
        end_value_mult=1.1,
        warmup_duration=2,
    ),
    _ex("one cycle", OneCycleScheduler, max_value=0.1, total_steps=50),
    _ex(
        "one cycle, three phases",
        OneCycleScheduler,
        max_value=0.5,
        epochs=5,
        steps_per_epoch=9,
        pct_start=0.4,
        anneal_strategy="linear",
        div_factor=10,
        final_div_factor=100,
        three_phase=True,
    ),
    _ex("one cycle, inverse", OneCycleScheduler, max_value=0.95, base_value=0.85, total_steps=50, inverse=True),
    _ex("triangular", CyclicScheduler, base_value=0.001, max_value=0.1, step_size_up=5, step_size_down=9),
    _ex("triangular2", CyclicScheduler, base_value=0.001, max_value=0.1, step_size_up=5, mode="triangular2"),
    _ex("exp_range", CyclicScheduler, base_value=0.1, max_value=1, step_size_up=2.5, mode="exp_range", gamma=0.99),
    _ex("cyclic, inverse", CyclicScheduler, base_value=0.8, max_value=0.9, step_size_up=6, inverse=True),
    _ex("cyclic, scale_fn", CyclicScheduler, base_value=0.1, max_value=0.5, step_size_up=4, scale_fn=fifth_root),
    _ex("cyclic, per group", CyclicScheduler, True, base_value=0.1, max_value=[0.2, 0.3, 0.4], step_size_up=4),
    _ex("piecewise linear", PiecewiseLinear, milestones_values=[(3, 0.5), (10, 0.1), (30, 0.4)]),
    _ex("concatenation", ConcatScheduler, schedulers=[_WARMUP, _COSINE], durations=[10]),
    _ex(
        "concatenation of concatenations",
        ConcatScheduler,
        schedulers=[
            _WARMUP,
            _ex("inner", ConcatScheduler, schedulers=[_COSINE, _WARMUP, _COSINE], durations=[5, 0]),
            _FUNCTION,
        ],
        durations=[4, 20],
    ),
    _ex("concatenation, per group", ConcatScheduler, True, schedulers=[_WARMUP, _GROUPS], durations=[10]),
    _ex("own schedule", ParamScheduler, schedule=Sawtooth(high=0.3, period=7)),
    _ex("own get_param", HalvingScheduler),
    _ex("own get_param, a list", CountingScheduler, True),
    _ex("own get_param on cosine", HalvedCosine, start_value=0.1, end_value=0.001, cycle_size=30, start_value_mult=0.9),
    _ex(
        "own cycle",
        OwnCycle,
        start_value=0.2,
        end_value=0.01,
        cycle_size=5,
        cycle_mult=1.5,
        start_value_mult=0.9,
        end_value_mult=0.5,
        warmup_duration=2,
    ),
    _ex(
        "own get_param in a concatenation",
        ConcatScheduler,
        schedulers=[_WARMUP, _ex("", HalvingScheduler)],
        durations=[4],
    ),
]

_EXPONENTIAL = _ex("exponential", ExponentialScheduler, gamma=0.97, initial_value=0.3)
MORE_EXAMPLES += [
    _EXPONENTIAL,
    _ex("constant", ConstantScheduler, value=0.3),
    _ex("linear", LinearScheduler, duration=20, start_value=0.5, end_value=0.1),
    _ex("linear, per group", LinearScheduler, True, duration=20, start_value=0.2, end_value=[0.1, 0.2, 0.3]),
    _ex(
        "polynomial, cycling", PolynomialScheduler, duration=15, end_value=0.01, power=2.0, cycle=True, start_value=0.3
    ),
    _ex("step, in epochs", StepScheduler, step_size=2, gamma=0.5, epoch_length=7, initial_value=0.3),
    _ex(
        "multi-step, moving now and then",
        MultiStepScheduler,
        milestones=[5, 9, 9],
        interval=4,
        end=40,
        initial_value=0.3,
    ),
    _ex("exponential, staircase", ExponentialScheduler, gamma=0.5, decay_events=6, staircase=True, initial_value=0.3),
    _ex("inverse square root", InverseSquareRootScheduler, timescale=10, initial_value=0.3),
    _ex(
        "inverse time",
        InverseTimeDecayScheduler,
        decay_rate=0.5,
        decay_events=5,
        exponent=1.5,
        staircase=True,
        initial_value=0.3,
    ),
    _ex("piecewise constant", PiecewiseConstantScheduler, constants=[0.1, 0.2, 0.05], milestones=[4, 30]),
    _ex(
        "cosine decay, there and back",
        CosineDecayScheduler,
        duration=12,
        end_value=0.01,
        beyond="mirror",
        start_value=0.3,
    ),
    _ex("cosine restarts", CosineRestartScheduler, T_0=5, T_mult=2, restart_weights=0.8, start_value=0.3),
    _ex("cosine restarts, listed", CosineRestartScheduler, periods=[5, 10], restart_weights=[1, 0.3], start_value=0.4),
    _ex(
        "warm-up, stable, decay",
        WarmupStableDecayScheduler,
        num_warmup_events=5,
        num_stable_events=10,
        num_decay_events=15,
        warmup_type="exponential",
        decay_type="power",
        peak_value=0.3,
    ),
    _ex("lambda", LambdaScheduler, factor_fn=fifth_root, initial_value=0.3),
    _ex("lambda, per group", LambdaScheduler, True, factor_fn=[fifth_root, rounded, fifth_root], initial_value=0.5),
    Example("multiplicative", MultiplicativeScheduler, {"factor_fn": fifth_root, "initial_value": 0.3}, seeks=False),
    Example(
        "multiplicative, per group",
        MultiplicativeScheduler,
        {"factor_fn": [rounded, fifth_root, rounded], "initial_value": [1.0, 2.0, 3.0]},
        True,
        seeks=False,
    ),
    _ex("chained", ChainedScheduler, schedulers=[_WARMUP, _EXPONENTIAL], initial_value=0.1),
    _ex("chained with a function", ChainedScheduler, schedulers=[_FUNCTION, _EXPONENTIAL, _COSINE], initial_value=0.2),
    _ex("flat, then cosine", ParamScheduler, schedule=Cooldown(Constant(0.2), 20, 20, 0.01, Cosine())),
    _ex("tanh", ParamScheduler, schedule=Anneal(0.2, 0.0, 30, Tanh())),
    _ex("rex, k-decay", ParamScheduler, schedule=Anneal([0.2, 0.1, 0.3], 0.0, 30, KDecay(Rex(), 1.5)), per_group=True),
    _ex("noise", ParamScheduler, schedule=Noise(Anneal(0.2, 0.01, 30), seed=7, std=0.1, begin=3, end=40)),
    _ex("stretched", ParamScheduler, schedule=Stretch(Window(Anneal(0.2, 0.01, 4), 1, 4, before=0.3), by=9)),
    _ex("bounded", ParamScheduler, schedule=Bounded(Product([PowerDecay(0.2, 5), Constant(2)]), 0.1, 0.3)),
    _ex(
        "one rule upon another",
        ParamScheduler,
        schedule=Recursion(
            0.1,
            [
                Turn(Scaling(Anneal(0.1, 1.0, 9)), end=10),
                Turn(Approach(Anneal(1.0, 0.0, 20, Linear()), 0.01, 0.1), begin=1, end=18, every=3),
                Turn(Scaling(ExponentialDecay(1.0, 0.99)), begin=5, end=60),
            ],
        ),
    ),
]

# Schedulers whose examples need more than the arguments of a picture: other schedulers, a metric, a named function.
WITHOUT_PICTURED_EXAMPLE = {
    *("ParamScheduler", "LambdaScheduler", "MultiplicativeScheduler", "ConcatScheduler", "ChainedScheduler"),
    *("ParamGroupScheduler", "PhaseScheduler", "LRScheduler", "MetricScheduler"),
    *("ReduceLROnPlateauScheduler", "ReduceOnPlateauScheduler"),
}


def _pictured() -> list[Example]:
    """An example of each pure scheduler: its arguments in the first line of its picture."""
    made = [picture.made[0] for picture in gallery.SCHEDULERS if picture.made]
    return [
        Example(
            cls.__name__,
            cls,
            {name: value for name, value in kwargs.items() if name not in ("param_name", "optimizer")},
        )
        for cls, kwargs in made
        if issubclass(cls, ParamScheduler) and cls.__name__ not in WITHOUT_PICTURED_EXAMPLE
    ]


EXAMPLES = [*MORE_EXAMPLES, *_pictured()]
# One configuration a line, with each number of groups that it can have.
CASES = [(example, groups) for example in EXAMPLES for groups in ((3,) if example.per_group else (1, 3))]
CASE_IDS = [f"{example.name}, {groups} groups" for example, groups in CASES]


def formula(scheduler: ParamScheduler) -> Callable[[int], list[float]]:
    """The value for each group at an event, asked of the schedule one event at a time."""
    groups = len(scheduler.optimizer_param_groups)
    return lambda event: np.broadcast_to(scheduler.schedule(event), groups).tolist()
