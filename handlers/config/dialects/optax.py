"""Config types for the schedules of optax 0.2.8, which are functions of ``optax.schedules``.

The value at event i is the value that the schedule returns for the count i. optax counts updates from 0. The
optimizer's own learning rate has no effect. A config may also be an optimizer of optax whose ``learning_rate`` is a
schedule. The keys of the mapping ``boundaries_and_scales`` are steps. A step may be a string, because JSON has no other
keys.

Differences from optax:

- A ``transition_steps`` of 0 or less means a constant, as in optax, but nothing is logged.
- ``join_schedules`` needs exactly one boundary fewer than schedules, in rising order. optax drops schedules without a
  warning.
- Negative boundaries, powers and decay rates are refused.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import accumulate, pairwise
from operator import mul
from types import SimpleNamespace

from lehr.handlers.config.argument_validators import (
    count,
    flag,
    fraction,
    not_negative,
    number,
    one_of,
    positive,
    unchecked,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, build, nonempty_list
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Concatenation,
    Constant,
    Cosine,
    Curve,
    ExponentialDecay,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Schedule,
    arguments,
)
from lehr.handlers.schedules.arguments import shown

from .language_model_parts import Raised, counting_steps, inner_entry, rising

CURVES: dict[str, Curve] = {"linear": Linear(), "cosine": Cosine()}
whole = partial(arguments.whole_number, at_least=-(2**53))


def _scales(name: str, value: object) -> list[tuple[int, float]]:
    """Check a mapping from steps to factors, and return its items sorted by step."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping from steps to factors, given {shown(value)}")
    found: dict[int, float] = {}
    for key, factor in value.items():
        step = int(key) if isinstance(key, str) and key.isdecimal() and len(key) < 20 else key
        step = count(f"{name}: a step", step)
        if step in found:
            raise ValueError(f"{name}: the step {step} must occur once, given twice")
        found[step] = not_negative(f"{name}[{shown(key)}]", factor)
    return sorted(found.items())


def _from(begin: float, before: float, schedule: Schedule) -> Schedule:
    """Return a schedule that begins at event ``begin``. Before this event, the value is ``before``."""
    return Concatenation([Constant(before), schedule], [int(begin)]) if begin > 0 else schedule


def _polynomial(a: SimpleNamespace) -> Schedule:
    if a.transition_steps <= 0:
        return Constant(a.init_value)
    falling = Anneal(a.init_value, a.end_value, a.transition_steps, Polynomial(a.power))
    return _from(a.transition_begin, a.init_value, falling)


def _linear(a: SimpleNamespace) -> Schedule:
    a.power = 1.0
    return _polynomial(a)


def _up(a: SimpleNamespace) -> Schedule:
    return Anneal(a.init_value, a.peak_value, a.warmup_steps) if a.warmup_steps else Constant(a.init_value)


def _exponential(a: SimpleNamespace) -> Schedule:
    if a.transition_steps <= 0 or a.decay_rate == 0:
        return Constant(a.init_value)
    decay: Schedule = ExponentialDecay(a.init_value, a.decay_rate, a.transition_steps, a.staircase)
    decay = _from(a.transition_begin, a.init_value, decay)
    if a.end_value is None:
        return decay
    return Bounded(decay, at_least=a.end_value) if a.decay_rate < 1 else Bounded(decay, at_most=a.end_value)


def _cosine(a: SimpleNamespace) -> Schedule:
    curve = Cosine() if a.exponent == 1 else Raised(Cosine(), a.exponent)
    return Anneal(a.init_value, a.init_value * a.alpha, a.decay_steps, curve)


def _warmup_cosine(a: SimpleNamespace) -> Schedule:
    steps = a.decay_steps - a.warmup_steps
    if steps <= 0:
        raise ValueError(
            f"['decay_steps'] must be more than the {a.warmup_steps} steps of the warm-up, given {a.decay_steps}"
        )
    end = a.end_value if a.peak_value else 0.0
    curve = Cosine() if a.exponent == 1 else Raised(Cosine(), a.exponent)
    return Concatenation([_up(a), Anneal(a.peak_value, end, steps, curve)], [a.warmup_steps])


def _warmup_exponential(a: SimpleNamespace) -> Schedule:
    falling = _exponential(SimpleNamespace(**{**vars(a), "init_value": a.peak_value}))
    return Concatenation([_up(a), falling], [a.warmup_steps])


def _piecewise(a: SimpleNamespace) -> Schedule:
    scales = a.boundaries_and_scales or []
    values = list(accumulate([a.init_value, *(factor for _, factor in scales)], mul))
    return PiecewiseConstant(values, [step for step, _ in scales])


def _interpolated(curve: Curve, init_value: float, scales: list[tuple[int, float]]) -> Schedule:
    """Return a schedule that moves from each value to the next along a curve, and then keeps the last value."""
    values = list(accumulate([init_value, *(factor for _, factor in scales)], mul))
    durations = [after - before for before, after in pairwise([0, *(step for step, _ in scales)])]
    parts: list[Schedule] = [
        Anneal(start, end, events, curve) for (start, end), events in zip(pairwise(values), durations, strict=True)
    ]
    return Concatenation([*parts, Constant(values[-1])], durations) if parts else Constant(values[-1])


def _interpolate(a: SimpleNamespace) -> Schedule:
    return _interpolated(CURVES[a.interpolate_type], a.init_value, a.boundaries_and_scales or [])


