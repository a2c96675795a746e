"""Find the peak of a one-cycle policy for the digits network by a range test: ``python examples/find_lr.py``.

The test trains with ever higher learning rates, three times, and takes everything back: the training that follows is
bit for bit the one without a test. The script draws the test, and trains for a few epochs with the suggested learning
rate as the peak, and with a quarter of the one at which a run diverges.
"""

from pathlib import Path
from typing import Any

import torch
from digits import BATCH_SIZE, STEPS_PER_EPOCH, make_network, test_loader, train_set
from ignite.engine import Engine, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Accuracy
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from lehr.handlers import OneCycleScheduler, find_lr
from lehr.handlers.forecast import LRRangeTest

EPOCHS = 4
FOLDER = Path("runs/find_lr")


def make() -> tuple[Engine, nn.Module, torch.optim.Optimizer, DataLoader[Any]]:
    """A trainer of a fresh network."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    trainer = create_supervised_trainer(network, optimizer, nn.CrossEntropyLoss())
    return trainer, network, optimizer, DataLoader(train_set, BATCH_SIZE, shuffle=True, drop_last=True)


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
    evaluator = create_supervised_evaluator(network, metrics={"accuracy": Accuracy()})
    return evaluator.run(test_loader).metrics["accuracy"], network


def main() -> None:
    """Test, draw, train."""
    result = range_test()
    print(result)
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    result.plot(axes)
    figure.savefig(FOLDER / "range_test.png", dpi=120)
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
