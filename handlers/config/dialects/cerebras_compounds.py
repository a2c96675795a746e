"""The schedulers of cerebras.pytorch.optim, and those of them that hold others."""

from itertools import accumulate
from typing import Any

import numpy as np

from lehr.handlers.config.argument_checks import Anything, LastStep, Milestones
from lehr.handlers.config.context import Target
from lehr.handlers.config.entries import Entry, call, entries, entry, located, lookup
from lehr.handlers.config.entry_schedules import Piece
from lehr.handlers.schedules import Concatenation, Constant, Product, Schedule, SideBySide, arguments
from lehr.handlers.targets.group_selection import Group

from .cerebras import LEAVES, Plan, renamed

COMPOUND = ("Chained", "ScalePerParam", "Sequential")


def _suffixed(kind: str, suffix: str) -> str:
    return kind if kind == "CosineAnnealingWarmRestarts" and suffix == "LR" else kind + suffix


NAMES = {_suffixed(kind, suffix): (kind, suffix) for kind in (*LEAVES, *COMPOUND) for suffix in ("LR", "WD")}
NAMES["ChainedScheduler"] = ("Chained", "LR")


def cerebras_piece(target: Target, name: str, given: Entry) -> Piece:
    """What an entry of the Cerebras dialect comes to."""
    kind, suffix = NAMES[name]
    if target.epoch_length is not None:
        raise ValueError(f"{given.where}: epoch_length must be left out, since Cerebras counts steps")
    if suffix == "WD":
        target = target.of("weight_decay")
    tags = given.given.get("param_group_tags")
    plan = _plan(target, kind, suffix, given.without("param_group_tags"), tags)
    covers = located(given.where, _covers, given, target.groups, tags)
    schedule = plan.schedule
    if plan.scales is not None or covers is not None:
        scales = plan.scales or (1.0,) * len(target.groups)
        columns = [schedule if scale == 1 else Product([schedule, Constant(scale)]) for scale in scales]
        schedule = SideBySide(columns)
    return Piece(given.where, target, lambda value: schedule, duration=plan.duration, covers=covers)


def _plan(target: Target, kind: str, suffix: str, given: Entry, tags: object) -> Plan:
    if kind in LEAVES:
        return call(renamed(LEAVES[kind], suffix), given)  # type: ignore[no-any-return]
    if kind == "ScalePerParam":
        inner = entry(f"{given.where}['scheduler']", call(scaled, given), from_file=given.from_file)
        plan = _inner_plan(target, suffix, inner, tags)
        scales = [group.get("adjust_learning_rate", group.get("adjust_val", 1.0)) for group in target.groups]
        checked = tuple(arguments.number("adjust_learning_rate", scale) for scale in scales)
        return Plan(plan.schedule, plan.initial, plan.duration, checked)
    members, milestones = call(sequential if kind == "Sequential" else chained, given)
    inner_entries = entries(f"{given.where}['schedulers']", members, from_file=given.from_file)
    plans = [_inner_plan(target, suffix, one, tags) for one in inner_entries]
    if kind == "Sequential":
        return _sequence(given, inner_entries, plans, milestones)
    for one, plan in zip(inner_entries[1:], plans[1:], strict=True):
        if plan.initial == 0:
            raise ValueError(
                f"{one.where}: what is chained must not have an initial value of 0, of which it is a multiple"
            )
    factors = [located(one.where, _multiple, plan) for one, plan in zip(inner_entries[1:], plans[1:], strict=True)]
    return Plan(Product([plans[0].schedule, *factors]), plans[0].initial)


def _multiple(plan: Plan) -> Schedule:
    return Product([plan.schedule, Constant(1 / plan.initial)])


def _inner_plan(target: Target, suffix: str, given: Entry, tags: object) -> Plan:
    prefix, _, name = given.type.rpartition(".")
    if prefix != "cerebras":
        raise ValueError(f"{given.where}['type'] must be a scheduler of Cerebras here, given {given.type!r}")
    kind, own_suffix = NAMES[lookup(f"{given.where}['type']", name, NAMES)]
    if own_suffix != suffix:
        raise ValueError(f"{given.where}['type'] must be of the same parameter as what it is in, given {given.type!r}")
    if _tag_set(given.given.get("param_group_tags")) != _tag_set(tags):
        raise ValueError(f"{given.where}['param_group_tags'] must be those of what it is in, {tags!r}")
    plan = _plan(target, kind, suffix, given.without("type", "param_group_tags"), tags)
    if plan.scales is not None:
        raise ValueError(f"{given.where}: ScalePerParam must be the outermost one")
    return plan


def _sequence(given: Entry, inner: list[Entry], plans: list[Plan], milestones: list[int] | None) -> Plan:
    if milestones is None:
        for one, plan in zip(inner[:-1], plans[:-1], strict=True):
            if plan.duration is None:
                raise ValueError(f"{given.where}['milestones'] must be given where {one.where} has no total_iters")
        milestones = list(accumulate(plan.duration or 0 for plan in plans[:-1]))
    if len(milestones) != len(plans) - 1:
        raise ValueError(
            f"{given.where}['milestones'] must be one fewer than the {len(plans)} schedulers, given {milestones}"
        )
    if milestones != sorted(milestones):
        raise ValueError(f"{given.where}['milestones'] must rise, given {milestones}")
    lasts = plans[-1].duration
    duration = None if lasts is None else (milestones[-1] if milestones else 0) + lasts
    if len(plans) == 1:
        return plans[0]
    durations = np.diff([0, *milestones]).tolist()
    return Plan(Concatenation([plan.schedule for plan in plans], durations), plans[0].initial, duration)


def sequential(
    schedulers: Anything, milestones: Milestones | None = None, last_epoch: LastStep = -1
) -> tuple[Any, list[int] | None]:
    """Schedulers one after another, from milestone to milestone."""
    return schedulers, milestones


def chained(schedulers: Anything) -> tuple[Any, None]:
    """Schedulers that multiply one another."""
    return schedulers, None


def scaled(scheduler: Anything) -> Any:
    """A scheduler times what each param group has for a scale."""
    return scheduler


def _covers(given: Entry, groups: list[Group], tags: object) -> tuple[bool, ...] | None:
    """Which param groups have one of the tags."""
    wanted = _tag_set(tags)
    if wanted is None:
        return None
    of_groups = [_tag_set(group.get("tags", [None])) or set() for group in groups]
    covers = tuple(bool(wanted & own) for own in of_groups)
    if not any(covers):
        known = sorted({tag for own in of_groups for tag in own if isinstance(tag, str)})
        raise ValueError(f"{given.where}['param_group_tags'] must be tags of param groups, {known}, given {tags!r}")
    return covers


def _tag_set(tags: Any) -> set[Any] | None:
    if tags is None:
        return None
    if isinstance(tags, str):
        return {tags}
    if not isinstance(tags, list | tuple | set) or not all(isinstance(tag, str | None) for tag in tags):
        raise TypeError(f"param_group_tags must be a string or a list of strings, given {tags!r}")
    return set(tags)
