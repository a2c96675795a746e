"""Config type for the command-line flags of Megatron-LM that configure its ``OptimizerParamScheduler``.

The value at event i is Megatron's value at iteration i, counted from 0. ``weight_decay_incr_style`` makes a second
schedule, for the weight decay. The keys ``max_lr``, ``min_lr`` and ``wd_mult`` of a param group have the same meaning
as in Megatron. If only some groups have a weight decay of 0, these groups keep a weight decay of 0.

Three flags about loading a checkpoint have no effect: ``override_opt_param_scheduler``,
``use_checkpoint_opt_param_scheduler`` and ``no_load_lr_state``. In contrast to Megatron, ``train_iters`` may be missing
if no value depends on it.
"""

import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_validators import at_least_one, count, flag, fraction, not_negative, number, one_of
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType, Recognition
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Concatenation,
    Constant,
    Cosine,
    Curve,
    Exponential,
    Linear,
    Power,
    PowerDecay,
    Schedule,
)
from lehr.handlers.schedules.arguments import Number

from .language_model_parts import after, annealed, steps_of_run, whole_if_near

CURVES: dict[str, Curve] = {"linear": Linear(), "cosine": Cosine()}
LAST_CURVES: dict[str, Curve] = {**CURVES, "exponential": Exponential(0.5), "minus_sqrt": Power(0.5)}


def _lengths(context: ConfigContext, a: SimpleNamespace) -> None:
    """Store the lengths of the warm-up, the decay and its last phase in ``a``, in iterations that may be fractions."""
    in_samples = a.train_iters is None and a.train_samples is not None
    unit, other = ("samples", "iters") if in_samples else ("iters", "samples")
    for key in (f"lr_decay_{other}", f"lr_warmup_{other}", f"lr_wsd_decay_{other}"):
        if getattr(a, key):
            raise ValueError(
                f"[{key!r}] must be left out in a run that counts {unit}: use {key.replace(other, unit)!r}, "
                f"given {getattr(a, key)}"
            )
    if a.train_iters is not None and a.train_samples is not None:
        raise ValueError(f"['train_samples'] must not be combined with train_iters, given {a.train_samples}")
    size = _batch_size(a, "the run counts samples") if in_samples else 1
    own = None if a.train_samples is None else a.train_samples // size
    a.iterations = steps_of_run(context, "train_samples" if in_samples else "train_iters", own or a.train_iters)
    a.whole = a.train_samples / size if in_samples else a.iterations
    given = getattr(a, f"lr_decay_{unit}")
    a.decay = a.whole if given is None else given / size
    if a.decay is None and (a.lr_decay_style != "constant" or a.lr_warmup_fraction is not None):
        raise ValueError(
            "['train_iters'] or total_steps of configure_scheduler must be given, since the values depend on it"
        )
    warmup = getattr(a, f"lr_warmup_{unit}")
    if a.lr_warmup_fraction is not None and warmup:
        raise ValueError(f"['lr_warmup_{unit}'] must not be combined with lr_warmup_fraction, given {warmup}")
    a.warmup = warmup / size if a.lr_warmup_fraction is None else whole_if_near(a.lr_warmup_fraction * a.decay)
    if a.decay is not None and a.warmup >= a.decay:
        raise ValueError(f"the warm-up must be shorter than the decay, {a.decay:g} iterations, given {a.warmup:g}")
    last = getattr(a, f"lr_wsd_decay_{unit}")
    a.last = None if last is None else last / size


def _batch_size(a: SimpleNamespace, why: str) -> int:
    if a.global_batch_size is None:
        raise ValueError(f"['global_batch_size'] must be given, since {why}")
    return int(a.global_batch_size)


def _of_groups(context: ConfigContext, key: str, value: Any) -> Any:
    """Return one value for all param groups, or a list if some groups have their own value under ``key``."""
    values = [group.get(key, value) for group in context.optimizer.param_groups]
    if isinstance(value, list | tuple):
        groups = zip(context.optimizer.param_groups, value, strict=True)
        values = [group.get(key, one) for group, one in groups]
    return values[0] if all(one == values[0] for one in values) else values


