"""The schedulers of timm, by their names and arguments."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_checks import (
    Anything,
    AtLeastOne,
    Count,
    Flag,
    ListOfNumbers,
    NotNegative,
    Positive,
    Real,
    Text,
)
from lehr.handlers.config.context import Target
from lehr.handlers.config.entries import Entry, call, located
from lehr.handlers.config.entry_schedules import Piece
from lehr.handlers.schedules import (
    Bounded,
    Concatenation,
    Constant,
    Cooldown,
    Cosine,
    Curve,
    Exponential,
    Linear,
    MultiStepDecay,
    Noise,
    Plateau,
    Power,
    PowerDecay,
    Product,
    Schedule,
    Shift,
    StepDecay,
    Stretch,
    arguments,
)
from lehr.handlers.schedules.base import Array

from .timm_cycles import cosine, number_of, poly, tanh, warmed_up


def _step(
    target: Target,
    decay_t: Positive,
    decay_rate: NotNegative = 1.0,
    warmup_t: Count = 0,
    warmup_lr_init: NotNegative = 0.0,
    warmup_prefix: Flag = True,
) -> Schedule:
    """Multiplies by decay_rate every decay_t steps, after a warm-up."""
    return warmed_up(StepDecay(target.own, decay_rate, decay_t), target.own, warmup_t, warmup_lr_init, warmup_prefix)


def _multi_step(
    target: Target,
    decay_t: ListOfNumbers,
    decay_rate: NotNegative = 1.0,
    warmup_t: Count = 0,
    warmup_lr_init: NotNegative = 0.0,
    warmup_prefix: Flag = True,
) -> Schedule:
    """Multiplies by decay_rate at each of decay_t, after a warm-up."""
    # A milestone acts one step before it, by timm's convention.
    if list(decay_t) != sorted(decay_t):
        raise ValueError(f"['decay_t'] must rise, given {decay_t}")
    milestones = [max(int(np.ceil(milestone)) - 1, 0) for milestone in decay_t]
    decay = MultiStepDecay(target.own, decay_rate, milestones)
    return warmed_up(decay, target.own, warmup_t, warmup_lr_init, warmup_prefix)


def _wsd(
    target: Target,
    t_initial: AtLeastOne,
    decay_t: AtLeastOne,
    lr_min: NotNegative = 0.0,
    stable_fn: Text = "constant",
    stable_timescale: Positive | None = None,
    stable_power: Positive = 0.5,
    decay_fn: Anything = "1-sqrt",
    decay_power: Positive = 0.5,
    decay_ratio: Positive = 0.1,
    warmup_t: Count = 0,
    warmup_lr_init: NotNegative = 0.0,
) -> Schedule:
    """A warm-up, a stable phase and a decay."""
    arguments.one_of("stable_fn", stable_fn, ("constant", "rsqrt", "power"))
    curves: dict[str, Curve] = {
        "linear": Linear(),
        "1-sqrt": Power(0.5),
        "cosine": Cosine(),
        "power": Power(decay_power),
        "exp": Exponential(decay_ratio),
    }
    curve = _Custom(decay_fn) if callable(decay_fn) else curves[arguments.one_of("decay_fn", decay_fn, curves)]
    if decay_t > t_initial:
        raise ValueError(f"decay_t must be at most t_initial, {t_initial}, given {decay_t}")
    stable: Schedule = Constant(target.own)
    if stable_fn != "constant":
        timescale = warmup_t if stable_timescale is None else stable_timescale
        if timescale == 0:
            raise ValueError("stable_timescale must be given where there is no warm-up, given None")
        stable = PowerDecay(target.own, timescale, 0.5 if stable_fn == "rsqrt" else stable_power)
    cooled = Cooldown(Bounded(stable, at_least=lr_min), t_initial - decay_t, decay_t, lr_min, curve)
    return warmed_up(cooled, target.own, warmup_t, warmup_lr_init, warmup_prefix=True)


@dataclass(frozen=True)
class _Custom(Curve):
    """A function of a user's own: what is left to do, from 1 to 0, for progress from 0 to 1."""

    function: Callable[[float], float]

    def __call__(self, progress: Array) -> Array:
        """Ask it number by number."""
        return 1 - np.array([arguments.number("decay_fn(...)", self.function(one)) for one in progress.tolist()])


