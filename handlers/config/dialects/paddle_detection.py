"""Config type ``paddle.PaddleDetection``, for the section ``LearningRate`` of a PaddleDetection file.

The values are equal to those of PaddleDetection in October 2024. If ``gamma`` is one number, it is divided by 10 at
each milestone. Milestones during the warm-up have no effect before the warm-up ends. The decay counts epochs and the
warm-up counts iterations, so ``epoch_length`` must be given.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    list_of_numbers,
    milestones,
    not_negative,
    number,
    positive,
    unchecked,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, Recognition, build, lookup, read_entry
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    Curve,
    Linear,
    Power,
    Schedule,
    Shift,
    Window,
)
from lehr.handlers.schedules.arguments import shown

from .paddle import (
    piecewise,
)


def _detection(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if context.run.epoch_length is None:
        raise ValueError("epoch_length of configure_scheduler must be the iterations in an epoch, given None")
    a.each, a.up, a.up_steps = context.run.epoch_length, None, 0
    given = [{"PiecewiseDecay": None}, {"LinearWarmup": None}] if a.schedulers is None else a.schedulers
    if not isinstance(given, list | tuple) or not given:
        raise TypeError(f"['schedulers'] must be a list of mappings, given {shown(given)}")
    [first, *others] = [_scheduler_of(f"{a.where}['schedulers'][{at}]", one) for at, one in enumerate(given)]

    def falling(context: ConfigContext, own: SimpleNamespace) -> EntrySchedule:
        if own.use_warmup and not others:
            raise ValueError("['use_warmup'] must be False if there is no second scheduler for the warm-up, given True")
        if own.use_warmup:
            row = WARMUPS[lookup(f"{others[0].where}: the warm-up", others[0].type, WARMUPS)]
            a.up, a.up_steps = build(row, others[0], context)(a)
        made = FALLS[first.type][1](own, a)
        return EntrySchedule(context, lambda value: made)

    row = EntryType("", FALLS[lookup(f"{first.where}: the first scheduler", first.type, FALLS)][0], falling)
    made: EntrySchedule = build(row, first, context.stepping(1))
    return made


def _scheduler_of(where: str, given: Any) -> Entry:
    """Read a scheduler of the list. A YAML tag, ``name`` or ``type`` says which scheduler it is."""
    if isinstance(given, Mapping) and len(given) == 1 and isinstance(next(iter(given.values())), Mapping | None):
        [(name, values)] = given.items()
        return read_entry(where, {**(values or {}), "type": name})
    if isinstance(given, Mapping) and "name" in given:
        given = {"type": given["name"], **{key: value for key, value in given.items() if key != "name"}}
    entry = read_entry(where, given)
    return replace(entry, type=entry.type.removeprefix("paddle."))


def _up(curve: Curve, context: ConfigContext, own: SimpleNamespace) -> Any:
    """Return a function that returns the warm-up and its number of steps."""

    def made(a: SimpleNamespace) -> tuple[Schedule, int]:
        in_epochs = own.epochs is not None and own.epochs_first
        steps = max(own.epochs * a.each if in_epochs else own.steps, 1)
        return Anneal(a.base_lr * own.start_factor, a.base_lr, steps, curve), steps

    return made


def _after_warmup(a: SimpleNamespace, schedule: Schedule) -> Schedule:
    """Put the warm-up before a schedule. The schedule counts events from the beginning of the warm-up."""
    return schedule if a.up is None else Concatenation([a.up, Shift(schedule, by=a.up_steps)], [a.up_steps])


def _piecewise_decay(own: SimpleNamespace, a: SimpleNamespace) -> Schedule:
    values, gammas = own.values, own.gamma
    if values is not None and (a.up is not None or len(values) != len(own.milestones) + 1):
        raise ValueError("['values'] must have one value more than the milestones, and use_warmup must be False")
    if not isinstance(gammas, list):
        gammas = [gammas / 10**at for at in range(len(own.milestones))]
    values = [a.base_lr, *(a.base_lr * one for one in gammas)] if values is None else values
    return _after_warmup(a, piecewise([one * a.each for one in own.milestones], values))


def _cosine_decay(own: SimpleNamespace, a: SimpleNamespace) -> Schedule:
    steps, last, low = own.max_epochs * a.each, own.last_plateau_epochs * a.each, a.base_lr * own.min_lr_ratio
    if a.up is None and not last:
        return Anneal(a.base_lr, low, steps, Cosine(), "mirror")
    if steps <= a.up_steps:
        return _after_warmup(a, Constant(a.base_lr))
    falling = Anneal(a.base_lr, low, max(steps - a.up_steps - last, 0), Cosine())
    whole = falling if a.up is None else Concatenation([a.up, falling], [a.up_steps])
    return Window(whole, end=steps)  # the value of the last step stays


def _gammas(name: str, value: object) -> float | list[float]:
    return list_of_numbers(name, value) if isinstance(value, list | tuple) else number(name, value)


# fmt: off
FALLS: Mapping[str, tuple[Arguments, Callable[[SimpleNamespace, SimpleNamespace], Schedule]]] = {
    "CosineDecay": ({"max_epochs": (at_least_one, 1000), "use_warmup": (flag, True), "min_lr_ratio": (number, 0.0),
        "last_plateau_epochs": (count, 0)}, _cosine_decay),
    "PiecewiseDecay": ({"gamma": (_gammas, [0.1, 0.01]), "milestones": (milestones, [8, 11]),
        "values": (list_of_numbers, None), "use_warmup": (flag, True)}, _piecewise_decay),
}
OF_WARMUP: Arguments = {"epochs": (count, None), "epochs_first": (flag, True)}
WARMUPS = {
    "LinearWarmup": EntryType("", {"steps": (count, 500), "start_factor": (number, 1 / 3), **OF_WARMUP},
        partial(_up, Linear())),
    "ExpWarmup": EntryType("", {"steps": (count, 1000), "power": (positive, 2.0), **OF_WARMUP},
        lambda context, own: _up(Power(own.power), context, SimpleNamespace(**vars(own), start_factor=0.0))),
}
TYPES: dict[str, EntryType] = {
    "PaddleDetection": EntryType("The LearningRate of PaddleDetection: a fall in epochs, and a warm-up in iterations.",
        {"base_lr": (not_negative, 0.01), "schedulers": (unchecked, None)}, _detection,
        recognition=Recognition(section="LearningRate", all_keys=True)),
}
# fmt: on
