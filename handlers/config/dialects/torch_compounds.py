"""torch's SequentialLR and ChainedScheduler, nested as one likes."""

import warnings
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from lehr.handlers.config.argument_checks import Anything, LastStep, Milestones
from lehr.handlers.config.context import Target
from lehr.handlers.config.entries import Entry, call, entries, located, lookup
from lehr.handlers.config.entry_schedules import Piece, together
from lehr.handlers.schedulers.torch.momenta import TorchMomenta
from lehr.handlers.schedulers.torch.steps import TorchSteps
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

COMPOUND = ("ChainedScheduler", "SequentialLR")
NAMES = (*LEAVES, *COMPOUND)


@dataclass(frozen=True)
class Node:
    """An entry of the torch dialect, and those in it."""

    entry: Entry
    name: str
    piece: Piece | None  # of a leaf
    members: tuple["Node", ...] = ()
    milestones: tuple[int, ...] = ()


def torch_piece(target: Target, name: str, given: Entry) -> Piece:
    """What an entry of the torch dialect comes to."""
    node, _ = _node(target, name, given)
    return node.piece or _compound(target, node)


def torch_chain(target: Target, chained: Sequence[tuple[str, Entry]]) -> Piece:
    """What several entries come to that torch would step one after the other."""
    where = chained[0][1].where
    members, base = [], target
    for name, given in chained:
        member, base = _node(base, name, given)
        members.append(member)
    return _chain(target, Node(Entry(where, {}, False), "ChainedScheduler", None, tuple(members)))


def _node(target: Target, name: str, given: Entry) -> tuple[Node, Target]:
    """An entry, and the target as its constructor leaves it to the next one."""
    lookup(f"{given.where}['type']", name, NAMES)
    if name not in COMPOUND:
        piece = replace(call(LEAVES[name], given, target), where=given.where)
        return Node(given, name, piece), _as_left_by(target, name, given, piece)
    described = call(sequential if name == "SequentialLR" else chained, given)
    members: list[Node] = []
    for inner in entries(f"{given.where}['schedulers']", given.given["schedulers"], from_file=given.from_file):
        prefix, _, own_name = inner.type.rpartition(".")
        if prefix != "torch":
            raise ValueError(
                f"{inner.where}['type'] must be one of torch's, with its prefix 'torch.', given {inner.type!r}"
            )
        if own_name == "ReduceLROnPlateau":
            raise ValueError(
                f"{inner.where}: what is driven by a metric cannot stand in a {name}, given {inner.type!r}"
            )
        member, target = _node(target, own_name, inner.without("type"))
        members.append(member)
    if name == "SequentialLR" and len(described) != len(members) - 1:
        raise ValueError(
            f"{given.where}['milestones'] must be one fewer than the schedulers, given {len(described)} milestones "
            f"and {len(members)} schedulers"
        )
    return Node(given, name, None, tuple(members), tuple(described)), target


def sequential(schedulers: Anything, milestones: Milestones, last_epoch: LastStep = -1) -> list[int]:
    """Schedulers one after another, from milestone to milestone."""
    return milestones


def chained(schedulers: Anything) -> list[int]:
    """Schedulers all at once, each working upon what the others leave."""
    return []


def _as_left_by(target: Target, name: str, given: Entry, piece: Piece) -> Target:
    """What a constructor leaves as the initial value for the schedulers made after it."""
    if name == "OneCycleLR" or (name == "CyclicLR" and target.base is None):
        first = np.asarray(piece.alone(0.0)(0), dtype=np.float64)
        if first.ndim and len(first) != len(target.initial):
            raise ValueError(
                f"{given.where} must have values for {len(target.initial)} param groups, given {len(first)}"
            )
        return replace(target, base=tuple(np.broadcast_to(first, len(target.initial)).tolist()))
    return target if target.base is not None else replace(target, base=target.initial)


def _compound(target: Target, node: Node) -> Piece:
    return _sequence(target, node) if node.name == "SequentialLR" else _chain(target, node)


def _chain(target: Target, node: Node) -> Piece:
    leaves = _flattened(node.members)
    pieces = [_beginning_at(leaf) for leaf in leaves if leaf.piece is not None]
    momenta = [piece.momentum for piece in pieces if piece.momentum is not None]
    if (
        len(pieces) < len(leaves)
        or _share_bounds(node)
        or not (len(pieces) == 1 or all(piece.multiplies for piece in pieces) or all(piece.turn for piece in pieces))
    ):
        return _real(target, node)
    schedule = together(pieces)
    return Piece(node.entry.where, target, lambda value: schedule, momentum=momenta[-1] if momenta else None)


def _beginning_at(leaf: Node) -> Piece:
    """A leaf, which for a CyclicLR after others begins at what they have for an initial value."""
    assert leaf.piece is not None
    if leaf.name != "CyclicLR" or leaf.piece.target.base is None or leaf.piece.turn is None:
        return leaf.piece
    rule = leaf.piece.turn.rule
    assert isinstance(rule, Assignment)
    late = Concatenation([Constant(leaf.piece.target.own), Shift(rule.schedule, by=1)], [1])
    return replace(leaf.piece, turn=replace(leaf.piece.turn, rule=Assignment(late)))


