"""Lesson 13: several lengths from one run. ``python examples/lesson13_branches.py``.

It takes about half a minute. How well does the network do after 5, 10 and 20 epochs? The usual answer takes three whole
runs, each with a cosine of its own length. Here, one trunk trains at a constant learning rate, and ``CooldownPolicy``
begins a branch at its checkpoints of epochs 4, 8 and 16: the last fifth of each length cools down. That takes 483 steps
where the whole runs take 735.

As measured over five seeds, the mean test accuracies of the branches were 0.964, 0.978 and 0.981, those of the whole
runs 0.957, 0.970 and 0.977. The differences are smaller than the spread over the seeds. A branch is the same as a run
whose decay was planned from the beginning, bit for bit; the script checks that, too.

The picture, ``runs/branches/branches.png``, shows the learning rates and the accuracies.
"""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digits import STEPS_PER_EPOCH, accuracy_of, make_loader, make_network, make_optimizer, make_trainer, save
from ignite.engine import Events
from ignite.handlers import Checkpoint
from matplotlib import pyplot as plt

from lehr.handlers import ConstantScheduler, CooldownPolicy, CosineDecayScheduler, WarmupStableDecayScheduler

LENGTHS = (5, 10, 20)  # epochs
FORK = {length: length * 4 // 5 for length in LENGTHS}  # the epoch of the checkpoint
RATE = 0.1
SEEDS = 5
Run = dict[str, Any]


def prepare(seed: int) -> Run:
    """A network, its optimizer and trainer, and the data in an order that the seed and the epoch give."""
    torch.manual_seed(seed)
    network = make_network()
    optimizer = make_optimizer(network)
    trainer = make_trainer(network, optimizer)
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: torch.manual_seed(1000 * seed + trainer.state.epoch))
    return {"network": network, "optimizer": optimizer, "trainer": trainer}


def trained(run: Run, scheduler: Any, epochs: int) -> Run:
    """The run with a scheduler, after it has trained up to an epoch."""
    scheduler.save_history = True
    scheduler.attach(run["trainer"])
    run["trainer"].run(make_loader(), max_epochs=epochs)
    return {**run, "lr": scheduler}


def make_trunk(seed: int) -> dict[int, Run]:
    """Train at a constant rate; the checkpoint of each epoch at which a branch begins."""
    run, checkpoints = prepare(seed), {}
    lr = ConstantScheduler(run["optimizer"], "lr", RATE)

    def keep() -> None:
        states = {name: part.state_dict() for name, part in [*run.items(), ("lr", lr)]}
        checkpoints[run["trainer"].state.epoch] = copy.deepcopy(states)

    run["trainer"].add_event_handler(Events.EPOCH_COMPLETED(event_filter=lambda _, epoch: epoch in FORK.values()), keep)
    trained(run, lr, max(FORK.values()))
    return checkpoints


def make_branch(seed: int, checkpoint: Run, length: int) -> Run:
    """Cool down from a checkpoint, so that the run ends at this epoch."""
    run = prepare(seed)
    lr = ConstantScheduler(run["optimizer"], "lr", RATE)
    lr.resume_policy = CooldownPolicy((length - FORK[length]) * STEPS_PER_EPOCH, curve="1-sqrt")
    Checkpoint.load_objects({**run, "lr": lr}, checkpoint)
    return trained(run, lr, length)


def make_branches(seed: int) -> dict[int, Run]:
    """A trunk, and a branch for each length."""
    checkpoints = make_trunk(seed)
    return {length: make_branch(seed, checkpoints[FORK[length]], length) for length in LENGTHS}


def make_whole_run(seed: int, length: int) -> Run:
    """A run that was planned for its length, with a cosine."""
    run = prepare(seed)
    return trained(
        run, CosineDecayScheduler(run["optimizer"], "lr", length * STEPS_PER_EPOCH, start_value=RATE), length
    )


