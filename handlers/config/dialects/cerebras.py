"""The schedulers of cerebras.pytorch.optim, of learning rates and weight decays, by their names and arguments."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from typing import Any, get_type_hints

import numpy as np

from lehr.handlers.config.argument_checks import (
    AtLeastOne,
    Count,
    Flag,
    Fraction,
    Functions,
    ListOfNumbers,
    Milestones,
    NotNegative,
    Positive,
    Real,
    Text,
)
from lehr.handlers.schedulers.factor_functions import lambda_schedule
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    Cyclic,
    ExponentialDecay,
    InverseTimeDecay,
    MultiStepDecay,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    PowerDecay,
    Product,
    Restarts,
    Schedule,
    Shift,
    StepDecay,
    arguments,
)


@dataclass(frozen=True)
class Plan:
    """One of Cerebras' schedulers: one schedule for all groups, and what it is a multiple of.

    Args:
        schedule: the values.
        initial: what they are multiples of, where they are chained.
        duration: how many events it takes, if that can be said.
        scales: what each group's values are multiplied by; None for nothing.
    """

    schedule: Schedule
    initial: float
    duration: int | None = None
    scales: tuple[float, ...] | None = None


def _constant(val: Real, total_iters: Count | None = None) -> Plan:
    """One value for ever."""
    return Plan(Constant(val), val, total_iters)


def _polynomial(
    initial_val: Real, end_val: Real, total_iters: AtLeastOne, power: NotNegative = 1.0, cycle: Flag = False
) -> Plan:
    """To an end value by a power of what is left."""
    beyond: Any = "stretch" if cycle else "hold"
    return Plan(Anneal(initial_val, end_val, total_iters, Polynomial(power), beyond), initial_val, total_iters)


def _linear(initial_val: Real, end_val: Real, total_iters: AtLeastOne, cycle: Flag = False) -> Plan:
    """A straight line to an end value."""
    return _polynomial(initial_val, end_val, total_iters, 1.0, cycle)


def _exponential(initial_val: Real, total_iters: AtLeastOne, decay_rate: Real, staircase: Flag = False) -> Plan:
    """Multiplies by decay_rate in each total_iters steps, smoothly or at once."""
    return Plan(ExponentialDecay(initial_val, decay_rate, total_iters, staircase), initial_val, total_iters)


def _inverse_time(
    initial_val: Real, step_exponent: NotNegative, total_iters: AtLeastOne, decay_rate: Real, staircase: Flag = False
) -> Plan:
    """Divided by what grows with the number of steps."""
    schedule = InverseTimeDecay(initial_val, decay_rate, total_iters, step_exponent, staircase)
    return Plan(schedule, initial_val, total_iters)


def _inverse_square_root(initial_val: Real = 1.0, scale: Real = 1.0, warmup_steps: NotNegative = 1.0) -> Plan:
    """Falls with the square root of the step, after a constant warm-up."""
    # Where Cerebras divides by the square root of 0, the value of step 1 stands.
    level = max(warmup_steps, 1.0)
    decay = PowerDecay(initial_val * scale / np.sqrt(level), level)
    return Plan(Shift(decay, by=-int(level)) if level == int(level) else _from(decay, level), initial_val)


def _from(decay: PowerDecay, level: float) -> Schedule:
    whole = int(level) + 1
    later = PowerDecay(decay.initial_value * np.sqrt(level / whole), whole)
    return Concatenation([Constant(decay.initial_value), later], [whole])


def _cosine_decay(initial_val: Real, end_val: Real, total_iters: AtLeastOne) -> Plan:
    """Half a cosine to an end value."""
    return Plan(Anneal(initial_val, end_val, total_iters, Cosine()), initial_val, total_iters)


def _cosine_annealing(initial_val: Real, T_max: AtLeastOne, eta_min: Real = 0.0) -> Plan:
    """Half a cosine to eta_min in T_max steps, and back again."""
    return Plan(Anneal(initial_val, eta_min, T_max, Cosine(), "mirror"), initial_val, T_max)


def _warm_restarts(initial_val: Real, T_0: AtLeastOne, T_mult: AtLeastOne = 1, eta_min: Real = 0.0) -> Plan:
    """Half a cosine to eta_min, again and again, each T_mult times as long."""
    return Plan(Restarts(initial_val, eta_min, T_0, T_mult), initial_val)


def _piecewise_constant(vals: ListOfNumbers, milestones: Milestones) -> Plan:
    """Given values, one after another."""
    if len(vals) == 0:
        raise ValueError("values must be at least one, given none")
    values = [*vals, *[vals[-1]] * max(len(milestones) + 1 - len(vals), 0)]
    return Plan(PiecewiseConstant(values[: len(milestones) + 1], milestones), vals[0])


def _multi_step(initial_val: Real, gamma: Real, milestones: Milestones) -> Plan:
    """Multiplies by gamma at each milestone."""
    return Plan(MultiStepDecay(initial_val, gamma, sorted(milestones)), initial_val)


def _step(initial_val: Real, step_size: AtLeastOne, gamma: Real) -> Plan:
    """Multiplies by gamma every step_size steps."""
    return Plan(StepDecay(initial_val, gamma, step_size), initial_val)


def _multiplicative(initial_val: Real, coefficient: Real) -> Plan:
    """Multiplies by a coefficient at each step."""
    return Plan(ExponentialDecay(initial_val, coefficient), initial_val)


def _lambda(initial_val: Real, set_value_lambda: Functions | None = None) -> Plan:
    """The initial value times functions of the step."""
    if set_value_lambda is None:
        # What Cerebras has where nobody says otherwise: e / 30 and 0.95 ** e.
        line = Anneal(0.0, arguments.MAX_EVENT_INDEX / 30, arguments.MAX_EVENT_INDEX)
        return Plan(Product([Constant(initial_val), line, ExponentialDecay(1.0, 0.95)]), initial_val)
    functions = set_value_lambda if isinstance(set_value_lambda, list | tuple) else [set_value_lambda]
    factors = [lambda_schedule(1.0, function) for function in functions]
    return Plan(Product([Constant(initial_val), *factors]), initial_val)


def _cyclic(
    base_val: Real,
    max_val: Real,
    step_size_up: Positive = 2000,
    step_size_down: Positive | None = None,
    mode: Text = "triangular",
    gamma: Positive = 1.0,
    scale_mode: Text | None = None,
) -> Plan:
    """Triangles between a base and a maximum."""
    if scale_mode is not None:
        arguments.one_of("scale_mode", scale_mode, ("cycle", "iterations"))
    own = "iterations" if mode == "exp_range" else "cycle"
    scale_fn = None
    if mode != "triangular" and scale_mode not in (None, own):
        scale_fn = partial(pow, gamma) if mode == "exp_range" else _halved
    kept = (base_val, max_val, step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode or own)
    return Plan(Cyclic(*kept), base_val)  # type: ignore[arg-type]


def _halved(clock: int) -> float:
    return 2.0 ** (1 - clock)


def _one_cycle(
    initial_val: Real,
    max_val: Real,
    total_steps: AtLeastOne = 1000,
    pct_start: Fraction = 0.3,
    final_div_factor: Positive = 1e4,
    three_phase: Flag = False,
    anneal_strategy: Text = "cos",
) -> Plan:
    """Up to a maximum and down to almost nothing, once."""
    # Where one of the values is 0, the ratio is as good as infinite.
    ratio = max_val / initial_val if initial_val and max_val else sys.float_info.max ** (0.5)
    cycle = OneCycle(max_val, total_steps, pct_start, anneal_strategy, ratio, final_div_factor, three_phase)  # type: ignore[arg-type]
    return Plan(cycle, initial_val, total_steps)


LEAVES: dict[str, Callable[..., Plan]] = {
    "Constant": _constant,
    "CosineAnnealing": _cosine_annealing,
    "CosineAnnealingWarmRestarts": _warm_restarts,
    "CosineDecay": _cosine_decay,
    "Cyclic": _cyclic,
    "Exponential": _exponential,
    "InverseExponentialTimeDecay": _inverse_time,
    "InverseSquareRootDecay": _inverse_square_root,
    "Lambda": _lambda,
    "Linear": _linear,
    "MultiStep": _multi_step,
    "Multiplicative": _multiplicative,
    "OneCycle": _one_cycle,
    "PiecewiseConstant": _piecewise_constant,
    "Polynomial": _polynomial,
    "Step": _step,
}


# The learning rate's arguments have names of their own, and so has one scheduler.
LR_NAMES = {
    "initial_learning_rate": "initial_val",
    "end_learning_rate": "end_val",
    "learning_rate": "val",
    "learning_rates": "vals",
    "base_lr": "base_val",
    "max_lr": "max_val",
}


def renamed(builder: Callable[..., Plan], suffix: str) -> Callable[..., Plan]:
    """The same with the argument names of the learning rate's schedulers."""
    if suffix == "WD":
        return builder
    outer = {inner: outer for outer, inner in LR_NAMES.items()}
    own = signature(builder)

    def renamed(**given: Any) -> Plan:
        return builder(**{LR_NAMES.get(name, name): value for name, value in given.items()})

    renamed.__doc__ = builder.__doc__
    renamed.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[
            parameter.replace(name=outer.get(name, name), kind=Parameter.KEYWORD_ONLY)
            for name, parameter in own.parameters.items()
        ]
    )
    hints = get_type_hints(builder, include_extras=True)
    renamed.__annotations__ = {outer.get(name, name): hint for name, hint in hints.items()}
    return renamed
