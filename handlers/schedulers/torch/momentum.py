"""The momentum of param groups, which some of torch's schedulers cycle beside the learning rate."""

from typing import Any

import torch

from lehr.handlers.targets.group_selection import Group


def momentum_of(group: Group) -> Any:
    """The momentum of a group, or ``betas[0]``; None where it has neither."""
    return group["betas"][0] if "betas" in group else group.get("momentum")


def set_momentum(group: Group, momentum: Any) -> None:
    """Others of the betas are not the scheduler's, and stay as they are."""
    if "betas" in group:
        group["betas"] = type(group["betas"])([momentum, *group["betas"][1:]])
    elif "momentum" in group:
        group["momentum"] = momentum


def copied(value: Any) -> Any:
    """A number as it is, and a tensor as another tensor of the same value."""
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def filled(new: Any, held: Any) -> Any:
    """What a param group that holds a value is to hold instead; a tensor is filled and stays the same one."""
    if isinstance(held, torch.Tensor):
        held.detach().fill_(float(new))
        return held
    return new
