"""What the optimizer trains with in the trainer of a framework, and what was simulated before."""

import gc
from typing import Any

import torch
import torch.distributed as dist

from lehr.handlers import CosineDecayScheduler, ExponentialScheduler, LinearScheduler

STEPS = 12  # of each run, and of the schedules in it


def make_optimizer(params: Any, kind: type[torch.optim.Optimizer] = torch.optim.SGD, lr: float = 0.1):
    """An optimizer with two parameters to schedule."""
    return kind(params, lr=lr, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))


def both(optimizer: torch.optim.Optimizer, duration: int = STEPS):
    """Schedulers of the learning rate and of the momentum, or of its counterpart in Adam."""
    momentum = "momentum" if "momentum" in optimizer.defaults else "betas[0]"
    return [
        CosineDecayScheduler(optimizer, "lr", duration=duration),
        LinearScheduler(optimizer, momentum, start_value=0.5, end_value=0.9, duration=duration),
    ]


def decays(optimizer: torch.optim.Optimizer):
    """Schedulers that start from what the groups hold."""
    return [ExponentialScheduler(optimizer, one.param_name, 0.9) for one in both(optimizer)]


def simulated(
    kind: type[torch.optim.Optimizer] = torch.optim.SGD, lr: float = 0.1, steps: int = STEPS, make: Any = both
):
    """What the schedulers of ``make`` write to a new optimizer, as ``simulate`` says: a pair of each step."""
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(1))], kind, lr)
    columns = [scheduler.simulate(steps)[:, 0].tolist() for scheduler in make(optimizer)]
    return list(zip(*columns, strict=True))


class Recorder(list[tuple[float, float]]):
    """The learning rate and the momentum that each step of an optimizer saw."""

    def watch(self, optimizer: torch.optim.Optimizer):
        """Record from the next step on; returns the optimizer."""
        optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: self.append(held(optimizer)))
        return optimizer

    @property
    def rates(self) -> list[float]:
        """The learning rates alone."""
        return [lr for lr, _ in self]


def held(optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    """The learning rate and the momentum of the first group."""
    group = optimizer.param_groups[0]
    return float(group["lr"]), float(group["momentum"] if "momentum" in group else group["betas"][0])


def leave_group() -> None:
    """Close the process group, if any: gloo's threads, which a live model keeps, can abort a process as Python ends."""
    gc.collect()
    if dist.is_initialized():
        dist.destroy_process_group()
