"""Config types for the schedules of transformers, named by function or by a short name of ``get_scheduler``."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

from lehr.handlers.config.argument_validators import (
    Check,
    count,
    flag,
    minus_one,
    not_negative,
    number,
    numbers,
    one_of,
    positive,
    text,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, lookup, read_entry, refuse_missing
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    Curve,
    Greedy,
    Linear,
    Polynomial,
    Power,
    PowerDecay,
    Product,
    Restarts,
    Reversed,
    Schedule,
    Shift,
)

from .torch import LEAVES


def _waves(length: int, num_cycles: float, lowest: float = 0.0) -> Schedule:
    """Return endless cosine waves from 1 to ``lowest`` and back."""
    if num_cycles == 0:
        return Constant(1.0)
    return Anneal(1.0, lowest, max(length, 1) / (2 * num_cycles), Cosine(), beyond="mirror")


def _after_warmup(schedule: Schedule, num_warmup_steps: int) -> Schedule:
    if not num_warmup_steps:
        return schedule
    return Concatenation([Anneal(0.0, 1.0, num_warmup_steps), schedule], [num_warmup_steps])


def _lowest(context: ConfigContext, a: SimpleNamespace) -> float:
    """Return the lowest factor, which is ``min_lr_rate``, or ``min_lr`` divided by the initial value."""
    if (a.min_lr is None) == (a.min_lr_rate is None):
        raise ValueError(
            f"exactly one of min_lr and min_lr_rate must be a number, given {a.min_lr} and {a.min_lr_rate}"
        )
    if a.min_lr_rate is not None:
        return float(a.min_lr_rate)
    if context.default == 0:
        raise ValueError("min_lr must be replaced by min_lr_rate if the optimizer's own value is 0")
    return float(a.min_lr / context.default)


def _cosine_with_restarts(context: ConfigContext, a: SimpleNamespace) -> Schedule:
    length = max(_decay_steps(a), 1)
    # Several whole cycles between two events do not change any value.
    num_cycles = a.num_cycles % length if a.num_cycles > length else a.num_cycles
    cycles = Restarts(1.0, 0.0, length / num_cycles) if num_cycles else Constant(1.0)
    return Concatenation([cycles, Constant(0.0)], [length])


def _cosine_with_warmup_rate(context: ConfigContext, a: SimpleNamespace) -> Schedule:
    waves = _waves(_decay_steps(a), a.num_cycles, _lowest(context, a))
    if a.warmup_lr_rate is None:
        warmup: Schedule = Shift(Anneal(0.0, 1.0, max(a.num_warmup_steps, 1)), by=1)
    else:
        warmup = Anneal(a.warmup_lr_rate, 1.0, max(a.num_warmup_steps - 1, 1))
    # This function's curve is one step ahead of the curves of the other functions.
    return Concatenation([warmup, Shift(waves, by=1)], [a.num_warmup_steps])


def _polynomial(context: ConfigContext, a: SimpleNamespace) -> Schedule:
    if a.lr_end >= context.default:
        raise ValueError(f"lr_end must be less than the optimizer's own {context.default}, given {a.lr_end}")
    steps, lowest = _decay_steps(a), a.lr_end / context.default
    if a.power == 0:  # the value stays through the last step, and is the lowest after it
        return Concatenation([Constant(1.0), Constant(lowest)], [max(steps + 1, 0)])
    return Anneal(1.0, lowest, max(steps, 0), Polynomial(a.power))


def _warmup_stable_decay(context: ConfigContext, a: SimpleNamespace) -> Schedule:
    stable = a.num_stable_steps
    if stable is None:
        if a.num_training_steps is None:
            raise ValueError("num_training_steps or num_stable_steps must be given, but neither was found")
        stable = _decay_steps(a) - a.num_decay_steps
    down: Schedule = Anneal(1.0, a.min_lr_ratio, max(a.num_decay_steps, 1), CURVES[a.decay_type])
    if a.decay_type == "cosine":
        down = _waves(a.num_decay_steps, a.num_cycles, a.min_lr_ratio)
    up = Anneal(a.min_lr_ratio, 1.0, max(a.num_warmup_steps, 1), Reversed(CURVES[a.warmup_type]))
    # If the run is too short for the warm-up and the decay, the first `missing` steps of the decay are left out.
    missing = max(-stable, 0)
    phases = [up, Constant(1.0), Shift(down, by=missing) if missing else down, Constant(a.min_lr_ratio)]
    return Concatenation(phases, [a.num_warmup_steps, max(stable, 0), max(a.num_decay_steps - missing, 0)])


def _greedy(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    rule = (a.mode, a.factor, a.patience, a.threshold, a.threshold_mode, a.cooldown, a.warmup, a.min_lr, a.max_lr)
    greedy = Greedy(context.initial_value, *rule, a.eps, a.smooth, a.window_size, a.reset_start)
    return EntrySchedule(context, lambda value: greedy, metric_name=a.metric_name, metric_every=context.every)


def _row(description: str, own: Arguments, factors: Callable[[ConfigContext, SimpleNamespace], Schedule]) -> EntryType:
    """Return an ``EntryType`` whose schedules multiply the initial value by factors."""

    def build(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        if context.epoch_length is not None:
            raise ValueError("epoch_length must be left out, since transformers counts steps")
        schedule = factors(context, a)
        duration = a.num_training_steps if "num_training_steps" in own else None
        return EntrySchedule(context, lambda value: Product([Constant(value), schedule]), duration=duration)

    return EntryType(description, {**own, "last_epoch": (minus_one, -1)}, build)


def _warmed_up(
    description: str, own: Arguments, factors: Callable[[ConfigContext, SimpleNamespace], Schedule]
) -> EntryType:
    """Return an ``EntryType`` whose schedules have a linear warm-up and then multiply the initial value by factors."""
    return _row(description, own, lambda context, a: _after_warmup(factors(context, a), a.num_warmup_steps))


def _decay_steps(a: SimpleNamespace) -> int:
    return int(a.num_training_steps - a.num_warmup_steps)


CURVES: dict[str, Curve] = {"linear": Linear(), "cosine": Cosine(), "1-sqrt": Power(0.5)}
STEPS: dict[str, Check] = {"num_warmup_steps": count, "num_training_steps": count}
CYCLES: Arguments = {**STEPS, "num_cycles": (not_negative, 0.5)}
LOWEST: Arguments = {"min_lr": (not_negative, None), "min_lr_rate": (not_negative, None)}
# fmt: off
FUNCTIONS = {
    "get_constant_schedule": _row("The initial value.", {}, lambda context, a: Constant(1.0)),
    "get_constant_schedule_with_warmup": _warmed_up("A linear warm-up, then the initial value.",
        {"num_warmup_steps": count}, lambda context, a: Constant(1.0)),
    "get_cosine_schedule_with_warmup": _warmed_up("A linear warm-up, then half a cosine to 0, or num_cycles waves.",
        CYCLES, lambda context, a: _waves(_decay_steps(a), a.num_cycles)),
    "get_cosine_with_hard_restarts_schedule_with_warmup": _warmed_up(
        "A linear warm-up, then half cosines to 0, one after another.", {**STEPS, "num_cycles": (not_negative, 1)},
        _cosine_with_restarts),
    "get_cosine_with_min_lr_schedule_with_warmup": _warmed_up("A linear warm-up, then half a cosine to a lowest value.",
        {**CYCLES, **LOWEST}, lambda context, a: _waves(_decay_steps(a), a.num_cycles, _lowest(context, a))),
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate": _row(
        "A warm-up from a given rate, then half a cosine to a lowest value.",
        {**CYCLES, **LOWEST, "warmup_lr_rate": (not_negative, None)}, _cosine_with_warmup_rate),
    "get_greedy_schedule": EntryType("Falls while a metric does not improve, and rises while it does.",
        {"mode": (text, "min"), "factor": (positive, 0.95), "patience": (count, 10), "threshold": (number, 1e-6),
        "threshold_mode": (text, "abs"), "cooldown": (count, 0), "warmup": (count, 0), "min_lr": (numbers, 1e-3),
        "max_lr": (numbers, 1.0), "eps": (not_negative, 1e-8), "verbose": (flag, False), "smooth": (flag, False),
        "window_size": (count, 50), "reset_start": (count, 500), "metric_name": (text, "loss")}, _greedy),
    "get_inverse_sqrt_schedule": _warmed_up("A linear warm-up, then a fall with the square root of the step.",
        {"num_warmup_steps": count, "timescale": (positive, None)},
        lambda context, a: PowerDecay(1.0, a.timescale or a.num_warmup_steps or 10_000)),
    "get_linear_schedule_with_warmup": _warmed_up("A linear warm-up, then a straight line to 0.", STEPS,
        lambda context, a: Anneal(1.0, 0.0, max(_decay_steps(a), 0))),
    "get_polynomial_decay_schedule_with_warmup": _warmed_up("A linear warm-up, then a polynomial decay to lr_end.",
        {**STEPS, "lr_end": (not_negative, 1e-7), "power": (not_negative, 1.0)}, _polynomial),
    "get_reduce_on_plateau_schedule": LEAVES["ReduceLROnPlateau"],
    "get_wsd_schedule": _row("A warm-up, a stable phase and a decay.", {"num_warmup_steps": count,
        "num_decay_steps": count, "num_training_steps": (count, None), "num_stable_steps": (count, None),
        "warmup_type": (one_of(*CURVES), "linear"), "decay_type": (one_of(*CURVES), "cosine"),
        "min_lr_ratio": (not_negative, 0.0), "num_cycles": (not_negative, 0.5)}, _warmup_stable_decay),
}
# fmt: on
# Each row has the function of a short name, and the arguments that `get_scheduler` accepts but does not pass on.
SHORT_NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "constant": ("get_constant_schedule", ("num_warmup_steps", "num_training_steps")),
    "constant_with_warmup": ("get_constant_schedule_with_warmup", ("num_training_steps",)),
    "cosine": ("get_cosine_schedule_with_warmup", ()),
    "cosine_warmup_with_min_lr": ("get_cosine_with_min_lr_schedule_with_warmup_lr_rate", ()),
    "cosine_with_min_lr": ("get_cosine_with_min_lr_schedule_with_warmup", ()),
    "cosine_with_restarts": ("get_cosine_with_hard_restarts_schedule_with_warmup", ()),
    "greedy": ("get_greedy_schedule", ("num_warmup_steps", "num_training_steps")),
    "inverse_sqrt": ("get_inverse_sqrt_schedule", ("num_training_steps",)),
    "linear": ("get_linear_schedule_with_warmup", ()),
    "polynomial": ("get_polynomial_decay_schedule_with_warmup", ()),
    "reduce_lr_on_plateau": ("get_reduce_on_plateau_schedule", ("num_warmup_steps", "num_training_steps")),
    "warmup_stable_decay": ("get_wsd_schedule", ()),
}


def _short(function: str, ignored: tuple[str, ...]) -> EntryType:
    entry_type = FUNCTIONS[function]
    return replace(entry_type, arguments={**entry_type.arguments, **dict.fromkeys(ignored, (count, 0))})


TYPES = {
    **FUNCTIONS,
    **{name: _short(*row) for name, row in SHORT_NAMES.items()},
    "get_scheduler": EntryType(
        "Any of these schedules by its short name, with its arguments.", {"name": text}, lambda _, a: a.name
    ),
}


def of_run(name: str, entry: Entry, context: ConfigContext) -> Entry:
    """Add the steps of the run to an entry without ``num_training_steps``, as the Trainer does."""
    needs_length = "num_training_steps" in TYPES[name].arguments and "num_stable_steps" not in entry.values
    if not needs_length or context.run.steps is None or entry.values.get("num_training_steps") is not None:
        return entry
    return Entry(entry.where, entry.type, {**entry.values, "num_training_steps": context.run.steps})


def by_short_name(name: str, entry: Entry) -> tuple[str, Entry]:
    """Convert the arguments of ``get_scheduler`` to the name of a schedule and an entry with its arguments.

    The argument ``name`` becomes the name of the schedule. The mapping ``scheduler_specific_kwargs`` is merged into the
    entry.
    """
    where, values = entry.where, dict(entry.values)
    if name == "get_scheduler":
        refuse_missing(entry, [] if "name" in values else ["name"])
        name = lookup(f"{where}['name']", text(f"{where}['name']", values.pop("name")), SHORT_NAMES)
    if name not in SHORT_NAMES:
        return name, entry
    inner = values.pop("scheduler_specific_kwargs", None)
    inner = {} if inner is None else inner
    read_entry(f"{where}['scheduler_specific_kwargs']", inner, typed=False)
    values = {key: value for key, value in values.items() if key not in STEPS or value is not None}
    for key in inner:
        if key in values:
            raise ValueError(f"{where}[{key!r}] must be given only once, but scheduler_specific_kwargs has it, too")
    return name, Entry(where, entry.type, {**values, **inner})
