"""Config types for Keras' schedules and learning rate callbacks, in configs and in saved objects.

The value at event i is the value that Keras uses if ``optimizer.iterations == i``. Values are computed in float64,
while Keras uses float32 by default. A schedule starts from its ``initial_learning_rate``, and ignores the optimizer's
own learning rate. The callbacks ``ReduceLROnPlateau`` and ``LearningRateScheduler`` count epochs.

Saved schedules are read in the form of Keras 3, ``{"module": ..., "class_name": ..., "config": ...}``, and in the form
of Keras 2, ``{"class_name": ..., "config": ...}``. A saved optimizer may contain the schedule. ``WarmUp`` is the
schedule that transformers' ``create_optimizer`` puts around another schedule of Keras.

Differences from Keras:

- If arguments are whole numbers, such as ``initial_learning_rate=1`` or ``values=[1, 0.1]``, the values keep their
  fractions. Keras truncates the values to whole numbers.
- ``CosineDecayRestarts`` restarts at the first step of each cycle. Keras may miss this step because of a rounding
  error.
- ``CosineDecayRestarts`` refuses a ``t_mul`` below 1.
- If ``mode`` is left out, a metric whose name ends in "loss" should fall, and a metric with "acc" in its name should
  rise. All other metrics need ``mode``. Keras reads the mode from the metric object.
- If the first value of the metric is NaN, it counts as no improvement.
"""

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    fraction,
    list_of_numbers,
    not_negative,
    number,
    one_of,
    positive,
    text,
    without_effect,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Cosine,
    ExponentialDecay,
    InverseTimeDecay,
    Mapped,
    PiecewiseConstant,
    Plateau,
    Polynomial,
    Power,
    Restarts,
    Schedule,
    Stretch,
)
from lehr.handlers.schedules.arguments import shown

from .language_model_parts import counting_steps, inner_entry, rising


def _boundaries(name: str, value: object) -> list[int]:
    """Check that a value is a rising list of at least one whole number."""
    return rising(name, value, at_least=1)


