"""Schedulers of the registry in a loop of torch, which calls ``step()`` after the optimizer."""

import functools

import torch
from rigs import ALL

from lehr.handlers import ParamGroupScheduler, ParamScheduler, as_torch_scheduler

LOSSES = [3.0, 2.0, 2.0, 2.0, 1.5, 1.6, 1.6, 1.0, 2.0, 2.0]


def is_in_one_optimizer(name):
    scheduler = ALL[name]().scheduler
    members = scheduler.schedulers if isinstance(scheduler, ParamGroupScheduler) else [scheduler]
    if not all(isinstance(member, ParamScheduler) for member in members):
        return False
    return len({id(member.optimizer) for member in members}) == 1 and isinstance(
        members[0].optimizer, torch.optim.Optimizer
    )


@functools.cache
def in_one_optimizer():
    """The names of the schedulers of one optimizer."""
    return [name for name in ALL if is_in_one_optimizer(name)]


def held(optimizer):
    kept = ("lr", "momentum", "weight_decay", "betas", "dampening")
    return [
        [float(group[key]) if key != "betas" else group[key] for key in kept if key in group]
        for group in optimizer.param_groups
    ]


def optimizer_of(scheduler):
    return scheduler.optimizer[0] if isinstance(scheduler, ParamGroupScheduler) else scheduler.optimizer


def begun(name, history=None):
    scheduler = ALL[name]().scheduler
    return optimizer_of(scheduler), as_torch_scheduler(scheduler, history=history)
