"""The torch optimizer of a scheduler, or of several schedulers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer


def torch_optimizer(optimizer: Any) -> "Optimizer | None":
    """Return the torch optimizer that an object is or wraps; None if there is none."""
    from torch.optim import Optimizer

    from lehr.engine.optimizer_events import wrapped_optimizer

    optimizer = wrapped_optimizer(optimizer)
    return optimizer if isinstance(optimizer, Optimizer) else None


def common_optimizer(members: Sequence[Any]) -> "Optimizer | None":
    """Return the torch optimizer of the members; None if no member has one, or if the members have different ones."""
    optimizers = [member._stepping_optimizer() for member in members]
    own = {id(optimizer): optimizer for optimizer in optimizers if optimizer is not None}
    return next(iter(own.values())) if len(own) == 1 else None
