"""Config types for fairseq's schedules, which stand in the section ``lr_scheduler`` of its configs.

The value at event i is the value that fairseq's ``step_update(i)`` sets. fairseq trains update i + 1 with this value.
``lr`` and ``max_update`` are keys of the section ``optimization``. If ``lr`` is a list, it has one learning rate for
each epoch. A list in ``lr`` needs ``epoch_length``, and so does ``force_anneal``.

As in fairseq, a polynomial decay uses the second learning rate of a list in the first epoch. The warm-up of a
polynomial decay begins at 0, and the warm-up of a fixed schedule begins at ``lr / warmup_updates``.

Differences from fairseq:

- With ``t_mult``, each later period of a cosine starts from the top. fairseq rounds a logarithm, so the first step of a
  period may have the last value of the period before.
- The sum of ``phase_ratio`` may differ from 1 by a rounding error.
- A polynomial decay refuses ``force_anneal``, unless its epoch comes after the last epoch.
- A cosine refuses a ``t_mult`` below 1.
- An inverse square root refuses a warm-up of 0 updates, for which fairseq would divide by 0.
"""

import math
from functools import partial
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    list_of_numbers,
    not_negative,
    number,
    positive,
    positive_fraction,
    text,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Concatenation,
    Constant,
    Cosine,
    Cyclic,
    ExponentialDecay,
    PiecewiseConstant,
    Plateau,
    Polynomial,
    PowerDecay,
    Product,
    Restarts,
    Schedule,
    Shift,
    Stairs,
    StepDecay,
    Stretch,
    arguments,
)

from .language_model_parts import after, annealed, needed_steps


def rates(name: str, value: Any) -> list[float]:
    """Return learning rates as a list, from a number, a list of numbers, or a string of numbers with commas."""
    if isinstance(value, str):
        try:
            value = [float(one) for one in value.split(",")]
        except ValueError:
            raise ValueError(f"{name} must be a number or a list of numbers, given {arguments.shown(value)}") from None
    given = [not_negative(name, one) for one in list_of_numbers(name, value if isinstance(value, list) else [value])]
    if not given:
        raise ValueError(f"{name} must have at least one number, given none")
    return given


def steps(name: str, value: Any) -> int | None:
    """Check a number of updates. Return None for 0, which means that no number is set."""
    return int(count(name, value)) or None


def _rates_of(context: ConfigContext, a: SimpleNamespace) -> list[float]:
    if a.lr is not None:
        return list(a.lr)
    base = context.initial_value
    if not isinstance(base, int | float):
        raise ValueError(
            f"['lr'] must be a number, since fairseq has one learning rate for all param groups, given {base}"
        )
    return [base]


def _rate(context: ConfigContext, a: SimpleNamespace) -> float:
    given = _rates_of(context, a)
    if len(given) > 1:
        raise ValueError(
            f"['lr'] must be one number, since only fixed and polynomial schedules take lists, given {given}"
        )
    return given[0]


def _entry(context: ConfigContext, schedule: Schedule, **more: Any) -> EntrySchedule:
    return EntrySchedule(context, lambda value: schedule, **more)


def _warmed_up(a: SimpleNamespace, least: float, top: float, rest: Schedule) -> Schedule:
    """Put a linear warm-up before ``rest``. If ``warmup_init_lr`` is negative, it begins at ``least``."""
    low = least if a.warmup_init_lr < 0 else a.warmup_init_lr
    return after([(Anneal(low, top, a.warmup_updates), a.warmup_updates)] if a.warmup_updates else [], rest)


def _epoch_length(context: ConfigContext) -> int:
    length = context.run.epoch_length
    if length is None:
        raise ValueError("epoch_length of configure_scheduler must be the updates in an epoch, given None")
    return length


def _in_epochs(context: ConfigContext, schedule: Schedule) -> Schedule:
    return Stretch(schedule, _epoch_length(context))


def _of_epochs(context: ConfigContext, given: list[float]) -> Schedule:
    """Return a schedule with one learning rate for each epoch."""
    if len(given) == 1:
        return Constant(given[0])
    return _in_epochs(context, PiecewiseConstant(given, list(range(1, len(given)))))


