"""Lesson 8: train with a plan from a YAML file, and compare two. ``python examples/lesson08_from_config.py``.

It takes about ten seconds. In ``lesson08_from_config.yaml``, durations are in epochs: the learning rate warms up,
stays constant and decays; momentum and weight decay follow. The script prints and checks the plan before training, and
compares it with the recorded values afterwards. It also reads ``lesson08_other.yaml``, which is written as mmengine
writes it, and says in which iterations the two plans differ.

As measured, the test accuracy is 0.9867.

The pictures are ``runs/from_config/recorded.png``, the plan and what was recorded, and ``two_configs.png``, the
learning rates of both files.
"""

from pathlib import Path

import torch
from digits import STEPS_PER_EPOCH, accuracy_of, make_loader, make_network, make_optimizer, make_trainer, save
from ignite.engine import Engine
from matplotlib import pyplot as plt
from torch import nn

from lehr.handlers import check_plan, configure_scheduler, diff_plans, dry_run, plot_plan

EPOCHS = 8
CONFIG = Path(__file__).with_suffix(".yaml")
OTHER = Path(__file__).with_name("lesson08_other.yaml")
FOLDER = Path("runs/from_config")


def prepare(config: Path) -> tuple[nn.Module, Engine]:
    """A network and its trainer, with the schedules of a file."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = make_optimizer(network)
    trainer = make_trainer(network, optimizer)
    configure_scheduler(optimizer, config, epoch_length=STEPS_PER_EPOCH).attach(trainer)
    return network, trainer


def main() -> None:
    """Plan and compare, train, check that the plan was kept."""
    network, trainer = prepare(CONFIG)

    # 1. Compute the plan before training, and look for mistakes in it.
    plan = dry_run(trainer, EPOCHS, STEPS_PER_EPOCH)
    print(plan)
    print(check_plan(trainer, EPOCHS, STEPS_PER_EPOCH))

    # 2. In what does the other file differ?
    _, other = prepare(OTHER)
    difference = diff_plans(plan, dry_run(other, EPOCHS, STEPS_PER_EPOCH))
    print(f"{CONFIG.name} and {OTHER.name}:")
    print(difference)
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    difference.plot(axes)
    figure.suptitle(f"a: {CONFIG.name}, b: {OTHER.name}")
    save(figure, FOLDER / "two_configs.png")
    plt.close(figure)

    # 3. Train with the first one.
    trainer.run(make_loader(), max_epochs=EPOCHS)
    history = trainer.state.param_history
    for name in plan:
        assert history.to_numpy(name).tolist() == plan[name].tolist(), name
    print(f"all {plan.num_iterations} recorded values of {', '.join(plan)} are those of the plan, bit for bit")

    figure, panels = plt.subplots(len(plan), 1, sharex=True, figsize=(8, 8), layout="constrained")
    plot_plan(plan, panels, recorded=history)
    figure.suptitle(f"The plan of {CONFIG.name}, and what the run recorded")
    save(figure, FOLDER / "recorded.png")
    plt.close(figure)
    print(f"test accuracy: {accuracy_of(network):.4f}")


if __name__ == "__main__":
    main()
