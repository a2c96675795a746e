"""Config types for the parameter schedulers that mmdet, mmpose, mmpretrain and mmyolo add to those of mmengine.

The values are equal to those of mmdet 3.3, mmpose 1.3, mmpretrain 1.2 and mmyolo 0.6. After the warm-up of mmyolo's
``YOLOv5ParamSchedulerHook``, each epoch uses the factor of the epoch before. mmyolo does the same, because the hook
sets the learning rate at the end of an epoch, before it counts the epoch.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from lehr.handlers.config.argument_validators import at_least_one, count, fraction, not_negative, number, one_of
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import EntryType
from lehr.handlers.config.entry_schedules import EntrySchedule, StepWindow, scaling
from lehr.handlers.schedules import (
    Addition,
    Anneal,
    Concatenation,
    Constant,
    Cooldown,
    Cosine,
    Curve,
    Linear,
    Power,
    Product,
    Schedule,
    Shift,
    Stretch,
)
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.base import Array

from . import mmengine
from .mmengine import (
    assigning,
    constant,
    cosine_of,
    end_value,
    in_window,
    initial_value,
    of_param,
    whole_window,
)


def _quadratic(context: ConfigContext, window: StepWindow, a: SimpleNamespace) -> EntrySchedule:
    steps = whole_window(window, a).steps
    if (a.begin * window.scale, a.end * window.scale) != (window.begin, window.end):
        raise ValueError(f"['end'] and begin must be whole numbers of iterations, given {a.end * window.scale}")
    line = Shift(Anneal(0.0, initial_value(context), steps, Power(2.0)), by=1)
    return assigning(context, window, lambda value: line, lambda: Addition(line))


def _cosine_decay(context: ConfigContext, window: StepWindow, a: SimpleNamespace) -> EntrySchedule:
    # A param group whose weight decay is 0 keeps a weight decay of 0.
    end = np.where(np.asarray(initial_value(context)) == 0, 0.0, end_value(context, a, default=0.0))
    return cosine_of(context, window, a, end.tolist())


def _warmup_steps(context: ConfigContext, epochs: float, at_least: int) -> int:
    if context.epoch_length is None:
        raise ValueError(
            "['type'] counts both epochs and iterations, and needs epoch_length: give it to configure_scheduler"
        )
    if context.param_name != "lr":
        raise ValueError(f"the type can schedule only 'lr', given {context.param_name!r}")
    return max(round(epochs * context.epoch_length), at_least)


@dataclass(frozen=True)
class Falling(Curve):
    """A curve that falls from 1 to 0: ``f(p) = 1 - p``."""

    def __call__(self, progress: Array) -> Array:
        """Return the values of the formula."""
        return np.asarray(1 - progress)


def _yolov5(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    warmup, length = _warmup_steps(context, a.warmup_epochs, a.warmup_mim_iter), context.every
    beyond = {"curve": Cosine(), "beyond": "mirror"} if a.scheduler_type == "cosine" else {"curve": Linear()}
    decay: Schedule = Anneal(1.0, a.lr_factor, a.max_epochs, **beyond)
    last = warmup // length  # the warm-up ends in this epoch
    by_epoch = Concatenation([Stretch(decay, length), Stretch(Shift(decay, last), length)], [(last + 1) * length])
    groups = len(context.initial_values)
    first: Number = [a.warmup_bias_lr if group == 2 else 0.0 for group in range(groups)] if groups > 2 else 0.0
    lr: Schedule = Product([Constant(context.initial_value), by_epoch])
    if warmup:
        lr = Cooldown(lr, 0, warmup, first, Falling())
    momentum = None
    if warmup and all("momentum" in group for group in context.optimizer.param_groups):
        momentum = Anneal(a.warmup_momentum, context.of("momentum").initial_value, warmup)
    return EntrySchedule(context, lambda value: lr, momentum=momentum)


def _ppyoloe(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    warmup = _warmup_steps(context, a.warmup_epochs, a.warmup_min_iter)
    falling = a.total_epochs * context.every - warmup
    if warmup < 1 or falling < 1:
        raise ValueError(
            f"['total_epochs'] must be longer than the warm-up of {warmup} iterations, which must not be empty, "
            f"given {a.total_epochs}"
        )
    fall = Anneal(1.0, a.min_lr_ratio, falling, Cosine(), beyond="mirror")
    factors = Concatenation([Anneal(a.start_factor, 1.0, warmup), fall], [warmup])
    return EntrySchedule(context, lambda value: Product([Constant(value), factors]))


def _factors_above_one(context: ConfigContext, window: StepWindow, a: SimpleNamespace) -> EntrySchedule:
    return scaling(context, constant(window, a), window)


# fmt: off
WARMUP = in_window("Rises from almost 0 to the initial value along a parabola, within a window.", {}, _quadratic)
TYPES = {
    **mmengine.TYPES,
    "ConstantLR": in_window("A factor of the value until the window's last step, then the value.",
        {"factor": (not_negative, 1 / 3)}, _factors_above_one),
    "CosineAnnealingWeightDecay": of_param(in_window(
        "Half a cosine of the weight decay to eta_min and back again, within a window.",
        {"T_max": (not_negative, None), "eta_min": (number, None), "eta_min_ratio": (number, None)}, _cosine_decay),
        "weight_decay"),
    "PPYOLOEParamSchedulerHook": EntryType("A linear warm-up of some epochs or iterations, and half a cosine.",
        {"warmup_min_iter": (count, 1000), "start_factor": (number, 0.0), "warmup_epochs": (not_negative, 5),
        "min_lr_ratio": (number, 0.0), "total_epochs": (at_least_one, 360)}, _ppyoloe),
    "QuadraticWarmupLR": WARMUP,
    "QuadraticWarmupMomentum": of_param(WARMUP, "momentum"),
    "QuadraticWarmupParamScheduler": WARMUP,
    "YOLOv5ParamSchedulerHook": EntryType(
        "A decay by epochs, with a warm-up by iterations, of the momentum too; the third param group has its own.",
        {"scheduler_type": (one_of("linear", "cosine"), "linear"), "lr_factor": (number, 0.01),
        "max_epochs": (at_least_one, 300), "warmup_epochs": (not_negative, 3), "warmup_bias_lr": (number, 0.1),
        "warmup_momentum": (fraction, 0.8), "warmup_mim_iter": (count, 1000)}, _yolov5),
}
# fmt: on
