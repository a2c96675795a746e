"""The cost of one event, of a simulation and of the history, side by side with ignite and torch.

Run with ``make bench``. Only ratios within a group mean anything: machines differ, and shared ones are noisy.
"""

import pytest
import torch
from ignite.engine import Engine
from ignite.handlers.param_scheduler import CosineAnnealingScheduler as IgniteCosine

from lehr.handlers import CosineAnnealingScheduler, OneCycleScheduler

COSINE = {"start_value": 0.1, "end_value": 0.001, "cycle_size": 1000}


def optimizer_of(groups):
    params = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)]
    return torch.optim.SGD(params, lr=0.1, momentum=0.9)


def bare_loop(groups):
    param_groups = optimizer_of(groups).param_groups

    def write():
        value = 0.5
        for group in param_groups:
            group["lr"] = value

    return write


def lehr_cosine(groups):
    scheduler = CosineAnnealingScheduler(optimizer_of(groups), "lr", **COSINE)
    return lambda: scheduler(None)


def lehr_per_group(groups):
    scheduler = OneCycleScheduler(optimizer_of(groups), "lr", [0.1] * groups, total_steps=1000)
    return lambda: scheduler(None)


def ignite_cosine(groups):
    scheduler = IgniteCosine(optimizer_of(groups), "lr", **COSINE)
    return lambda: scheduler(None)


def torch_cosine(groups):
    optimizer = optimizer_of(groups)
    optimizer.step()
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000).step


EVENTS = [bare_loop, lehr_cosine, lehr_per_group, ignite_cosine, torch_cosine]


@pytest.mark.parametrize("groups", [1, 10, 200])
@pytest.mark.parametrize("who", EVENTS)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_one_event(benchmark, who, groups):
    benchmark.group = f"one event, {groups} groups"
    benchmark.pedantic(who(groups), rounds=300, iterations=1000 // groups + 1, warmup_rounds=5)


@pytest.mark.parametrize("who", [CosineAnnealingScheduler, IgniteCosine], ids=["lehr", "ignite"])
def test_one_event_with_history(benchmark, who):
    benchmark.group = "one event with history, 1 group"
    scheduler, trainer = who(optimizer_of(1), "lr", **COSINE, save_history=True), Engine(lambda engine, batch: None)
    benchmark.pedantic(scheduler, args=(trainer,), rounds=300, iterations=1000, warmup_rounds=5)


@pytest.mark.parametrize("who", [CosineAnnealingScheduler, IgniteCosine], ids=["lehr", "ignite"])
def test_simulate_values(benchmark, who):
    benchmark.group = "simulate_values of 100,000 events"
    benchmark.pedantic(who.simulate_values, args=(100_000,), kwargs={"param_name": "lr", **COSINE}, rounds=5)
