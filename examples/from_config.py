"""Train the digits network under a plan that stands in a YAML file: ``python examples/from_config.py``.

The file says, in epochs, that the learning rate warms up, holds and decays, and how momentum and weight decay follow.
The plan is drawn before training; afterwards what was recorded is compared with it.
"""

from pathlib import Path

import torch
from digits import BATCH_SIZE, STEPS_PER_EPOCH, make_network, test_loader, train_set
from ignite.engine import create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Accuracy
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from lehr.handlers import configure_scheduler

EPOCHS = 8
FOLDER = Path("runs/from_config")


def main() -> None:
    """Draw the plan, train under it, and check that it was kept."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    config = Path(__file__).with_suffix(".yaml")
    scheduler = configure_scheduler(optimizer, config, epoch_length=STEPS_PER_EPOCH)

    # What will happen, before anything does: one column for each of the three parameters.
    plan = scheduler.simulate(EPOCHS * STEPS_PER_EPOCH)
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure, panels = plt.subplots(3, 1, sharex=True, figsize=(8, 7), layout="constrained")
    for axes, values, name in zip(panels, plan.T, ("lr", "momentum", "weight_decay"), strict=True):
        axes.plot(values, color="#0072b2")
        axes.set_ylabel(name)
    panels[-1].set_xlabel("iteration")
    figure.suptitle(f"The plan of {config.name}")
    figure.savefig(FOLDER / "plan.png", dpi=120)

    trainer = create_supervised_trainer(network, optimizer, nn.CrossEntropyLoss())
    scheduler.attach(trainer)
    trainer.run(DataLoader(train_set, BATCH_SIZE, shuffle=True, drop_last=True), max_epochs=EPOCHS)

    for values, name in zip(plan.T, ("lr", "momentum", "weight_decay"), strict=True):
        assert trainer.state.param_history.to_numpy(name)[:, 0].tolist() == values.tolist(), name
    print(f"all {len(plan)} recorded values of lr, momentum and weight_decay are those of the plan, bit for bit")
    evaluator = create_supervised_evaluator(network, metrics={"accuracy": Accuracy()})
    print(f"test accuracy: {evaluator.run(test_loader).metrics['accuracy']:.4f}")


if __name__ == "__main__":
    main()
