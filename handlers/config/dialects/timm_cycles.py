"""timm's schedules that restart: cosine, polynomial and tanh."""

from typing import Any

import numpy as np

from lehr.handlers.config.argument_checks import Count, Flag, NotNegative, Positive, Real
from lehr.handlers.config.context import Target
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Cosine,
    Curve,
    KDecay,
    Polynomial,
    Restarts,
    Schedule,
    Shift,
    Tanh,
)
from lehr.handlers.schedules.arguments import Number


def cosine(
    target: Target,
    t_initial: Positive,
    lr_min: NotNegative = 0.0,
    cycle_mul: Positive = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Count = 0,
    warmup_lr_init: NotNegative = 0.0,
    warmup_prefix: Flag = False,
    k_decay: Positive = 1.0,
) -> Schedule:
    """Half cosines to lr_min, one after another, with a warm-up."""
    curve: Curve = Cosine() if k_decay == 1 else KDecay(Cosine(), k_decay)
    cycles = Restarts(target.own, lr_min, t_initial, cycle_mul, cycle_decay, cycle_limit, curve)
    return warmed_up(cycles, target.own, warmup_t, warmup_lr_init, warmup_prefix)


def poly(
    target: Target,
    t_initial: Positive,
    power: NotNegative = 0.5,
    lr_min: NotNegative = 0.0,
    cycle_mul: Positive = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Count = 0,
    warmup_lr_init: NotNegative = 0.0,
    warmup_prefix: Flag = False,
    k_decay: Positive = 1.0,
) -> Schedule:
    """Falls to lr_min by a power of what is left, again and again, with a warm-up."""
    curve: Curve = Polynomial(power) if k_decay == 1 else KDecay(Polynomial(power), k_decay)
    cycles = Restarts(target.own, lr_min, t_initial, cycle_mul, cycle_decay, cycle_limit, curve)
    return warmed_up(cycles, target.own, warmup_t, warmup_lr_init, warmup_prefix)


def tanh(
    target: Target,
    t_initial: Positive,
    lb: Real = -7.0,
    ub: Real = 3.0,
    lr_min: NotNegative = 0.0,
    cycle_mul: Positive = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Count = 0,
    warmup_lr_init: NotNegative = 0.0,
    warmup_prefix: Flag = False,
) -> Schedule:
    """Falls to lr_min along a hyperbolic tangent, again and again, with a warm-up."""
    cycles = Restarts(target.own, lr_min, t_initial, cycle_mul, cycle_decay, cycle_limit, Tanh(lb, ub))
    peak = target.own if warmup_prefix or not warmup_t else number_of(cycles(warmup_t))
    return warmed_up(cycles, peak, warmup_t, warmup_lr_init, warmup_prefix)


def warmed_up(schedule: Schedule, peak: Number, warmup_t: int, warmup_lr_init: float, warmup_prefix: bool) -> Schedule:
    """A schedule after a linear warm-up, which goes on where it is by then, or begins there with ``warmup_prefix``."""
    if not warmup_t:
        return schedule
    later = schedule if warmup_prefix else Shift(schedule, by=warmup_t)
    return Concatenation([Anneal(warmup_lr_init, peak, warmup_t), later], [warmup_t])


def number_of(value: Any) -> Number:
    """A schedule's value, as it may be given to another one."""
    return value.tolist() if isinstance(value, np.ndarray) else value  # type: ignore[no-any-return]