def _rates(a: SimpleNamespace, top: Number, low: Any) -> Schedule:
    """Return the schedule of the learning rate, which is a warm-up and then a decay."""
    first = math.floor(a.warmup) + 1 if a.warmup else 0
    parts: list[tuple[Schedule, int]] = []
    if first:
        parts = [(Anneal(a.lr_warmup_init, top, max(a.warmup, 1)), first)]
    if a.lr_decay_style == "constant":
        return after(parts, Constant(top))
    if a.lr_decay_style in CURVES:
        return after(parts, annealed(top, low, a.warmup, a.decay, first, CURVES[a.lr_decay_style]))
    if a.lr_decay_style == "WSD":
        if not a.last:
            raise ValueError("['lr_wsd_decay_iters'] must be at least 1 for the style 'WSD', given nothing")
        begin = whole_if_near(a.decay - a.last)
        falling = max(math.floor(begin) + 1, first)
        parts.append((Constant(top), falling - first))
        return after(parts, annealed(top, low, begin, a.decay, falling, LAST_CURVES[a.lr_wsd_decay_style]))
    if isinstance(low, list | tuple):
        raise ValueError("['min_lr'] must be the same in all param groups for the style 'inverse-square-root'")
    parts.append((Bounded(_inverse_square_root(a, top, first), at_least=low), math.floor(a.decay) + 1 - first))
    return after(parts, Constant(low))


def _inverse_square_root(a: SimpleNamespace, top: Number, first: int) -> Schedule:
    """Return the decay from event ``first`` on. Without a warm-up, the decay depends on the batch size."""
    if first > 1 or a.warmup >= 1:
        return PowerDecay((np.asarray(top) * math.sqrt(a.warmup / first)).tolist(), first)
    size = _batch_size(a, "an inverse square root without a warm-up depends on it")
    level = (np.asarray(top) * math.sqrt(max(a.warmup, 1 / size))).tolist()
    return PowerDecay(level, 1) if first else Concatenation([Constant(top), PowerDecay(level, 1)], [1])


def _weight_decay(context: ConfigContext, a: SimpleNamespace) -> tuple[EntrySchedule, ...]:
    """Return a tuple with the schedule of the weight decay. If the config has no such schedule, it is empty."""
    start, end, style = a.start_weight_decay, a.end_weight_decay, a.weight_decay_incr_style
    if (start is None) != (end is None) or (start is None and style != "constant"):
        raise ValueError(f"['start_weight_decay'] and end_weight_decay must be numbers, given {start} and {end}")
    if start is None:
        return ()
    if end < start or (style == "constant" and end != start):
        rule = "start_weight_decay" if style == "constant" else "at least start_weight_decay"
        raise ValueError(f"['end_weight_decay'] must be {rule}, {start}, given {end}")
    if context.param_name != "lr":
        raise ValueError("['start_weight_decay'] must be left out for a parameter other than 'lr'")
    own = context.of("weight_decay")
    has_some = any(own.initial_values)
    zeros = [bool(has_some and not one) for one in own.initial_values]
    factors = np.array([g.get("wd_mult", 0.0 if z else 1.0) for g, z in zip(own.slot.groups(), zeros, strict=True)])
    if np.all(factors == factors[0]):
        factors = factors[0]
    first, last = (factors * start).tolist(), (factors * end).tolist()
    if style == "constant":
        schedule: Schedule = Constant(last)
    elif a.whole is None:
        raise ValueError("['train_iters'] must be given, since the weight decay depends on it")
    else:
        schedule = Anneal(first, last, a.whole, CURVES[style])
    return (EntrySchedule(own, lambda value: schedule),)


