"""Trees of nested torch schedulers in a config, with the values from which each scheduler starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import numpy as np

from lehr.handlers.config.argument_validators import milestones, minus_one, unchecked
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Entry, EntryType, build, lookup, read_entries
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedulers.torch_scheduler_spec import TorchDescription
from lehr.handlers.schedules.arguments import shown

from .torch import LEAVES


@dataclass(frozen=True, kw_only=True)
class Node(TorchDescription):
    """A config entry of a torch scheduler, with the entries inside it.

    Args:
        where: the path to the entry in the config.
        left: the context for the next scheduler, with the values that the constructor of this scheduler leaves.
        schedule: the schedule of the entry. If the entry contains other entries, it is None.
    """

    where: str
    left: ConfigContext
    schedule: EntrySchedule | None = None

    @property
    def leaves(self) -> list["Node"]:
        """The schedulers inside this entry that contain no others. If there are none, the entry itself."""
        return [leaf for one in self.inner for leaf in one.leaves] if self.inner else [self]


def _node(name: str, context: ConfigContext, a: SimpleNamespace) -> Node:
    entries = read_entries(f"{a.where}['schedulers']", a.schedulers)
    for entry in entries:
        if entry.type.rpartition(".")[0] != "torch":
            raise ValueError(
                f"{entry.where}['type'] must be a type of torch, with the prefix 'torch.', given {shown(entry.type)}"
            )
        if entry.type == "torch.ReduceLROnPlateau":
            raise ValueError(
                f"{entry.where}: a scheduler that reads a metric cannot be in a {name}, given {shown(entry.type)}"
            )
    inner, left = nodes_of(context, entries)
    given = () if name == "ChainedScheduler" else tuple(a.milestones)
    if name == "SequentialLR" and len(given) != len(inner) - 1:
        raise ValueError(
            f"['milestones'] must have one milestone fewer than the schedulers, given {len(given)} milestones and "
            f"{len(inner)} schedulers"
        )
    return Node(name, {}, inner, given, where=a.where, left=left)


def nodes_of(context: ConfigContext, entries: Sequence[Entry]) -> tuple[tuple[Node, ...], ConfigContext]:
    """Make the nodes of schedulers in the order of construction. Also return the context for the next scheduler."""
    inner = []
    for entry in entries:
        name = lookup(f"{entry.where}['type']", entry.type.removeprefix("torch."), [*LEAVES, *NESTED])
        if name in NESTED:
            node = build(NESTED[name], entry, context)
        else:
            if name == "OneCycleLR" and context.epoch_length is not None and entry.values.get("total_steps") is None:
                raise ValueError(
                    f"{entry.where}['total_steps'] must be given, in epochs, since the other schedulers count epochs. "
                    "You can also leave out epoch_length, and count iterations in all schedulers."
                )
            schedule, left = build(LEAVES[name], entry, context), _left_by(name, context, entry)
            node = Node(name, entry.values, where=entry.where, left=left, schedule=schedule)
        context = node.left
        inner.append(node)
    return tuple(inner), context


def _left_by(name: str, context: ConfigContext, entry: Entry) -> ConfigContext:
    """Return the context for the next scheduler, with the values that this scheduler's constructor leaves."""
    groups, values = len(context.slot.groups()), entry.values
    if name == "OneCycleLR":
        first = np.asarray(values["max_lr"], dtype=np.float64) / values.get("div_factor", 25.0)
    elif name == "CyclicLR" and context.base is None:
        first = np.asarray(values["base_lr"], dtype=np.float64)
    else:
        return replace(context, base=context.initial_values)
    if first.ndim and len(first) != groups:
        raise ValueError(f"{entry.where} must have values for {groups} param groups, given {len(first)}")
    return replace(context, base=tuple(np.broadcast_to(first, groups).tolist()))


def refuse_later_failures(node: Node, steps: float) -> None:
    """Raise an error if torch's own schedulers would fail within the first ``steps`` steps."""
    if node.name == "ConstantLR" and node.arguments.get("factor") == 0 and node.arguments.get("total_iters", 5) < steps:
        raise ValueError(
            f"{node.where}['factor'] must be above 0 inside another scheduler, since torch divides by it, given 0"
        )
    begins = [0, *node.milestones] if node.milestones else [0] * len(node.inner)  # all schedulers of a chain begin at 0
    ends = [*node.milestones, np.inf] if node.milestones else [np.inf] * len(node.inner)
    for one, begin, end in zip(node.inner, begins, ends, strict=True):
        if begin < min(end, steps):
            if one.inner and begin > 0:
                raise ValueError(
                    f"{one.where} must be the first scheduler of its SequentialLR, since torch cannot begin a "
                    f"{one.name} at a milestone, given the milestone {begin}"
                )
            # When torch constructs a SequentialLR, it makes one more step with its first scheduler if that is nested.
            is_ahead = node.name == "SequentialLR" and bool(one.inner)
            refuse_later_failures(one, min(end, steps) - begin + is_ahead)


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
