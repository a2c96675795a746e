"""Functions for the values in an optimizer that the step of a torch scheduler reads or writes."""

from collections.abc import Sequence
from typing import Any

import torch

from lehr.handlers.core.simulation.private_copies import PLAIN
from lehr.handlers.targets.group_selection import Group


def momentum_of(group: Group) -> Any:
    """Return the momentum of a param group, or its ``betas[0]``, or None if the group has neither."""
    return group["betas"][0] if "betas" in group else group.get("momentum")


def set_momentum(group: Group, momentum: Any) -> None:
    """Set the momentum of a param group, or its ``betas[0]``. The other betas do not change."""
    if "betas" in group:
        group["betas"] = type(group["betas"])([momentum, *group["betas"][1:]])
    elif "momentum" in group:
        group["momentum"] = momentum


def write_momentum(group: Group, momentum: Any) -> None:
    """Set the momentum of a param group. If the present momentum is a tensor, fill the tensor."""
    present = momentum_of(group)
    if isinstance(present, torch.Tensor):
        present.detach().fill_(float(momentum))
        momentum = present
    set_momentum(group, momentum)


def copied(value: Any) -> Any:
    """Return a copy of a tensor, and any other value unchanged."""
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def all_copied(values: Sequence[Any]) -> list[Any]:
    """Return a new list, with copies of the tensors and with the other values unchanged."""
    return list(values) if PLAIN.issuperset(map(type, values)) else list(map(copied, values))


def no_step() -> None:
    """Stand in for an optimizer's ``step`` while its scheduler steps, so that torch does not warn of a missing step."""


no_step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]


def has_stepped(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether torch has seen a step of the optimizer. Until then, torch warns if a scheduler steps.

    Torch's warning would be wrong in a simulation, or after a GradScaler has skipped the step.
    """
    attributes: dict[str, Any] = vars(optimizer)
    return bool(attributes.get("_opt_called")) and hasattr(attributes.get("step"), "_wrapped_by_lr_sched")


class OtherValues:
    """Saves the momenta, the added param groups and the ``step`` of an optimizer while its scheduler steps.

    Args:
        optimizer: the optimizer.
        known: the number of param groups that the scheduler knows. The other groups were added later.
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
        """Set the momenta of the known groups, hide the other groups, and prevent torch's warning of a missing step."""
        groups = self._optimizer.param_groups
        if self._added:
            del groups[self._known :]
        for group, momentum in zip(groups, momenta, strict=False):
            set_momentum(group, momentum)
        vars(self._optimizer).update(step=no_step, _opt_called=True)

    def restore(self) -> None:
        """Restore the saved values. A second call has no effect."""
        groups = self._optimizer.param_groups
        for group, momentum in zip(groups, self._momenta, strict=False):
            set_momentum(group, momentum)
        if len(groups) < self._known + len(self._added):
            groups.extend(self._added[len(groups) - self._known :])
        attributes: dict[str, Any] = vars(self._optimizer)
        attributes.pop("step", None)
        attributes.pop("_opt_called", None)
        attributes.update(self._attributes)
