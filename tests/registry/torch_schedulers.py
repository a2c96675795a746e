"""Torch's own schedulers to wrap, and schedulers that users derive from torch's."""

from functools import partial

import numpy as np
import torch
from torch.optim import lr_scheduler as peer
from torch.optim.swa_utils import SWALR


class OwnTorchScheduler(peer.LRScheduler):
    """A user's own: it multiplies what is there, and counts something of its own."""

    def __init__(self, optimizer):
        self.seen = []
        super().__init__(optimizer)

    def get_lr(self):
        self.seen.append(len(self.seen))
        return [
            group["lr"] * (1.0 if self.last_epoch == 0 else 0.9 + 0.001 * self.seen[-1])
            for group in self.optimizer.param_groups
        ]


class UnsavedTorchScheduler(OwnTorchScheduler):
    """A user's own that holds a function, which cannot be saved."""

    def __init__(self, optimizer):
        self.function = lambda epoch: 1 / (1 + epoch)
        super().__init__(optimizer)


class Multiplying(peer.LRScheduler):
    """A user's own that multiplies what is there by what its ``factor`` says."""

    def get_lr(self):
        return [group["lr"] * (self.factor() if self.last_epoch else 1.0) for group in self.optimizer.param_groups]


class ByABoundMethod(Multiplying):
    def __init__(self, optimizer):
        self.factor = self.rate
        super().__init__(optimizer)

    def rate(self):
        return 0.99**self.last_epoch


class ByAnotherName(Multiplying):
    """It holds the optimizer twice, and itself."""

    def __init__(self, optimizer):
        self.opt, self.me = optimizer, self
        super().__init__(optimizer)

    def factor(self):
        return 1 - self.opt.param_groups[0]["lr"] / 10


class WithAnAfterScheduler(Multiplying):
    """A warm-up that hands over to another scheduler, as a well-known package has it."""

    def __init__(self, optimizer):
        self.after_scheduler = peer.StepLR(optimizer, 3, gamma=0.5)
        super().__init__(optimizer)

    def factor(self):
        return 1.01

    def step(self, epoch=None, metrics=None):
        if self.last_epoch < 6:
            super().step(epoch)
        else:
            self.last_epoch += 1
            self.after_scheduler.step()


class Lazy(Multiplying):
    """Attributes come and change their types as it goes."""

    def __init__(self, optimizer):
        self.log, self.phase, self.seen = {}, "begin", []
        super().__init__(optimizer)

    def factor(self):
        if not hasattr(self, "peak"):
            self.peak = 0.9
        self.log[self.last_epoch] = self.peak
        self.phase, self.seen = None, None
        self.peak += 0.001
        return self.peak


class WithATensor(Multiplying):
    def __init__(self, optimizer):
        self.average = torch.ones(2)
        super().__init__(optimizer)

    def factor(self):
        self.average.mul_(0.999)
        return self.average[0].item()


def halved(epoch: int) -> float:
    return 0.5**epoch


class Decay:
    """A callable object, whose attributes torch saves."""

    def __init__(self):
        self.rate = 0.97

    def __call__(self, epoch):
        return self.rate**epoch


TORCH = {
    "LambdaLR": partial(peer.LambdaLR, lr_lambda=halved),
    "LambdaLR of an object": lambda optimizer: peer.LambdaLR(optimizer, Decay()),
    "MultiplicativeLR": partial(peer.MultiplicativeLR, lr_lambda=lambda epoch: 0.95),
    "StepLR": partial(peer.StepLR, step_size=3),
    "MultiStepLR": partial(peer.MultiStepLR, milestones=[3, 3, 7, 20]),
    "ConstantLR": partial(peer.ConstantLR, factor=0.5, total_iters=4),
    "LinearLR": partial(peer.LinearLR, start_factor=0.2, total_iters=6),
    "ExponentialLR": partial(peer.ExponentialLR, gamma=0.9),
    "PolynomialLR": partial(peer.PolynomialLR, total_iters=30, power=2.0),
    "CosineAnnealingLR": partial(peer.CosineAnnealingLR, T_max=7, eta_min=0.001),
    "CosineAnnealingWarmRestarts": partial(peer.CosineAnnealingWarmRestarts, T_0=4, T_mult=2),
    "OneCycleLR": partial(peer.OneCycleLR, max_lr=0.3, total_steps=70),
    "OneCycleLR, three phases": partial(peer.OneCycleLR, max_lr=0.3, total_steps=70, three_phase=True),
    "CyclicLR": partial(peer.CyclicLR, base_lr=0.01, max_lr=0.3, step_size_up=5, mode="exp_range", gamma=0.99),
    "CyclicLR of a function": partial(peer.CyclicLR, base_lr=0.01, max_lr=0.3, step_size_up=5, scale_fn=halved),
    "SequentialLR": lambda optimizer: peer.SequentialLR(
        optimizer,
        [
            peer.LinearLR(optimizer, total_iters=3),
            peer.ExponentialLR(optimizer, 0.9),
            peer.CosineAnnealingWarmRestarts(optimizer, 5),
        ],
        [4, 13],
    ),
    "ChainedScheduler": lambda optimizer: peer.ChainedScheduler(
        [peer.ConstantLR(optimizer, 0.1, 3), peer.ExponentialLR(optimizer, 0.9)], optimizer
    ),
    "Sequential in Chained": lambda optimizer: peer.ChainedScheduler(
        [
            peer.SequentialLR(optimizer, [peer.ConstantLR(optimizer, 0.1, 3), peer.StepLR(optimizer, 4)], [5]),
            peer.ExponentialLR(optimizer, 0.9),
        ],
        optimizer,
    ),
    "LambdaLR of NumPy": partial(peer.LambdaLR, lr_lambda=lambda epoch: np.interp(epoch, [0, 30], [1.0, 0.1])),
    "SWALR": partial(SWALR, swa_lr=0.01, anneal_epochs=7),
    "own": OwnTorchScheduler,
    "own, by a bound method": ByABoundMethod,
    "own, by another name": ByAnotherName,
    "own, with an after-scheduler": WithAnAfterScheduler,
    "own, lazy": Lazy,
    "own, with a tensor": WithATensor,
    "own, with a function": UnsavedTorchScheduler,
}


def _keeps_initial_tensors() -> bool:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=torch.tensor(0.1), foreach=False)
    peer.SequentialLR(optimizer, [peer.ConstantLR(optimizer), peer.ConstantLR(optimizer)], [1])
    (group,) = optimizer.param_groups
    return group["lr"] is not group["initial_lr"]


# With tensors, SequentialLR of torch 2.4 overwrites the initial learning rates, which lehr refuses.
WITHOUT_TENSORS = () if _keeps_initial_tensors() else ("SequentialLR", "Sequential in Chained")
