"""Config types for timm's schedulers, with their warm-up, cycles and noise."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    list_of_numbers,
    not_negative,
    number,
    one_of,
    positive,
    text,
    unchecked,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import EntrySchedule, number_at
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Concatenation,
    Constant,
    Cooldown,
    Cosine,
    Curve,
    Exponential,
    KDecay,
    Linear,
    MultiStepDecay,
    Noise,
    Plateau,
    Polynomial,
    Power,
    PowerDecay,
    Product,
    Restarts,
    Schedule,
    Shift,
    StepDecay,
    Stretch,
    Tanh,
    arguments,
)
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.description_as_data import description_of, text_of


def _restarts(value: Number, curve: Curve, a: SimpleNamespace) -> Schedule:
    k_decay = getattr(a, "k_decay", 1)
    curve = curve if k_decay == 1 else KDecay(curve, k_decay)
    return Restarts(value, a.lr_min, a.t_initial, a.cycle_mul, a.cycle_decay, a.cycle_limit, curve)


def _multi_step(value: Number, a: SimpleNamespace) -> Schedule:
    if list(a.decay_t) != sorted(a.decay_t):
        raise ValueError(f"['decay_t'] must rise, given {a.decay_t}")
    # timm multiplies the value one step before a milestone.
    return MultiStepDecay(value, a.decay_rate, [max(math.ceil(milestone) - 1, 0) for milestone in a.decay_t])


def _warmup_stable_decay(value: Number, a: SimpleNamespace) -> Schedule:
    curves: dict[str, Curve] = {
        "linear": Linear(),
        "1-sqrt": Power(0.5),
        "cosine": Cosine(),
        "power": Power(a.decay_power),
        "exp": Exponential(a.decay_ratio),
    }
    if callable(a.decay_fn):
        curve: Curve = UserDecay(a.decay_fn)
    else:
        curve = curves[arguments.one_of("decay_fn", a.decay_fn, curves)]
    if a.decay_t > a.t_initial:
        raise ValueError(f"decay_t must be at most t_initial, {a.t_initial}, given {a.decay_t}")
    stable: Schedule = Constant(value)
    if a.stable_fn != "constant":
        timescale = a.warmup_t if a.stable_timescale is None else a.stable_timescale
        if timescale == 0:
            raise ValueError("stable_timescale must be a number if there is no warm-up, given None")
        stable = PowerDecay(value, timescale, 0.5 if a.stable_fn == "rsqrt" else a.stable_power)
    return Cooldown(Bounded(stable, at_least=a.lr_min), a.t_initial - a.decay_t, a.decay_t, a.lr_min, curve)


@dataclass(frozen=True, repr=False)
class UserDecay(Curve):
    """A curve from a user's function that falls from 1 to 0: ``f(p) = 1 - function(p)``."""

    function: Callable[[float], float]

    def __call__(self, progress: Array) -> Array:
        """Return one minus the value of the function for each progress."""
        return 1 - np.array([arguments.number("decay_fn(...)", self.function(one)) for one in progress.tolist()])

    def __repr__(self) -> str:
        return text_of(description_of(self))


def _with_warmup(schedule: Schedule, peak: Number, a: SimpleNamespace, prefix: bool) -> Schedule:
    """Put a linear warm-up before a schedule. With ``prefix``, the schedule starts at its event 0 after the warm-up."""
    if not a.warmup_t:
        return schedule
    later = schedule if prefix else Shift(schedule, by=a.warmup_t)
    return Concatenation([Anneal(a.warmup_lr_init, peak, a.warmup_t), later], [a.warmup_t])


def _with_noise(schedule: Schedule, first: int, a: SimpleNamespace) -> Schedule:
    """Add noise to a schedule from event ``first`` on. The noise is the same in each run."""
    given = a.noise_range_t
    if given is None:
        return schedule
    bounds = given if isinstance(given, list | tuple) else [given]
    if not 1 <= len(bounds) <= 2:
        raise ValueError(f"noise_range_t must be a number or a list of two numbers, given {arguments.shown(given)}")
    noise_type = arguments.one_of("noise_type", getattr(a, "noise_type", "normal"), ("normal", "uniform"))
    whole = [arguments.whole_number("noise_range_t", bound, at_least=0) for bound in bounds]
    if whole != sorted(whole):
        raise ValueError(f"noise_range_t must rise, given {arguments.shown(given)}")
    begin = max(first, whole[0])
    end = max(whole[1], begin) if len(whole) == 2 else None
    return Noise(
        schedule, 42 if a.noise_seed is None else a.noise_seed, a.noise_std, a.noise_pct, noise_type, begin, end
    )


def _scales(context: ConfigContext) -> list[float] | None:
    """Return the ``lr_scale`` of each param group. If all are 1, return None."""
    scales = [arguments.number("lr_scale", group.get("lr_scale", 1.0)) for group in context.optimizer.param_groups]
    return None if all(scale == 1 for scale in scales) else scales


def _in_events(context: ConfigContext, schedule: Schedule, in_epochs: bool) -> Schedule:
    """Multiply a schedule by the ``lr_scale`` of each param group. With ``in_epochs``, each value lasts an epoch."""
    scales = _scales(context)
    scaled = schedule if scales is None else Product([schedule, Constant(scales)])
    return scaled if context.epoch_length is None or not in_epochs else Stretch(scaled, context.epoch_length)


