"""The factors that transformers' schedules multiply the initial value by."""

from collections.abc import Callable

from lehr.handlers.config.argument_checks import Count, LastStep, NotNegative, Positive, Text
from lehr.handlers.config.context import Target
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    Polynomial,
    Power,
    PowerDecay,
    Restarts,
    Reversed,
    Schedule,
    Shift,
    arguments,
)
from lehr.handlers.schedules.curves import Curve, Linear


def _constant(target: Target, last_epoch: LastStep = -1) -> Schedule:
    """The initial value for ever."""
    return Constant(1.0)


def _constant_with_warmup(target: Target, num_warmup_steps: Count, last_epoch: LastStep = -1) -> Schedule:
    """A linear warm-up, then the initial value."""
    return _after_warmup(Constant(1.0), num_warmup_steps)


def _linear(target: Target, num_warmup_steps: Count, num_training_steps: Count, last_epoch: LastStep = -1) -> Schedule:
    """A linear warm-up, then a straight line to 0."""
    return _after_warmup(Anneal(1.0, 0.0, max(num_training_steps - num_warmup_steps, 0)), num_warmup_steps)


def _cosine(
    target: Target,
    num_warmup_steps: Count,
    num_training_steps: Count,
    num_cycles: NotNegative = 0.5,
    last_epoch: LastStep = -1,
) -> Schedule:
    """A linear warm-up, then half a cosine to 0, or num_cycles waves."""
    return _after_warmup(_waves(num_training_steps - num_warmup_steps, num_cycles), num_warmup_steps)


def _cosine_with_restarts(
    target: Target,
    num_warmup_steps: Count,
    num_training_steps: Count,
    num_cycles: Positive = 1,
    last_epoch: LastStep = -1,
) -> Schedule:
    """A linear warm-up, then half cosines to 0, one after another."""
    length = max(num_training_steps - num_warmup_steps, 1)
    cycles = Restarts(1.0, 0.0, length / num_cycles)
    return _after_warmup(Concatenation([cycles, Constant(0.0)], [length]), num_warmup_steps)


def _cosine_with_min_lr(
    target: Target,
    num_warmup_steps: Count,
    num_training_steps: Count,
    num_cycles: NotNegative = 0.5,
    last_epoch: LastStep = -1,
    min_lr: NotNegative | None = None,
    min_lr_rate: NotNegative | None = None,
) -> Schedule:
    """A linear warm-up, then half a cosine to a lowest value."""
    lowest = _lowest(target, min_lr, min_lr_rate)
    return _after_warmup(_waves(num_training_steps - num_warmup_steps, num_cycles, lowest), num_warmup_steps)


def _cosine_warmup_with_min_lr(
    target: Target,
    num_warmup_steps: Count,
    num_training_steps: Count,
    num_cycles: NotNegative = 0.5,
    last_epoch: LastStep = -1,
    min_lr: NotNegative | None = None,
    min_lr_rate: NotNegative | None = None,
    warmup_lr_rate: NotNegative | None = None,
) -> Schedule:
    """A warm-up from a given rate, then half a cosine to a lowest value."""
    waves = _waves(num_training_steps - num_warmup_steps, num_cycles, _lowest(target, min_lr, min_lr_rate))
    if warmup_lr_rate is None:
        warmup: Schedule = Shift(Anneal(0.0, 1.0, max(num_warmup_steps, 1)), by=1)
    else:
        warmup = Anneal(warmup_lr_rate, 1.0, max(num_warmup_steps - 1, 1))
    # The whole curve is one step ahead of the others.
    return Concatenation([warmup, Shift(waves, by=1)], [num_warmup_steps])


def _polynomial(
    target: Target,
    num_warmup_steps: Count,
    num_training_steps: Count,
    lr_end: NotNegative = 1e-7,
    power: NotNegative = 1.0,
    last_epoch: LastStep = -1,
) -> Schedule:
    """A linear warm-up, then to lr_end by a power of what is left."""
    if lr_end >= target.default:
        raise ValueError(f"lr_end must be less than the optimizer's {target.default}, given {lr_end}")
    length = max(num_training_steps - num_warmup_steps, 0)
    return _after_warmup(Anneal(1.0, lr_end / target.default, length, Polynomial(power)), num_warmup_steps)


