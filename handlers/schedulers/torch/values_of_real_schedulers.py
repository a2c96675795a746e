"""Constructs torch's own schedulers from descriptions, on a new optimizer, to read their values."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lehr.handlers.schedulers.torch_scheduler_spec import TorchDescription

from .optimizer_values import momentum_of
from .torch_schedule import TorchSteps


@dataclass(frozen=True, repr=False)
class TorchMomenta(TorchSteps):
    """The momenta that a torch scheduler cycles together with the learning rates, or the values of ``betas[0]``.

    The scheduler writes the momenta to its optimizer, from which this schedule reads them.

    Example:
        >>> from torch.optim.lr_scheduler import CyclicLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9)
        >>> schedule = TorchMomenta(CyclicLR(optimizer, 0.1, 0.5, step_size_up=2, base_momentum=0.5))
        >>> [round(schedule.value(i), 4) for i in range(4)]
        [0.9, 0.7, 0.5, 0.7]
    """

    def value(self, index: int) -> float | list[float]:
        """Return the momenta after ``index`` steps."""
        super().value(index)
        momenta = [float(momentum_of(group)) for group in self.wrapped.optimizer.param_groups]
        return momenta[0] if len(momenta) == 1 else momenta


def real_values(
    description: TorchDescription, rates: Sequence[float], momenta: Sequence[float], default: float
) -> tuple[TorchSteps, TorchMomenta | None]:
    """Return the learning rates and the momenta of a torch scheduler as schedules. Constant momenta are None.

    Args:
        description: the description of the scheduler.
        rates: the initial learning rate of each param group.
        momenta: the initial momentum of each param group.
        default: the default learning rate of the optimizer.

    Raises:
        TypeError, ValueError: torch refuses the arguments.

    Example:
        >>> description = TorchDescription("StepLR", {"step_size": 2, "gamma": 0.5})
        >>> steps, momenta = real_values(description, [1.0], [0.9], default=1.0)
        >>> [steps.value(i) for i in range(4)], momenta
        ([1.0, 1.0, 0.5, 0.5], None)
    """
    steps = TorchSteps(_on_new_optimizer(description, rates, momenta, default))
    if not steps.cycles_momentum:
        return steps, None
    return steps, TorchMomenta(_on_new_optimizer(description, rates, momenta, default))


def _on_new_optimizer(
    description: TorchDescription, rates: Sequence[float], momenta: Sequence[float], default: float
) -> Any:
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate, "momentum": momentum}
        for rate, momentum in zip(rates, momenta, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _constructed(torch.optim.SGD(groups, lr=default), description)


def _constructed(optimizer: torch.optim.Optimizer, description: TorchDescription) -> Any:
    name = description.name
    cls: Any = OTHER_CLASSES.get(name) or getattr(torch.optim.lr_scheduler, name)
    inner = [_constructed(optimizer, one) for one in description.inner]
    if name == "SequentialLR":
        return cls(optimizer, inner, milestones=list(description.milestones))
    if name == "ChainedScheduler":
        return cls(inner, optimizer=optimizer)
    return cls(optimizer, **description.arguments)


class HeldOneCycleLR(torch.optim.lr_scheduler.OneCycleLR):
    """A ``OneCycleLR`` that keeps its last learning rates after the cycle. Torch's class raises an error there."""

    def get_lr(self) -> Any:
        """Return the learning rates of the present step, or after the cycle, those of the last step."""
        present, self.last_epoch = self.last_epoch, min(self.last_epoch, self.total_steps - 1)
        try:
            return super().get_lr()
        finally:
            self.last_epoch = present


OTHER_CLASSES = {"OneCycleLR": HeldOneCycleLR, "SWALR": torch.optim.swa_utils.SWALR}