# fmt: off
NOISE: Arguments = {
    "noise_range_t": (unchecked, None), "noise_pct": (positive, 0.67), "noise_std": (positive, 1.0),
    "noise_seed": (count, None),
}
# fmt: on
WARMUP: Arguments = {"warmup_t": (count, 0), "warmup_lr_init": (not_negative, 0.0)}
# fmt: off
CYCLES: Arguments = {
    "lr_min": (not_negative, 0.0), "cycle_mul": (positive, 1.0), "cycle_decay": (positive, 1.0),
    "cycle_limit": (count, 1), **WARMUP, "warmup_prefix": (flag, False),
}
# fmt: on


def _row(
    description: str,
    own: Arguments,
    schedule: Callable[[Number, SimpleNamespace], Schedule],
    *,
    starts_initial: bool = True,
    peak_on_curve: bool = False,
) -> EntryType:
    """Return the ``EntryType`` of a scheduler.

    Args:
        description: one line that says how the value changes.
        own: the arguments of this scheduler, without the arguments that all schedulers of timm have.
        schedule: a function that makes the schedule from the initial value and the arguments.
        starts_initial: whether event 0 always has the initial value if there is no warm-up.
        peak_on_curve: whether a warm-up without ``warmup_prefix`` ends at the value of the schedule, and not at the
            initial value.
    """

    def build(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        value, prefix = context.initial_value, getattr(a, "warmup_prefix", True)
        curve = schedule(value, a)
        peak = number_at(curve, a.warmup_t) if peak_on_curve and a.warmup_t and not prefix else value
        whole = _with_warmup(curve, peak, a, prefix)
        if starts_initial and not a.warmup_t and number_at(whole, 0) != value:
            whole = Concatenation([Constant(value), Shift(whole, by=1)], [1])
        whole = _in_events(context, _with_noise(whole, 1, a), a.t_in_epochs)
        every = context.every if a.t_in_epochs else 1
        duration = math.ceil(a.t_initial * every) if "t_initial" in own else None
        return EntrySchedule(context, lambda value: whole, duration=duration)

    return EntryType(description, {**own, "initialize": (flag, True), "t_in_epochs": (flag, True), **NOISE}, build)


def _on_plateau(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    value, scales = context.initial_value, _scales(context)
    # timm compares `lr_min` and `eps` with the value times `lr_scale`. `Plateau` has no scale: divide both by it.
    floor, eps = (
        one if scales is None else [one / scale if scale > 0 else 0.0 for scale in scales] for one in (a.lr_min, 1e-8)
    )
    plateau = Plateau(
        a.mode,
        a.decay_rate,
        a.patience_t,
        a.threshold,
        cooldown=a.cooldown_t,
        min_value=floor,
        eps=eps,
        initial_value=value,
        begin=a.warmup_t,
    )
    # Without a warm-up and without noise, the plateau counts metrics.
    counts_epochs = a.warmup_t > 0 or a.noise_range_t is not None
    # timm adds no noise to the warm-up of a plateau.
    whole = _with_noise(_with_warmup(plateau, value, a, True), 1 + a.warmup_t, a)
    whole = _in_events(context, whole, counts_epochs)
    return EntrySchedule(context, lambda value: whole, metric_name=a.metric_name, metric_every=context.every)


# fmt: off
TYPES = {
    "CosineLRScheduler": _row("Half cosines to lr_min, one after another, with a warm-up.",
        {"t_initial": positive, **CYCLES, "k_decay": (positive, 1.0)}, lambda value, a: _restarts(value, Cosine(), a)),
    "MultiStepLRScheduler": _row("Multiplies by decay_rate at each of decay_t, after a warm-up.",
        {"decay_t": list_of_numbers, "decay_rate": (not_negative, 1.0), **WARMUP, "warmup_prefix": (flag, True)},
        _multi_step, starts_initial=False),
    "PlateauLRScheduler": EntryType("Multiplies by decay_rate when a metric has stopped improving, after a warm-up.",
        {"decay_rate": (not_negative, 0.1), "patience_t": (count, 10), "threshold": (number, 1e-4),
        "cooldown_t": (count, 0), **WARMUP, "lr_min": (not_negative, 0.0), "mode": (text, "max"),
        "metric_name": (text, "loss"), "initialize": (flag, True), **NOISE, "noise_type": (text, "normal")},
        _on_plateau),
    "PolyLRScheduler": _row("Polynomial decays to lr_min, one after another, with a warm-up.",
        {"t_initial": positive, "power": (not_negative, 0.5), **CYCLES, "k_decay": (positive, 1.0)},
        lambda value, a: _restarts(value, Polynomial(a.power), a)),
    "StepLRScheduler": _row("Multiplies by decay_rate every decay_t steps, after a warm-up.",
        {"decay_t": positive, "decay_rate": (not_negative, 1.0), **WARMUP, "warmup_prefix": (flag, True)},
        lambda value, a: StepDecay(value, a.decay_rate, a.decay_t)),
    "TanhLRScheduler": _row("Falls to lr_min along hyperbolic tangents, one after another, with a warm-up.",
        {"t_initial": positive, "lb": (number, -7.0), "ub": (number, 3.0), **CYCLES},
        lambda value, a: _restarts(value, Tanh(a.lb, a.ub), a), starts_initial=False, peak_on_curve=True),
    "WSDLRScheduler": _row("A warm-up, a stable phase and a decay.", {"t_initial": at_least_one,
        "decay_t": at_least_one, "lr_min": (not_negative, 0.0),
        "stable_fn": (one_of("constant", "rsqrt", "power"), "constant"), "stable_timescale": (positive, None),
        "stable_power": (positive, 0.5), "decay_fn": (unchecked, "1-sqrt"), "decay_power": (positive, 0.5),
        "decay_ratio": (positive, 0.1), **WARMUP}, _warmup_stable_decay),
}
# fmt: on
