"""The schedulers of torch.optim.lr_scheduler that stand alone, by torch's names and arguments."""

from collections.abc import Callable
from typing import Any

from lehr.handlers.config.argument_checks import (
    AtLeastOne,
    Count,
    Flag,
    Fraction,
    Function,
    Functions,
    LastStep,
    Milestones,
    NotNegative,
    Numbers,
    Positive,
    Real,
    Text,
)
from lehr.handlers.config.context import Target
from lehr.handlers.config.entry_schedules import Piece
from lehr.handlers.schedulers.factor_functions import lambda_schedule, multiplicative_schedule
from lehr.handlers.schedules import (
    Anneal,
    Approach,
    Assignment,
    Constant,
    Cosine,
    Cyclic,
    ExponentialDecay,
    MultiStepDecay,
    OneCycle,
    PiecewiseConstant,
    Plateau,
    Polynomial,
    Product,
    Restarts,
    Scaling,
    Schedule,
    StepDecay,
    Stretch,
    Turn,
    arguments,
)
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.one_cycle import cycle_length


def scaling(target: Target, factors: Schedule, duration: int | None = None) -> Piece:
    """An entry that multiplies what it finds."""
    clocked, every = _clocked(target, factors)
    turn = Turn(Scaling(factors), every=every) if factors.is_pure else None
    alone: Callable[[Number], Schedule] = lambda value: Product([Constant(value), clocked])  # noqa: E731
    return Piece("", target, alone, turn, multiplies=True, duration=duration and duration * every)


def assigning(
    target: Target, schedule: Schedule, momentum: Schedule | None = None, duration: int | None = None
) -> Piece:
    """An entry that writes values of its own."""
    clocked, every = _clocked(target, schedule)
    turn = Turn(Assignment(schedule), every=every) if schedule.is_pure else None
    moved = None if momentum is None else _clocked(target, momentum)[0]
    return Piece("", target, lambda value: clocked, turn, moved, duration=duration and duration * every)


def _clocked(target: Target, schedule: Schedule) -> tuple[Schedule, int]:
    """The same where each of its steps is an epoch and events are iterations."""
    every = target.epoch_length or 1
    return (schedule if every == 1 else Stretch(schedule, every)), every


def _lambda_lr(target: Target, lr_lambda: Functions, last_epoch: LastStep = -1) -> Piece:
    """The initial value times a function of the step."""
    return assigning(target, lambda_schedule(target.own, lr_lambda))


def _multiplicative_lr(target: Target, lr_lambda: Functions, last_epoch: LastStep = -1) -> Piece:
    """A running product of a function's factors."""
    return scaling(target, multiplicative_schedule(1.0, lr_lambda))


def _step_lr(target: Target, step_size: AtLeastOne, gamma: Real = 0.1, last_epoch: LastStep = -1) -> Piece:
    """Multiplies by gamma every step_size steps."""
    return scaling(target, StepDecay(1.0, gamma, step_size))


def _multi_step_lr(target: Target, milestones: Milestones, gamma: Real = 0.1, last_epoch: LastStep = -1) -> Piece:
    """Multiplies by gamma at each milestone."""
    return scaling(target, MultiStepDecay(1.0, gamma, sorted(milestones)))


def _constant_lr(target: Target, factor: Fraction = 1 / 3, total_iters: Count = 5, last_epoch: LastStep = -1) -> Piece:
    """A factor of the initial value until total_iters, then the initial value."""
    return scaling(target, PiecewiseConstant([factor, 1.0], [total_iters]), total_iters)


def _linear_lr(
    target: Target,
    start_factor: Fraction = 1 / 3,
    end_factor: Fraction = 1.0,
    total_iters: Count = 5,
    last_epoch: LastStep = -1,
) -> Piece:
    """A factor of the initial value on a straight line, over total_iters steps."""
    arguments.number("start_factor", start_factor, above=0)
    return scaling(target, Anneal(start_factor, end_factor, total_iters), total_iters)


def _exponential_lr(target: Target, gamma: Real, last_epoch: LastStep = -1) -> Piece:
    """Multiplies by gamma at each step."""
    return scaling(target, ExponentialDecay(1.0, gamma))


def _polynomial_lr(
    target: Target, total_iters: Count = 5, power: NotNegative = 1.0, last_epoch: LastStep = -1
) -> Piece:
    """Falls to 0 by a power of what is left of total_iters."""
    if total_iters == 0:
        return scaling(target, Constant(1.0), 0)
    return scaling(target, Anneal(1.0, 0.0, total_iters, Polynomial(power)), total_iters)


