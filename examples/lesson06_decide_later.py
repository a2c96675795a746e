"""Lesson 6: hold the learning rate, and decide in mid-run when to decay. ``python examples/lesson06_decide_later.py``.

It takes about ten seconds. ``PhaseScheduler`` has two phases: a warm-up that ends in a constant, and a decay over
three epochs that begins when it is told to. The same training is decayed after 3, after 9, and after 15 epochs, and, in
a fourth run, by itself: when the loss on the test images has not fallen for two epochs.

As measured, the test accuracies are 0.984, 0.989 and 0.991 with the decay after 3, 9 and 15 epochs. The loss stalls
early: it starts the decay after 4 epochs, and the accuracy is 0.982. One test image is 0.002.

The picture, ``runs/decide_later/decisions.png``, shows the learning rates, and the accuracy after each epoch.
"""

from pathlib import Path
from typing import NamedTuple

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

from lehr.handlers import PhaseScheduler
from lehr.handlers.schedules import Anneal, LinearInterpolation, Plateau, Power

PEAK, DECAY_EPOCHS, LONGEST = 0.1, 3, 18
DECISIONS: tuple[int | None, ...] = (3, 9, 15, None)  # None: by the loss


class Run(NamedTuple):
    """A run that is ready, and the accuracies that it will measure."""

    trainer: Engine
    scheduler: PhaseScheduler
    accuracies: list[float]


def prepare(decay_after: int | None) -> Run:
    """A trainer whose learning rate decays after an epoch, or when the loss stalls."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = make_optimizer(network)
    trainer, evaluator = make_trainer(network, optimizer), make_evaluator(network)
    accuracies: list[float] = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(test_loader))
    evaluator.add_event_handler(Events.COMPLETED, lambda: accuracies.append(evaluator.state.metrics["accuracy"]))

    stable = LinearInterpolation([(0, PEAK / 10), (STEPS_PER_EPOCH, PEAK)])  # rises for an epoch, then stays
    decay = Anneal(1.0, 0.0, DECAY_EPOCHS * STEPS_PER_EPOCH, Power(0.5))  # a factor of the value that it finds
    by_loss = Plateau(patience=1) if decay_after is None else None
    scheduler = PhaseScheduler(optimizer, "lr", [stable, decay], flat=by_loss, save_history=True)
    scheduler.attach(trainer)
    if decay_after is None:
        evaluator.add_event_handler(Events.COMPLETED, scheduler.observe)
    else:
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=decay_after), scheduler.next_phase)
    return Run(trainer, scheduler, accuracies)


def train(decay_after: int | None) -> Run:
    """Train until the decay is over."""
    run = prepare(decay_after)
    end = LONGEST if decay_after is None else decay_after + DECAY_EPOCHS

    def stop_after_decay() -> None:
        if run.scheduler.phase == 1 and run.trainer.state.param_history["lr"][-1][0] < 2e-3:
            run.trainer.terminate()

    run.trainer.add_event_handler(Events.EPOCH_COMPLETED, stop_after_decay)
    run.trainer.run(make_loader(), max_epochs=end)
    return run


def main() -> None:
    """Train once for each decision, and draw."""
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(8, 6.5), layout="constrained")
    styles = ("-", "--", "-.", ":")
    for decay_after, style in zip(DECISIONS, styles, strict=True):
        run = train(decay_after)
        lr = run.trainer.state.param_history.to_numpy("lr")[:, 0]
        name = "when the loss stalls" if decay_after is None else f"after {decay_after} epochs"
        print(f"decay {name}: test accuracy {run.accuracies[-1]:.4f} after {len(run.accuracies)} epochs")
        above.plot([event / STEPS_PER_EPOCH for event in range(len(lr))], lr, style)
        below.plot(range(1, len(run.accuracies) + 1), run.accuracies, style, marker=".", label=f"decay {name}")
    above.set(ylabel="lr")
    below.set(xlabel="epoch", ylabel="test accuracy", ylim=(0.9, 1.0), xticks=range(0, LONGEST + 1, 3))
    below.legend(loc="lower right")
    below.grid(True, axis="y", alpha=0.3)
    figure.suptitle("One training, four decisions: hold the learning rate, then decay it within three epochs")
    save(figure, Path("runs/decide_later/decisions.png"))
    plt.close(figure)


if __name__ == "__main__":
    main()
