"""Functions for the numbers, such as ``base_lrs``, that a torch scheduler keeps for each param group."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.targets.group_selection import Group

from .optimizer_values import copied

# Torch's classes keep these numbers in attributes of the scheduler, which are lists, and under keys of the param
# groups.
RATES, OTHERS = ("base_lrs", "max_lrs", "min_lrs"), ("base_momentums", "max_momentums", "lr_lambdas")
RATES_OF_GROUP, OTHERS_OF_GROUP = ("initial_lr", "max_lr", "min_lr", "swa_lr"), ("base_momentum", "max_momentum")


def known_groups(scheduler: TorchLRScheduler) -> int:
    """Return how many param groups the optimizer had when the torch scheduler was constructed."""
    present = len(scheduler.optimizer.param_groups)
    return min(present, len(getattr(scheduler, "_last_lr", ())) or present)


def rates_of(groups: Sequence[Group]) -> list[Any]:
    """Return copies of the learning rates of param groups.

    Raises:
        ValueError: a learning rate is not finite, or ``lr`` and ``initial_lr`` of a group are the same tensor.
    """
    for at, group in enumerate(groups):
        if not math.isfinite(rate := float(group["lr"])):
            raise ValueError(f"'lr' of each param group must be a finite number, given {rate} in param group {at}")
        if isinstance(group["lr"], torch.Tensor) and group["lr"] is group.get("initial_lr"):
            raise ValueError(
                "'lr' and 'initial_lr' of each param group must be two tensors, since each step overwrites 'lr', "
                f"given the same tensor in param group {at}: the SequentialLR of torch 2.4 makes them one tensor, "
                "so construct the optimizer with a float"
            )
    return [copied(group["lr"]) for group in groups]


def numbers_of(schedulers: Sequence[TorchLRScheduler], at: int, group: Group) -> list[Any]:
    """Return the numbers of one param group. If two groups have equal numbers, they have equal values at every step."""
    numbers = [
        vars(one)[name][at] for one in schedulers for name in (*RATES, *OTHERS) if len(vars(one).get(name, ())) > at
    ]
    numbers += [group[name] for name in (*RATES_OF_GROUP, *OTHERS_OF_GROUP) if name in group]
    return [id(number) if callable(number) else float(number) for number in numbers]


def keep_groups(schedulers: Sequence[TorchLRScheduler], count: int) -> None:
    """Keep the numbers of the first ``count`` groups, and remove the numbers of later groups."""
    for one in schedulers:
        for name in (*RATES, *OTHERS):
            if isinstance(getattr(one, name, None), list):
                setattr(one, name, getattr(one, name)[:count])


def factor_of(schedulers: Sequence[TorchLRScheduler], rates: Sequence[Any], rate: Any, group: Group) -> float:
    """Divide the learning rate of a new group by the learning rate of the group whose numbers it copies.

    Args:
        schedulers: the torch scheduler and the schedulers inside it.
        rates: the present learning rates of the other groups.
        rate: the learning rate of the new group.
        group: the new group. If it has an ``initial_lr``, the initial learning rates are divided instead.
    """
    at = _reference(schedulers, len(rates))
    base = float(next((one.base_lrs[at] for one in schedulers if hasattr(one, "base_lrs")), rates[at]))
    if "initial_lr" in group and base:
        return float(group["initial_lr"]) / base
    reference = float(rates[at]) or base
    return float(rate) / reference if reference else 1.0


def add_group(schedulers: Sequence[TorchLRScheduler], groups: Sequence[Group], factor: float, rate: Any) -> None:
    """Copy another group's numbers for a new group, and multiply the copied learning rates by a factor.

    Args:
        schedulers: the torch scheduler and the schedulers inside it.
        groups: the param groups. The last group is the new group. Numbers that it already has do not change.
        factor: the factor for the copied learning rates.
        rate: the learning rate of the new group. If the initial learning rate of the copied group is 0, the new group
            gets ``rate`` as its initial learning rate.

    Raises:
        ValueError: each of the other groups has its own function. If this error is raised, no numbers are added.
    """
    known = len(groups) - 1
    at = _reference(schedulers, known)
    lists = [
        (one, name, value)
        for one in schedulers
        for name, value in vars(one).items()
        if name in (*RATES, *OTHERS) and isinstance(value, list) and len(value) == known
    ]
    for one in dict.fromkeys(one for one, _, _ in lists):
        functions = vars(one).get("lr_lambdas", [])
        if any(function is not functions[0] for function in functions):
            raise ValueError(
                f"lr_lambda must have a function for each of {known + 1} param groups, since a group was added, given "
                f"{known} functions: append a function to lr_lambdas, and the initial learning rate to base_lrs, of "
                f"the {type(one).__name__}"
            )
    for one, name, values in lists:
        new = values[at]
        if name in RATES and (name != "min_lrs" or getattr(one, "default_min_lr", None) is None):
            new = new * factor if new != 0 or name != "base_lrs" else rate
        setattr(one, name, [*values, new])
    for name in (*RATES_OF_GROUP, *OTHERS_OF_GROUP):
        if name in groups[at]:
            groups[known].setdefault(name, groups[at][name] * (factor if name in RATES_OF_GROUP else 1.0))


def _reference(schedulers: Sequence[TorchLRScheduler], known: int) -> int:
    """Return the index of the last known group whose initial learning rate is not 0, or of the last if all are 0."""
    bases = next((one.base_lrs for one in schedulers if hasattr(one, "base_lrs")), [])
    return max((at for at, base in enumerate(bases[:known]) if base != 0), default=known - 1)
