"""The parameter schedulers of mmengine and mmagic, by their names and arguments."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_checks import (
    AtLeastOne,
    Count,
    Flag,
    Fraction,
    LastStep,
    ListOfNumbers,
    Milestones,
    NotNegative,
    Numbers,
    Positive,
    Real,
    Text,
)
from lehr.handlers.config.context import Target
from lehr.handlers.config.entries import Entry, call, located
from lehr.handlers.config.entry_schedules import Piece
from lehr.handlers.schedules import (
    Anneal,
    Approach,
    Assignment,
    Concatenation,
    Constant,
    Cosine,
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
    Shift,
    StepDecay,
    Window,
    arguments,
)
from lehr.handlers.schedules.arguments import Number

from .mmengine_windows import INFINITY, Clock, clock_of, window_of


def scaling(target: Target, clock: Clock, factors: Schedule) -> Piece:
    """An entry that multiplies what it finds, within its window."""
    return Piece(
        "",
        target,
        lambda value: Product([Constant(value), clock.windowed(factors, before=1.0)]),
        clock.turn(Scaling(factors)),
        multiplies=True,
        duration=None if clock.end >= INFINITY else clock.end * clock.every,
    )


def clocked(target: Target, clock: Clock, alone: Callable[[Number], Schedule], rule: Any) -> Piece:
    """An entry that begins with the value that it finds, and goes its own way within its window."""
    duration = None if clock.end >= INFINITY else clock.end * clock.every
    return Piece(
        "", target, lambda value: clock.windowed(alone(value), before=value), clock.turn(rule), duration=duration
    )


def _constant(target: Target, clock: Clock, factor: Fraction = 1 / 3) -> Piece:
    """A factor of the value until the window's last step, then the value."""
    last = clock.steps - 1
    factors = PiecewiseConstant([factor, 1.0], [last]) if last > 0 else Constant(factor)
    return scaling(target, clock, factors)


def _linear(target: Target, clock: Clock, start_factor: Fraction = 1 / 3, end_factor: Fraction = 1.0) -> Piece:
    """A factor of the value on a straight line, within a window."""
    last = clock.steps - 1
    return scaling(target, clock, Anneal(start_factor, end_factor, last) if last > 0 else Constant(start_factor))


def _exponential(target: Target, clock: Clock, gamma: Real) -> Piece:
    """Multiplies by gamma at each step, within a window."""
    return scaling(target, clock, ExponentialDecay(1.0, gamma))


def _step(target: Target, clock: Clock, step_size: AtLeastOne, gamma: Real = 0.1) -> Piece:
    """Multiplies by gamma every step_size steps, within a window."""
    return scaling(target, clock, StepDecay(1.0, gamma, step_size * clock.scale))


def _multi_step(target: Target, clock: Clock, milestones: Milestones, gamma: Real = 0.1) -> Piece:
    """Multiplies by gamma at each milestone, within a window."""
    return scaling(target, clock, MultiStepDecay(1.0, gamma, sorted(m * clock.scale for m in milestones)))


def _cosine(
    target: Target,
    clock: Clock,
    T_max: Count | None = None,
    eta_min: Real | None = None,
    eta_min_ratio: Real | None = None,
) -> Piece:
    """Half a cosine to eta_min and back again, within a window."""
    length = (T_max or 0) * clock.scale or clock.steps
    end = _end_value(target, eta_min, eta_min_ratio, default=0.0)
    weights = Anneal(1.0, 0.0, length, Cosine(), beyond="mirror")
    rule = Approach(weights, end, target.own)

    def alone(value: Number) -> Schedule:
        down = Anneal(value, end, length, Cosine(), beyond="mirror")
        if value == target.own or clock.steps <= length:
            return down
        # It turns back to the value that the group had in the beginning.
        return Concatenation(
            [down, Shift(Anneal(target.own, end, length, Cosine(), beyond="mirror"), length)], [length]
        )

    return clocked(target, clock, alone, rule)


def _poly(target: Target, clock: Clock, eta_min: Real = 0.0, power: NotNegative = 1.0) -> Piece:
    """To eta_min by a power of what is left of a window."""
    last = max(clock.steps - 1, 0)
    if last == 0:
        return scaling(target, clock, Constant(1.0))
    rule = Approach(Anneal(1.0, 0.0, last, Polynomial(power)), eta_min, target.own)
    return clocked(target, clock, lambda value: Anneal(value, eta_min, last, Polynomial(power)), rule)


