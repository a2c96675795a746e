"""Lesson 3: find a learning rate by a range test. ``python examples/lesson03_find_lr.py`` takes about ten seconds.

The test trains with ever higher learning rates, three times, and takes everything back: the training that follows is
bit for bit the one without a test. The script draws the test, and trains for a few epochs with the suggested learning
rate as the peak of one cycle, and with a quarter of the one at which a run diverges.

As measured, the suggestion is 0.0044, and a run diverges at 0.245. One cycle of four epochs has a test accuracy of
0.967 up to the suggestion, and of 0.984 up to a quarter of 0.245: the suggestion is a careful one.

The picture is ``runs/find_lr/range_test.png``.
"""

from pathlib import Path
from typing import Any

import torch
from digits import STEPS_PER_EPOCH, accuracy_of, make_loader, make_network, make_optimizer, make_trainer, save
from ignite.engine import Engine
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from lehr.handlers import OneCycleScheduler, find_lr
from lehr.handlers.forecast import LRRangeTest

EPOCHS = 4


def make() -> tuple[Engine, nn.Module, torch.optim.Optimizer, DataLoader[Any]]:
    """A trainer of a fresh network."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = make_optimizer(network)
    return make_trainer(network, optimizer), network, optimizer, make_loader()


def range_test() -> LRRangeTest:
    """The range test, for which a trainer and a loader are enough."""
    trainer, _, _, loader = make()
    return find_lr(trainer, loader)


def train(peak: float, tested: bool = False) -> tuple[float, nn.Module]:
    """Train under a one-cycle policy, perhaps after a range test; return the test accuracy, and the network."""
    trainer, network, optimizer, loader = make()
    OneCycleScheduler(optimizer, "lr", max_value=peak, total_steps=EPOCHS * STEPS_PER_EPOCH).attach(trainer)
    if tested:
        find_lr(trainer, loader, num_steps=20, seeds=1)  # the scheduler steps aside
    trainer.run(loader, max_epochs=EPOCHS)
    return accuracy_of(network), network


def main() -> None:
    """Test, draw, train."""
    result = range_test()
    print(result)
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    result.plot(axes)
    save(figure, Path("runs/find_lr/range_test.png"))
    plt.close(figure)
    assert result.suggestion is not None
    assert result.diverges_at is not None

    # A constant learning rate had better be careful. A cycle is at its peak for a few steps only.
    for words, peak in (("as suggested", result.suggestion), ("a quarter of divergence", result.diverges_at / 4)):
        accuracy, network = train(peak)
        print(f"one cycle up to {peak:.3g}, {words}: test accuracy {accuracy:.4f}")

    _, other = train(peak, tested=True)
    pairs = zip(network.state_dict().values(), other.state_dict().values(), strict=True)
    assert all(torch.equal(one, another) for one, another in pairs)
    print("with another range test before it, the training is the same, bit for bit")


if __name__ == "__main__":
    main()
