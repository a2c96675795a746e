"""Lesson 1: see a schedule before you train. ``python examples/lesson01_see_the_plan.py`` takes under ten seconds.

Nothing is trained here. A learning rate is scheduled for ten epochs of 21 iterations, with two mistakes that are easily
made: the decay is longer than the run, and a scheduler of an earlier try is still attached. The check finds both. The
picture, ``runs/see_the_plan/plan.png``, shows the plan with the mistakes, and the plan that was meant. The first
mistake can be seen in it: the curve does not come to its end. The second one cannot: what the old scheduler writes is
overwritten before each step.
"""

from pathlib import Path

import torch
from ignite.engine import Engine, Events, create_supervised_trainer
from matplotlib import pyplot as plt

from lehr.handlers import (
    CosineDecayScheduler,
    ExponentialScheduler,
    check_plan,
    create_lr_scheduler_with_warmup,
    dry_run,
    plot_plan,
)

EPOCHS, STEPS_PER_EPOCH = 10, 21
WARMUP = STEPS_PER_EPOCH
FOLDER = Path("runs/see_the_plan")


def make_trainer(decay_epochs: int, old_scheduler: bool) -> Engine:
    """A trainer whose learning rate warms up for one epoch, then decays."""
    network = torch.nn.Linear(64, 10)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    trainer = create_supervised_trainer(network, optimizer, torch.nn.CrossEntropyLoss())

    decay = CosineDecayScheduler(optimizer, "lr", duration=decay_epochs * STEPS_PER_EPOCH)
    scheduler = create_lr_scheduler_with_warmup(decay, warmup_start_value=0.01, warmup_duration=WARMUP)
    scheduler.attach(trainer)
    if old_scheduler:
        ExponentialScheduler(optimizer, "lr", gamma=0.8).attach(trainer, Events.EPOCH_STARTED)

    # 1. One scheduler by itself: its values at chosen events. Nothing is written to the optimizer.
    values = scheduler.simulate(EPOCHS * STEPS_PER_EPOCH)[:, 0]
    print("lr at the first iteration of each epoch:", *values[::STEPS_PER_EPOCH].round(3))
    return trainer


def main() -> None:
    """Make a plan with mistakes, find them, and mend them."""
    wrong = make_trainer(decay_epochs=12, old_scheduler=True)

    # 2. The whole run: what every iteration would train with, of all schedulers together.
    wrong_plan = dry_run(wrong, EPOCHS, STEPS_PER_EPOCH)
    print(wrong_plan)

    # 3. What is wrong with it.
    print(check_plan(wrong, EPOCHS, STEPS_PER_EPOCH))

    # 4. The same without the mistakes. The warm-up takes one epoch, the decay the other nine.
    right = make_trainer(decay_epochs=9, old_scheduler=False)
    right_plan = dry_run(right, EPOCHS, STEPS_PER_EPOCH)
    print(right_plan)
    print(check_plan(right, EPOCHS, STEPS_PER_EPOCH))

    FOLDER.mkdir(parents=True, exist_ok=True)
    figure, (above, below) = plt.subplots(2, 1, sharex=True, sharey=True, figsize=(8, 7), layout="constrained")
    plot_plan(wrong_plan, above)
    above.set_title("with two mistakes: the decay is too long, and another scheduler writes, too", pad=24)
    plot_plan(right_plan, below)
    below.set_title("as it was meant", pad=24)
    figure.savefig(FOLDER / "plan.png", dpi=120)
    plt.close(figure)
    print(f"wrote {FOLDER}/plan.png")


if __name__ == "__main__":
    main()
