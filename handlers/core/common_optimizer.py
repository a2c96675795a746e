"""The optimizer that several schedulers have in common."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer


def common_optimizer(members: Sequence[Any]) -> "Optimizer | None":
    """Return the optimizer of torch that all members with one have in common; None if there is no such one."""
    optimizers = [member._stepping_optimizer() for member in members]
    own = {id(optimizer): optimizer for optimizer in optimizers if optimizer is not None}
    return next(iter(own.values())) if len(own) == 1 else None
