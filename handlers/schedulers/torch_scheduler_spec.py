"""Describes a torch scheduler by the name of its class and its arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class TorchDescription:
    """The class and the arguments from which a torch scheduler can be constructed.

    Args:
        name: the name of the class in ``torch.optim.lr_scheduler``.
        arguments: the arguments by name. A ``ChainedScheduler`` or a ``SequentialLR`` has none.
        inner: the descriptions of the schedulers inside a ``ChainedScheduler`` or a ``SequentialLR``.
        milestones: the milestones of a ``SequentialLR``.
    """

    name: str
    arguments: Mapping[str, Any]
    inner: tuple[Self, ...] = ()
    milestones: tuple[int, ...] = ()
