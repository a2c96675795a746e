"""Config type ``paddle.PaddleClas``, for the mapping ``lr`` in the section ``Optimizer`` of a PaddleClas file.

The values are equal to those of PaddleClas in October 2024. The section ``Global`` of the file has the number of
epochs. With ``by_epoch``, a step is an epoch. Without ``by_epoch``, a step is an iteration, and ``epoch_length`` must
be given. As in PaddleClas, the warm-up of ``Linear`` counts iterations even with ``by_epoch``. The lengths of
``OneCycleLR`` and ``CosineFixmatch`` also count iterations. After its last step, ``OneCycleLR`` keeps its value, in
contrast to PaddleClas.

A file with ``Global: epoch_num`` belongs to PaddleOCR and is refused, because PaddleOCR has schedules with the same
names and other values. ``ReduceOnPlateau`` is refused as well, because after a warm-up PaddleClas passes it the step
instead of the metric.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    list_of_numbers,
    minus_one,
    not_negative,
    number,
    positive,
    text,
    unchecked,
    without_effect,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, Recognition, build, lookup
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Concatenation,
    Constant,
    Cosine,
    Schedule,
    StepDecay,
)

from .language_model_parts import whole_if_near
from .paddle import (
    BELOW_1,
    CYCLIC,
    ONE_CYCLE,
    POLYNOMIAL,
    cyclic,
    multi_step,
    one_cycle,
    piecewise,
    polynomial,
    warmed_up,
)

NO_LENGTH = "epoch_length of configure_scheduler must be the iterations in an epoch, given None"


def _whole(name: str, value: float) -> int:
    """Return a number of steps as an int, or raise an error if the number is not whole."""
    steps = whole_if_near(value)
    if steps != int(steps):
        raise ValueError(f"{name} must be a whole number of steps, given {steps}")
    return int(steps)


def _iterations(a: SimpleNamespace) -> int:
    """Return the number of iterations in an epoch, or raise an error if it is unknown."""
    if a.length is None:
        raise ValueError(NO_LENGTH)
    return int(a.length)


def _rest(a: SimpleNamespace) -> int:
    """Return the number of steps after the warm-up."""
    return _whole("the epochs after the warm-up", (a.epochs - a.warmup_epoch) * a.each)


def _linear(a: SimpleNamespace) -> Schedule:
    steps = _rest(a)
    a.warmup_each = _iterations(a)
    return polynomial(a.learning_rate, a, steps) if steps > 0 else Constant(a.learning_rate)


def _cosine(a: SimpleNamespace) -> Schedule:
    steps = _rest(a)
    return Anneal(a.learning_rate, a.eta_min, steps, Cosine(), "mirror") if steps > 0 else Constant(a.learning_rate)


def _step(a: SimpleNamespace) -> Schedule:
    steps = int(a.step_size * a.each)
    if steps < 1:
        raise ValueError(f"['step_size'] must be at least 1 step, given {a.step_size} epochs of {a.each} steps")
    return StepDecay(a.learning_rate, a.gamma, steps)


def _piecewise(a: SimpleNamespace) -> Schedule:
    epochs, values = a.decay_epochs, a.values
    if a.learning_rate:  # PaddleClas divides it by 10 every 30 epochs and ignores the other arguments
        starts = list(range(0, a.epochs, 30))
        values = [a.learning_rate * 0.1**at for at in range(len(starts))]
        epochs, values = (starts[1:], values) if starts[1:] else ([a.epochs], values * 2)
    elif not values:
        raise ValueError("['values'] must have at least one number, given none")
    a.learning_rate = values[0]
    return piecewise([_whole("decay_epochs", one * a.each) for one in epochs], values)


def _fixmatch(a: SimpleNamespace) -> Schedule:
    steps = max(a.epochs * _iterations(a) - a.num_warmup_steps, 1)
    # The schedule follows a cosine wave from its top on, and is 0 where the wave is below 0.
    wave = Anneal(a.learning_rate, -a.learning_rate, steps / a.num_cycles, Cosine(), "mirror")
    up = Anneal(0.0, a.learning_rate, a.num_warmup_steps)
    return Concatenation([up, Bounded(wave, at_least=0.0)], [a.num_warmup_steps])


def _cyclic(a: SimpleNamespace) -> Schedule:
    a.learning_rate = a.base_learning_rate
    return cyclic(a)


def _one_cycle(a: SimpleNamespace) -> Schedule:
    a.learning_rate = a.max_learning_rate
    return one_cycle(a, a.epochs * _iterations(a))


def _by_name(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    """Make the schedule that the key ``name`` names."""
    if a.epoch_num is not None:
        raise ValueError("the file must not be one of PaddleOCR: describe its schedule with paddle.LinearWarmup")
    own, schedule = PADDLE_CLAS[lookup("['name']", a.name, PADDLE_CLAS)]
    given = {key: one for key, one in vars(a).items() if key not in ("where", "name", "epoch_num") and one is not None}
    row = EntryType("", {**own, **OF_CLAS}, partial(_of_clas, schedule))
    made: EntrySchedule = build(row, Entry(a.where, "", given), context)
    return made


def _of_clas(
    schedule: Callable[[SimpleNamespace], Schedule], context: ConfigContext, a: SimpleNamespace
) -> EntrySchedule:
    a.epochs = _epochs(context, a)
    length = context.run.epoch_length
    if length is None and not a.by_epoch:
        raise ValueError(NO_LENGTH)
    a.length, a.each, a.warmup_epoch = length, 1 if a.by_epoch else length, min(a.warmup_epoch, a.epochs)
    a.warmup_each = a.each
    made = schedule(a)
    if a.by_epoch and a.warmup_epoch != int(a.warmup_epoch):
        raise ValueError(f"['warmup_epoch'] must be a whole number if by_epoch is True, given {a.warmup_epoch}")
    steps = round(a.warmup_epoch * a.warmup_each)
    if steps:
        made = warmed_up(a.warmup_start_lr, a.learning_rate, steps, made)
    in_events = context.in_events(made) if a.by_epoch else made
    return EntrySchedule(context, lambda value: in_events)


def _epochs(context: ConfigContext, a: SimpleNamespace) -> int:
    epochs = context.run.epochs if a.epochs is None else a.epochs
    if epochs is None:
        raise ValueError("['epochs'] or max_epochs of configure_scheduler must be a number, given none")
    if context.run.epochs not in (None, epochs):
        raise ValueError(f"['epochs'] must be {context.run.epochs}, the epochs of the run, given {epochs}")
    return int(epochs)


# fmt: off
RATE: Arguments = {"learning_rate": not_negative}
OF_CLAS: Arguments = {"epochs": (at_least_one, None), "step_each_epoch": (unchecked, None),
    "warmup_epoch": (not_negative, 0.0), "warmup_start_lr": (number, 0.0), "by_epoch": (flag, False),
    "last_epoch": (minus_one, -1), "verbose": (without_effect, False)}
PADDLE_CLAS: Mapping[str, tuple[Arguments, Callable[[SimpleNamespace], Schedule]]] = {
    "ConstLR": (RATE, lambda a: Constant(a.learning_rate)),
    "Constant": (RATE, lambda a: Constant(a.learning_rate)),
    "Cosine": ({**RATE, "eta_min": (number, 0.0)}, _cosine),
    "CosineFixmatch": ({**RATE, "num_warmup_steps": count, "num_cycles": (positive, 7 / 16)}, _fixmatch),
    "Cyclic": (CYCLIC, _cyclic),
    "Linear": ({**RATE, **POLYNOMIAL, "end_lr": (number, 0.0)}, _linear),
    "MultiStepDecay": ({**RATE, "milestones": list_of_numbers, "gamma": (BELOW_1, 0.1)},
        lambda a: multi_step(a.learning_rate, a, [_whole("a milestone", one * a.each) for one in a.milestones])),
    "OneCycleLR": ({**ONE_CYCLE, "end_learning_rate": (not_negative, 1e-10)}, _one_cycle),
    "Piecewise": ({"learning_rate": (not_negative, None), "decay_epochs": list_of_numbers,
        "values": list_of_numbers}, _piecewise),
    "Step": ({**RATE, "step_size": positive, "gamma": BELOW_1}, _step),
}
ANY = dict.fromkeys((key for own, _ in PADDLE_CLAS.values() for key in {**own, **OF_CLAS}), (unchecked, None))
TYPES: dict[str, EntryType] = {
    "PaddleClas": EntryType("The lr of PaddleClas' Optimizer, by its name, with a warm-up in epochs.",
        {"name": text, **ANY, "epoch_num": (unchecked, None)}, _by_name,
        {"epochs": ("Global.epochs",), "epoch_num": ("Global.epoch_num",)},
        Recognition(section="lr", beside=("lr.name", "name"), all_keys=True)),
}
# fmt: on
