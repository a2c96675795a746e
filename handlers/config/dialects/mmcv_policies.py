"""Arguments and schedules of the policies for mmcv's learning rate and momentum hooks, without a warm-up."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_validators import (
    at_least_one,
    flag,
    fraction,
    list_of_numbers,
    not_negative,
    number,
    numbers,
    one_of,
    positive,
    positive_fraction,
    unchecked,
)
from lehr.handlers.config.entries import Arguments
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Concatenation,
    Constant,
    Cosine,
    Curve,
    ExponentialDecay,
    Linear,
    MultiStepDecay,
    OneCycle,
    Polynomial,
    PowerDecay,
    Schedule,
    StepDecay,
    arguments,
)
from lehr.handlers.schedules.arguments import Number, shown

MOST_CYCLES = 10_000


@dataclass(frozen=True)
class Policy:
    """A policy of mmcv, which is a formula for the value.

    Args:
        arguments: the checks and the defaults of the policy's arguments.
        schedule: a function that makes the schedule from the initial value, the length of the run and the arguments.
            The schedule counts epochs or iterations.
        by_iteration: whether the policy always counts iterations.
        needs_length: whether the policy depends on the length of the run.
    """

    arguments: Arguments
    schedule: Callable[[Number, int, SimpleNamespace], Schedule]
    by_iteration: bool = False
    needs_length: bool = False


def positive_periods(name: str, value: object) -> list[int]:
    """Check that a value is a list of whole numbers of at least 1."""
    return [at_least_one(f"{name}[{at}]", one) for at, one in enumerate(list_of_numbers(name, value))]


def step_or_steps(name: str, value: object) -> int | list[int]:
    """Check that a value is a whole number of at least 1, or a rising list of such numbers."""
    if not isinstance(value, list | tuple):
        return at_least_one(name, value)
    steps = positive_periods(name, value)
    if steps != sorted(steps):
        raise ValueError(f"{name} must rise, given {shown(value)}")
    return steps


def two_ratios(name: str, value: object) -> tuple[float, float]:
    """Check one ratio or a list of two ratios, and return two. The second defaults to the first divided by 1e5."""
    given = value if isinstance(value, list | tuple) else [value]
    ratios = list_of_numbers(name, given)
    if not 1 <= len(ratios) <= 2:
        raise ValueError(f"{name} must be a number or a list of two numbers, given {shown(value)}")
    return ratios[0], ratios[1] if len(ratios) == 2 else ratios[0] / 1e5


def _times(value: Number, ratio: float) -> Any:
    return (np.asarray(value) * ratio).tolist()


def _target(base: Number, a: SimpleNamespace, name: str) -> Any:
    """Return the end value, which is an argument or the initial value times a ratio."""
    floor, ratio = getattr(a, name), getattr(a, f"{name}_ratio")
    if (floor is None) == (ratio is None):
        raise ValueError(f"exactly one of {name} and {name}_ratio must be a number, given {floor} and {ratio}")
    return _times(base, ratio) if floor is None else floor


def _step(name: str) -> Callable[[Number, int, SimpleNamespace], Schedule]:
    def schedule(base: Number, length: int, a: SimpleNamespace) -> Schedule:
        listed = isinstance(a.step, list)
        decay: Schedule = MultiStepDecay(base, a.gamma, a.step) if listed else StepDecay(base, a.gamma, a.step)
        floor = getattr(a, name)
        return decay if floor is None else Bounded(decay, at_least=floor)

    return schedule


def _annealing(name: str, curve: Curve) -> Callable[[Number, int, SimpleNamespace], Schedule]:
    return lambda base, length, a: Anneal(base, _target(base, a, name), length, curve)


def _flat(base: Number, length: int, a: SimpleNamespace) -> Schedule:
    start = round(length * a.start_percent)
    fall = Anneal(base, _target(base, a, "min_lr"), length - start, Cosine())
    return Concatenation([Constant(base), fall], [start]) if start < length else Constant(base)


def _restarts(base: Number, length: int, a: SimpleNamespace) -> Schedule:
    if len(a.periods) != len(a.restart_weights) or not a.periods:
        raise ValueError(
            f"['restart_weights'] must have one weight for each of the {len(a.periods)} periods, "
            f"given {shown(a.restart_weights)}"
        )
    end = _target(base, a, "min_lr")
    above = np.asarray(base) - end
    cycles = [
        Anneal((end + weight * above).tolist(), end, period, Cosine())
        for weight, period in zip(a.restart_weights, a.periods, strict=True)
    ]
    return Concatenation(cycles, a.periods[:-1]) if len(cycles) > 1 else cycles[0]


def _cyclic(base: Number, length: int, a: SimpleNamespace) -> Schedule:
    cycle = length // a.cyclic_times
    if not cycle or length // cycle > MOST_CYCLES:
        rule = f"at most the {length} iterations of the run, and at most {MOST_CYCLES}"
        raise ValueError(f"['cyclic_times'] must be {rule}, given {a.cyclic_times}")
    up, curve = int(a.step_ratio_up * cycle), Cosine() if a.anneal_strategy == "cos" else Linear()
    top, bottom = a.target_ratio
    parts: list[Schedule] = []
    for cycle_index in range(-(-length // cycle)):
        # From cycle to cycle, the peak comes closer to the initial value.
        scale = a.gamma**cycle_index
        peak = 1 - scale + top * scale
        if up:
            parts += [Anneal(base, _times(base, peak), up, curve)]
            parts += [Anneal(_times(base, peak), _times(base, bottom), cycle - up, curve)]
        else:  # without a rise, mmcv applies gamma to the end of the fall instead of the peak
            end = 1 - scale + bottom * scale
            parts += [Anneal(_times(base, top), _times(base, end), cycle, curve)]
    durations = [up, cycle - up] if up else [cycle]
    return Concatenation(parts, (durations * len(parts))[: len(parts) - 1]) if len(parts) > 1 else parts[0]


def _one_cycle(base: Number, length: int, a: SimpleNamespace) -> Schedule:
    steps = length if a.total_steps is None else a.total_steps
    if steps < max(length, 1):
        rule = (
            "must be a number if the run has no known length"
            if not steps
            else f"must be at least the run's {length} steps"
        )
        raise ValueError(f"['total_steps'] {rule}, given {a.total_steps}")
    return OneCycle(a.max_lr, steps, a.pct_start, a.anneal_strategy, a.div_factor, a.final_div_factor, a.three_phase)


def _one_cycle_of_momentum(base: Number, length: int, a: SimpleNamespace) -> Schedule:
    shape = {"pct_start": a.pct_start, "anneal_strategy": a.anneal_strategy, "three_phase": a.three_phase}
    return OneCycle(a.max_momentum, length, base_value=a.base_momentum, inverse=True, **shape)


def _inverse(base: Number, length: int, a: SimpleNamespace) -> Schedule:
    return PowerDecay(base, 1 / a.gamma, a.power) if a.gamma else Constant(base)


def _cycles(ratios: tuple[float, float]) -> Policy:
    own: Arguments = {
        "target_ratio": (two_ratios, ratios),
        "cyclic_times": (at_least_one, 1),
        "step_ratio_up": (below_one, 0.4),
        "anneal_strategy": (one_of("cos", "linear"), "cos"),
        "gamma": (positive_fraction, 1.0),
    }
    return Policy(own, _cyclic, by_iteration=True, needs_length=True)


def below_one(name: str, value: object) -> float:
    """Check that a value is a number of at least 0 and less than 1."""
    return arguments.number(name, value, at_least=0, below=1)


# fmt: off
def _floors(name: str) -> Arguments:
    return {name: (number, None), f"{name}_ratio": (number, None)}


SHAPE: Arguments = {"pct_start": (fraction, 0.3), "anneal_strategy": (one_of("cos", "linear"), "cos"),
    "three_phase": (flag, False)}
LR = {
    "CosineAnnealing": Policy(_floors("min_lr"), _annealing("min_lr", Cosine()), needs_length=True),
    "CosineRestart": Policy({"periods": positive_periods, "restart_weights": (list_of_numbers, [1.0]),
        **_floors("min_lr")}, _restarts),
    "Cyclic": _cycles((10.0, 1e-4)),
    "Exp": Policy({"gamma": number}, lambda base, length, a: ExponentialDecay(base, a.gamma)),
    "Fixed": Policy({}, lambda base, length, a: Constant(base)),
    "FlatCosineAnnealing": Policy({"start_percent": (fraction, 0.75), **_floors("min_lr")}, _flat, needs_length=True),
    "Inv": Policy({"gamma": not_negative, "power": (not_negative, 1.0)}, _inverse),
    "LinearAnnealing": Policy(_floors("min_lr"), _annealing("min_lr", Linear()), needs_length=True),
    "OneCycle": Policy({"max_lr": numbers, "total_steps": (at_least_one, None), **SHAPE, "div_factor": (positive, 25.0),
        "final_div_factor": (positive, 1e4)}, _one_cycle, by_iteration=True),
    "Poly": Policy({"power": (not_negative, 1.0), "min_lr": (number, 0.0)},
        lambda base, length, a: Anneal(base, a.min_lr, length, Polynomial(a.power)), needs_length=True),
    "Step": Policy({"step": step_or_steps, "gamma": (number, 0.1), "min_lr": (number, None)}, _step("min_lr")),
}
MOMENTUM = {
    "CosineAnnealing": Policy(_floors("min_momentum"), _annealing("min_momentum", Cosine()), needs_length=True),
    "Cyclic": _cycles((0.85 / 0.95, 1.0)),
    "LinearAnnealing": Policy(_floors("min_momentum"), _annealing("min_momentum", Linear()), needs_length=True),
    "OneCycle": Policy({"base_momentum": (numbers, 0.85), "max_momentum": (numbers, 0.95), **SHAPE},
        _one_cycle_of_momentum, by_iteration=True, needs_length=True),
    "Step": Policy({"step": step_or_steps, "gamma": (number, 0.5), "min_momentum": (number, None)},
        _step("min_momentum")),
}
# fmt: on
# A config may have the arguments of any policy. The policy that the config names checks the arguments.
OF_POLICIES: Arguments = {
    key: (unchecked, None) for policies in (LR, MOMENTUM) for one in policies.values() for key in one.arguments
}
