"""Config types for the schedulers of torch.optim.lr_scheduler that contain no other schedulers."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    fraction,
    function,
    functions,
    milestones,
    minus_one,
    not_negative,
    number,
    numbers,
    one_of,
    positive,
    positive_fraction,
    text,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import EntrySchedule, StepWindow, scaling
from lehr.handlers.schedulers.factor_functions import lambda_schedule, multiplicative_schedule
from lehr.handlers.schedules import (
    Anneal,
    Approach,
    Assignment,
    Constant,
    Cosine,
    Cyclic,
    ExponentialDecay,
    Linear,
    MultiStepDecay,
    OneCycle,
    PiecewiseConstant,
    Plateau,
    Polynomial,
    Product,
    Restarts,
    Schedule,
    StepDecay,
)
from lehr.handlers.schedules.arguments import Number, groups_of, same_groups
from lehr.handlers.schedules.one_cycle import cycle_length


def _scaling(context: ConfigContext, factors: Schedule, steps: int | None = None) -> EntrySchedule:
    """Make an ``EntrySchedule`` that multiplies the initial value by factors. ``steps`` is its length, or None."""
    return scaling(context, factors, StepWindow(every=context.every), steps and steps * context.every)


def _assigning(
    context: ConfigContext, schedule: Schedule, momentum: Schedule | None = None, steps: int | None = None
) -> EntrySchedule:
    """Make an ``EntrySchedule`` whose values do not depend on earlier values."""
    in_events = context.in_events(schedule)
    return EntrySchedule(
        context,
        lambda value: in_events,
        (lambda: Assignment(schedule)) if schedule.is_pure else None,
        StepWindow(every=context.every),
        momentum and context.in_events(momentum),
        duration=steps and steps * context.every,
    )


def _checked_plateau(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    # `Plateau` checks this as well, but its error would name `min_value` instead of `min_lr`.
    same_groups({"min_lr": groups_of(a.min_lr), "the optimizer": len(context.initial_values)})
    return plateau(context, a, context.every)


def plateau(context: ConfigContext, a: SimpleNamespace, every: int, **options: Any) -> EntrySchedule:
    """Make an ``EntrySchedule`` that multiplies the value by a factor when a metric stops improving."""
    rule = (a.mode, a.factor, a.patience, a.threshold, a.threshold_mode, a.cooldown, a.min_lr, a.eps)
    return EntrySchedule(
        context,
        lambda value: Plateau(*rule, initial_value=value, **options),
        metric_name=a.metric_name,
        metric_every=every,
    )


def _polynomial(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    falling = Anneal(1.0, 0.0, a.total_iters, Polynomial(a.power)) if a.total_iters else Constant(1.0)
    return _scaling(context, falling, a.total_iters)


def _cosine(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    def annealed(start: Number, end: float) -> Schedule:
        return Anneal(start, end, a.T_max, Cosine(), beyond="mirror")

    def starting_from(value: Number) -> Schedule:
        if a.eta_min == 0:
            return Product([Constant(value), context.in_events(annealed(1.0, 0.0))])
        return context.in_events(annealed(value, a.eta_min))

    return EntrySchedule(
        context,
        starting_from,
        lambda: Approach(annealed(1.0, 0.0), a.eta_min, context.initial_value),
        StepWindow(every=context.every),
        duration=a.T_max * context.every,
    )


def _cyclic(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    rest = (a.step_size_up, a.step_size_down, a.mode, a.gamma, a.scale_fn, a.scale_mode)
    momentum = Cyclic(a.base_momentum, a.max_momentum, *rest, inverse=True) if a.cycle_momentum else None
    return _assigning(context, Cyclic(a.base_lr, a.max_lr, *rest), momentum)


def _steps_per_epoch(context: ConfigContext, a: SimpleNamespace) -> int | None:
    """Return the steps in an epoch, from ``steps_per_epoch`` or else from ``epoch_length``.

    Raises:
        ValueError: the two numbers differ.
    """
    here, there = a.steps_per_epoch, context.epoch_length
    if None not in (here, there) and here != there:
        raise ValueError(f"['steps_per_epoch'] must be epoch_length, which is {there}, given {here}")
    return here or there


def _one_cycle(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    # With total_steps, torch ignores epochs and steps_per_epoch. Without total_steps, torch counts iterations.
    epochs: tuple[int | None, int | None] = (None, None)
    if a.total_steps is None:
        epochs = a.epochs, _steps_per_epoch(context, a)
        context = replace(context, epoch_length=None)
    steps = cycle_length(a.total_steps, *epochs)
    shape = {"pct_start": a.pct_start, "anneal_strategy": a.anneal_strategy, "three_phase": a.three_phase}
    momentum = OneCycle(a.max_momentum, steps, base_value=a.base_momentum, inverse=True, **shape)
    lr = OneCycle(a.max_lr, steps, div_factor=a.div_factor, final_div_factor=a.final_div_factor, **shape)
    return _assigning(context, lr, momentum if a.cycle_momentum else None, steps)


def _swa(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    curve = Cosine() if a.anneal_strategy == "cos" else Linear()
    return EntrySchedule(context, lambda value: context.in_events(Anneal(value, a.swa_lr, a.anneal_epochs, curve)))


def _row(
    description: str, arguments: Arguments, build: Callable[[ConfigContext, SimpleNamespace], EntrySchedule]
) -> EntryType:
    return EntryType(description, {**arguments, "last_epoch": (minus_one, -1)}, build)


# fmt: off
PLATEAU: Arguments = {
    "mode": (text, "min"), "factor": (not_negative, 0.1), "patience": (count, 10), "threshold": (number, 1e-4),
    "threshold_mode": (text, "rel"), "cooldown": (count, 0), "min_lr": (numbers, 0.0), "eps": (not_negative, 1e-8),
    "metric_name": (text, "loss"),
}
# fmt: off
LEAVES: dict[str, EntryType] = {
    "ConstantLR": _row("A factor of the initial value until total_iters, then the initial value.",
        {"factor": (fraction, 1 / 3), "total_iters": (count, 5)},
        lambda context, a: _scaling(context, PiecewiseConstant([a.factor, 1.0], [a.total_iters]), a.total_iters)),
    "CosineAnnealingLR": _row("Half a cosine to eta_min in T_max steps, and back again.",
        {"T_max": at_least_one, "eta_min": (number, 0.0)}, _cosine),
    "CosineAnnealingWarmRestarts": _row(
        "Half cosines to eta_min, one after another, each T_mult times as long as the one before.",
        {"T_0": at_least_one, "T_mult": (at_least_one, 1), "eta_min": (number, 0.0)},
        lambda context, a: _assigning(context, Restarts(context.initial_value, a.eta_min, a.T_0, a.T_mult))),
    "CyclicLR": _row("Triangles between base_lr and max_lr, with the momentum in the opposite direction.",
        {"base_lr": numbers, "max_lr": numbers, "step_size_up": (positive, 2000), "step_size_down": (positive, None),
        "mode": (text, "triangular"), "gamma": (positive, 1.0), "scale_fn": (function, None),
        "scale_mode": (text, "cycle"), "cycle_momentum": (flag, True), "base_momentum": (numbers, 0.8),
        "max_momentum": (numbers, 0.9)}, _cyclic),
    "ExponentialLR": _row("Multiplies by gamma at each step.", {"gamma": number},
        lambda context, a: _scaling(context, ExponentialDecay(1.0, a.gamma))),
    "LambdaLR": _row("The initial value times a function of the step.", {"lr_lambda": functions},
        lambda context, a: _assigning(context, lambda_schedule(context.initial_value, a.lr_lambda))),
    "LinearLR": _row("A factor of the initial value on a straight line, over total_iters steps.",
        {"start_factor": (positive_fraction, 1 / 3), "end_factor": (fraction, 1.0), "total_iters": (count, 5)},
        lambda context, a: _scaling(context, Anneal(a.start_factor, a.end_factor, a.total_iters), a.total_iters)),
    "MultiStepLR": _row("Multiplies by gamma at each milestone.", {"milestones": milestones, "gamma": (number, 0.1)},
        lambda context, a: _scaling(context, MultiStepDecay(1.0, a.gamma, sorted(a.milestones)))),
    "MultiplicativeLR": _row("The initial value times the product of a function's values at all steps so far.",
        {"lr_lambda": functions}, lambda context, a: _scaling(context, multiplicative_schedule(1.0, a.lr_lambda))),
    "OneCycleLR": _row("Up to max_lr and down to almost 0, once, with the momentum in the opposite direction.",
        {"max_lr": numbers, "total_steps": (at_least_one, None), "epochs": (at_least_one, None),
        "steps_per_epoch": (at_least_one, None), "pct_start": (fraction, 0.3), "anneal_strategy": (text, "cos"),
        "cycle_momentum": (flag, True), "base_momentum": (numbers, 0.85), "max_momentum": (numbers, 0.95),
        "div_factor": (positive, 25.0), "final_div_factor": (positive, 1e4), "three_phase": (flag, False)}, _one_cycle),
    "PolynomialLR": _row("A polynomial decay to 0 in total_iters steps.",
        {"total_iters": (count, 5), "power": (not_negative, 1.0)}, _polynomial),
    "ReduceLROnPlateau": EntryType("Multiplies by a factor when a metric has stopped improving.", PLATEAU,
        _checked_plateau),
    "SWALR": _row("Anneals to swa_lr, which stays while weights are averaged.",
        {"swa_lr": numbers, "anneal_epochs": (count, 10), "anneal_strategy": (one_of("cos", "linear"), "cos")}, _swa),
    "StepLR": _row("Multiplies by gamma every step_size steps.", {"step_size": at_least_one, "gamma": (number, 0.1)},
        lambda context, a: _scaling(context, StepDecay(1.0, a.gamma, a.step_size))),
}
# fmt: on