def _fixed(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    given = _rates_of(context, a)
    whole = _of_epochs(context, given)
    if a.force_anneal is not None:
        first = max(a.force_anneal - 1, 0)  # fairseq counts epochs from 1
        fall = ExponentialDecay(given[-1] * a.lr_shrink ** (first + 2 - a.force_anneal), a.lr_shrink)
        before = PiecewiseConstant(given, list(range(1, len(given)))) if len(given) > 1 else Constant(given[0])
        whole = _in_epochs(context, after([(before, first)], fall))
    if a.warmup_updates > 1:
        factors = Anneal(1 / a.warmup_updates, 1.0, a.warmup_updates - 1)
        whole = Product([whole, factors])
    return _entry(context, whole)


def _inverse_square_root(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    top = _rate(context, a)
    return _entry(context, _warmed_up(a, 0.0, top, PowerDecay(top, a.warmup_updates)))


def _cosine(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    top = _rate(context, a)
    least = min(a.min_lr, top)
    period = a.lr_period_updates
    if period <= 0:
        period = needed_steps(context, "max_update", a.max_update, "a period ends with the run") - a.warmup_updates
        if period <= 0:
            raise ValueError(f"['warmup_updates'] must be less than max_update, given {a.warmup_updates}")
    if a.t_mult < 1:
        raise ValueError(f"['t_mult'] must be at least 1, given {a.t_mult}")
    cycles = Restarts(top, least, period, a.t_mult, curve=Cosine())
    shrinking = Restarts(1.0, 0.0, period, a.t_mult, a.lr_shrink, curve=Stairs(1))
    return _entry(context, _warmed_up(a, least, top, Product([cycles, shrinking])))


def _polynomial(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    stop = a.total_num_update
    if stop is None:
        stop = needed_steps(context, "max_update", a.max_update, "the decay ends with the run")
    if a.force_anneal is not None:
        epochs = context.run.epochs or a.max_epoch
        if epochs is None or epochs >= a.force_anneal:
            raise ValueError(f"['force_anneal'] must be left out, or be after the last epoch, given {a.force_anneal}")
    given = _rates_of(context, a)
    schedules = [_polynomial_of(one, stop, a) for one in (given[1:] or given)]
    if len(schedules) == 1:
        return _entry(context, schedules[0])
    length = _epoch_length(context)
    parts = [Shift(one, by=at * length) for at, one in enumerate(schedules)]
    return _entry(context, Concatenation(parts, [length] * (len(parts) - 1)))


def _polynomial_of(top: float, stop: float, a: SimpleNamespace) -> Schedule:
    warmup = a.warmup_updates
    first = warmup + 1 if warmup else 0
    parts: list[tuple[Schedule, int]] = [(Anneal(0.0, top, warmup), first)] if warmup else []
    if not a.power:
        return after([*parts, (Constant(top), math.ceil(stop) - first)], Constant(a.end_learning_rate))
    return after(parts, annealed(top, a.end_learning_rate, warmup, stop, first, Polynomial(a.power)))


def _plateau(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    top, every = _rate(context, a), _epoch_length(context)
    # The plateau does not count epochs that end during the warm-up.
    begin = a.warmup_updates // every
    mode = "max" if a.maximize_best_checkpoint_metric else "min"
    plateau = Plateau(mode, a.lr_shrink, a.lr_patience, a.lr_threshold, initial_value=top, begin=begin)
    whole = _warmed_up(a, 0.0, top, plateau)
    return _entry(context, whole, metric_name=a.metric_name, metric_every=every)


def _step(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    top = _rate(context, a)
    if top <= a.min_lr:
        raise ValueError(f"['min_lr'] must be less than the learning rate, {top}, given {a.min_lr}")
    falling = Bounded(StepDecay(top, a.lr_decay, a.lr_deacy_period), at_least=a.min_lr)
    return _entry(context, _warmed_up(a, a.min_lr, top, falling))


def _tri_stage(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    top = _rate(context, a)
    lengths = [a.warmup_steps, a.hold_steps, a.decay_steps]
    if a.phase_ratio is not None:
        if len(a.phase_ratio) != 3 or not math.isclose(sum(a.phase_ratio), 1, rel_tol=1e-9):
            raise ValueError(f"['phase_ratio'] must be three numbers whose sum is 1, given {a.phase_ratio}")
        whole = needed_steps(context, "max_update", a.max_update, "phase_ratio divides the run")
        lengths = [int(whole * ratio) for ratio in a.phase_ratio]
    warmup, hold, decay = lengths
    if not decay:
        raise ValueError(f"['decay_steps'] must be at least 1, given {decay}")
    rising, falling = Anneal(a.init_lr_scale * top, top, warmup), ExponentialDecay(top, a.final_lr_scale, decay)
    parts = [(rising, warmup), (Constant(top), hold), (falling, decay)]
    return _entry(context, after(parts, Constant(top * a.final_lr_scale)))


def _triangular(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    least, half = _rate(context, a), int(a.lr_period_updates // 2)
    if a.max_lr <= least:
        raise ValueError(f"['max_lr'] must be more than lr, {least}, given {a.max_lr}")
    if not half:
        raise ValueError(f"['lr_period_updates'] must be at least 2, given {a.lr_period_updates}")
    if a.shrink_min:
        cycles = Cyclic(least, a.max_lr, half, half)
        return _entry(context, Product([cycles, ExponentialDecay(1.0, a.lr_shrink, 2 * half, staircase=True)]))
    height = partial(_height, least, a.max_lr, a.lr_shrink)
    return _entry(context, Cyclic(least, a.max_lr, half, half, scale_fn=height))


def _height(least: float, top: float, shrink: float, cycle: int) -> float:
    """Return the height of the triangle of a cycle, divided by the height of the first triangle."""
    return (top * shrink ** (cycle - 1) - least) / (top - least)


# fmt: off
LR: Arguments = {"lr": (rates, None)}
RUN: Arguments = {"max_update": (steps, None)}
SHRINK: Arguments = {"lr_shrink": (positive, 0.1)}
WARMUP: Arguments = {"warmup_updates": (count, 0)}
RISING: Arguments = {**WARMUP, "warmup_init_lr": (number, -1.0)}
TYPES = {
    "CosineLRSchedule": EntryType("Half cosines to min_lr, each lr_shrink times the one before, after a warm-up.",
        {**RISING, **LR, **RUN, **SHRINK, "min_lr": (not_negative, 0.0), "t_mult": (positive, 1.0),
        "lr_period_updates": (number, -1.0)}, _cosine),
    "FixedLRSchedule": EntryType("A learning rate for each epoch, falling from force_anneal on, after a warm-up.",
        {**WARMUP, **LR, **SHRINK, "force_anneal": (count, None)}, _fixed),
    "InverseSquareRootSchedule": EntryType("A warm-up, then a fall with the square root of the update.",
        {**RISING, **LR, "warmup_updates": (at_least_one, 4000)}, _inverse_square_root),
    "PolynomialDecayLRSchedule": EntryType("A warm-up from 0, then a polynomial decay to end_learning_rate.",
        {**WARMUP, **LR, **RUN, "force_anneal": (count, None), "end_learning_rate": (not_negative, 0.0),
        "power": (not_negative, 1.0), "total_num_update": (positive, None), "max_epoch": (steps, None)}, _polynomial),
    "ReduceLROnPlateauLRSchedule": EntryType("A warm-up, then lr_shrink times less when a metric has not improved.",
        {**RISING, **LR, "lr_shrink": (positive, 0.1), "lr_threshold": (number, 1e-4), "lr_patience": (count, 0),
        "maximize_best_checkpoint_metric": (flag, False), "metric_name": (text, "loss")}, _plateau),
    "StepLRSchedule": EntryType("Multiplies by lr_decay every lr_deacy_period updates, after a warm-up.",
        {**RISING, **LR, "min_lr": (not_negative, 0.0), "lr_deacy_period": (at_least_one, 25000),
        "lr_decay": (positive_fraction, 0.5)}, _step),
    "TriStageLRSchedule": EntryType("A warm-up, a hold, an exponential decay, and its end.", {**LR, **RUN,
        **dict.fromkeys(("warmup_steps", "hold_steps", "decay_steps"), (count, 0)),
        "phase_ratio": (list_of_numbers, None), "init_lr_scale": (not_negative, 0.01),
        "final_lr_scale": (positive, 0.01)}, _tri_stage),
    "TriangularLRSchedule": EntryType("Triangles between lr and max_lr, each lr_shrink times as high as the last one.",
        {**LR, **SHRINK, "max_lr": positive, "lr_period_updates": (positive, 5000.0), "shrink_min": (flag, False)},
        _triangular),
}
# fmt: on
