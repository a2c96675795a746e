"""Lesson 5: warm up, then reduce on plateau. ``python examples/lesson05_reduce_on_plateau.py``.

It takes about ten seconds. The learning rate rises for two epochs, an iteration at a time. From there on it is
halved where the loss on the test images has not become smaller for two epochs. The evaluator measures that loss after
each epoch. Before training, a dry run shows what would happen with losses that we make up. After it, a dry run with the
losses that were measured gives the learning rates of the run, bit for bit.

As measured: the learning rate was halved twice, before epochs 13 and 15, and the test accuracy was 0.9911 in the end.

The picture, ``runs/reduce_on_plateau/plateau.png``, shows the measured loss and the learning rate.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from digits import (
    STEPS_PER_EPOCH,
    make_evaluator,
    make_loader,
    make_network,
    make_optimizer,
    make_trainer,
    save,
    test_loader,
)
from ignite.engine import Engine, Events
from matplotlib import pyplot as plt

from lehr.handlers import ConcatScheduler, LinearScheduler, ReduceOnPlateauScheduler, dry_run

EPOCHS, WARMUP_EPOCHS, PEAK = 16, 2, 0.1


class Run(NamedTuple):
    """A run that is ready, and the losses that it will measure."""

    trainer: Engine
    evaluator: Engine
    losses: list[float]


def prepare() -> Run:
    """A trainer, an evaluator after each of its epochs, and the scheduler."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = make_optimizer(network)
    trainer, evaluator = make_trainer(network, optimizer), make_evaluator(network)
    losses: list[float] = []

    warmup_steps = WARMUP_EPOCHS * STEPS_PER_EPOCH
    warmup = LinearScheduler(optimizer, "lr", duration=warmup_steps, start_value=0.01, end_value=PEAK)
    plateau = ReduceOnPlateauScheduler(
        optimizer, "lr", "loss", factor=0.5, patience=1, initial_value=PEAK, begin=WARMUP_EPOCHS
    )
    scheduler = ConcatScheduler([warmup, plateau], durations=[warmup_steps], save_history=True)
    scheduler.attach(trainer)  # it writes at each iteration ...
    evaluator.add_event_handler(Events.COMPLETED, plateau.observe)  # ... and looks at the loss after each epoch

    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(test_loader))
    evaluator.add_event_handler(Events.COMPLETED, lambda: losses.append(evaluator.state.metrics["loss"]))
    return Run(trainer, evaluator, losses)


def main() -> None:
    """Foresee, train, compare, draw."""
    # 1. If the loss fell for six epochs and then stalled, what would the learning rate of each epoch be?
    made_up = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3] + [0.3] * (EPOCHS - 6)
    plan = dry_run(prepare().trainer, EPOCHS, STEPS_PER_EPOCH, metrics={"loss": made_up})
    print("with made-up losses: ", *plan["lr"][::STEPS_PER_EPOCH, 0].round(4))

    # 2. The training.
    trainer, evaluator, losses = prepare()
    trainer.run(make_loader(), max_epochs=EPOCHS)
    recorded = trainer.state.param_history.to_numpy("lr")
    print("as it was in training:", *recorded[::STEPS_PER_EPOCH, 0].round(4))

    # 3. The plan with the losses that were measured is what was recorded.
    again = dry_run(prepare().trainer, EPOCHS, STEPS_PER_EPOCH, metrics={"loss": losses})
    assert np.array_equal(again["lr"], recorded)
    print("a dry run with the measured losses gives the recorded learning rates, bit for bit")

    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(8, 6), layout="constrained")
    ends = [epoch * STEPS_PER_EPOCH for epoch in range(1, EPOCHS + 1)]
    above.plot(ends, losses, "o-", color="#d55e00")
    above.set(ylabel="loss on the test images", yscale="log")
    below.plot(recorded[:, 0], color="#0072b2")
    below.set(xlabel="iteration (a grey line at the end of each epoch)", ylabel="lr", yscale="log")
    for axes in (above, below):
        for end in ends:
            axes.axvline(end, color="0.85", linewidth=0.8, zorder=0)
    figure.suptitle("A warm-up, then half the learning rate whenever the loss stalls")
    save(figure, Path("runs/reduce_on_plateau/plateau.png"))
    plt.close(figure)
    print(f"test accuracy: {evaluator.state.metrics['accuracy']:.4f}")


if __name__ == "__main__":
    main()