def check_that_a_branch_is_a_planned_run(seed: int, branch: Run, length: int) -> None:
    """A run whose decay was planned from the beginning has the same rates and the same weights as the branch."""
    run, fork = prepare(seed), FORK[length] * STEPS_PER_EPOCH
    wsd = WarmupStableDecayScheduler(
        run["optimizer"], "lr", 0, fork, length * STEPS_PER_EPOCH - fork, peak_value=RATE, decay_type="1-sqrt"
    )
    planned = trained(run, wsd, length)
    assert np.array_equal(wsd.simulate(length * STEPS_PER_EPOCH), branch["lr"].simulate(length * STEPS_PER_EPOCH))
    pairs = zip(planned["network"].state_dict().values(), branch["network"].state_dict().values(), strict=True)
    assert all(torch.equal(one, another) for one, another in pairs)
    print("a branch has the weights of a run whose decay was planned from the beginning, bit for bit")


def main() -> None:
    """Train, compare, draw."""
    accuracies: dict[str, dict[int, list[float]]] = {
        kind: {length: [] for length in LENGTHS} for kind in ("branch", "whole run")
    }
    examples: dict[str, dict[int, Run]] = {}
    for seed in range(SEEDS):
        branches = make_branches(seed)
        runs = {"branch": branches, "whole run": {length: make_whole_run(seed, length) for length in LENGTHS}}
        for kind, by_length in runs.items():
            for length, run in by_length.items():
                accuracies[kind][length].append(accuracy_of(run["network"]))
        if seed == 0:
            check_that_a_branch_is_a_planned_run(seed, branches[LENGTHS[0]], LENGTHS[0])
            examples = runs

    whole = sum(LENGTHS) * STEPS_PER_EPOCH
    branched = (max(FORK.values()) + sum(length - FORK[length] for length in LENGTHS)) * STEPS_PER_EPOCH
    print(
        f"steps of three whole runs: {whole}, of a trunk with three branches: {branched} ({branched / whole - 1:+.0%})"
    )
    for length in LENGTHS:
        words = []
        for kind, lengths in accuracies.items():
            values = lengths[length]
            words.append(f"{kind} {np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}")
        difference = np.subtract(accuracies["branch"][length], accuracies["whole run"][length])
        print(f"{length} epochs, test accuracy: {', '.join(words)}, difference {difference.mean():+.4f}")
    draw(accuracies, examples)


def draw(accuracies: dict[str, dict[int, list[float]]], examples: dict[str, dict[int, Run]]) -> None:
    """The learning rates of one seed, and the accuracies of all."""
    colors = {"branch": "#0072b2", "whole run": "#d55e00"}
    figure, (rates, scores) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for kind, runs in examples.items():
        for length, run in runs.items():
            values = run["lr"].simulate(length * STEPS_PER_EPOCH)[:, 0]
            label = {"branch": "trunk and branches", "whole run": "whole runs"}[kind] if length == LENGTHS[0] else None
            rates.plot(np.arange(len(values)) / STEPS_PER_EPOCH, values, color=colors[kind], label=label)
    rates.set(title="Learning rates", xlabel="epoch", ylabel="lr")
    rates.set_ylim(top=1.25 * RATE)  # room for the legend
    rates.legend(loc="upper right", ncols=2)
    for shift, (kind, by_length) in zip((-0.08, 0.08), accuracies.items(), strict=True):
        for at, values in enumerate(by_length.values()):
            scores.plot([at + shift] * len(values), values, "o", color=colors[kind], alpha=0.4)
        means = [np.mean(values) for values in by_length.values()]
        scores.plot(np.arange(len(means)) + shift, means, "_", color=colors[kind], markersize=24, label=f"{kind}, mean")
    scores.set(title=f"Test accuracy, {SEEDS} seeds", xlabel="length in epochs", ylabel="accuracy")
    scores.set_xticks(range(len(LENGTHS)), [str(length) for length in LENGTHS])
    scores.legend(loc="lower right")
    save(figure, Path("runs/branches/branches.png"))
    plt.close(figure)


if __name__ == "__main__":
    main()