def _plateau(
    target: Target,
    decay_rate: NotNegative = 0.1,
    patience_t: Count = 10,
    threshold: Real = 1e-4,
    cooldown_t: Count = 0,
    warmup_t: Count = 0,
    warmup_lr_init: NotNegative = 0.0,
    lr_min: NotNegative = 0.0,
    mode: Text = "max",
) -> Schedule:
    """Multiplies by decay_rate when a metric has stopped improving, after a warm-up."""
    plateau = Plateau(
        mode,
        decay_rate,
        patience_t,
        threshold,
        cooldown=cooldown_t,
        min_value=lr_min,
        initial_value=target.own,
        begin=warmup_t,
    )
    return warmed_up(plateau, target.own, warmup_t, warmup_lr_init, warmup_prefix=True)


def noise(
    noise_range_t: Anything = None,
    noise_pct: Positive = 0.67,
    noise_std: Positive = 1.0,
    noise_seed: Count | None = None,
    noise_type: Text = "normal",
) -> Callable[[Schedule, int], Schedule]:
    """Noise on a schedule, the same in each run."""
    if noise_range_t is None:
        return lambda schedule, first: schedule
    bounds = noise_range_t if isinstance(noise_range_t, list | tuple) else [noise_range_t]
    if not 1 <= len(bounds) <= 2:
        raise ValueError(f"noise_range_t must be a number or a list of two, given {noise_range_t!r}")
    arguments.one_of("noise_type", noise_type, ("normal", "uniform"))
    whole = [arguments.whole_number("noise_range_t", bound, at_least=0) for bound in bounds]
    if whole != sorted(whole):
        raise ValueError(f"noise_range_t must rise, given {noise_range_t!r}")
    seed = 42 if noise_seed is None else noise_seed

    def noisy(schedule: Schedule, first: int) -> Schedule:
        begin = max(first, whole[0])
        end = max(whole[1], begin) if len(whole) == 2 else None
        return Noise(schedule, seed, noise_std, noise_pct, noise_type, begin, end)

    return noisy


BUILDERS: dict[str, Callable[..., Schedule]] = {
    "CosineLRScheduler": cosine,
    "MultiStepLRScheduler": _multi_step,
    "PlateauLRScheduler": _plateau,
    "PolyLRScheduler": poly,
    "StepLRScheduler": _step,
    "TanhLRScheduler": tanh,
    "WSDLRScheduler": _wsd,
}

# At step 0 these have what the groups hold, even where the formula says otherwise.
AS_CONSTRUCTED = (cosine, poly, _step, _wsd)
NOISE = ("noise_range_t", "noise_pct", "noise_std", "noise_seed")


def timm_piece(target: Target, name: str, given: Entry) -> Piece:
    """What an entry of the timm dialect comes to."""
    builder = BUILDERS[name]
    plateau = builder is _plateau
    noise_names = (*NOISE, "noise_type") if plateau else NOISE
    noisy = call(noise, given.only(*noise_names))
    rest = ("metric_name", "initialize") if plateau else ("t_in_epochs", "initialize")
    metric_name, in_epochs = call(common, given.only(*rest))
    schedule = call(builder, given.without(*noise_names, *rest), target)
    if (
        builder in AS_CONSTRUCTED
        and not given.given.get("warmup_t", 0)
        and number_of(located(given.where, schedule, 0)) != target.own
    ):
        schedule = Concatenation([Constant(target.own), Shift(schedule, by=1)], [1])
    # What the constructor leaves, which is in force at step 0, has no noise; nor has a plateau's warm-up.
    schedule = located(given.where, noisy, schedule, 1 + given.given.get("warmup_t", 0) if plateau else 1)
    scales = [group.get("lr_scale", 1.0) for group in target.groups]
    if any(scale != 1 for scale in scales):
        schedule = Product([schedule, Constant([arguments.number("lr_scale", scale) for scale in scales])])
    if target.epoch_length is not None and in_epochs and not plateau:
        schedule = Stretch(schedule, target.epoch_length)
    length, every = given.given.get("t_initial"), (target.epoch_length or 1) if in_epochs else 1
    duration = None if length is None else math.ceil(length * every)
    alone = Piece(given.where, target, lambda value: schedule, duration=duration)
    return replace(alone, metric_name=metric_name, metric_every=target.epoch_length or 1) if plateau else alone


def common(metric_name: Text = "loss", initialize: Flag = True, t_in_epochs: Flag = True) -> tuple[Any, bool]:
    """What timm's schedulers say beside their own arguments."""
    return metric_name, t_in_epochs
