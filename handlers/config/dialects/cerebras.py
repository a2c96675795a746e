"""Config types for Cerebras' schedulers that contain no other schedulers.

Schedulers of learning rates and schedulers of weight decays share these types. The arguments here have the names that
Cerebras' weight decay schedulers use.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    fraction,
    function,
    functions,
    list_of_numbers,
    milestones,
    not_negative,
    number,
    one_of,
    positive,
    text,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
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
class CerebrasSchedule:
    """The schedule of a Cerebras scheduler, before the factors of the param groups multiply it.

    Args:
        schedule: the schedule, which is the same for all param groups.
        initial: the initial value. A chain of schedulers divides the schedule by it.
        duration: the length in events. If None, the schedule has no length.
        scales: the factor of each param group. If None, the param groups have no factors.
        counts_all_steps: whether the schedule counts steps from the start of the sequence that contains it. If False,
            the schedule counts from its own start.
    """

    schedule: Schedule
    initial: float
    duration: int | None = None
    scales: tuple[float, ...] | None = None
    counts_all_steps: bool = False


def _line(a: SimpleNamespace, power: float) -> Schedule:
    beyond: Any = "stretch" if a.cycle else "hold"
    return Anneal(a.initial_val, a.end_val, a.total_iters, Polynomial(power), beyond)


def _inverse_square_root(a: SimpleNamespace) -> Schedule:
    # At step 0, Cerebras would divide by the square root of 0. Here, step 0 has the value of step 1.
    level = max(a.warmup_steps, 1.0)
    decay = PowerDecay(a.initial_val * a.scale / np.sqrt(level), level)
    if level == int(level):
        return Shift(decay, by=-int(level))
    whole = int(level) + 1
    later = PowerDecay(decay.initial_value * np.sqrt(level / whole), whole)
    return Concatenation([Constant(decay.initial_value), later], [whole])


def _piecewise_constant(a: SimpleNamespace) -> Schedule:
    if len(a.vals) == 0:
        raise ValueError("values must have at least one number, given none")
    values = [*a.vals, *[a.vals[-1]] * max(len(a.milestones) + 1 - len(a.vals), 0)]
    return PiecewiseConstant(values[: len(a.milestones) + 1], a.milestones)


def _lambda(a: SimpleNamespace) -> Schedule:
    given = a.set_value_lambda
    if given is None:
        # By default, Cerebras multiplies by e / 30 * 0.95 ** e at step e.
        line = Anneal(0.0, arguments.MAX_EVENT_INDEX / 30, arguments.MAX_EVENT_INDEX)
        return Product([Constant(a.initial_val), line, ExponentialDecay(1.0, 0.95)])
    factors = [lambda_schedule(1.0, one) for one in (given if isinstance(given, list | tuple) else [given])]
    return Product([Constant(a.initial_val), *factors])


def _cyclic(a: SimpleNamespace) -> Schedule:
    own = "iterations" if a.mode == "exp_range" and a.set_scale_fn is None else "cycle"
    scale_fn = a.set_scale_fn
    if scale_fn is None and a.mode != "triangular" and a.scale_mode not in (None, own):
        scale_fn = partial(pow, a.gamma) if a.mode == "exp_range" else _halved
    rest = (a.step_size_up, a.step_size_down, a.mode, a.gamma, scale_fn, a.scale_mode or own)
    return Cyclic(a.base_val, a.max_val, *rest)  # type: ignore[arg-type]


def _halved(count: int) -> float:
    return 2.0 ** (1 - count)


def _one_cycle(a: SimpleNamespace) -> Schedule:
    # If one of the values is 0, use the largest ratio with which the schedule can compute.
    ratio = a.max_val / a.initial_val if a.initial_val and a.max_val else sys.float_info.max ** (0.5)
    shape = (a.pct_start, a.anneal_strategy, ratio, a.final_div_factor, a.three_phase)
    return OneCycle(a.max_val, a.total_steps, *shape)


def _row(
    description: str,
    own: Arguments,
    schedule: Callable[[SimpleNamespace], Schedule],
    *,
    initial: str = "initial_val",
    duration: str | None = None,
) -> EntryType:
    """Return an ``EntryType`` that finds its initial value under ``initial``, and its length under ``duration``."""

    def build(context: ConfigContext, suffix: str, a: SimpleNamespace) -> CerebrasSchedule:
        return CerebrasSchedule(schedule(a), getattr(a, initial), None if duration is None else getattr(a, duration))

    return EntryType(description, own, build)


LINE: Arguments = {"initial_val": number, "end_val": number, "total_iters": at_least_one}
# fmt: off
LEAVES = {
    "Constant": _row("A constant value.", {"val": number, "total_iters": (count, None)}, lambda a: Constant(a.val),
        initial="val", duration="total_iters"),
    "CosineAnnealing": _row("Half a cosine to eta_min in T_max steps, and back again.",
        {"initial_val": number, "T_max": at_least_one, "eta_min": (number, 0.0)},
        lambda a: Anneal(a.initial_val, a.eta_min, a.T_max, Cosine(), "mirror"), duration="T_max"),
    "CosineAnnealingWarmRestarts": _row(
        "Half cosines to eta_min, one after another, each T_mult times as long as the one before.",
        {"initial_val": number, "T_0": at_least_one, "T_mult": (at_least_one, 1), "eta_min": (number, 0.0)},
        lambda a: Restarts(a.initial_val, a.eta_min, a.T_0, a.T_mult)),
    "CosineDecay": _row("Half a cosine to an end value.", LINE,
        lambda a: Anneal(a.initial_val, a.end_val, a.total_iters, Cosine()), duration="total_iters"),
    "Cyclic": _row("Triangles between a base and a maximum.", {"base_val": number, "max_val": number,
        "step_size_up": (positive, 2000), "step_size_down": (positive, None), "mode": (text, "triangular"),
        "gamma": (positive, 1.0), "scale_mode": (one_of("cycle", "iterations"), None),
        "set_scale_fn": (function, None)}, _cyclic, initial="base_val"),
    "Exponential": _row("Multiplies by decay_rate in each total_iters steps, smoothly or at once.",
        {"initial_val": number, "total_iters": at_least_one, "decay_rate": number, "staircase": (flag, False)},
        lambda a: ExponentialDecay(a.initial_val, a.decay_rate, a.total_iters, a.staircase), duration="total_iters"),
    "InverseExponentialTimeDecay": _row("The initial value divided by a number that grows with the steps.",
        {"initial_val": number, "step_exponent": not_negative, "total_iters": at_least_one, "decay_rate": number,
        "staircase": (flag, False)},
        lambda a: InverseTimeDecay(a.initial_val, a.decay_rate, a.total_iters, a.step_exponent, a.staircase),
        duration="total_iters"),
    "InverseSquareRootDecay": _row("Falls with the square root of the step, after a constant warm-up.",
        {"initial_val": (number, 1.0), "scale": (number, 1.0), "warmup_steps": (not_negative, 1.0)},
        _inverse_square_root),
    "Lambda": _row("The initial value times functions of the step.",
        {"initial_val": number, "set_value_lambda": (functions, None)}, _lambda),
    "Linear": _row("A straight line to an end value.", {**LINE, "cycle": (flag, False)}, lambda a: _line(a, 1.0),
        duration="total_iters"),
    "MultiStep": _row("Multiplies by gamma at each milestone.",
        {"initial_val": number, "gamma": number, "milestones": milestones},
        lambda a: MultiStepDecay(a.initial_val, a.gamma, sorted(a.milestones))),
    "Multiplicative": _row("Multiplies by a coefficient at each step.", {"initial_val": number, "coefficient": number},
        lambda a: ExponentialDecay(a.initial_val, a.coefficient)),
    "OneCycle": _row("Up to a maximum and down to almost 0, once.", {"initial_val": number, "max_val": number,
        "total_steps": (at_least_one, 1000), "pct_start": (fraction, 0.3), "final_div_factor": (positive, 1e4),
        "three_phase": (flag, False), "anneal_strategy": (text, "cos")}, _one_cycle, duration="total_steps"),
    "PiecewiseConstant": EntryType("Given values, one after another.",
        {"vals": list_of_numbers, "milestones": milestones},
        lambda context, suffix, a: CerebrasSchedule(_piecewise_constant(a), a.vals[0])),
    "Polynomial": _row("A polynomial decay to an end value.",
        {**LINE, "power": (not_negative, 1.0), "cycle": (flag, False)}, lambda a: _line(a, a.power),
        duration="total_iters"),
    "Step": _row("Multiplies by gamma every step_size steps.",
        {"initial_val": number, "step_size": at_least_one, "gamma": number},
        lambda a: StepDecay(a.initial_val, a.gamma, a.step_size)),
}
# fmt: on
