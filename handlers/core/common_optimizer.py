"""The optimizer that several schedulers have in common."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer


def common_optimizer(members: Sequence[Any]) -> "Optimizer | None":
    """Return the torch optimizer of the members; None if no member has one, or if the members have different ones."""
    optimizers = [member._stepping_optimizer() for member in members]
    own = {id(optimizer): optimizer for optimizer in optimizers if optimizer is not None}
    return next(iter(own.values())) if len(own) == 1 else None