def _inverse_sqrt(
    target: Target, num_warmup_steps: Count, timescale: Positive | None = None, last_epoch: LastStep = -1
) -> Schedule:
    """A linear warm-up, then a fall with the square root of the step."""
    return _after_warmup(PowerDecay(1.0, timescale or num_warmup_steps or 10_000), num_warmup_steps)


def _warmup_stable_decay(
    target: Target,
    num_warmup_steps: Count,
    num_decay_steps: Count,
    num_training_steps: Count | None = None,
    num_stable_steps: Count | None = None,
    warmup_type: Text = "linear",
    decay_type: Text = "cosine",
    min_lr_ratio: NotNegative = 0.0,
    num_cycles: NotNegative = 0.5,
    last_epoch: LastStep = -1,
) -> Schedule:
    """A warm-up, a stable phase and a decay."""
    curves: dict[str, Curve] = {"linear": Linear(), "cosine": Cosine(), "1-sqrt": Power(0.5)}
    arguments.one_of("warmup_type", warmup_type, curves)
    arguments.one_of("decay_type", decay_type, curves)
    if num_stable_steps is None:
        if num_training_steps is None:
            raise ValueError("either num_training_steps or num_stable_steps must be given, given neither")
        num_stable_steps = num_training_steps - num_warmup_steps - num_decay_steps
    down: Schedule = Anneal(1.0, min_lr_ratio, max(num_decay_steps, 1), curves[decay_type])
    if decay_type == "cosine":
        down = _waves(num_decay_steps, num_cycles, min_lr_ratio)
    up = Anneal(min_lr_ratio, 1.0, max(num_warmup_steps, 1), Reversed(curves[warmup_type]))
    # Without enough steps for both, the decay begins where it would be by then.
    missing = max(-num_stable_steps, 0)
    phases = [up, Constant(1.0), Shift(down, by=missing) if missing else down, Constant(min_lr_ratio)]
    durations = [num_warmup_steps, max(num_stable_steps, 0), max(num_decay_steps - missing, 0)]
    return Concatenation(phases, durations)


def _waves(length: int, num_cycles: float, lowest: float = 0.0) -> Schedule:
    """Cosine waves from 1 to ``lowest`` and back, for ever."""
    if num_cycles == 0:
        return Constant(1.0)
    return Anneal(1.0, lowest, max(length, 1) / (2 * num_cycles), Cosine(), beyond="mirror")


def _after_warmup(schedule: Schedule, num_warmup_steps: int) -> Schedule:
    if not num_warmup_steps:
        return schedule
    return Concatenation([Anneal(0.0, 1.0, num_warmup_steps), schedule], [num_warmup_steps])


def _lowest(target: Target, min_lr: float | None, min_lr_rate: float | None) -> float:
    if (min_lr is None) == (min_lr_rate is None):
        raise ValueError(f"either min_lr or min_lr_rate must be given, given {min_lr} and {min_lr_rate}")
    if min_lr_rate is not None:
        return min_lr_rate
    if target.default == 0:
        raise ValueError("min_lr must be given as min_lr_rate for an optimizer whose own value is 0")
    assert min_lr is not None
    return min_lr / target.default


FACTORS: dict[str, Callable[..., Schedule]] = {
    "get_constant_schedule": _constant,
    "get_constant_schedule_with_warmup": _constant_with_warmup,
    "get_cosine_schedule_with_warmup": _cosine,
    "get_cosine_with_hard_restarts_schedule_with_warmup": _cosine_with_restarts,
    "get_cosine_with_min_lr_schedule_with_warmup": _cosine_with_min_lr,
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate": _cosine_warmup_with_min_lr,
    "get_inverse_sqrt_schedule": _inverse_sqrt,
    "get_linear_schedule_with_warmup": _linear,
    "get_polynomial_decay_schedule_with_warmup": _polynomial,
    "get_wsd_schedule": _warmup_stable_decay,
}