def _cosine_annealing_lr(target: Target, T_max: AtLeastOne, eta_min: Real = 0.0, last_epoch: LastStep = -1) -> Piece:
    """Half a cosine to eta_min in T_max steps, and back again."""
    weights = Anneal(1.0, 0.0, T_max, Cosine(), beyond="mirror")
    clocked, every = _clocked(target, weights)
    if eta_min == 0:
        alone: Callable[[Number], Schedule] = lambda value: Product([Constant(value), clocked])  # noqa: E731
    else:
        alone = lambda value: _clocked(target, Anneal(value, eta_min, T_max, Cosine(), "mirror"))[0]  # noqa: E731
    return Piece("", target, alone, Turn(Approach(weights, eta_min, target.own), every=every), duration=T_max * every)


def _warm_restarts(
    target: Target, T_0: AtLeastOne, T_mult: AtLeastOne = 1, eta_min: Real = 0.0, last_epoch: LastStep = -1
) -> Piece:
    """Half a cosine to eta_min, again and again, each T_mult times as long."""
    return assigning(target, Restarts(target.own, eta_min, T_0, T_mult))


def _cyclic_lr(
    target: Target,
    base_lr: Numbers,
    max_lr: Numbers,
    step_size_up: Positive = 2000,
    step_size_down: Positive | None = None,
    mode: Text = "triangular",
    gamma: Positive = 1.0,
    scale_fn: Function | None = None,
    scale_mode: Text = "cycle",
    cycle_momentum: Flag = True,
    base_momentum: Numbers = 0.8,
    max_momentum: Numbers = 0.9,
    last_epoch: LastStep = -1,
) -> Piece:
    """Triangles between base_lr and max_lr, with momentum the other way round."""
    rest = (step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode)
    momentum = Cyclic(base_momentum, max_momentum, *rest, inverse=True) if cycle_momentum else None  # type: ignore[arg-type]
    return assigning(target, Cyclic(base_lr, max_lr, *rest), momentum)  # type: ignore[arg-type]


def _one_cycle_lr(
    target: Target,
    max_lr: Numbers,
    total_steps: AtLeastOne | None = None,
    epochs: AtLeastOne | None = None,
    steps_per_epoch: AtLeastOne | None = None,
    pct_start: Fraction = 0.3,
    anneal_strategy: Text = "cos",
    cycle_momentum: Flag = True,
    base_momentum: Numbers = 0.85,
    max_momentum: Numbers = 0.95,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
    three_phase: Flag = False,
    last_epoch: LastStep = -1,
) -> Piece:
    """Up to max_lr and down to almost nothing, once, with momentum the other way round."""
    if total_steps is not None:
        epochs = steps_per_epoch = None  # as in torch, where these are then not looked at
    steps = cycle_length(total_steps, epochs, steps_per_epoch)
    shape: dict[str, Any] = {"pct_start": pct_start, "anneal_strategy": anneal_strategy, "three_phase": three_phase}
    momentum = OneCycle(max_momentum, steps, base_value=base_momentum, inverse=True, **shape)
    lr = OneCycle(max_lr, steps, div_factor=div_factor, final_div_factor=final_div_factor, **shape)
    return assigning(target, lr, momentum if cycle_momentum else None, steps)


def _plateau(
    target: Target,
    mode: Text = "min",
    factor: NotNegative = 0.1,
    patience: Count = 10,
    threshold: Real = 1e-4,
    threshold_mode: Text = "rel",
    cooldown: Count = 0,
    min_lr: Numbers = 0.0,
    eps: NotNegative = 1e-8,
    metric_name: Text = "loss",
) -> Piece:
    """Multiplies by a factor when a metric has stopped improving."""
    rule = (mode, factor, patience, threshold, threshold_mode, cooldown, min_lr, eps)
    return Piece(
        "", target, lambda value: Plateau(*rule, initial_value=value), None, None, metric_name, target.epoch_length or 1
    )


def _swa_lr(
    target: Target,
    swa_lr: Numbers,
    anneal_epochs: Count = 10,
    anneal_strategy: Text = "cos",
    last_epoch: LastStep = -1,
) -> Piece:
    """Anneals to swa_lr, and stays there while weights are averaged."""
    arguments.one_of("anneal_strategy", anneal_strategy, ("cos", "linear"))
    curve = (Cosine(),) if anneal_strategy == "cos" else ()
    return Piece("", target, lambda value: _clocked(target, Anneal(value, swa_lr, anneal_epochs, *curve))[0])


LEAVES: dict[str, Callable[..., Piece]] = {
    "ConstantLR": _constant_lr,
    "CosineAnnealingLR": _cosine_annealing_lr,
    "CosineAnnealingWarmRestarts": _warm_restarts,
    "CyclicLR": _cyclic_lr,
    "ExponentialLR": _exponential_lr,
    "LambdaLR": _lambda_lr,
    "LinearLR": _linear_lr,
    "MultiStepLR": _multi_step_lr,
    "MultiplicativeLR": _multiplicative_lr,
    "OneCycleLR": _one_cycle_lr,
    "PolynomialLR": _polynomial_lr,
    "ReduceLROnPlateau": _plateau,
    "SWALR": _swa_lr,
    "StepLR": _step_lr,
}
