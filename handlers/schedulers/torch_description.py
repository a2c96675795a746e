"""A scheduler of torch as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class TorchDescription:
    """A scheduler of torch, by its class and arguments.

    Args:
        name: the name of the class in ``torch.optim.lr_scheduler``.
        arguments: its arguments by name; empty for a ``ChainedScheduler`` or ``SequentialLR``.
        inner: the schedulers in it.
        milestones: the milestones of a ``SequentialLR``.
    """

    name: str
    arguments: Mapping[str, Any]
    inner: tuple[Self, ...] = ()
    milestones: tuple[int, ...] = ()