def _share_bounds(node: Node) -> bool:
    """Whether several members keep their bounds in the same entries of the param groups, the last one's for all."""
    return sum(name in ("CyclicLR", "OneCycleLR") for name in _leaf_names(node)) > 1


def _leaf_names(node: Node) -> list[str]:
    return [name for one in node.members for name in _leaf_names(one)] if node.members else [node.name]


def _flattened(members: Sequence[Node]) -> list[Node]:
    return [leaf for one in members for leaf in (_flattened(one.members) if one.name == "ChainedScheduler" else [one])]


def _sequence(target: Target, node: Node) -> Piece:
    milestones, members = node.milestones, node.members
    first = bisect_right(milestones, 0)
    multiplies_on = any(member.name == "MultiplicativeLR" for member in members[first + 1 :])
    # Only torch itself can tell how one that holds others begins, unless it would fail at another such one later.
    begins_compound = members[first].piece is None and all(member.piece for member in members[first + 1 :])
    if list(milestones) != sorted(milestones) or multiplies_on or begins_compound or _share_bounds(node):
        return _real(target, node)
    last_base = _base_after(target, node)
    schedules, momenta = [], []
    for at, member in enumerate(members):
        piece, base = member.piece, member.piece.target if member.piece else target
        if piece is None and at == first:
            piece = _real(target, replace(node, members=(member,), milestones=()))
        elif piece is None:
            piece = _compound(target, member)
        schedules.append(_first(piece, last_base.own) if at == first else piece.alone(base.own))
        momenta.append(piece.momentum)
    every = target.epoch_length or 1
    starts = [every * milestone for milestone in milestones]
    durations = np.diff([0, *starts]).tolist()
    schedule = Concatenation(schedules, durations) if len(schedules) > 1 else schedules[0]
    momentum = _momentum(momenta, [0, *starts])
    return Piece(node.entry.where, target, lambda value: schedule, momentum=momentum)


def _first(piece: Piece, value: Number) -> Schedule:
    """The first of several, which finds what the constructor of the last one has left, and may turn back to its own."""
    if piece.turn is not None and isinstance(piece.turn.rule, Approach) and value != piece.target.own:
        return Recursion(value, [piece.turn])
    return piece.alone(value)


def _base_after(target: Target, node: Node) -> Target:
    for member in node.members:
        target = (
            _as_left_by(target, member.name, member.entry, member.piece)
            if member.piece
            else _base_after(target, member)
        )
    return target


def _momentum(momenta: Sequence[Schedule | None], starts: Sequence[int]) -> Schedule | None:
    """The momentum beside schedulers one after another: held where they do not move it."""
    made = [momentum for momentum in momenta if momentum is not None]
    if not made:
        return None
    # Before the first of them, the momentum is what the constructor of the last one has left.
    parts: list[Schedule] = [Window(made[-1], end=1)]
    bounds = [0]
    for momentum, start, end in zip(momenta, starts, [*starts[1:], None], strict=True):
        if momentum is not None and end != start:
            parts.append(momentum if end is None else Window(momentum, end=end - start))
            bounds.append(start)
    return Concatenation(parts, np.diff(bounds).tolist()) if len(parts) > 1 else parts[0]


def _real(target: Target, node: Node) -> Piece:
    """Torch's own schedulers, on an optimizer of their own, for what only they can tell."""
    steps = TorchSteps(_stepped(target, node))
    momenta = TorchMomenta(_stepped(target, node)) if steps.cycles_momentum else None
    schedule, momentum = (
        one if one is None or target.epoch_length is None else Stretch(one, target.epoch_length)
        for one in (steps, momenta)
    )
    assert schedule is not None
    return Piece(node.entry.where, target, lambda value: schedule, momentum=momentum)


def _stepped(target: Target, node: Node) -> Any:
    """The scheduler, on an optimizer that holds what the real one holds."""
    try:
        momenta = target.of("momentum").initial
    except ValueError:
        momenta = (0.0,) * len(target.initial)
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": value, "momentum": momentum}
        for value, momentum in zip(target.initial, momenta, strict=True)
    ]
    optimizer = torch.optim.SGD(groups, lr=target.default)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return located(node.entry.where, _constructed, optimizer, node)


class HeldOneCycleLR(torch.optim.lr_scheduler.OneCycleLR):
    """torch's, but that it holds its last value, as it does here by itself, where torch raises."""

    def get_lr(self) -> Any:
        """The learning rates of its last step, once that is over."""
        at, self.last_epoch = self.last_epoch, min(self.last_epoch, self.total_steps - 1)
        try:
            return super().get_lr()
        finally:
            self.last_epoch = at


def _constructed(optimizer: torch.optim.Optimizer, node: Node) -> Any:
    cls: Any = HeldOneCycleLR if node.name == "OneCycleLR" else getattr(torch.optim.lr_scheduler, node.name)
    members = [_constructed(optimizer, member) for member in node.members]
    if node.name == "SequentialLR":
        return cls(optimizer, members, milestones=list(node.milestones))
    if node.name == "ChainedScheduler":
        return cls(members, optimizer=optimizer)
    return cls(optimizer, **node.entry.given)
