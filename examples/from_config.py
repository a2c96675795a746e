"""Train the digits network with a plan from a YAML file: ``python examples/from_config.py``.

In the file, durations are in epochs: the learning rate warms up, stays constant and decays; momentum and weight decay
follow. The script prints, checks and draws the plan before training, and compares it with the recorded values
afterwards.
"""

from pathlib import Path

import torch
from digits import BATCH_SIZE, STEPS_PER_EPOCH, make_network, test_loader, train_set
from ignite.engine import create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Accuracy
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader

from lehr.engine import ParamHistory
from lehr.handlers import check_plan, configure_scheduler, dry_run, plot_plan
from lehr.handlers.plans import Plan

EPOCHS = 8
FOLDER = Path("runs/from_config")


def main() -> None:
    """Draw the plan, train under it, and check that it was kept."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    config = Path(__file__).with_suffix(".yaml")
    scheduler = configure_scheduler(optimizer, config, epoch_length=STEPS_PER_EPOCH)

    trainer = create_supervised_trainer(network, optimizer, nn.CrossEntropyLoss())
    scheduler.attach(trainer)

    # Compute the plan before training, and look for mistakes in it.
    plan = dry_run(trainer, EPOCHS, STEPS_PER_EPOCH)
    print(plan)
    print(check_plan(trainer, EPOCHS, STEPS_PER_EPOCH))
    FOLDER.mkdir(parents=True, exist_ok=True)
    draw(plan, f"The plan of {config.name}", FOLDER / "plan.png")

    trainer.run(DataLoader(train_set, BATCH_SIZE, shuffle=True, drop_last=True), max_epochs=EPOCHS)

    history = trainer.state.param_history
    for name in plan:
        assert history.to_numpy(name).tolist() == plan[name].tolist(), name
    print(f"all {plan.num_iterations} recorded values of {', '.join(plan)} are those of the plan, bit for bit")
    draw(plan, f"The plan of {config.name}, and what the run recorded", FOLDER / "recorded.png", history)

    evaluator = create_supervised_evaluator(network, metrics={"accuracy": Accuracy()})
    print(f"test accuracy: {evaluator.run(test_loader).metrics['accuracy']:.4f}")


def draw(plan: Plan, title: str, path: Path, recorded: ParamHistory | None = None) -> None:
    """A panel for each parameter, and rings for what was recorded."""
    figure, axes = plt.subplots(len(plan), 1, sharex=True, figsize=(8, 8), layout="constrained")
    plot_plan(plan, axes, recorded=recorded)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
