"""Config types for all schedulers of Cerebras, for learning rates and for weight decays."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_validators import flag, functions, milestones, minus_one, unchecked
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, build, located, lookup, read_entries, read_entry
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import Concatenation, Constant, Product, Shift, SideBySide, arguments
from lehr.handlers.targets.group_selection import Group

from .cerebras import LEAVES, CerebrasSchedule

# The keys are arguments of weight decay schedulers. The values are the names that learning rate schedulers use.
LR_NAMES = {
    "initial_val": "initial_learning_rate",
    "end_val": "end_learning_rate",
    "val": "learning_rate",
    "vals": "learning_rates",
    "base_val": "base_lr",
    "max_val": "max_lr",
}
# Only schedulers of learning rates have these arguments.
OF_LR_LEAVES: Arguments = {"disable_lr_steps_reset": (flag, False)}
OF_LAMBDA_LR: Arguments = {"set_lr_lambda": (functions, None)}
INNER_NAMES = {lr_name: name for name, lr_name in LR_NAMES.items()}


def _inner(context: ConfigContext, suffix: str, entry: Entry, tags: Any) -> CerebrasSchedule:
    prefix, _, name = entry.type.rpartition(".")
    if prefix != "cerebras":
        raise ValueError(
            f"{entry.where}['type'] must be a scheduler of Cerebras in this place, given {arguments.shown(entry.type)}"
        )
    if lookup(f"{entry.where}['type']", name, {**INNER_TYPES["LR"], **INNER_TYPES["WD"]}) not in INNER_TYPES[suffix]:
        raise ValueError(
            f"{entry.where}['type'] must schedule the same parameter as the scheduler around it, "
            f"given {arguments.shown(entry.type)}"
        )
    own = _tag_set(entry.values.get("param_group_tags"))
    if own not in (None, _tag_set(tags)):
        raise ValueError(
            f"{entry.where}['param_group_tags'] must be the tags of the scheduler around it, {arguments.shown(tags)}, "
            f"or be left out, given {arguments.shown(entry.values['param_group_tags'])}"
        )
    values = {**entry.values, "param_group_tags": tags}
    schedule: CerebrasSchedule = build(INNER_TYPES[suffix][name], Entry(entry.where, entry.type, values), context)
    if schedule.scales is not None:
        raise ValueError(f"{entry.where}: ScalePerParam must be the outermost scheduler")
    return schedule


def _chained(context: ConfigContext, suffix: str, a: SimpleNamespace) -> CerebrasSchedule:
    inner = read_entries(f"{a.where}['schedulers']", a.schedulers)
    first, *others = [_inner(context, suffix, one, a.param_group_tags) for one in inner]
    factors = []
    for entry, other in zip(inner[1:], others, strict=True):
        if other.initial == 0:
            raise ValueError(f"{entry.where}: the initial value must not be 0, because a chain divides by it")
        factors.append(located(entry.where, lambda one: Product([one.schedule, Constant(1 / one.initial)]), other))
    return CerebrasSchedule(Product([first.schedule, *factors]), first.initial)


def _sequential(context: ConfigContext, suffix: str, a: SimpleNamespace) -> CerebrasSchedule:
    inner = read_entries(f"{a.where}['schedulers']", a.schedulers)
    schedules = [_inner(context, suffix, one, a.param_group_tags) for one in inner]
    starts = a.milestones
    if starts is None:
        for entry, one in zip(inner[:-1], schedules[:-1], strict=True):
            if one.duration is None:
                raise ValueError(f"['milestones'] must be given, because {entry.where} has no total_iters")
        starts = list(accumulate(one.duration or 0 for one in schedules[:-1]))
    if len(starts) != len(schedules) - 1:
        raise ValueError(
            f"['milestones'] must have one milestone fewer than the {len(schedules)} schedulers, given {starts}"
        )
    if starts != sorted(starts):
        raise ValueError(f"['milestones'] must rise, given {starts}")
    if len(schedules) == 1:
        return replace(schedules[0], counts_all_steps=False)
    last = schedules[-1].duration
    parts = [
        Shift(one.schedule, by=start) if one.counts_all_steps else one.schedule
        for one, start in zip(schedules, [0, *starts], strict=True)
    ]
    whole = Concatenation(parts, np.diff([0, *starts]).tolist())
    return CerebrasSchedule(whole, schedules[0].initial, None if last is None else starts[-1] + last)


def _scaled(context: ConfigContext, suffix: str, a: SimpleNamespace) -> CerebrasSchedule:
    inner = _inner(context, suffix, read_entry(f"{a.where}['scheduler']", a.scheduler), a.param_group_tags)
    groups = context.optimizer.param_groups
    scales = [group.get("adjust_learning_rate", group.get("adjust_val", 1.0)) for group in groups]
    names = (f"adjust_learning_rate of param group {at}" for at in range(len(scales)))
    return replace(inner, scales=tuple(map(arguments.number, names, scales)))


WITHOUT_SUFFIX: dict[str, EntryType] = {
    **LEAVES,
    "Chained": EntryType("Schedulers that multiply one another.", {"schedulers": unchecked}, _chained),
    "ScalePerParam": EntryType("A scheduler times the scale of each param group.", {"scheduler": unchecked}, _scaled),
    "Sequential": EntryType(
        "Schedulers one after another, from milestone to milestone.",
        {"schedulers": unchecked, "milestones": (milestones, None), "last_epoch": (minus_one, -1)},
        _sequential,
    ),
}


def _inner_type(name: str, suffix: str) -> EntryType:
    """Return the ``EntryType`` of a scheduler inside another scheduler. The suffix is ``"LR"`` or ``"WD"``."""
    row, names = WITHOUT_SUFFIX[name], LR_NAMES if suffix == "LR" else {}
    renamed = {names.get(key, key): one for key, one in row.arguments.items()}
    of_lr = {**(OF_LR_LEAVES if name in LEAVES else {}), **(OF_LAMBDA_LR if name == "Lambda" else {})}

    def made(context: ConfigContext, a: SimpleNamespace) -> CerebrasSchedule:
        own = {INNER_NAMES.get(key, key): value for key, value in vars(a).items()}
        lr_lambda = own.pop("set_lr_lambda", None)
        if lr_lambda is not None:
            if own["set_value_lambda"] is not None:
                raise ValueError(
                    "['set_lr_lambda'] must be left out, because 'set_value_lambda' is present and means the same"
                )
            own["set_value_lambda"] = lr_lambda
        counts_all_steps = own.pop("disable_lr_steps_reset", False)
        schedule: CerebrasSchedule = row.build(context, suffix, SimpleNamespace(**own))
        return replace(schedule, counts_all_steps=counts_all_steps)

    tags: Arguments = {"param_group_tags": (unchecked, None)}
    return EntryType(row.description, {**renamed, **(of_lr if suffix == "LR" else {}), **tags}, made)


INNER_TYPES = {suffix: {name + suffix: _inner_type(name, suffix) for name in WITHOUT_SUFFIX} for suffix in ("LR", "WD")}
INNER_TYPES["LR"]["CosineAnnealingWarmRestarts"] = INNER_TYPES["LR"].pop("CosineAnnealingWarmRestartsLR")
INNER_TYPES["LR"]["ChainedScheduler"] = INNER_TYPES["LR"]["ChainedLR"]


def _outermost(row: EntryType, suffix: str) -> EntryType:
    """Turn the ``EntryType`` of an inner scheduler into the ``EntryType`` of a scheduler that stands alone."""

    def entry_schedule(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        if context.epoch_length is not None:
            raise ValueError("epoch_length must be left out, since Cerebras counts steps")
        context = context.of("weight_decay") if suffix == "WD" else context
        made: CerebrasSchedule = row.build(context, a)
        groups = _groups_with_tags(context.optimizer.param_groups, a.param_group_tags)
        schedule = made.schedule
        if made.scales is not None or groups is not None:
            scales = made.scales or (1.0,) * len(context.optimizer.param_groups)
            schedule = SideBySide([schedule if one == 1 else Product([schedule, Constant(one)]) for one in scales])
        return EntrySchedule(context, lambda value: schedule, duration=made.duration, groups=groups)

    return replace(row, build=entry_schedule)


TYPES = {name: _outermost(row, suffix) for suffix, rows in INNER_TYPES.items() for name, row in rows.items()}


def _groups_with_tags(groups: Sequence[Group], tags: object) -> tuple[bool, ...] | None:
    """Return for each param group whether it has one of the tags. If ``tags`` is None, return None."""
    wanted = _tag_set(tags)
    if wanted is None:
        return None
    of_groups = [
        _tag_set(group.get("tags", [None]), f"tags of param group {at}") or set() for at, group in enumerate(groups)
    ]
    chosen = tuple(bool(wanted & own) for own in of_groups)
    if not any(chosen):
        known = sorted({tag for own in of_groups for tag in own if isinstance(tag, str)})
        raise ValueError(
            f"['param_group_tags'] must be among the tags of the param groups, {known}, given {arguments.shown(tags)}"
        )
    return chosen


def _tag_set(tags: Any, name: str = "param_group_tags") -> set[Any] | None:
    if tags is None:
        return None
    if isinstance(tags, str):
        return {tags}
    if not isinstance(tags, list | tuple | set) or not all(isinstance(tag, str | None) for tag in tags):
        raise TypeError(f"{name} must be a string or a list of strings, given {arguments.shown(tags)}")
    return set(tags)