def _exponential(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    decay = ExponentialDecay(a.initial_learning_rate, a.decay_rate, a.decay_steps, a.staircase)
    return counting_steps(context, decay, "Keras")


def _inverse_time(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    decay = InverseTimeDecay(a.initial_learning_rate, a.decay_rate, a.decay_steps, staircase=a.staircase)
    return counting_steps(context, decay, "Keras")


def _piecewise(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if len(a.values) != len(a.boundaries) + 1:
        raise ValueError(
            f"['values'] must have one value more than the {len(a.boundaries)} boundaries, given {shown(a.values)}"
        )
    # At the step that is a boundary, Keras still uses the value before the boundary.
    return counting_steps(context, PiecewiseConstant(a.values, [one + 1 for one in a.boundaries]), "Keras")


def _polynomial(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    curve = Polynomial(a.power)
    beyond = "stretch" if a.cycle else "hold"
    decay = Anneal(a.initial_learning_rate, a.end_learning_rate, a.decay_steps, curve, beyond)  # type: ignore[arg-type]
    return counting_steps(context, decay, "Keras")


def _cosine(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    top = a.initial_learning_rate if a.warmup_target is None else a.warmup_target
    schedule: Schedule = Anneal(top, top * a.alpha, a.decay_steps, Cosine())
    if a.warmup_target is not None and a.warmup_steps:  # without warmup_target, Keras ignores warmup_steps
        warmup = Anneal(a.initial_learning_rate, top, a.warmup_steps)
        schedule = Concatenation([warmup, schedule], [a.warmup_steps])
    return counting_steps(context, schedule, "Keras")


def _plus(number: float, value: float) -> float:
    return value + number


def _restarts(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    top, low = a.initial_learning_rate, a.initial_learning_rate * a.alpha
    cycles = partial(Restarts, periods=a.first_decay_steps, period_mult=a.t_mul)
    if a.alpha == 0 or a.m_mul == 1:
        return counting_steps(context, cycles(top, low, restart_weights=a.m_mul), "Keras")
    above = cycles(top - low, 0.0, restart_weights=a.m_mul)  # m_mul does not change the lowest value
    return counting_steps(context, Mapped(above, partial(_plus, low)), "Keras")


def _mode(a: SimpleNamespace, metric: str) -> str:
    """Return ``"min"`` if a metric should fall, or ``"max"`` if it should rise."""
    if a.mode != "auto":
        return str(a.mode)
    if metric.endswith("loss") or "acc" in metric:
        return "min" if metric.endswith("loss") else "max"
    raise ValueError(
        f"['mode'] must be 'min' or 'max' for {shown(metric)}, which is neither a loss nor an accuracy, given 'auto'"
    )


def _plateau(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if a.epsilon is not None and a.min_delta is not None:
        raise ValueError(f"['epsilon'] must not be combined with min_delta, given {a.epsilon}")
    metric = a.metric_name or a.monitor
    delta = next((abs(one) for one in (a.min_delta, a.epsilon) if one is not None), 1e-4)
    # Keras reduces the value one metric earlier than `Plateau`, and ends the cool-down one metric earlier.
    rule = (_mode(a, metric), a.factor, max(a.patience, 1) - 1, delta, "abs", max(a.cooldown - 1, 0), a.min_lr, 0.0)
    return EntrySchedule(
        context,
        lambda value: Plateau(*rule, initial_value=value),
        metric_name=metric,
        metric_every=context.every,
    )


def _of_epochs(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    """Make the schedule of a callback, whose steps are epochs."""
    schedule = _schedule_in(context.stepping(1), a, "schedule")
    in_events = schedule if context.every == 1 else Stretch(schedule, context.every)
    return EntrySchedule(context, lambda value: in_events)


def _warm_up(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    schedule = _schedule_in(context, a, "decay_schedule_fn")
    up = Anneal(0.0, a.initial_learning_rate, a.warmup_steps, Power(a.power))
    return counting_steps(context, Concatenation([up, schedule], [a.warmup_steps]), "Keras")


def _schedule_in(context: ConfigContext, a: SimpleNamespace, key: str) -> Schedule:
    """Make the schedule that the argument ``key`` describes as a mapping."""
    known = {name: row for name, row in TYPES.items() if name not in CALLBACKS}
    entry = inner_entry(context, f"{a.where}[{key!r}]", getattr(a, key), "keras", known)
    return entry.starting_from(context.initial_value)


def _schedule(name: str, value: object) -> object:
    """Check that a value is a mapping, and not a function."""
    if not isinstance(value, Mapping):
        rule = "must be a mapping that describes a schedule (for a function, use lehr's LambdaScheduler)"
        raise TypeError(f"{name} {rule}, given {shown(value)}")
    return value


def _row(description: str, own: Arguments, build: Any) -> EntryType:
    return EntryType(description, {**own, "name": (text, None), "dtype": (text, None)}, build)


# fmt: off
FALLING: Arguments = {"initial_learning_rate": number, "decay_steps": positive}
# Keras saves these keys together with the arguments.
OF_SAVED = ("module", "registered_name", "build_config", "shared_object_id", "__passive_serialization__")
PACKAGES = ("builtins", "keras", "tensorflow", "tf_keras", "transformers")
CALLBACKS = ("LearningRateScheduler", "ReduceLROnPlateau")
TYPES: dict[str, EntryType] = {
    "CosineDecay": _row("Half a cosine to a part of the learning rate, perhaps after a linear warm-up.", {**FALLING,
        "alpha": (number, 0.0), "warmup_target": (number, None), "warmup_steps": (count, 0)}, _cosine),
    "CosineDecayRestarts": _row("Half cosines, each t_mul times as long and m_mul times as high as the one before.",
        {"initial_learning_rate": number, "first_decay_steps": positive,
        "t_mul": (partial(number, at_least=1), 2.0), "m_mul": (not_negative, 1.0), "alpha": (number, 0.0)}, _restarts),
    "ExponentialDecay": _row("Multiplies by decay_rate in every decay_steps steps, smoothly or at once.",
        {**FALLING, "decay_rate": not_negative, "staircase": (flag, False)}, _exponential),
    "InverseTimeDecay": _row("Divides by 1 + decay_rate * step / decay_steps.",
        {**FALLING, "decay_rate": not_negative, "staircase": (flag, False)}, _inverse_time),
    "LearningRateScheduler": _row("The callback with another schedule of Keras, whose steps are epochs.",
        {"schedule": _schedule, "verbose": (without_effect, 0)}, _of_epochs),
    "PiecewiseConstantDecay": _row("One value after another, each up to its boundary.",
        {"boundaries": _boundaries, "values": list_of_numbers}, _piecewise),
    "PolynomialDecay": _row("A polynomial decay to end_learning_rate, once or in longer and longer cycles.",
        {**FALLING, "end_learning_rate": (number, 0.0001), "power": (not_negative, 1.0), "cycle": (flag, False)},
        _polynomial),
    "ReduceLROnPlateau": _row("The callback that multiplies by a factor when a metric has stopped improving.",
        {"monitor": (text, "val_loss"), "factor": (partial(fraction, below=1), 0.1), "patience": (count, 10),
        "verbose": (without_effect, 0), "mode": (one_of("auto", "min", "max"), "auto"), "min_delta": (number, None),
        "epsilon": (number, None), "cooldown": (count, 0), "min_lr": (not_negative, 0.0), "metric_name": (text, None)},
        _plateau),
    "WarmUp": _row("The warm-up of transformers for Keras, then another schedule of Keras.",
        {"initial_learning_rate": number, "decay_schedule_fn": _schedule, "warmup_steps": at_least_one,
        "power": (positive, 1.0)}, _warm_up),
}
# fmt: on


def saved_name(name: str, module: Any) -> str:
    """Return the type for a class that Keras saved, from the name and the module of the class.

    >>> saved_name("CosineDecay", "keras.optimizers"), saved_name("CosineDecay", None), saved_name("Mine", "a")
    ('keras.CosineDecay', 'keras.CosineDecay', 'a.Mine')
    """
    if name in TYPES and str(module or "keras").partition(".")[0] in PACKAGES:
        return f"keras.{name}"
    return f"{module}.{name}" if isinstance(module, str) else name
