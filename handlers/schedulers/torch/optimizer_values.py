"""The values in an optimizer that a torch scheduler reads and writes when it steps."""

from collections.abc import Sequence
from typing import Any

import torch

from lehr.handlers.targets.group_selection import Group


def momentum_of(group: Group) -> Any:
    """The momentum of a group, or ``betas[0]``; None where it has neither."""
    return group["betas"][0] if "betas" in group else group.get("momentum")


def set_momentum(group: Group, momentum: Any) -> None:
    """Set the momentum of a group, or ``betas[0]``; the other betas stay as they are."""
    if "betas" in group:
        group["betas"] = type(group["betas"])([momentum, *group["betas"][1:]])
    elif "momentum" in group:
        group["momentum"] = momentum


def write_momentum(group: Group, momentum: Any) -> None:
    """Set the momentum of a group; a tensor is filled and stays the same one."""
    present = momentum_of(group)
    if isinstance(present, torch.Tensor):
        present.detach().fill_(float(momentum))
        momentum = present
    set_momentum(group, momentum)


def copied(value: Any) -> Any:
    """A number as it is, and a tensor as another tensor of the same value."""
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def no_step() -> None:
    """Replaces an optimizer's ``step`` while its scheduler steps, so that torch does not warn of a missing step."""


no_step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]


def has_stepped(optimizer: torch.optim.Optimizer) -> bool:
    """Whether torch knows that the optimizer has stepped; if not, it warns at the first step of a scheduler.

    In a simulation, or where a GradScaler skipped the step, the warning would be wrong.
    """
    attributes: dict[str, Any] = vars(optimizer)
    return bool(attributes.get("_opt_called")) and hasattr(attributes.get("step"), "_wrapped_by_lr_sched")


class OtherValues:
    """The values other than learning rates that an optimizer has before its scheduler steps, to restore them.

    Args:
        optimizer: the optimizer.
        known: the number of param groups that the scheduler knows; the others were added later.
        with_momentum: whether the scheduler writes the momentum, too.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, known: int, with_momentum: bool) -> None:
        self._optimizer, self._known = optimizer, known
        groups = optimizer.param_groups
        self._added = groups[known:]
        self._momenta = [momentum_of(group) for group in groups[:known]] if with_momentum else []
        attributes: dict[str, Any] = vars(optimizer)
        self._attributes: dict[str, Any] = {
            name: attributes[name] for name in ("step", "_opt_called") if name in attributes
        }

    def replace(self, momenta: Sequence[Any]) -> None:
        """Give the known groups these momenta, hide the others, and prevent torch's warning of a missing step."""
        groups = self._optimizer.param_groups
        if self._added:
            del groups[self._known :]
        for group, momentum in zip(groups, momenta, strict=False):
            set_momentum(group, momentum)
        vars(self._optimizer).update(step=no_step, _opt_called=True)

    def restore(self) -> None:
        """Restore the values; a second call has no effect."""
        groups = self._optimizer.param_groups
        for group, momentum in zip(groups, self._momenta, strict=False):
            set_momentum(group, momentum)
        if len(groups) < self._known + len(self._added):
            groups.extend(self._added[len(groups) - self._known :])
        attributes: dict[str, Any] = vars(self._optimizer)
        attributes.pop("step", None)
        attributes.pop("_opt_called", None)
        attributes.update(self._attributes)
