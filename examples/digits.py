"""What the lessons share: the digits data, a small network, and its test accuracy. Nothing here knows of schedules.

The data are scikit-learn's: 1,797 scans of handwritten digits, 8x8 pixels each. A quarter of them is kept for testing.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Accuracy, Loss
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = 64
torch.set_num_threads(1)  # for such a small network, more threads are slower

images, labels = load_digits(return_X_y=True)
pixels = torch.tensor(images / 16.0, dtype=torch.float32).reshape(-1, 1, 8, 8)
train, test = train_test_split(np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=0)
train_set = TensorDataset(pixels[train], torch.tensor(labels[train]))
test_loader = DataLoader(TensorDataset(pixels[test], torch.tensor(labels[test])), batch_size=450)
STEPS_PER_EPOCH = len(train) // BATCH_SIZE


def make_loader() -> DataLoader[Any]:
    """The training data in batches, in another order in each epoch: 21 iterations an epoch."""
    return DataLoader(train_set, BATCH_SIZE, shuffle=True, drop_last=True)


def make_network() -> nn.Sequential:
    """Two convolutions and a linear layer: 10,000 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


def make_optimizer(network: nn.Module) -> torch.optim.SGD:
    """SGD with momentum, in one param group."""
    return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)


def make_trainer(network: nn.Module, optimizer: torch.optim.Optimizer) -> Engine:
    """A trainer of ignite: a step of the optimizer for each batch."""
    return create_supervised_trainer(network, optimizer, nn.CrossEntropyLoss())


def make_evaluator(network: nn.Module) -> Engine:
    """An evaluator of ignite: its metrics are the accuracy and the loss."""
    metrics = {"accuracy": Accuracy(), "loss": Loss(nn.CrossEntropyLoss())}
    return create_supervised_evaluator(network, metrics=metrics)


def accuracy_of(network: nn.Module) -> float:
    """The share of the test images that a network recognizes."""
    accuracy: float = make_evaluator(network).run(test_loader).metrics["accuracy"]
    return accuracy


def save(figure: Figure, path: Path) -> None:
    """Write a picture, and say where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")
