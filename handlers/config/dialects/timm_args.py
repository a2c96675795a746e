"""Config type for the arguments of timm's ``train.py``, as in its ``args.yaml``.

The schedule is the one that timm's ``create_scheduler`` makes. Values and defaults are those of timm 1.0. ``lr`` is the
learning rate itself. Without ``lr``, the optimizer's own learning rate is used, because timm would compute ``lr`` from
``lr_base``, ``lr_base_size`` and the number of processes. ``cooldown_epochs`` changes only the length of the run.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

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
    without_effect,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Entry, EntryType, Recognition, build
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import Constant
from lehr.handlers.schedules.arguments import shown

from . import timm

# The keys are the values of `sched`. The values are the classes of the schedulers.
CLASSES = {
    "cosine": "CosineLRScheduler",
    "tanh": "TanhLRScheduler",
    "step": "StepLRScheduler",
    "constant": "StepLRScheduler",
    "multistep": "MultiStepLRScheduler",
    "plateau": "PlateauLRScheduler",
    "poly": "PolyLRScheduler",
    "wsd": "WSDLRScheduler",
    "rsqrt": "WSDLRScheduler",
}
CYCLIC = ("cosine", "tanh", "poly")
STABLE = ("wsd", "rsqrt")


def zero(name: str, value: object) -> int:
    """Check that the start epoch is 0, because a config cannot resume a run."""
    if value != 0 or isinstance(value, bool):
        raise ValueError(f"{name} must be 0: use seek() or load_state_dict() to resume a run, given {shown(value)}")
    return 0


def _create_scheduler(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if a.lr is not None and context.param_name == "lr":
        context = replace(context, base=(a.lr,) * len(context.optimizer.param_groups))
    if a.sched == "none":
        return EntrySchedule(context, Constant)
    if a.sched_on_updates and a.sched == "plateau":
        raise ValueError("['sched_on_updates'] must be false for a plateau, which counts epochs, given True")
    if a.sched_on_updates and context.epoch_length is None:
        raise ValueError(
            "['sched_on_updates'] needs epoch_length, the number of updates in an epoch: give it to configure_scheduler"
        )
    every = context.every if a.sched_on_updates else 1
    values = {"lr_min": a.min_lr} if a.sched not in ("step", "constant", "multistep") else {}
    values |= {"warmup_t": _whole("warmup_epochs", a.warmup_epochs, every), "warmup_lr_init": a.warmup_lr}
    if a.sched not in ("plateau", *STABLE):
        values["warmup_prefix"] = a.warmup_prefix
    if a.sched != "plateau":
        values["t_in_epochs"] = not a.sched_on_updates
    if a.lr_noise is not None:
        values |= _noise(a, _epochs(context, a) * every)
    values |= _own(context, a, every)
    made: EntrySchedule = build(timm.TYPES[CLASSES[a.sched]], Entry(a.where, "", values), context)
    return made


def _own(context: ConfigContext, a: SimpleNamespace, every: int) -> dict[str, Any]:
    """Return the arguments that depend on the class of the scheduler."""
    if a.sched in CYCLIC:
        cycles = {"cycle_mul": a.lr_cycle_mul, "cycle_decay": a.lr_cycle_decay, "cycle_limit": a.lr_cycle_limit}
        power = {"power": a.decay_rate} if a.sched == "poly" else {}  # timm has no other argument for the power
        k_decay = {} if a.sched == "tanh" else {"k_decay": a.lr_k_decay}
        return {"t_initial": _epochs(context, a) * every, **cycles, **power, **k_decay}
    if a.sched == "step":
        return {"decay_t": (90 if a.decay_epochs is None else a.decay_epochs) * every, "decay_rate": a.decay_rate}
    if a.sched == "constant":
        return {"decay_t": 1, "decay_rate": 1.0}
    if a.sched == "multistep":
        return {"decay_t": [one * every for one in a.decay_milestones], "decay_rate": a.decay_rate}
    if a.sched == "plateau":
        number("['decay_rate']", a.decay_rate, at_least=0, below=1)
        return {
            "decay_rate": a.decay_rate,
            "patience_t": a.patience_epochs,
            "mode": "min" if "loss" in a.eval_metric else "max",
            "metric_name": a.metric_name or a.eval_metric,
        }
    return _stable(context, a, every)


def _stable(context: ConfigContext, a: SimpleNamespace, every: int) -> dict[str, Any]:
    """Return the arguments of ``WSDLRScheduler``. Its epochs include a warm-up without ``warmup_prefix``."""
    steps = _epochs(context, a) * every
    if not a.warmup_prefix:
        steps -= _whole("warmup_epochs", a.warmup_epochs, every)
    decay = 0.2 if a.decay_epochs is None else a.decay_epochs
    decay = round(decay * steps if 0 < decay < 1 else decay * every)
    if not 0 < decay <= steps:
        raise ValueError(f"['decay_epochs'] must be within the {steps} steps after the warm-up, given {decay} steps")
    timescale = None if a.lr_stable_timescale is None else a.lr_stable_timescale * every
    root = a.sched == "rsqrt"
    return {
        "t_initial": steps,
        "decay_t": decay,
        "stable_fn": "rsqrt" if root else "constant",
        "stable_timescale": timescale,
        "decay_fn": a.lr_decay_fn or ("linear" if root else "1-sqrt"),
    }


def _epochs(context: ConfigContext, a: SimpleNamespace) -> int:
    """Return the number of epochs of the schedule, from an argument or from the run.

    Raises:
        ValueError: the number is unknown, or differs from the number of epochs in the run.
    """
    run = context.run.epochs
    if a.epochs is None and run is None:
        raise ValueError("['epochs'] or max_epochs of configure_scheduler must be a number, given None")
    if a.epochs is not None and run not in (None, a.epochs, _total_epochs(a)):
        raise ValueError(f"['epochs'] must be {run}, the epochs of the run, given {a.epochs}")
    return int(a.epochs or run or 0)


def _total_epochs(a: SimpleNamespace) -> int:
    """Return the number of epochs that timm trains, with all cycles, a warm-up as a prefix, and the cool-down."""
    total = a.epochs
    if a.sched in CYCLIC:
        cycles, mult = max(a.lr_cycle_limit, 1), a.lr_cycle_mul
        total = math.floor(total * (cycles if mult == 1 else (mult**cycles - 1) / (mult - 1))) + a.cooldown_epochs
    return int(total + (a.warmup_epochs if a.warmup_prefix else 0))


def _whole(name: str, epochs: float, every: int) -> int:
    """Multiply a number of epochs by ``every``, and return the product as an int.

    Raises:
        ValueError: the product is not a whole number.
    """
    steps = epochs * every
    if steps != int(steps):
        raise ValueError(
            f"[{name!r}] must be a whole number of epochs, or of updates with sched_on_updates, given {epochs}"
        )
    return int(steps)


def _noise(a: SimpleNamespace, steps: int) -> Mapping[str, Any]:
    """Return the arguments for noise. ``lr_noise`` gives its begin and maybe its end, as fractions of the schedule."""
    given = a.lr_noise if isinstance(a.lr_noise, list | tuple) else [a.lr_noise]
    fractions = [not_negative(f"['lr_noise'][{at}]", one) for at, one in enumerate(given)]
    if not 1 <= len(fractions) <= 2:
        raise ValueError(f"['lr_noise'] must be a number or a list of two numbers, given {shown(a.lr_noise)}")
    return {
        "noise_range_t": [math.ceil(one * steps) for one in fractions],
        "noise_pct": a.lr_noise_pct,
        "noise_std": a.lr_noise_std,
        "noise_seed": a.seed,
    }


# A key that contains one of these words is about the schedule.
WORDS = ("lr", "warmup", "sched", "cycle", "milestones", "step_size", "gamma")
FOREIGN = {
    **dict.fromkeys(("max_epochs", "num_epochs", "train_epochs"), "give 'epochs'"),
    **dict.fromkeys(("total_steps", "max_steps"), "give 'epochs', and epoch_length to configure_scheduler"),
    "power": "give 'decay_rate', which timm takes as the power of 'poly'",
}
# fmt: off
TYPES = {
    **timm.TYPES,
    "create_scheduler": EntryType("The scheduler of timm's training command, by its arguments.", {
        "sched": (one_of(*CLASSES, "none"), "cosine"), "sched_on_updates": (flag, False),
        "epochs": (at_least_one, None),
        "warmup_epochs": (not_negative, 5), "warmup_lr": (not_negative, 1e-5), "warmup_prefix": (flag, False),
        "cooldown_epochs": (count, 0), "min_lr": (not_negative, 0.0), "decay_epochs": (positive, None),
        "decay_milestones": (list_of_numbers, [90, 180, 270]), "decay_rate": (number, 0.1),
        "patience_epochs": (count, 10), "lr_cycle_mul": (number, 1.0), "lr_cycle_decay": (number, 0.5),
        "lr_cycle_limit": (count, 1), "lr_k_decay": (positive, 1.0), "lr_decay_fn": (text, None),
        "lr_stable_timescale": (positive, None), "lr_noise": (unchecked, None), "lr_noise_pct": (positive, 0.67),
        "lr_noise_std": (positive, 1.0), "seed": (count, 42), "lr": (positive, None), "lr_base": (without_effect, None),
        "lr_base_size": (without_effect, None), "lr_base_scale": (without_effect, None), "start_epoch": (zero, None),
        "eval_metric": (text, "top1"), "metric_name": (text, None),
        "model_ema_warmup": (without_effect, None)},
        _create_scheduler,
        recognition=Recognition("sched", lambda value: isinstance(value, str), words=WORDS, foreign=FOREIGN)),
}
# fmt: on
