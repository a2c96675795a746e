"""Config type for the ``TrainingArguments`` of transformers' Trainer, from a mapping or a JSON or YAML file.

A config is recognised by the key ``lr_scheduler_type``. With ``dialect="hf"``, the key ``learning_rate`` or an argument
of the warm-up is enough. Without ``lr_scheduler_type``, the schedule is linear, as in the Trainer. Keys that are not
about the schedule have no effect.

The following rules are the same as in the Trainer. If a warm-up is given as a ratio, it takes ``ceil(ratio * steps)``
steps. A ``warmup_steps`` below 1 is a ratio. If both ``warmup_steps`` and ``warmup_ratio`` are given, ``warmup_steps``
is used. transformers 5.0 and 5.1 use ``warmup_ratio`` instead, and later versions do not have it. The number of steps
is ``max_steps``, or ``ceil(num_train_epochs * epoch_length)``. The schedule ``constant`` has no warm-up. The schedules
``constant`` and ``constant_with_warmup`` ignore ``lr_scheduler_kwargs``. If the mapping ``deepspeed`` has a scheduler,
that scheduler is used. If ``deepspeed`` is a path, lehr does not read the file, and warns.

Differences from the Trainer:

- If ``max_steps`` and ``num_train_epochs`` are missing, there is no default of 3 epochs.
- Without ``learning_rate``, the peak is the optimizer's own learning rate, and not 5e-5.
"""

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    fraction,
    not_negative,
    number,
    one_of,
    text,
    unchecked,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, Recognition, build, lookup, read_entry
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules.arguments import shown

from . import deepspeed, transformers

HOW = "give max_steps, or total_steps, or num_train_epochs and epoch_length, the optimizer's steps in an epoch"
# These members of transformers' `SchedulerType` have names that differ from their values.
MEMBERS = {"reduce_on_plateau": "reduce_lr_on_plateau"}
WITHOUT_KWARGS = ("constant", "constant_with_warmup")


def _scheduler_type(name: str, value: object) -> str:
    """Check the name of a schedule: a value of transformers' ``SchedulerType``, or the printed form of a member."""
    given = str.__str__(text(name, value))
    if given.startswith("SchedulerType."):
        member = given.partition(".")[2].lower()
        given = MEMBERS.get(member, member)
    return lookup(name, given, transformers.SHORT_NAMES)


