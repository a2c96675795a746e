"""Lesson 12: land by a deadline. ``python examples/lesson12_land_by.py``.

It takes about ten seconds. The budget is 60 seconds, and how many steps that is depends on the machine. The digits
network trains on four simulated machines: at the usual throughput, at 0.7 and at 1.3 of it, and on one that falls from
1.0 to 0.7. The clock is simulated, so nothing waits. The fourth training is stopped at half of the budget, too, and
goes on in new objects from its checkpoint.

Each holds the learning rate after a warm-up, and cools down in the last 25% of its steps: 104, 150, 195 and 127 steps,
as many as fit into the budget. The last step has a learning rate of 0 and ends at the deadline, within one step. As
measured, the test accuracies are 0.982, 0.987, 0.987 and 0.987.

The picture, ``runs/land_by/landing.png``, shows the learning rates over the time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from digits import accuracy_of, make_loader, make_network, make_optimizer, make_trainer, save
from ignite.engine import Engine, Events
from matplotlib import pyplot as plt

from lehr.handlers import ConstantScheduler, TimeClock, create_lr_scheduler_with_warmup

BUDGET, STEP = 60.0, 0.4  # seconds: of the training, and of a step at the usual throughput
Throughput = Callable[[float], float]  # given the seconds so far

MACHINES: dict[str, Throughput] = {
    "throughput x0.7": lambda time: 0.7,
    "throughput x1": lambda time: 1.0,
    "throughput x1.3": lambda time: 1.3,
    "falls from x1 to x0.7, with a stop": lambda time: 1.0 - 0.3 * min(time / BUDGET, 1.0),
}


class Run(NamedTuple):
    """A training by the time of a simulated machine."""

    network: torch.nn.Module
    trainer: Engine
    to_save: dict[str, Any]
    times: list[float]  # at which each step ended
    rates: list[float]  # of each step


def prepare(throughput: Throughput, begin: float = 0.0) -> Run:
    """A trainer that lands when the budget is used; its machine has worked for some seconds already."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = make_optimizer(network)
    trainer = make_trainer(network, optimizer)
    times, rates, now = list[float](), list[float](), [begin]

    trunk = create_lr_scheduler_with_warmup(ConstantScheduler(optimizer, "lr", 0.1), 0.0, 10)
    trunk.attach(trainer, clock=TimeClock(budget=BUDGET, cooldown="25%", now=lambda: now[0]))

    @trainer.on(Events.ITERATION_STARTED)
    def work() -> None:
        """Let the step take its time."""
        now[0] += STEP / throughput(now[0])
        times.append(now[0])
        rates.append(optimizer.param_groups[0]["lr"])

    to_save = {"network": network, "optimizer": optimizer, "trainer": trainer, "trunk": trunk}
    return Run(network, trainer, to_save, times, rates)


def train(throughput: Throughput, stop_after: float | None = None) -> Run:
    """Train until the budget is used, perhaps with a stop in between."""
    run = prepare(throughput)
    if stop_after is not None:

        @run.trainer.on(Events.EPOCH_COMPLETED)
        def stop(engine: Engine) -> None:
            if run.times[-1] >= stop_after:
                engine.terminate()

    run.trainer.run(make_loader(), max_epochs=1000)  # the deadline ends it
    if stop_after is None:
        return run
    states = {name: saved.state_dict() for name, saved in run.to_save.items()}
    resumed = prepare(throughput, begin=run.times[-1])
    for name, saved in resumed.to_save.items():
        saved.load_state_dict(states[name])
    resumed.trainer.run(make_loader(), max_epochs=1000)
    resumed.times[:0], resumed.rates[:0] = run.times, run.rates
    return resumed


def main() -> None:
    """Train on each machine, and draw."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, throughput in MACHINES.items():
        run = train(throughput, BUDGET / 2 if "stop" in name else None)
        late, last = run.times[-1] - BUDGET, run.times[-1] - run.times[-2]
        print(
            f"{name}: {len(run.rates)} steps, the last one {late / last:+.2f} steps after the deadline with lr "
            f"{run.rates[-1]:g}, test accuracy {accuracy_of(run.network):.4f}"
        )
        assert run.rates[-1] == 0.0
        assert -2 * last <= late <= last
        axes.plot(run.times, run.rates, label=f"{name}: {len(run.rates)} steps", linewidth=1.5)
    axes.axvline(BUDGET, color="black", linestyle=":", label="deadline")
    axes.set(xlabel="seconds of training", ylabel="lr", title="Four machines, one budget: each lands at the deadline")
    axes.legend(loc="lower center")
    save(figure, Path("runs/land_by/landing.png"))
    plt.close(figure)


if __name__ == "__main__":
    main()
