"""torch's SequentialLR and ChainedScheduler, which may be nested."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import numpy as np

from lehr.handlers.config.at_once import combined
from lehr.handlers.config.checks import milestones, minus_one, unchecked
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Entry, EntryType, build, located, lookup, read_entries
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedulers.torch.real_values import TorchDescription, real_values
from lehr.handlers.schedules import (
    Approach,
    Assignment,
    Concatenation,
    Constant,
    Recursion,
    Schedule,
    Shift,
    Stretch,
    Window,
)
from lehr.handlers.schedules.arguments import Number, shown

from .torch import LEAVES


@dataclass(frozen=True)
class Node(TorchDescription):
    """An entry of a torch config, with the entries in it.

    Args:
        schedule: its schedule, where the entry holds no others.
        where: the path to the entry in the config.
    """

    schedule: EntrySchedule | None = None
    where: str = ""


def chain_of(context: ConfigContext, entries: Sequence[Entry]) -> EntrySchedule:
    """The schedule of several entries that torch would step one after the other."""
    inner, _ = _nodes(context, entries)
    where = entries[0].where
    return replace(_chain(context, Node("ChainedScheduler", {}, inner, where=where)), where=where)


def _node(name: str, context: ConfigContext, a: SimpleNamespace) -> tuple[Node, ConfigContext]:
    """A nested entry, and the context in which torch constructs the next scheduler."""
    entries = read_entries(f"{a.where}['schedulers']", a.schedulers)
    for entry in entries:
        if entry.type.rpartition(".")[0] != "torch":
            raise ValueError(
                f"{entry.where}['type'] must be one of torch's, with its prefix 'torch.', given {shown(entry.type)}"
            )
        if entry.type == "torch.ReduceLROnPlateau":
            raise ValueError(
                f"{entry.where}: a scheduler that reads a metric cannot be in a {name}, given {shown(entry.type)}"
            )
    inner, context = _nodes(context, entries)
    if name == "ChainedScheduler":
        return Node(name, {}, inner, where=a.where), context
    if len(a.milestones) != len(inner) - 1:
        raise ValueError(
            f"['milestones'] must be one fewer than the schedulers, given {len(a.milestones)} milestones and "
            f"{len(inner)} schedulers"
        )
    return Node(name, {}, inner, tuple(a.milestones), where=a.where), context


def _nodes(context: ConfigContext, entries: Sequence[Entry]) -> tuple[tuple[Node, ...], ConfigContext]:
    """The nodes of entries that torch constructs one after the other, and the context for the next one."""
    inner = []
    for entry in entries:
        name = lookup(f"{entry.where}['type']", entry.type.removeprefix("torch."), TYPES)
        if name in NESTED:
            node, context = build(NESTED[name], entry, context)
        else:
            schedule = build(LEAVES[name], entry, context)
            node = Node(name, entry.values, schedule=schedule, where=entry.where)
            context = _constructed_after(context, node)
        inner.append(node)
    return tuple(inner), context


def _constructed_after(context: ConfigContext, node: Node) -> ConfigContext:
    """The context with the initial values that the constructors of a node leave to the next scheduler."""
    for one in node.inner:
        context = _constructed_after(context, one)
    if node.schedule is None:
        return context
    if node.name == "OneCycleLR" or (node.name == "CyclicLR" and context.base is None):
        groups = len(context.slot.groups())
        first = np.asarray(node.schedule.starting_from(0.0)(0), dtype=np.float64)
        if first.ndim and len(first) != groups:
            raise ValueError(f"{node.where} must have values for {groups} param groups, given {len(first)}")
        return replace(context, base=tuple(np.broadcast_to(first, groups).tolist()))
    return context if context.base is not None else replace(context, base=context.initial_values)


def _schedule_of(context: ConfigContext, node: Node) -> EntrySchedule:
    return _sequence(context, node) if node.name == "SequentialLR" else _chain(context, node)


def _chain(context: ConfigContext, node: Node) -> EntrySchedule:
    inner = _unchained(node)
    schedules = [_first_from_base(one) for one in inner if one.schedule is not None]
    momenta = [one.momentum for one in schedules if one.momentum is not None]
    can_combine = len(schedules) == 1 or all(one.multiplies for one in schedules) or all(one.rule for one in schedules)
    if len(schedules) < len(inner) or _share_bounds(node) or not can_combine:
        return _real(context, node)
    schedule = combined(schedules)
    return EntrySchedule(context, lambda value: schedule, momentum=momenta[-1] if momenta else None)


def _unchained(node: Node) -> list[Node]:
    """The schedulers in a chain, and in the chains in it."""
    return [leaf for one in node.inner for leaf in (_unchained(one) if one.name == "ChainedScheduler" else [one])]


def _first_from_base(node: Node) -> EntrySchedule:
    """The schedule of a leaf. A ``CyclicLR`` that is constructed after others begins with their initial value."""
    schedule = node.schedule
    assert schedule is not None
    if node.name != "CyclicLR" or schedule.context.base is None or schedule.rule is None:
        return schedule
    rule = schedule.rule()
    assert isinstance(rule, Assignment)
    late = Concatenation([Constant(schedule.context.initial_value), Shift(rule.schedule, by=1)], [1])
    return replace(schedule, rule=lambda: Assignment(late))


def _share_bounds(node: Node) -> bool:
    """Whether several schedulers keep their bounds under the same keys of the param groups, so that the last wins."""
    return sum(name in ("CyclicLR", "OneCycleLR") for name in _leaf_names(node)) > 1


def _leaf_names(node: Node) -> list[str]:
    return [name for one in node.inner for name in _leaf_names(one)] if node.inner else [node.name]


def _sequence(context: ConfigContext, node: Node) -> EntrySchedule:
    inner = node.inner
    first = bisect_right(node.milestones, 0)
    later = inner[first + 1 :]
    multiplies_on = any(one.name == "MultiplicativeLR" for one in later)
    # How a nested scheduler begins depends on torch's implementation. torch itself fails at a second nested one.
    begins_nested = inner[first].schedule is None and all(one.schedule for one in later)
    if list(node.milestones) != sorted(node.milestones) or multiplies_on or begins_nested or _share_bounds(node):
        return _real(context, node)
    last_base = _constructed_after(context, node)
    schedules, momenta = [], []
    for at, one in enumerate(inner):
        if one.schedule is not None:
            entry = one.schedule
        elif at == first:
            entry = _real(context, replace(node, inner=(one,), milestones=()))
        else:
            entry = _schedule_of(context, one)
        if at == first:
            schedules.append(_first_of_sequence(entry, last_base.initial_value))
        else:
            schedules.append(entry.starting_from(entry.context.initial_value))
        momenta.append(entry.momentum)
    starts = [context.every * milestone for milestone in node.milestones]
    durations = np.diff([0, *starts]).tolist()
    schedule = Concatenation(schedules, durations) if len(schedules) > 1 else schedules[0]
    return EntrySchedule(context, lambda value: schedule, momentum=_momentum(momenta, [0, *starts]))


def _first_of_sequence(entry: EntrySchedule, value: Number) -> Schedule:
    """The first schedule starts from the value that the last constructor leaves, but may return to its own value."""
    if entry.rule is not None and value != entry.context.initial_value and isinstance(rule := entry.rule(), Approach):
        return Recursion(value, [entry.window.turn(rule)])
    return entry.starting_from(value)


def _momentum(momenta: Sequence[Schedule | None], starts: Sequence[int]) -> Schedule | None:
    """The momentum of a sequence: constant while a scheduler without momentum is in force."""
    given = [momentum for momentum in momenta if momentum is not None]
    if not given:
        return None
    # Before the first of them, the momentum is the one that the last constructor leaves.
    parts: list[Schedule] = [Window(given[-1], end=1)]
    bounds = [0]
    for momentum, start, end in zip(momenta, starts, [*starts[1:], None], strict=True):
        if momentum is not None and end != start:
            parts.append(momentum if end is None else Window(momentum, end=end - start))
            bounds.append(start)
    return Concatenation(parts, np.diff(bounds).tolist()) if len(parts) > 1 else parts[0]


def _real(context: ConfigContext, node: Node) -> EntrySchedule:
    """The values of torch's own schedulers, where the result depends on their implementation."""
    try:
        momenta = context.of("momentum").initial_values
    except ValueError:
        momenta = (0.0,) * len(context.initial_values)
    steps, momentum = located(node.where, real_values, node, context.initial_values, momenta, context.default)
    schedule: Schedule = steps
    if context.epoch_length is not None:
        schedule = Stretch(steps, context.epoch_length)
        momentum = momentum and Stretch(momentum, context.epoch_length)
    return EntrySchedule(context, lambda value: schedule, momentum=momentum)


NESTED = {
    "ChainedScheduler": EntryType(
        "Schedulers at the same time, each changing the value that the others leave.",
        {"schedulers": unchecked},
        partial(_node, "ChainedScheduler"),
    ),
    "SequentialLR": EntryType(
        "Schedulers one after another, from milestone to milestone.",
        {"schedulers": unchecked, "milestones": milestones, "last_epoch": (minus_one, -1)},
        partial(_node, "SequentialLR"),
    ),
}


def _outermost(nested: EntryType) -> EntryType:
    return replace(nested, build=lambda context, a: _schedule_of(context, nested.build(context, a)[0]))


TYPES = {**LEAVES, **{name: _outermost(nested) for name, nested in NESTED.items()}}
