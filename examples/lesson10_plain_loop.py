"""Lesson 10: a plain loop, without a trainer. ``python examples/lesson10_plain_loop.py`` takes about ten seconds.

``apply()`` before each step of the optimizer is all that a loop needs. Here the learning rate follows one cycle, and
momentum goes the other way. Gradients of two batches are accumulated for a step, so the schedules count steps, not
batches. The plan is computed and checked before training, and drawn with what was recorded in
``runs/plain_loop/recorded.png``.

As measured, the test accuracy is 0.9867.
"""

from pathlib import Path

import numpy as np
import torch
from digits import STEPS_PER_EPOCH, accuracy_of, make_loader, make_network, make_optimizer, save
from matplotlib import pyplot as plt
from torch import nn

from lehr.engine import ParamHistory
from lehr.handlers import OneCycleScheduler, ParamScheduler, check_plan, dry_run, plot_plan

EPOCHS, ACCUMULATED, PEAK = 8, 2, 0.1
STEPS = STEPS_PER_EPOCH // ACCUMULATED  # real steps of the optimizer in an epoch


def make_schedulers(optimizer: torch.optim.Optimizer) -> list[ParamScheduler]:
    """The learning rate up and down, and momentum the other way."""
    total = EPOCHS * STEPS
    return [
        OneCycleScheduler(optimizer, "lr", max_value=PEAK, total_steps=total),
        OneCycleScheduler(optimizer, "momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=total),
    ]


def main() -> None:
    """Plan, train, compare."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = make_optimizer(network)
    schedulers = make_schedulers(optimizer)
    plan = dry_run(schedulers, EPOCHS, STEPS)
    print(plan)
    print(check_plan(schedulers, EPOCHS, STEPS))

    history = ParamHistory()
    for scheduler in schedulers:
        scheduler.history = history
    loader, compute_loss = make_loader(), nn.CrossEntropyLoss()
    for epoch in range(1, EPOCHS + 1):
        losses = []
        for index, (pixels, labels) in enumerate(loader, start=1):
            loss = compute_loss(network(pixels), labels)
            (loss / ACCUMULATED).backward()
            losses.append(loss.item())
            if index % ACCUMULATED == 0:
                for scheduler in schedulers:
                    scheduler.apply()
                optimizer.step()
                optimizer.zero_grad()
        optimizer.zero_grad()  # of the 21st batch, which has no partner
        print(f"epoch {epoch}: lr {optimizer.param_groups[0]['lr']:.4f}, mean loss {np.mean(losses):.4f}")

    for name in plan:
        assert np.array_equal(plan[name], history.to_numpy(name)), name
    print(f"all {plan.num_iterations} steps had the lr and momentum of the plan, bit for bit")

    figure, panels = plt.subplots(2, 1, sharex=True, figsize=(8, 6), layout="constrained")
    plot_plan(plan, panels, recorded=history)
    figure.suptitle("The plan, and what the loop used; an iteration here is a step of the optimizer")
    save(figure, Path("runs/plain_loop/recorded.png"))
    plt.close(figure)
    print(f"test accuracy: {accuracy_of(network):.4f}")


if __name__ == "__main__":
    main()
