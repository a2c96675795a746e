"""The cost of seeing a whole plan, beside the run of as many empty iterations that it tells of."""

import pytest
import torch
from ignite.engine import Engine

from lehr.handlers import CosineDecayScheduler, LinearScheduler, OneCycleScheduler, check_plan, dry_run

EPOCHS, LENGTH = 100, 1000


def trainer_of(groups):
    """A trainer with three schedulers, for 100,000 iterations."""
    params = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)]
    optimizer = torch.optim.SGD(params, lr=0.1, momentum=0.9)
    trainer = Engine(lambda engine, batch: None)
    steps = EPOCHS * LENGTH
    CosineDecayScheduler(optimizer, "lr", duration=steps).attach(trainer)
    OneCycleScheduler(optimizer, "momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=steps).attach(
        trainer
    )
    LinearScheduler(optimizer, "weight_decay", steps, start_value=0.0, end_value=0.1).attach(trainer)
    return trainer


@pytest.mark.parametrize("groups", [1, 10])
@pytest.mark.parametrize("what", ["dry_run", "check_plan", "run"])
def test_a_plan(benchmark, what, groups):
    benchmark.group = f"100,000 iterations, 3 schedulers, {groups} groups"
    trainer, batches = trainer_of(groups), [None] * LENGTH
    calls = {
        "dry_run": lambda: dry_run(trainer, EPOCHS, LENGTH),
        "check_plan": lambda: check_plan(trainer, EPOCHS, LENGTH),
        "run": lambda: trainer.run(batches, max_epochs=EPOCHS),
    }
    benchmark.pedantic(calls[what], rounds=3)
