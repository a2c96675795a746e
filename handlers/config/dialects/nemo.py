"""Config types for NeMo's schedules, which stand in the block ``sched:`` of its configs.

The value at event i is NeMo's value at step i. ``max_steps`` is read from the block ``sched``, or else from the block
``trainer``. The default of ``max_steps`` is the number of steps in the run. Keys from which NeMo computes
``max_steps``, such as ``t_max_epochs``, have no effect. Keys for Lightning have no effect either.

Three schedules behave in unusual ways, as in NeMo. ``CosineAnnealing`` with ``constant_steps``, and ``WarmupAnnealing``
after its warm-up, give all param groups the values of the first group. ``T5InverseSquareRootAnnealing`` ignores the
learning rate.

Differences from NeMo:

- A decay of 0 steps is legal. NeMo would divide by 0.
- ``constant_steps`` must leave steps for the decay.
- ``cycle`` is refused without ``hold_steps``.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    fraction,
    minus_one,
    not_negative,
    positive,
    without_effect,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Constant,
    Cosine,
    Curve,
    Linear,
    Polynomial,
    Power,
    PowerDecay,
    Schedule,
    Shift,
    arguments,
)
from lehr.handlers.schedules.arguments import Number

from .language_model_parts import after, annealed, needed_steps, steps_of_run

# A function that makes the decay after the warm-up and the hold. Its arguments are the base value, the arguments of the
# config, and the event at which the decay begins.
Falling = Callable[[Number, SimpleNamespace, int], Schedule]


def _steps(name: str, value: object) -> int | None:
    """Check a number of steps. Return None for -1, and for ``???``, which stands for a value on the command line."""
    if value == "???":
        return None
    steps = arguments.whole_number(name, value, at_least=-1)
    return None if steps == -1 else steps


def _times(value: Number, factor: float) -> Any:
    return (np.asarray(value) * factor).tolist()


def _resolve(a: SimpleNamespace, key: str) -> int:
    """Return a number of steps, which is an argument or a ratio of ``max_steps``."""
    steps, ratio = getattr(a, f"{key}_steps"), getattr(a, f"{key}_ratio")
    if steps is not None and ratio is not None:
        raise ValueError(f"['{key}_ratio'] must not be combined with {key}_steps, given {ratio}")
    return int(ratio * a.max_steps) if ratio is not None else steps or 0


def _phases(base: Number, a: SimpleNamespace, falling: Falling) -> Schedule:
    """Join a warm-up of ``warmup + 1`` events, a hold, a decay until the last step, and ``min_lr`` without an end."""
    parts: list[tuple[Schedule, int]] = []
    first = a.warmup + 1 if a.warmup else 0
    if first:
        parts = [(Anneal(_times(base, 1 / first) if a.low is None else a.low, a.top, a.warmup), first)]
    if a.hold > first:
        parts.append((Constant(base), a.hold - first))
        first = a.hold
    left = a.max_steps + 1 - first
    if left > 0:
        parts.append((falling(base, a, first), left))
    return after(parts, Constant(a.min_lr))


def _row(description: str, own: Arguments, falling: Falling, *, hold: bool = False, least: float = 0.0) -> EntryType:
    """Return an ``EntryType`` whose schedules have a warm-up and need the steps of the run."""

    def build(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        a.max_steps = needed_steps(context, "max_steps", a.max_steps, "the value is min_lr after the last step")
        base = context.initial_value
        a.warmup, a.hold, a.low, a.top = _resolve(a, "warmup"), 0, None, base
        if hold and (a.hold_steps is not None or a.hold_ratio is not None):
            a.hold = _resolve(a, "hold") + a.warmup
        schedule = _phases(base, a, falling)
        return _entry(context, schedule, a)

    more: Arguments = {**HOLD, **own} if hold else own
    return EntryType(description, {**WARMUP, "min_lr": (not_negative, least), **more, **IGNORED}, build, around=AROUND)


def _entry(context: ConfigContext, schedule: Schedule, a: SimpleNamespace) -> EntrySchedule:
    if context.epoch_length is not None:
        raise ValueError("epoch_length must be left out, since NeMo counts steps")
    return EntrySchedule(context, lambda value: schedule, duration=a.max_steps)


def _on_curve(curve: Curve, base: Number, a: SimpleNamespace, first: int, begin: int, stop: int) -> Schedule:
    return annealed(base, a.min_lr, begin, stop, first, curve)


def _bounded(curve: Curve, a: SimpleNamespace, base: Number, first: int, begin: int) -> Schedule:
    """Return a schedule that falls towards 0 and stops at ``min_lr``."""
    return Bounded(annealed(base, _times(base, 0), begin, a.max_steps, first, curve), at_least=a.min_lr)


def _first_group(value: Number) -> float:
    return float(np.atleast_1d(np.asarray(value))[0])


def _cosine(base: Number, a: SimpleNamespace, first: int) -> Schedule:
    if np.any(np.asarray(base) < a.min_lr):
        raise ValueError(f"['min_lr'] must be at most the learning rate, {base}, given {a.min_lr}")
    constant = _resolve(a, "constant")
    if not constant:
        return _on_curve(Cosine(), base, a, first, a.warmup, a.max_steps)
    stop = a.max_steps - constant
    if stop <= a.warmup:
        raise ValueError(f"['constant_steps'] must leave steps for the decay, given {constant}")
    return annealed(_first_group(base), a.min_lr, a.warmup, stop, first, Cosine())


def _cosine_row(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    a.max_steps = needed_steps(context, "max_steps", a.max_steps, "the values depend on it")
    base = context.initial_value
    a.warmup, a.hold, a.low, a.top = _resolve(a, "warmup"), 0, None, base
    if _resolve(a, "constant"):
        a.low, a.top = 0.0, _first_group(base)
        if a.top <= a.min_lr:
            raise ValueError(f"['min_lr'] must be less than the learning rate, {a.top}, given {a.min_lr}")
    return _entry(context, _phases(base, a, _cosine), a)


def _noam(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    steps = steps_of_run(context, "max_steps", a.max_steps)
    if a.warmup_ratio is not None:
        steps = needed_steps(context, "max_steps", a.max_steps, "warmup_ratio is a part of max_steps")
    a.max_steps = steps
    base, warmup = context.initial_value, _resolve(a, "warmup")
    if np.any(np.asarray(base) < a.min_lr):
        raise ValueError(f"['min_lr'] must be at most the learning rate, {base}, given {a.min_lr}")
    scaled = _times(base, a.d_model**-0.5)
    first = warmup + 1 if warmup else 0
    falling: Schedule = PowerDecay(_times(scaled, max(first, 1) ** -0.5), max(first, 1))
    parts: list[tuple[Schedule, int]] = [(Constant(scaled), 1)]
    if warmup:
        top = _times(scaled, warmup**-0.5)
        rising = Anneal(_times(scaled, 0), top, warmup)
        parts = [(Constant(_times(top, 1 / warmup)), 1), (Shift(rising, by=1), warmup)]
        return _entry(context, after(parts, Bounded(falling, at_least=a.min_lr)), a)
    return _entry(context, Bounded(after(parts, falling), at_least=a.min_lr), a)


def _noam_hold(base: Number, a: SimpleNamespace, first: int) -> Schedule:
    if not a.warmup:
        raise ValueError("['warmup_steps'] must be at least 1, given 0")
    begin = first - (a.hold - a.warmup if a.hold else 0)  # NeMo does not count the events of the hold in the decay
    level = _times(base, (a.warmup / begin) ** a.decay_rate)
    return Bounded(PowerDecay(level, begin, a.decay_rate), at_least=a.min_lr)


def _inverse_square_root(base: Number, a: SimpleNamespace, first: int) -> Schedule:
    return PowerDecay(_times(base, ((a.warmup + 1) / (first + 1)) ** 0.5), first + 1)


def _t5(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    a.max_steps = needed_steps(context, "max_steps", a.max_steps, "the value is min_lr after the last step")
    first = a.constant_steps + 1
    decay = PowerDecay(first**-0.5, first)
    parts: list[tuple[Schedule, int]] = [(Constant(a.constant_steps**-0.5), first), (decay, a.max_steps + 1 - first)]
    return _entry(context, after(parts, Constant(a.min_lr)), a)


def _poly_hold(base: Number, a: SimpleNamespace, first: int) -> Schedule:
    stop = a.hold + a.max_steps - max(a.warmup, a.hold)
    if a.cycle and stop < a.max_steps:
        raise ValueError("['cycle'] must be false without hold_steps, given True")
    return _on_curve(Polynomial(a.power), base, a, first, a.hold, stop)


# fmt: off
WARMUP: Arguments = {"warmup_steps": (count, None), "warmup_ratio": (fraction, None), "max_steps": (_steps, None)}
HOLD: Arguments = {"hold_steps": (count, None), "hold_ratio": (fraction, None)}
POLYNOMIAL: Arguments = {"power": (not_negative, 1.0), "cycle": (flag, False)}
IGNORED: Arguments = {
    **dict.fromkeys(("t_max_epochs", "t_accumulate_grad_batches", "t_limit_train_batches", "t_num_workers",
        "iters_per_batch", "monitor", "reduce_on_plateau"), (without_effect, None)), "last_epoch": (minus_one, -1),
}
AROUND = {"max_steps": ("trainer.max_steps",)}
TYPES = {
    "CosineAnnealing": EntryType("A warm-up, half a cosine to min_lr, and min_lr.", {**WARMUP,
        "constant_steps": (count, None), "constant_ratio": (fraction, None), "min_lr": (not_negative, 0.0), **IGNORED},
        _cosine_row, around=AROUND),
    "InverseSquareRootAnnealing": _row("A warm-up, then a fall with the square root of the step.", {},
        _inverse_square_root),
    "NoamAnnealing": EntryType("A warm-up and a fall with the square root of the step, scaled by the model's size.",
        {"d_model": positive, **WARMUP, "min_lr": (not_negative, 0.0), **IGNORED}, _noam, around=AROUND),
    "NoamHoldAnnealing": _row("A warm-up, a hold, then a fall with a power of the step.",
        {"decay_rate": (not_negative, 0.5)}, _noam_hold, hold=True),
    "PolynomialDecayAnnealing": _row("A warm-up, then a polynomial decay to min_lr.", POLYNOMIAL,
        lambda base, a, first: _on_curve(Polynomial(a.power), base, a, first, a.warmup, a.max_steps)),
    "PolynomialHoldDecayAnnealing": _row("A warm-up, a hold, then a polynomial decay to min_lr.", POLYNOMIAL,
        _poly_hold, hold=True),
    "SquareAnnealing": _row("A warm-up, then the square of the steps that are left.", {},
        lambda base, a, first: _bounded(Polynomial(2.0), a, base, first, a.warmup), least=1e-5),
    "SquareRootAnnealing": _row("A warm-up, then the square root of the steps that are left.", {},
        lambda base, a, first: _bounded(Polynomial(0.5), a, base, first, 0)),
    "T5InverseSquareRootAnnealing": EntryType("One over the square root of the step, constant at first.",
        {"constant_steps": at_least_one, "max_steps": (_steps, None), "min_lr": (not_negative, 0.0),
        **IGNORED}, _t5, around=AROUND),
    "WarmupAnnealing": _row("A warm-up, then a straight line to min_lr.", {},
        lambda base, a, first: annealed(_first_group(base), a.min_lr, a.warmup, a.max_steps, first, Linear())),
    "WarmupHoldAnnealLinear": _row("A warm-up, a hold, then a straight line to min_lr.", {},
        lambda base, a, first: _on_curve(Linear(), base, a, first, a.hold, a.max_steps), hold=True),
    "WarmupHoldAnnealOneMinusSquareRoot": _row("A warm-up, a hold, then one minus the square root of the progress.", {},
        lambda base, a, first: _bounded(Power(0.5), a, base, first, a.hold), hold=True),
    "WarmupHoldPolicy": _row("A warm-up, then the learning rate.", {}, lambda base, a, first: Constant(base),
        hold=True),
    "WarmupPolicy": _row("A warm-up, then the learning rate.", {}, lambda base, a, first: Constant(base)),
}
# fmt: on
