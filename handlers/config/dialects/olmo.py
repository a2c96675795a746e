"""Config types for the schedulers of OLMo-core, named by class, and of OLMo 1, named as in its configs.

OLMo counts steps from 1, so the value at event i is OLMo's value at step i + 1. With ``units: tokens``, the config must
say how many tokens a step has. OLMo-core has this number in ``data_loader.global_batch_size``. OLMo 1 has
``global_train_batch_size`` and ``model.max_sequence_length`` instead. In contrast to OLMo, the value stays constant
after the last step, and during a decay of 0 steps.
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_validators import at_least_one, fraction, not_negative, one_of, text, unchecked
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, build, read_entries
from lehr.handlers.config.entry_schedules import EntrySchedule, number_at
from lehr.handlers.schedules import Anneal, Constant, Cosine, Curve, Linear, Product, Schedule, Shift, arguments
from lehr.handlers.schedules.arguments import Number

from .language_model_parts import after, annealed, level_above

# A function that makes a schedule from the learning rate and the number of steps, which is None if it is unknown.
InSteps = Callable[[Number, float | None], Schedule]


def _duration(name: str, value: object) -> float | None:
    """Return the steps of a run, from a number or a mapping. Return None if its ``unit`` is not steps."""
    if isinstance(value, dict):
        unit, value = value.get("unit"), value.get("value")
        return arguments.number(name, value, above=0) if unit == "steps" else None
    if isinstance(value, str):
        return None
    return arguments.number(name, value, above=0)


def _fraction_or_none(name: str, value: object) -> float | None:
    """Check a fraction. None is legal, because a config with a number of steps sets the fraction to null."""
    return None if value is None else fraction(name, value)


def _steps(a: SimpleNamespace, key: str, units: float | None, *names: str) -> float:
    """Return a number of steps, either from an argument with one of ``names`` or as a fraction of ``units``."""
    part = getattr(a, f"{key}_fraction", None)
    given = [(name, getattr(a, name)) for name in names if getattr(a, name, None) is not None]
    if len(given) + (part is not None) != 1:
        raise ValueError(f"[{key!r}] or ['{key}_fraction'] must be given, but not both, found {given} and {part}")
    if part is None:
        return float(given[0][1] / a.scale)
    return float(round(_known(units) * part) / a.scale)


def _units(a: SimpleNamespace, steps: float | None) -> float | None:
    return None if steps is None else steps * a.scale


def _known(steps: float | None) -> float:
    if steps is None:
        raise ValueError("the steps of the run must be given to configure_scheduler as total_steps")
    return steps


def _warmed(a: SimpleNamespace, base: Number, warmup: float, events: int) -> list[tuple[Schedule, int]]:
    low: Any = a.warmup_min_lr
    if low is None:
        low = (0.1 * np.asarray(base)).tolist()
    if warmup and np.any(np.asarray(low) >= np.asarray(base)):
        raise ValueError(f"['warmup_min_lr'] must be less than the learning rate, {base}, given {low}")
    return [(Anneal(low, base, max(warmup, 1)), events)]


def _constant(a: SimpleNamespace, base: Number, steps: float | None) -> Schedule:
    return Constant(base)


def _constant_with_warmup(a: SimpleNamespace, base: Number, steps: float | None) -> Schedule:
    warmup = _steps(a, "warmup", _units(a, steps), *WARMUPS)
    return after(_warmed(a, base, warmup, math.ceil(warmup)), Constant(base))


def _warmup_stable_decay(a: SimpleNamespace, base: Number, steps: float | None) -> Schedule:
    warmup, whole = _steps(a, "warmup", _units(a, steps), *WARMUPS), _known(steps)
    decay = _steps(a, "decay", _units(a, steps), "decay", "decay_steps")
    if np.any(a.decay_min_lr >= np.asarray(base)):
        raise ValueError(f"['decay_min_lr'] must be less than the learning rate, {base}, given {a.decay_min_lr}")
    first = math.floor(warmup) + 1 if warmup else 0
    parts = _warmed(a, base, warmup, first)
    if not decay:
        return after(parts, Constant(base))
    falling = max(first, math.ceil(whole - decay))
    parts.append((Constant(base), falling - first))
    return after(parts, annealed(base, a.decay_min_lr, whole - decay, whole, falling, Linear()))


def _on_curve(curve: Curve) -> Callable[[SimpleNamespace, Number, float | None], Schedule]:
    def make(a: SimpleNamespace, base: Number, steps: float | None) -> Schedule:
        units = _known(_units(a, steps)) if a.t_max is None else a.t_max
        whole, warmup = units / a.scale, _steps(a, "warmup", units, *WARMUPS)
        first, end = math.ceil(warmup), (a.alpha_f * np.asarray(base)).tolist()
        return after(_warmed(a, base, warmup, first), annealed(base, end, warmup, whole, first, curve))

    return make


def _inverse_square_root(a: SimpleNamespace, base: Number, steps: float | None) -> Schedule:
    warmup = _steps(a, "warmup", _units(a, steps), *WARMUPS)
    first = max(math.ceil(warmup), 1)
    lowest = getattr(a, "alpha_f", 0.0)
    start = lowest + (1 - lowest) * math.sqrt(warmup / first)
    falling = Product([Constant(base), level_above(lowest, start, first)])
    return after(_warmed(a, base, warmup, first), falling)


def _sequential(context: ConfigContext, a: SimpleNamespace) -> InSteps:
    """Return a function that joins schedulers. Each scheduler starts from the last value of the one before it."""
    given = a.schedulers_max if a.schedulers_max_steps is None else a.schedulers_max_steps
    entries = read_entries(f"{a.where}['schedulers']", a.schedulers)
    if not isinstance(given, list | tuple) or len(given) not in (len(entries) - 1, len(entries)):
        raise ValueError(
            f"['schedulers_max'] must be a list of {len(entries) - 1} numbers of steps, given {arguments.shown(given)}"
        )
    lengths = [arguments.whole_number(f"['schedulers_max'][{at}]", one, at_least=1) for at, one in enumerate(given)]
    inner = [_inner(context, entry) for entry in entries]

    def make(base: Number, steps: float | None) -> Schedule:
        parts: list[tuple[Schedule, int]] = []
        for one, length in zip(inner[:-1], lengths, strict=False):
            made = one(base, length if steps is None else min(steps, length))
            parts.append((Shift(made, by=1) if parts else made, length + (not parts)))
            base, steps = number_at(one(base, length), length), None if steps is None else steps - length
        if steps is not None and steps <= 0:
            raise ValueError(f"['schedulers_max'] must be shorter than the run, given {arguments.shown(given)}")
        last = inner[-1](base, steps)
        return after(parts, Shift(last, by=1) if parts else last)

    return make


def _inner(context: ConfigContext, entry: Entry) -> InSteps:
    prefix, _, name = entry.type.rpartition(".")
    if prefix != "olmo" or name not in INNER:
        raise ValueError(f"{entry.where}['type'] must be a scheduler of OLMo-core, given {arguments.shown(entry.type)}")
    if entry.values.get("units", "steps") != "steps":
        raise ValueError(f"{entry.where}['units'] must be 'steps' in a sequence, given 'tokens'")
    made: InSteps = build(INNER[name], entry, context)
    return made


def _row(
    description: str, own: Arguments, in_steps: Callable[[SimpleNamespace, Number, float | None], Schedule]
) -> EntryType:
    def inner(context: ConfigContext, a: SimpleNamespace) -> InSteps:
        a.scale = 1.0 if a.units == "steps" else _tokens(a)
        return lambda base, steps: in_steps(a, base, steps)

    return EntryType(description, {**own, **COMMON}, inner)


def _tokens(a: SimpleNamespace) -> float:
    if a.global_batch_size is not None:
        return float(a.global_batch_size)
    if None in (a.global_train_batch_size, a.max_sequence_length):
        raise ValueError("['global_batch_size'], the tokens of a step, must be given, since units is 'tokens'")
    return float(a.global_train_batch_size * a.max_sequence_length)


def _outermost(row: EntryType) -> EntryType:
    """Return an ``EntryType`` whose schedules have, at event i, the value of ``row`` at step i + 1."""

    def outer(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        if context.epoch_length is not None and context.run.steps is None:
            raise ValueError("total_steps must be given, since OLMo counts steps")
        steps = context.run.steps if a.max_duration is None else a.max_duration
        if None not in (steps, context.run.steps) and steps != context.run.steps:
            raise ValueError(f"['max_duration'] must be {context.run.steps}, the steps of the run, given {steps:g}")
        schedule = Shift(row.build(context, a)(context.initial_value, steps), by=1)
        return EntrySchedule(context, lambda value: schedule, duration=None if steps is None else int(steps))

    return EntryType(row.description, row.arguments, outer, around=AROUND)


WARMUPS = ("warmup", "warmup_steps", "t_warmup")
AROUND = {
    "max_duration": ("trainer.max_duration", "max_duration"),
    "global_batch_size": ("data_loader.global_batch_size",),
    "global_train_batch_size": ("global_train_batch_size",),
    "max_sequence_length": ("model.max_sequence_length",),
}
# fmt: off
COMMON: Arguments = {
    "units": (one_of("steps", "tokens"), "steps"), "lr_field": (text, "lr"), "initial_lr_field": (text, "initial_lr"),
    "max_duration": (_duration, None), "global_batch_size": (at_least_one, None),
    "global_train_batch_size": (at_least_one, None), "max_sequence_length": (at_least_one, None),
}
STEPS = not_negative
WARMUP: Arguments = {"warmup": (STEPS, None), "warmup_steps": (STEPS, None), "warmup_fraction": (fraction, None),
    "warmup_min_lr": (not_negative, 0.0)}
CURVE: Arguments = {"alpha_f": (not_negative, 0.1), "t_max": (STEPS, None)}
OF_1: Arguments = {"t_warmup": (STEPS, 100), "warmup_min_lr": (not_negative, None), **CURVE,
    "grad_clip_warmup_steps": (not_negative, None), "grad_clip_warmup_factor": (not_negative, None)}
INNER = {
    "ConstantScheduler": _row("The initial value.", {}, _constant),
    "ConstantWithWarmup": _row("A linear warm-up, then the initial value.", WARMUP, _constant_with_warmup),
    "CosWithWarmup": _row("A linear warm-up, then half a cosine to alpha_f.", {**WARMUP, **CURVE}, _on_curve(Cosine())),
    "InvSqrtWithWarmup": _row("A linear warm-up, then a fall with the square root of the step.",
        {**WARMUP, "alpha_f": (not_negative, 0.1)}, _inverse_square_root),
    "LinearWithWarmup": _row("A linear warm-up, then a straight line to alpha_f.", {**WARMUP, **CURVE},
        _on_curve(Linear())),
    "WSD": _row("A warm-up, a stable phase and a decay.", {**WARMUP, "decay": (STEPS, None),
        "decay_steps": (STEPS, None), "decay_fraction": (_fraction_or_none, 0.1), "decay_min_lr": (not_negative, 0.0)},
        _warmup_stable_decay),
}
SEQUENTIAL = EntryType("Schedulers of OLMo-core one after another.", {"schedulers": unchecked,
    "schedulers_max": (unchecked, None), "schedulers_max_steps": (unchecked, None), **COMMON}, _sequential)
OLMO_1 = {
    "constant_with_warmup": _row("A linear warm-up, then the initial value.", OF_1, _constant_with_warmup),
    "cosine_with_warmup": _row("A linear warm-up, then half a cosine to alpha_f.", OF_1, _on_curve(Cosine())),
    "linear_with_warmup": _row("A linear warm-up, then a straight line to alpha_f.", OF_1, _on_curve(Linear())),
}
# fmt: on
TYPES = {name: _outermost(row) for name, row in {**INNER, "SequentialScheduler": SEQUENTIAL, **OLMO_1}.items()}