def _kwargs(name: str, value: object) -> dict[str, Any]:
    """Check the keyword arguments of a schedule, which are a mapping or a string in JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError(f"{name} must be a mapping, or a mapping in JSON, given {shown(value)}") from None
    return dict(read_entry(name, value, typed=False).values)


def _positive(name: str, value: Any) -> float | None:
    """Check a number. Return None for a negative number, which means that no number is set."""
    given = number(name, value)
    if given == 0:
        raise ValueError(f"{name} must be above 0, or -1 for none, given {shown(value)}")
    return given if given > 0 else None


def _whole(name: str, value: Any) -> int | None:
    given = _positive(name, value)
    return None if given is None else at_least_one(name, given)


def _length(context: ConfigContext, a: SimpleNamespace) -> int | None:
    """Return the number of optimizer steps in the run. If it is unknown, return None.

    Raises:
        ValueError: the config and the run give different numbers of steps or epochs.
    """
    run, steps, given = context.run, None, ""
    for key in ("max_train_steps", "max_steps"):
        if getattr(a, key) is not None:
            steps, given = getattr(a, key), f"{key}={getattr(a, key)}"
    if steps is None and a.num_train_epochs is not None:
        given = f"num_train_epochs={a.num_train_epochs:g}"
        if run.max_epochs not in (None, a.num_train_epochs):
            raise ValueError(f"['num_train_epochs'] must be {run.max_epochs}, the epochs of the run, given {given}")
        if run.epoch_length is not None:
            steps = math.ceil(a.num_train_epochs * run.epoch_length)
    if steps is not None and run.steps is not None and steps != run.steps:
        raise ValueError(f"the number of steps must be {run.steps}, as in the run, given {steps} by {given}")
    return run.steps if steps is None else steps


def _known(length: int | None) -> int:
    if length is None:
        raise ValueError(f"the steps of the run must be known: {HOW}")
    return length


def _warmup_steps(a: SimpleNamespace, length: int | None) -> int:
    if a.num_warmup_steps is not None:
        return int(a.num_warmup_steps)
    if a.warmup_steps is not None and a.warmup_steps >= 1:
        return int(a.warmup_steps)
    ratio = a.warmup_steps or a.warmup_ratio
    return math.ceil(_known(length) * ratio) if ratio else 0


def _metric_every(context: ConfigContext, a: SimpleNamespace, length: int | None) -> int:
    """Return the steps between two evaluations. After each evaluation, the Trainer passes a metric to the scheduler."""
    strategy = a.eval_strategy or a.evaluation_strategy
    if strategy == "epoch":
        if context.run.epoch_length is None:
            raise ValueError("epoch_length must be given, since eval_strategy is 'epoch'")
        return context.run.epoch_length
    if strategy != "steps":
        raise ValueError(f"['eval_strategy'] must be 'steps' or 'epoch' for {a.lr_scheduler_type}, given {strategy!r}")
    if a.eval_delay:
        raise ValueError(f"['eval_delay'] must be 0 for {a.lr_scheduler_type}, given {a.eval_delay:g}")
    steps = a.eval_steps or a.logging_steps
    return math.ceil(_known(length) * steps) if steps < 1 else int(steps)


def _schedule(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if context.epoch_length not in (None, context.run.epoch_length):
        raise ValueError(
            "['lightning'] must be left out, since the Trainer steps its scheduler after each optimizer step"
        )
    length, rate = _length(context, a), a.learning_rate
    base = None if rate is None else (rate,) * len(context.slot.groups())
    context = replace(context, epoch_length=None, base=base)
    if isinstance(a.deepspeed, Mapping) and isinstance(a.deepspeed.get("scheduler"), Mapping):
        return _of_deepspeed(context, a, length)
    if isinstance(a.deepspeed, str):
        warnings.warn(
            f"{a.where}['deepspeed'] is a path whose file is not read. If {shown(a.deepspeed)} has a scheduler, the "
            "Trainer uses that scheduler. Give the content of the file instead of its path.",
            UserWarning,
            stacklevel=2,
        )
    row = transformers.FUNCTIONS[transformers.SHORT_NAMES[a.lr_scheduler_type][0]]
    values = {} if a.lr_scheduler_type in WITHOUT_KWARGS else dict(a.lr_scheduler_kwargs or {})
    own: dict[str, Any] = {}
    if "num_warmup_steps" in row.arguments:
        own["num_warmup_steps"] = _warmup_steps(a, length)
    if "num_training_steps" in row.arguments:
        own["num_training_steps"] = length if "num_stable_steps" in values else _known(length)
    driven = "metric_name" in row.arguments
    if driven:
        own["metric_name"] = a.metric_name or a.metric_for_best_model or "loss"
    where = f"{a.where}['lr_scheduler_kwargs']"
    for key in own:
        if key in values:
            raise ValueError(f"{where}[{key!r}] must be left out, since the Trainer sets it, given {values[key]!r}")
    made: EntrySchedule = build(row, Entry(where, "", {**values, **own}), context)
    return replace(made, metric_every=_metric_every(context, a, length)) if driven else made


def _of_deepspeed(context: ConfigContext, a: SimpleNamespace, length: int | None) -> EntrySchedule:
    """Make the schedule of the mapping ``deepspeed``, with the values that the Trainer would fill in."""
    where = f"{a.where}['deepspeed']['scheduler']"
    entry = read_entry(where, a.deepspeed["scheduler"])
    name = lookup(f"{where}['type']", entry.type.removeprefix("deepspeed."), deepspeed.TYPES)
    values = dict(entry.values)
    if values.get("warmup_num_steps") == deepspeed.AUTO:
        values["warmup_num_steps"] = max(1, _warmup_steps(a, length))
    context = replace(context, run=replace(context.run, total_steps=length, max_epochs=None))
    made: EntrySchedule = build(deepspeed.TYPES[name], Entry(where, "", values), context)
    return made


# fmt: off
ARGUMENTS: Arguments = {
    "lr_scheduler_type": (_scheduler_type, "linear"), "lr_scheduler_kwargs": (_kwargs, None),
    "learning_rate": (not_negative, None), "warmup_ratio": (fraction, None), "warmup_steps": (not_negative, None),
    "max_steps": (_whole, None), "num_train_epochs": (_positive, None), "deepspeed": (unchecked, None),
    # These arguments say when the Trainer passes a metric to the schedule.
    **dict.fromkeys(("eval_strategy", "evaluation_strategy"), (one_of("no", "steps", "epoch"), None)),
    "eval_steps": (not_negative, None), "eval_delay": (not_negative, 0), "logging_steps": (not_negative, 500),
    "metric_for_best_model": (text, None), "metric_name": (text, None),
    # Example scripts of transformers that have their own training loop use these names.
    "num_warmup_steps": (count, None), "max_train_steps": (at_least_one, None),
}
# A key that contains one of these words is about the schedule.
WORDS = (
    *("lr", "learning_rate", "warmup", "cooldown", "num_cycles", "power", "timescale"),
    *("num_decay_steps", "num_stable_steps", "decay_ratio", "decay_steps", "decay_type"),
)
IN_KWARGS = "give it in 'lr_scheduler_kwargs' if the schedule has this argument"
FOREIGN = {
    **dict.fromkeys(("epochs", "max_epochs", "num_epochs"), "give 'num_train_epochs'"),
    **dict.fromkeys(("total_steps", "num_training_steps", "train_steps"), "give 'max_steps'"),
    **dict.fromkeys(("stable_ratio", "cosine_min_ratio", "min_ratio"), IN_KWARGS),
}
# fmt: on
TYPES = {
    "TrainingArguments": EntryType(
        "The schedule of transformers' Trainer, from its TrainingArguments.",
        ARGUMENTS,
        _schedule,
        recognition=Recognition(
            "lr_scheduler_type",
            shown_by=("learning_rate", "warmup_ratio", "warmup_steps"),
            words=WORDS,
            foreign=FOREIGN,
        ),
    )
}
