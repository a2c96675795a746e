"""Config types for torch's SequentialLR and ChainedScheduler, with the schedulers inside them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Entry, EntryType, located
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.config.simultaneous_entries import combined
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
from lehr.handlers.schedules.arguments import Number

from .torch import LEAVES
from .torch_nested_tree import NESTED, Node, nodes_of, refuse_later_failures


def chain_of(context: ConfigContext, entries: Sequence[Entry]) -> EntrySchedule:
    """Make one schedule from several entries that all step at each event, as in a ``ChainedScheduler``."""
    where, (inner, left) = entries[0].where, nodes_of(context, entries)
    return replace(_chain(context, Node("ChainedScheduler", {}, inner, where=where, left=left)), where=where)


def _schedule_of(context: ConfigContext, node: Node, steps: float = np.inf) -> EntrySchedule:
    """Make the schedule of a nested entry. If no formula has the exact values, torch's own schedulers are run.

    Args:
        context: the parameter that the entry schedules.
        node: the node of the entry.
        steps: the number of steps that the entry makes.
    """
    return (_sequence if node.name == "SequentialLR" else _chain)(context, node, steps)


def _shares_entries(node: Node) -> bool:
    """Return whether several schedulers write their bounds to the same keys of the param groups."""
    names = [leaf.name for leaf in node.leaves]
    return sum(name in ("CyclicLR", "OneCycleLR") for name in names) > 1 or names.count("SWALR") > 1


def _chain(context: ConfigContext, node: Node, steps: float = np.inf) -> EntrySchedule:
    inner = _unchained(node)
    schedules = [_first_from_base(one) for one in inner if one.schedule is not None]
    momenta = [one.momentum for one in schedules if one.momentum is not None]
    only_multiplies = len(schedules) == 1 or all(one.multiplies for one in schedules)
    # With gamma=0, torch multiplies by 0 at each later step, even if another scheduler changed the value in between.
    has_rules = all(one.rule for one in schedules) and all(one.arguments.get("gamma") != 0 for one in inner)
    if len(schedules) < len(inner) or _shares_entries(node) or not (only_multiplies or has_rules):
        return _real(context, node, steps)
    schedule = combined(schedules)
    return EntrySchedule(context, lambda value: schedule, momentum=momenta[-1] if momenta else None)


def _unchained(node: Node) -> list[Node]:
    """Return the schedulers in a chain, and in the chains inside the chain."""
    return [leaf for one in node.inner for leaf in (_unchained(one) if one.name == "ChainedScheduler" else [one])]


def _first_from_base(node: Node) -> EntrySchedule:
    """Return the schedule of a node. A ``CyclicLR`` after other schedulers begins with the value that they leave."""
    schedule = node.schedule
    assert schedule is not None
    if node.name != "CyclicLR" or schedule.context.base is None or schedule.rule is None:
        return schedule
    rule = schedule.rule()
    assert isinstance(rule, Assignment)
    late = Concatenation([Constant(schedule.context.initial_value), Shift(rule.schedule, by=1)], [1])
    return replace(schedule, rule=lambda: Assignment(late))


def _sequence(context: ConfigContext, node: Node, steps: float) -> EntrySchedule:
    first = bisect_right(node.milestones, 0)
    later = node.inner[first + 1 :]
    # If the first scheduler is nested, its first value depends on torch's implementation. If a later scheduler is
    # nested, torch fails when this scheduler begins.
    begins_nested = node.inner[first].schedule is None and all(one.schedule for one in later)
    multiplies_on = any(one.name == "MultiplicativeLR" for one in later)
    is_sorted = list(node.milestones) == sorted(node.milestones)
    anneals_inside = any(leaf.name == "SWALR" for one in node.inner if one.inner for leaf in one.leaves)
    if not is_sorted or multiplies_on or begins_nested or anneals_inside or _shares_entries(node):
        return _real(context, node, steps)
    starts, ends = [0, *node.milestones], [*node.milestones, steps]
    durations = [context.every * (end - start) for start, end in zip(starts, node.milestones, strict=False)]
    schedules: list[Schedule] = []
    momenta = []
    for at, one in enumerate(node.inner):
        if one.schedule is not None:
            entry = one.schedule
        elif at == first:
            entry = _real(context, replace(node, inner=(one,), milestones=()), ends[at])
        else:
            entry = _schedule_of(context, one, ends[at] - starts[at])
        if at == first:
            schedule = _first_of_sequence(entry, node.left.initial_value)
        elif one.name == "SWALR" and at > first:  # SWALR continues from the value before it
            before = Concatenation(schedules, durations[: at - 1]) if at > 1 else schedules[0]
            if not before.is_pure:
                return _real(context, node, steps)
            value = before(context.every * starts[at] - 1)
            schedule = entry.starting_from(value.tolist() if isinstance(value, np.ndarray) else value)
        else:
            schedule = entry.starting_from(entry.context.initial_value)
        schedules.append(schedule)
        momenta.append(entry.momentum)
    schedule = Concatenation(schedules, durations) if len(schedules) > 1 else schedules[0]
    return EntrySchedule(
        context, lambda value: schedule, momentum=_momentum(momenta, [context.every * start for start in starts])
    )


def _first_of_sequence(entry: EntrySchedule, value: Number) -> Schedule:
    """Return the first schedule of a sequence. It starts from ``value``, but may return to its own initial value."""
    if entry.rule is not None and value != entry.context.initial_value and isinstance(rule := entry.rule(), Approach):
        return Recursion(value, [entry.window.turn(rule)])
    return entry.starting_from(value)


def _momentum(momenta: Sequence[Schedule | None], starts: Sequence[int]) -> Schedule | None:
    """Return the momentum of a sequence. It is constant while a scheduler without momentum runs."""
    given = [momentum for momentum in momenta if momentum is not None]
    if not given:
        return None
    # Before the first scheduler with momentum runs, the momentum is the value that the last constructor wrote.
    parts: list[Schedule] = [Window(given[-1], end=1)]
    bounds = [0]
    for momentum, start, end in zip(momenta, starts, [*starts[1:], None], strict=True):
        if momentum is not None and end != start:
            parts.append(momentum if end is None else Window(momentum, end=end - start))
            bounds.append(start)
    return Concatenation(parts, np.diff(bounds).tolist()) if len(parts) > 1 else parts[0]


def _real(context: ConfigContext, node: Node, steps: float) -> EntrySchedule:
    """Run torch's own schedulers, because the values depend on their implementation."""
    from lehr.handlers.schedulers.torch.values_of_real_schedulers import real_values

    refuse_later_failures(node, steps)
    try:
        momenta = context.of("momentum").initial_values
    except ValueError:
        momenta = (0.0,) * len(context.initial_values)
    rates, momentum = located(node.where, real_values, node, context.initial_values, momenta, context.default)
    schedule: Schedule = rates
    if context.epoch_length is not None:
        schedule = Stretch(rates, context.epoch_length)
        momentum = momentum and Stretch(momentum, context.epoch_length)
    return EntrySchedule(context, lambda value: schedule, momentum=momentum)


def _outermost(nested: EntryType) -> EntryType:
    return replace(nested, build=lambda context, a: _schedule_of(context, nested.build(context, a)))


TYPES = {**LEAVES, **{name: _outermost(nested) for name, nested in NESTED.items()}}
