"""The cost of one event of the schedulers that wrap, group, or write elsewhere, side by side with ignite.

Run with ``make bench``. ignite's wrapper leaves out torch's ``step()``, and is wrong for it; so torch's is told too.
"""

import pytest
import torch
from ignite import handlers as ignite
from ignite.engine import Engine
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader

import lehr.handlers as lehr

both = pytest.mark.parametrize("library", [lehr, ignite], ids=["lehr", "ignite"])


def optimizer_of(groups):
    params = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1 * (group + 1)} for group in range(groups)]
    optimizer = torch.optim.SGD(params, momentum=0.9)
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("groups", [1, 3, 200])
@pytest.mark.parametrize("library", [lehr, ignite, torch], ids=["lehr", "ignite", "torch's step"])
def test_a_wrapped_torch_scheduler(benchmark, library, groups):
    benchmark.group = f"one event of a wrapped torch scheduler, {groups} groups"
    optimizer = optimizer_of(groups)
    torch_scheduler = CosineAnnealingLR(optimizer, 1_000_000)
    optimizer.step()
    event = torch_scheduler.step if library is torch else library.LRScheduler(torch_scheduler)
    arguments = () if library is torch else (None,)
    benchmark.pedantic(event, args=arguments, rounds=300, iterations=500 // groups + 1, warmup_rounds=5)


@both
def test_a_group_scheduler(benchmark, library):
    benchmark.group = "one event of a group scheduler, 2 groups"
    optimizer = optimizer_of(2)
    members = [
        library.CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 1000, param_group_index=at) for at in (0, 1)
    ]
    scheduler = library.ParamGroupScheduler(members)
    benchmark.pedantic(scheduler, args=(None,), rounds=300, iterations=500, warmup_rounds=5)


STATES = {
    "ExpStateScheduler": {"initial_value": 1.0, "gamma": 0.9999},
    "StepStateScheduler": {"initial_value": 1.0, "gamma": 0.9999, "step_size": 10},
    "LambdaStateScheduler": {"lambda_obj": lambda event: 0.1 * event},
}


@both
@pytest.mark.parametrize("name", STATES)
def test_a_state_scheduler(benchmark, library, name):
    benchmark.group = f"one event of {name}"
    scheduler = getattr(library, name)(param_name="rate", **STATES[name])
    benchmark.pedantic(
        scheduler, args=(Engine(lambda engine, batch: None),), rounds=300, iterations=500, warmup_rounds=5
    )


@both
def test_a_plateau(benchmark, library):
    benchmark.group = "one event of a plateau, 2 groups"
    engine = Engine(lambda engine, batch: None)
    engine.state.metrics = {"loss": 1.0}
    scheduler = library.ReduceLROnPlateauScheduler(optimizer_of(2), "loss")
    benchmark.pedantic(scheduler, args=(engine,), rounds=300, iterations=200, warmup_rounds=5)


@both
def test_a_batch_size(benchmark, library):
    benchmark.group = "one event of a batch size"
    scheduler = library.BatchSizeScheduler(DataLoader(torch.zeros(9), batch_size=2), lambda epoch: 4)
    benchmark.pedantic(scheduler, args=(None,), rounds=300, iterations=200, warmup_rounds=5)
