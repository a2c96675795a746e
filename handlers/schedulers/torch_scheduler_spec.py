"""The description of a torch scheduler as data: its class and arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class TorchDescription:
    """The class and the arguments of a torch scheduler, from which the scheduler can be constructed.

    Args:
        name: the name of the class in ``torch.optim.lr_scheduler``.
        arguments: the arguments by name; empty for a ``ChainedScheduler`` or ``SequentialLR``.
        inner: the descriptions of the schedulers inside the scheduler.
        milestones: the milestones of a ``SequentialLR``.
    """

    name: str
    arguments: Mapping[str, Any]
    inner: tuple[Self, ...] = ()
    milestones: tuple[int, ...] = ()
