"""The cost of a dry run and of check_plan for each iteration, beside a run that trains nothing."""

import pytest
from contenders import optimizer_of
from ignite.engine import Engine
from interleaving import Contender, interleaved

from lehr.handlers import CosineDecayScheduler, LinearScheduler, OneCycleScheduler, check_plan, dry_run

EPOCHS, LENGTH = 100, 1000
RUN = 20  # epochs: an iteration of a run costs the same however long it is


def trainer_of(groups, steps=EPOCHS * LENGTH):
    """A trainer with three schedulers, or with one if there are many groups."""
    optimizer, trainer = optimizer_of(groups), Engine(lambda engine, batch: None)
    schedulers = [
        CosineDecayScheduler(optimizer, "lr", duration=steps),
        OneCycleScheduler(optimizer, "momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=steps),
        LinearScheduler(optimizer, "weight_decay", steps, start_value=0.0, end_value=0.1),
    ]
    schedulers = schedulers[: 1 if groups == 200 else 3]
    for scheduler in schedulers:
        scheduler.attach(trainer)
    return trainer, schedulers


@pytest.mark.parametrize("groups", [1, 10])
def test_a_plan(benchmark, add_row, groups):
    (trainer, schedulers), batches = trainer_of(groups), [None] * LENGTH

    def run():
        for scheduler in schedulers:
            scheduler.seek(0)
        trainer.run(batches, max_epochs=RUN)

    contenders = {
        "dry_run": Contender(dry_run, (trainer, EPOCHS, LENGTH), per=EPOCHS * LENGTH),
        "check_plan": Contender(check_plan, (trainer, EPOCHS, LENGTH), per=EPOCHS * LENGTH),
        "run": Contender(run, per=RUN * LENGTH),
    }
    measured = interleaved(benchmark, contenders, rounds=5)
    for name in ("dry_run", "check_plan"):
        what = f"{name}, 3 schedulers, {groups} group{'s' * (groups > 1)}"
        add_row(what, {"lehr": measured[name], "a run": measured["run"]})


@pytest.mark.parametrize("iterations", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("groups", [10, 200])
def test_growth_of_a_plan(benchmark, add_row, iterations, groups):
    """Six schedulers of two optimizers with 10 groups, or one scheduler of 200 groups."""
    trainer, schedulers = trainer_of(groups, iterations)
    if groups == 10:
        others = trainer_of(groups, iterations)[1]
        for at, scheduler in enumerate(others):
            scheduler.attach(trainer, name=f"other {at}")
        schedulers += others
    epochs, batches, engine = iterations // LENGTH, [None] * LENGTH, Engine(lambda engine, batch: None)
    contenders = {
        "dry_run": Contender(dry_run, (trainer, epochs, LENGTH), per=iterations),
        "check_plan": Contender(check_plan, (trainer, epochs, LENGTH), per=iterations),
        "run": Contender(lambda: engine.run(batches, max_epochs=epochs), per=iterations),
    }
    measured = interleaved(benchmark, contenders, rounds=5)
    for name in ("dry_run", "check_plan"):
        what = f"{name}, {len(schedulers)} schedulers, {groups} groups, {iterations:,} iterations"
        targets = {"an empty run": 0.2} if iterations >= 10_000 else None
        add_row(what, {"lehr": measured[name], "an empty run": measured["run"]}, targets)
