"""The cost of a dry run and of check_plan for each iteration, beside a run that trains nothing."""

import pytest
from contenders import optimizer_of
from ignite.engine import Engine
from interleaving import Contender, interleaved

from lehr.handlers import CosineDecayScheduler, LinearScheduler, OneCycleScheduler, check_plan, dry_run

EPOCHS, LENGTH = 100, 1000
RUN = 20  # epochs: an iteration of a run costs the same however long it is


def trainer_of(groups):
    """A trainer with three schedulers, for 100,000 iterations."""
    optimizer, trainer, steps = optimizer_of(groups), Engine(lambda engine, batch: None), EPOCHS * LENGTH
    schedulers = [
        CosineDecayScheduler(optimizer, "lr", duration=steps),
        OneCycleScheduler(optimizer, "momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=steps),
        LinearScheduler(optimizer, "weight_decay", steps, start_value=0.0, end_value=0.1),
    ]
    for scheduler in schedulers:
        scheduler.attach(trainer)
    return trainer, schedulers


@pytest.mark.parametrize("groups", [1, 10])
def test_a_plan(benchmark, add_row, groups):
    (trainer, _schedulers), batches = trainer_of(groups), [None] * LENGTH
    contenders = {
        "dry_run": Contender(dry_run, (trainer, EPOCHS, LENGTH), per=EPOCHS * LENGTH),
        "check_plan": Contender(check_plan, (trainer, EPOCHS, LENGTH), per=EPOCHS * LENGTH),
        "run": Contender(lambda: trainer.run(batches, max_epochs=RUN), per=RUN * LENGTH),
    }
    measured = interleaved(benchmark, contenders, rounds=5)
    for name in ("dry_run", "check_plan"):
        what = f"{name}, 3 schedulers, {groups} group{'s' * (groups > 1)}"
        add_row(what, {"lehr": measured[name], "a run": measured["run"]})
