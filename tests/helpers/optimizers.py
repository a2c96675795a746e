"""Optimizers and engines to schedule in tests."""

from typing import Any

import torch
from ignite.engine import Engine


def make_optimizer(groups: int = 1, kind: type[torch.optim.Optimizer] = torch.optim.SGD, **defaults: Any):
    """An optimizer of so many groups; each has its own lr unless one is given."""
    if kind is torch.optim.SGD:
        defaults = {"momentum": 0.9, **defaults}
    params = [
        {"params": [torch.nn.Parameter(torch.zeros(2))], "lr": defaults.get("lr", 0.5 + group)}
        for group in range(groups)
    ]
    return kind(params, **{"lr": 0.5, **defaults})


def make_trainer() -> Engine:
    """An engine that trains nothing."""
    return Engine(lambda engine, batch: None)


def values_of(optimizer: torch.optim.Optimizer, param_name: str = "lr") -> list[float]:
    """What the groups hold now."""
    if param_name == "betas[0]":
        return [float(group["betas"][0]) for group in optimizer.param_groups]
    return [float(group[param_name]) for group in optimizer.param_groups]


def snapshot(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """All hyper-parameters, to compare with later; values are copied."""
    return [{key: _copied(value) for key, value in group.items()} for group in optimizer.param_groups]


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return id(value), value.tolist()
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value
