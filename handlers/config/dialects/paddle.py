"""Config types for the schedulers of paddle.optimizer.lr, and for the section ``lr_scheduler`` of PaddleSeg's files.

The value at event i is paddle's value after i calls of ``step()``. A scheduler starts from its own ``learning_rate``,
and ignores the learning rate of the optimizer. With ``epoch_length``, each step is an epoch, as for torch's schedulers.
A file with the key ``iters`` is a PaddleSeg file. In a PaddleSeg file, each step is an iteration, and the default of
``decay_steps`` is ``iters`` minus ``warmup_iters``. Files of PaddleClas and PaddleDetection have their own types,
``paddle.PaddleClas`` and ``paddle.PaddleDetection``.

Differences from paddle:

- After its last step, ``OneCycleLR`` keeps its value. paddle extrapolates for one step and then raises an error.
- The peak of ``OneCycleLR`` may be at step 0.
- In a ``LinearWarmup``, ``CosineAnnealingWarmRestarts`` restarts at the first step of each cycle. paddle may miss this
  step because of a rounding error.
- ``ReduceOnPlateau`` with a ``cooldown`` is refused, because paddle misses better metrics during the cool-down.
- ``ReduceOnPlateau`` in a ``LinearWarmup`` is refused, because paddle passes it the step instead of the metric.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    fraction,
    function,
    list_of_numbers,
    milestones,
    minus_one,
    not_negative,
    number,
    one_of,
    positive,
    positive_fraction,
    text,
    without_effect,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedulers.factor_functions import lambda_schedule, multiplicative_schedule
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    Cyclic,
    ExponentialDecay,
    InverseTimeDecay,
    Linear,
    MultiStepDecay,
    PiecewiseConstant,
    Plateau,
    Polynomial,
    PowerDecay,
    Restarts,
    Schedule,
    StepDecay,
)
from lehr.handlers.schedules.arguments import shown

from .language_model_parts import after, annealed, inner_entry

Made = Callable[[ConfigContext, SimpleNamespace], Schedule]


def piecewise(boundaries: list[int], values: list[float]) -> Schedule:
    """Return constant values, each up to its boundary. A boundary below an earlier boundary has no effect."""
    if not boundaries or len(values) <= len(boundaries):
        raise ValueError(
            f"['values'] must be more than the boundaries, which must be at least 1, given {len(values)} values and "
            f"{len(boundaries)} boundaries"
        )
    return PiecewiseConstant(
        [*values[: len(boundaries)], values[-1]], np.maximum.accumulate(np.array(boundaries)).tolist()
    )


def warmed_up(start: float, end: float, steps: int, schedule: Schedule) -> Schedule:
    """Put a linear warm-up before a schedule. After the warm-up, the schedule starts at its own step 0."""
    if end <= start:
        raise ValueError(f"the warm-up must end above its start, {start}, given {end}")
    return Concatenation([Anneal(start, end, steps), schedule], [steps])


def polynomial(start: float, a: SimpleNamespace, steps: int) -> Schedule:
    """Return a polynomial decay to ``end_lr``, once or in cycles that become longer."""
    return Anneal(start, a.end_lr, steps, Polynomial(a.power), "stretch" if a.cycle else "hold")


def one_cycle(a: SimpleNamespace, steps: int) -> Schedule:
    """Return a schedule from ``max_learning_rate / divide_factor`` up to the peak and down to ``end_learning_rate``."""
    start, peak = a.max_learning_rate / a.divide_factor, a.phase_pct * steps - 1
    knots, levels = [0.0, peak, steps - 1], [start, a.max_learning_rate, a.end_learning_rate]
    if a.three_phase:
        if a.phase_pct >= 0.5:
            raise ValueError(f"['phase_pct'] must be less than 0.5 for three_phase, given {a.phase_pct}")
        knots.insert(2, 2 * peak)
        levels.insert(2, start)
    curve = Cosine() if a.anneal_strategy == "cos" else Linear()
    parts: list[tuple[Schedule, int]] = []
    first = 0
    for at, (begin, stop) in enumerate(pairwise(knots[:-1])):
        events = max(math.floor(stop) + 1 - first, 0)
        parts.append((annealed(levels[at], levels[at + 1], begin, stop, first, curve), events))
        first += events
    return after(parts, annealed(levels[-2], levels[-1], knots[-2], knots[-1], first, curve))


def cyclic(a: SimpleNamespace) -> Schedule:
    """Return triangles between two learning rates."""
    bounds = a.base_learning_rate, a.max_learning_rate
    return Cyclic(*bounds, a.step_size_up, a.step_size_down, a.mode, a.exp_gamma, a.scale_fn, a.scale_mode)


def multi_step(start: float, a: SimpleNamespace, steps: list[int]) -> Schedule:
    """Return a schedule that multiplies the value by ``gamma`` at each milestone."""
    if any(later <= earlier for earlier, later in pairwise(steps)):
        raise ValueError(f"['milestones'] must rise, given {shown(a.milestones)}")
    return MultiStepDecay(start, a.gamma, steps)


def _noam(context: ConfigContext, a: SimpleNamespace) -> Schedule:
    top = a.learning_rate * (a.d_model * a.warmup_steps) ** -0.5
    return Concatenation([Anneal(0.0, top, a.warmup_steps), PowerDecay(top, a.warmup_steps)], [a.warmup_steps])


def _polynomial(context: ConfigContext, a: SimpleNamespace) -> Schedule:
    steps = a.decay_steps
    if steps is None:
        iters = context.run.steps if a.iters is None else a.iters
        if iters is None:
            raise ValueError("['decay_steps'] must be given, or the file must have iters, but neither was found")
        steps = max(iters - (a.warmup_iters or 0), 1)
    return polynomial(a.learning_rate, a, steps)


def _linear(context: ConfigContext, a: SimpleNamespace) -> Schedule:
    return Anneal(a.learning_rate * a.start_factor, a.learning_rate * a.end_factor, a.total_steps)


def _warmup(context: ConfigContext, a: SimpleNamespace) -> Schedule:
    schedule: Schedule
    if isinstance(a.learning_rate, Mapping):
        known = {name: row for name, row in CLASSES.items() if name != "ReduceOnPlateau"}
        inner = inner_entry(context.stepping(1), f"{a.where}['learning_rate']", a.learning_rate, "paddle", known)
        schedule = inner.starting_from(context.initial_value)
    else:
        schedule = Constant(a.learning_rate)
    return warmed_up(a.start_lr, a.end_lr, a.warmup_steps, schedule)


def _plateau(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if a.cooldown:
        rule = "must be 0, because paddle misses better metrics during a cool-down"
        raise ValueError(f"['cooldown'] {rule}, given {a.cooldown}")
    rule_of = (a.mode.lower(), a.factor, a.patience, a.threshold, a.threshold_mode.lower(), 0, a.min_lr, a.epsilon)
    plateau = Plateau(*rule_of, initial_value=a.learning_rate)
    return EntrySchedule(context, lambda value: plateau, metric_name=a.metric_name, metric_every=context.every)


def _rate(name: str, value: object) -> object:
    """Check that a value is a number, or a mapping that describes a scheduler."""
    return value if isinstance(value, Mapping) else number(name, value)


def _row(description: str, own: Arguments, schedule: Made, *, in_files: bool = True) -> EntryType:
    def build(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        made = schedule(context, a)
        if getattr(a, "warmup_iters", None) is not None:
            if a.warmup_start_lr is None:
                raise ValueError("['warmup_start_lr'] must be a number if there are warmup_iters, given None")
            made = warmed_up(a.warmup_start_lr, a.learning_rate, a.warmup_iters, made)
        counted = context if getattr(a, "iters", None) is None else context.stepping(1)
        return EntrySchedule(context, lambda value: counted.in_events(made))

    arguments = {**own, **OF_ALL, **(OF_SEG if in_files else {})}
    return EntryType(description, arguments, build, {"iters": ("iters",)} if in_files else {})


# fmt: off
OF_ALL: Arguments = {"last_epoch": (minus_one, -1), "verbose": (without_effect, False)}
OF_SEG: Arguments = {"warmup_iters": (at_least_one, None), "warmup_start_lr": (number, None),
    "iters": (at_least_one, None)}
BELOW_1 = partial(number, at_least=0, below=1)
POLYNOMIAL: Arguments = {"end_lr": (number, 0.0001), "power": (positive, 1.0), "cycle": (flag, False)}
ONE_CYCLE: Arguments = {"max_learning_rate": not_negative, "divide_factor": (positive, 25.0),
    "end_learning_rate": (not_negative, 0.0001), "phase_pct": (fraction, 0.3),
    "anneal_strategy": (one_of("cos", "linear"), "cos"), "three_phase": (flag, False)}
CYCLIC: Arguments = {"base_learning_rate": not_negative, "max_learning_rate": not_negative,
    "step_size_up": at_least_one, "step_size_down": (at_least_one, None),
    "mode": (one_of("triangular", "triangular2", "exp_range"), "triangular"), "exp_gamma": (positive, 1.0),
    "scale_fn": (function, None), "scale_mode": (one_of("cycle", "iterations"), "cycle")}
RATE: Arguments = {"learning_rate": not_negative}
CLASSES: dict[str, EntryType] = {
    "CosineAnnealingDecay": _row("Half a cosine to eta_min in T_max steps, and back again.",
        {**RATE, "T_max": at_least_one, "eta_min": (number, 0.0)},
        lambda context, a: Anneal(a.learning_rate, a.eta_min, a.T_max, Cosine(), beyond="mirror")),
    "CosineAnnealingWarmRestarts": _row("Half cosines to eta_min, each T_mult times as long as the one before.",
        {**RATE, "T_0": at_least_one, "T_mult": (at_least_one, 1), "eta_min": (number, 0.0)},
        lambda context, a: Restarts(a.learning_rate, a.eta_min, a.T_0, a.T_mult)),
    "CyclicLR": _row("Triangles between base_learning_rate and max_learning_rate.", CYCLIC,
        lambda context, a: cyclic(a), in_files=False),
    "ExponentialDecay": _row("Multiplies by gamma at each step.",
        {**RATE, "gamma": partial(number, above=0, below=1)},
        lambda context, a: ExponentialDecay(a.learning_rate, a.gamma)),
    "InverseTimeDecay": _row("Divides by 1 + gamma * step.", {**RATE, "gamma": not_negative},
        lambda context, a: InverseTimeDecay(a.learning_rate, a.gamma)),
    "LambdaDecay": _row("The learning rate times a function of the step.", {**RATE, "lr_lambda": function},
        lambda context, a: lambda_schedule(a.learning_rate, a.lr_lambda), in_files=False),
    "LinearLR": _row("A factor of the learning rate on a straight line, over total_steps steps.",
        {**RATE, "total_steps": at_least_one, "start_factor": (positive_fraction, 1 / 3),
        "end_factor": (fraction, 1.0)}, _linear),
    "LinearWarmup": _row("A linear warm-up, then a number or another scheduler.",
        {"learning_rate": _rate, "warmup_steps": at_least_one, "start_lr": number, "end_lr": number}, _warmup,
        in_files=False),
    "MultiStepDecay": _row("Multiplies by gamma at each milestone.",
        {**RATE, "milestones": milestones, "gamma": (BELOW_1, 0.1)},
        lambda context, a: multi_step(a.learning_rate, a, a.milestones)),
    "MultiplicativeDecay": _row("The learning rate times the product of a function's values so far.",
        {**RATE, "lr_lambda": function},
        lambda context, a: multiplicative_schedule(a.learning_rate, a.lr_lambda), in_files=False),
    "NaturalExpDecay": _row("The learning rate times exp(-gamma * step).", {**RATE, "gamma": positive},
        lambda context, a: ExponentialDecay(a.learning_rate, math.exp(-a.gamma))),
    "NoamDecay": _row("A linear warm-up, then a fall with the square root of the step.",
        {"d_model": positive, "warmup_steps": at_least_one, "learning_rate": (not_negative, 1.0)}, _noam,
        in_files=False),
    "OneCycleLR": _row("Up to max_learning_rate and down to end_learning_rate, once.",
        {"total_steps": at_least_one, **ONE_CYCLE}, lambda context, a: one_cycle(a, a.total_steps), in_files=False),
    "PiecewiseDecay": _row("One value after another, from boundary to boundary.",
        {"boundaries": milestones, "values": list_of_numbers, "iters": (at_least_one, None)},
        lambda context, a: piecewise(a.boundaries, a.values), in_files=False),
    "PolynomialDecay": _row("A polynomial decay to end_lr, once or in longer and longer cycles.",
        {**RATE, "decay_steps": (at_least_one, None), **POLYNOMIAL}, _polynomial),
    "ReduceOnPlateau": EntryType("Multiplies by a factor when a metric has stopped improving.",
        {**RATE, "mode": (text, "min"), "factor": (BELOW_1, 0.1), "patience": (count, 10), "threshold": (number, 1e-4),
        "threshold_mode": (text, "rel"), "cooldown": (count, 0), "min_lr": (not_negative, 0.0),
        "epsilon": (not_negative, 1e-8), "verbose": (without_effect, False), "metric_name": (text, "loss")}, _plateau),
    "StepDecay": _row("Multiplies by gamma every step_size steps.",
        {**RATE, "step_size": at_least_one, "gamma": (BELOW_1, 0.1)},
        lambda context, a: StepDecay(a.learning_rate, a.gamma, a.step_size)),
}
# fmt: on