def _cosine_restart(
    target: Target,
    clock: Clock,
    periods: Milestones,
    restart_weights: ListOfNumbers = [1.0],  # noqa: B006 -- it is not changed
    eta_min: Real | None = None,
    eta_min_ratio: Real | None = None,
) -> Piece:
    """Half cosines of given periods and heights, one after another."""
    if not periods:
        raise ValueError("['periods'] must be at least one, given none")
    lengths = [arguments.number(f"['periods'][{at}]", one, above=0) * clock.scale for at, one in enumerate(periods)]
    end = _end_value(target, eta_min, eta_min_ratio, default=None)
    curve = Restarts(target.own, end, lengths, restart_weights=restart_weights)
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    held = Window(curve, end=int(sum(lengths)))
    tops = [(np.asarray(target.own) * weight).tolist() for weight in restart_weights]
    weights = Window(Restarts(1.0, 0.0, lengths), end=int(sum(lengths)))
    return clocked(target, clock, lambda value: held, Approach(weights, end, target.own, starts, tops))


def _one_cycle(
    target: Target,
    clock: Clock,
    eta_max: Numbers = 0.0,
    total_steps: AtLeastOne | None = None,
    pct_start: Fraction = 0.3,
    anneal_strategy: Text = "cos",
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
    three_phase: Flag = False,
) -> Piece:
    """Up to eta_max and down to almost nothing, once, within a window."""
    if target.param_name != "lr":
        raise ValueError(f"it is for 'lr' alone, given {target.param_name!r}: torch.OneCycleLR is for any parameter")
    steps = clock.steps if total_steps is None else total_steps * clock.scale
    cycle = OneCycle(eta_max, steps, pct_start, anneal_strategy, div_factor, final_div_factor, three_phase)  # type: ignore[arg-type]
    return clocked(target, clock, lambda value: cycle, Assignment(cycle))


def _end_value(target: Target, eta_min: float | None, eta_min_ratio: float | None, default: float | None) -> Number:
    if eta_min is None and eta_min_ratio is None and default is not None:
        return default
    if (eta_min is None) == (eta_min_ratio is None):
        raise ValueError(f"either eta_min or eta_min_ratio must be given, given {eta_min} and {eta_min_ratio}")
    if eta_min is not None:
        return eta_min
    return (np.asarray(target.own) * eta_min_ratio).tolist()  # type: ignore[no-any-return]


def reduce_on_plateau(
    target: Target,
    monitor: Text = "loss",
    rule: Text = "less",
    factor: NotNegative = 0.1,
    patience: Count = 10,
    threshold: Real = 1e-4,
    threshold_rule: Text = "rel",
    cooldown: Count = 0,
    min_value: Numbers = 0.0,
    eps: NotNegative = 1e-8,
    begin: Count = 0,
    end: Count = INFINITY,
    by_epoch: Flag = True,
    metric_name: Text | None = None,
    last_step: LastStep = -1,
    verbose: Flag = False,
) -> Piece:
    """Multiplies by a factor when a metric has stopped improving."""
    if not by_epoch:
        raise ValueError("['by_epoch'] must be true, given False: it counts metrics")
    if end <= begin:
        raise ValueError(f"['end'] must be more than begin, {begin}, given {end}")
    arguments.one_of("['rule']", rule, ("less", "greater"))
    mode, worst = ("min", 1e9) if rule == "less" else ("max", -1e9)
    kept = (mode, factor, patience, threshold, threshold_rule, cooldown, min_value, eps)
    # Its own count of steps is one ahead of the metrics.
    window = {"begin": max(begin - 1, 0), "end": end - 1, "initial_best": worst}

    def alone(value: Number) -> Schedule:
        return Plateau(*kept, initial_value=value, **window)  # type: ignore[arg-type]

    return Piece("", target, alone, None, None, metric_name or monitor, target.epoch_length or 1)


CLOCKED: dict[str, Callable[..., Piece]] = {
    "Constant": _constant,
    "CosineAnnealing": _cosine,
    "CosineRestart": _cosine_restart,
    "Exponential": _exponential,
    "Linear": _linear,
    "MultiStep": _multi_step,
    "OneCycle": _one_cycle,
    "Poly": _poly,
    "Step": _step,
}


SUFFIXES = {"LR": None, "Momentum": "momentum", "ParamScheduler": None}


MMENGINE = {
    kind + suffix: (kind, fixed) for kind in (*CLOCKED, "ReduceOnPlateau") for suffix, fixed in SUFFIXES.items()
}


def mmengine_piece(target: Target, name: str, given: Entry) -> Piece:
    """What an entry of the mmengine dialect comes to."""
    kind, param_name = MMENGINE[name]
    if param_name is not None:
        target = target.of(param_name)
    if kind == "ReduceOnPlateau":
        piece: Piece = call(reduce_on_plateau, given, target)
        return replace(piece, where=given.where)
    return built(target, CLOCKED[kind], given)


def built(target: Target, builder: Callable[..., Piece], given: Entry) -> Piece:
    """What an entry comes to that moves by a clock."""
    names = ("begin", "end", "by_epoch", "convert_to_iter_based", "last_step", "verbose")
    window = given.only(*names)
    clock = located(given.where, clock_of, target, *call(window_of, window))
    piece: Piece = call(builder, given.without(*names), target, clock)
    return replace(piece, where=given.where)