def _one_cycle(curve: Curve, a: SimpleNamespace) -> Schedule:
    # As in optax, each step has one factor. If several phases end at the same step, the factor of the last is used.
    scales = {int(a.pct_start * a.transition_steps): a.div_factor}
    last = 1 / (a.div_factor * a.final_div_factor)
    if isinstance(curve, Linear):
        scales[int(a.pct_final * a.transition_steps)] = 1 / a.div_factor
        last = 1 / a.final_div_factor
    scales[a.transition_steps] = last
    return _interpolated(curve, a.peak_value / a.div_factor, sorted(scales.items()))


def _sgdr(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    row = TYPES["warmup_cosine_decay_schedule"]
    cycles = []
    for at, one in enumerate(nonempty_list(f"{a.where}['cosine_kwargs']", a.cosine_kwargs)):
        where = f"{a.where}['cosine_kwargs'][{at}]"
        if not isinstance(one, Mapping):
            raise TypeError(f"{where} must be a mapping, given {shown(one)}")
        cycles.append(build(row, Entry(where, "", one), context))
    return counting_steps(context, _joined(context, cycles, [one.duration for one in cycles[:-1]]), "optax")


def _joined(context: ConfigContext, entries: list[EntrySchedule], durations: list[int]) -> Schedule:
    schedules = [one.starting_from(context.initial_value) for one in entries]
    return Concatenation(schedules, durations) if len(schedules) > 1 else schedules[0]


def _join(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    given = nonempty_list(f"{a.where}['schedules']", a.schedules)
    if len(a.boundaries) != len(given) - 1:
        raise ValueError(
            f"['boundaries'] must be {len(given) - 1} steps for {len(given)} schedules, given {a.boundaries}"
        )
    entries = [
        inner_entry(context, f"{a.where}['schedules'][{at}]", one, "optax", TYPES) for at, one in enumerate(given)
    ]
    durations = [after - before for before, after in pairwise([0, *a.boundaries])]
    return counting_steps(context, _joined(context, entries, durations), "optax")


def _row(description: str, own: Arguments, schedule: Callable[[SimpleNamespace], Schedule]) -> EntryType:
    def made(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        length = getattr(a, "decay_steps", getattr(a, "transition_steps", None))
        return counting_steps(context, schedule(a), "optax", length if length and length > 0 else None)

    return EntryType(description, own, made)


# fmt: off
LINE: Arguments = {"init_value": number, "end_value": number}
STEPS: Arguments = {"transition_steps": whole, "transition_begin": (whole, 0)}
DECAY: Arguments = {"transition_steps": whole, "decay_rate": not_negative, "transition_begin": (whole, 0),
    "staircase": (flag, False), "end_value": (number, None)}
WARMUP: Arguments = {"init_value": number, "peak_value": number, "warmup_steps": count}
SCALES: Arguments = {"init_value": number, "boundaries_and_scales": (_scales, None)}
CYCLE: Arguments = {"transition_steps": partial(arguments.whole_number, at_least=1), "peak_value": number,
    "pct_start": (fraction, 0.3), "div_factor": (positive, 25.0), "final_div_factor": (positive, 1e4)}
TYPES: dict[str, EntryType] = {
    "constant_schedule": _row("The same value at all steps.", {"value": number}, lambda a: Constant(a.value)),
    "cosine_decay_schedule": _row("Half a cosine, perhaps with an exponent, to alpha times the value.",
        {"init_value": number, "decay_steps": positive, "alpha": (number, 0.0), "exponent": (not_negative, 1.0)},
        _cosine),
    "cosine_onecycle_schedule": _row("Half a cosine up to peak_value, and one down to almost 0.", CYCLE,
        partial(_one_cycle, Cosine())),
    "exponential_decay": _row("Multiplies by decay_rate in every transition_steps steps, smoothly or at once.",
        {"init_value": number, **DECAY}, _exponential),
    "join_schedules": EntryType("Schedules one after another, each from its own step 0.",
        {"schedules": unchecked, "boundaries": rising}, _join),
    "linear_onecycle_schedule": _row("Straight lines up to peak_value, down again, and down to almost 0.",
        {**CYCLE, "pct_final": (fraction, 0.85)}, partial(_one_cycle, Linear())),
    "linear_schedule": _row("A straight line from init_value to end_value.", {**LINE, **STEPS}, _linear),
    "piecewise_constant_schedule": _row("Multiplies by a factor at each boundary.", SCALES, _piecewise),
    "piecewise_interpolate_schedule": _row("From each boundary's value to the next, on lines or half cosines.",
        {"interpolate_type": one_of(*CURVES), **SCALES}, _interpolate),
    "polynomial_schedule": _row("A polynomial from init_value to end_value.", {**LINE, "power": not_negative, **STEPS},
        _polynomial),
    "sgdr_schedule": EntryType("Cycles of warm-up and cosine, each with its own arguments.",
        {"cosine_kwargs": unchecked}, _sgdr),
    "warmup_constant_schedule": _row("A linear warm-up, then peak_value.", WARMUP, _up),
    "warmup_cosine_decay_schedule": _row("A linear warm-up, then half a cosine to end_value.",
        {**WARMUP, "decay_steps": count, "end_value": (number, 0.0), "exponent": (not_negative, 1.0)}, _warmup_cosine),
    "warmup_exponential_decay_schedule": _row("A linear warm-up, then a decay by a factor.", {**WARMUP, **DECAY},
        _warmup_exponential),
}
# fmt: on