def _build(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if context.epoch_length is not None:
        raise ValueError("epoch_length must be left out, since Megatron counts iterations")
    if a.lr is None and a.min_lr is None and a.lr_decay_style != "constant":
        raise ValueError(
            "['min_lr'] must be a number if lr is missing, since both may be in another section, given nothing"
        )
    _lengths(context, a)
    top = _of_groups(context, "max_lr", context.initial_value if a.lr is None else a.lr)
    low = _of_groups(context, "min_lr", a.min_lr or 0.0)
    if np.any(np.asarray(low) > np.asarray(top)):
        raise ValueError(f"['min_lr'] must be at most the learning rate, {top}, given {low}")
    if np.any(a.lr_warmup_init > np.asarray(top)):
        raise ValueError(f"['lr_warmup_init'] must be at most the learning rate, {top}, given {a.lr_warmup_init}")
    schedule = _rates(a, top, low)
    return EntrySchedule(context, lambda value: schedule, duration=a.iterations, others=_weight_decay(context, a))


# fmt: off
ARGUMENTS: Arguments = {
    "lr_decay_style": one_of("constant", "linear", "cosine", "inverse-square-root", "WSD"),
    "lr": (not_negative, None), "min_lr": (not_negative, None), "lr_warmup_init": (not_negative, 0.0),
    "lr_warmup_iters": (count, 0), "lr_warmup_samples": (count, 0), "lr_warmup_fraction": (fraction, None),
    "lr_decay_iters": (at_least_one, None), "lr_decay_samples": (at_least_one, None),
    "lr_wsd_decay_style": (one_of(*LAST_CURVES), "exponential"), "lr_wsd_decay_iters": (at_least_one, None),
    "lr_wsd_decay_samples": (at_least_one, None), "train_iters": (at_least_one, None),
    "train_samples": (at_least_one, None), "global_batch_size": (at_least_one, None),
    "start_weight_decay": (not_negative, None), "end_weight_decay": (not_negative, None),
    "weight_decay_incr_style": (one_of("constant", *CURVES), "constant"),
    "override_opt_param_scheduler": (flag, False), "use_checkpoint_opt_param_scheduler": (flag, False),
    "no_load_lr_state": (flag, False), "head_lr_mult": (partial(number, at_least=1, at_most=1), 1.0),
}
# fmt: on
NOT_MEGATRON = "this is a config of GPT-NeoX, which has another formula"
NANOTRON = "this is a config of nanotron, which has another formula"
IN_STEPS = "give 'lr_warmup_iters', 'lr_decay_iters' and 'lr_wsd_decay_iters', in iterations"
TOKENS = "give the iterations or samples instead of the tokens"
FOREIGN = {
    "warmup": NOT_MEGATRON,
    "train_micro_batch_size_per_gpu": NOT_MEGATRON,
    "lr_decay_starting_step": NANOTRON,
    "lr_warmup_style": NANOTRON,
    "min_decay_lr": NANOTRON,
    **dict.fromkeys(("learning_rate", "min_learning_rate"), "give 'lr' and 'min_lr'"),
    **dict.fromkeys(("lr_warmup_steps", "lr_decay_steps", "lr_wsd_decay_steps", "lr_warmup_steps_ratio"), IN_STEPS),
    **dict.fromkeys(("warmup_iters", "warmup_ratio", "warmup_steps", "constant_steps", "decay_steps"), IN_STEPS),
    **dict.fromkeys(("train_tokens", "lr_decay_tokens", "lr_warmup_tokens"), TOKENS),
    **dict.fromkeys(("max_steps", "total_steps", "num_training_steps"), "give 'train_iters'"),
    **dict.fromkeys(("epochs", "max_epochs", "num_epochs"), "give 'train_iters', since Megatron counts iterations"),
    "decoupled_lr": "give the param groups 'max_lr' and 'min_lr'",
    "rampup_batch_size": "the values depend on the batch size, which grows during the run",
}
AROUND = {
    "train_iters": ("train.train_iters",),
    "global_batch_size": ("train.global_batch_size",),
    "lr": ("optimizer.lr",),
    "min_lr": ("optimizer.min_lr",),
}
TYPES = {
    "OptimizerParamScheduler": EntryType(
        "Megatron's flags: a warm-up and a decay of the learning rate, and a growing weight decay.",
        ARGUMENTS,
        _build,
        around=AROUND,
        recognition=Recognition("lr_decay_style", words=("lr",), foreign=FOREIGN),
    ),
}
