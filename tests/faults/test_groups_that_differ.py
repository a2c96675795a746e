"""Param groups that differ: their ratios are kept, or a finding says that they are not."""

import warnings

import pytest
import torch
from cases import for_each
from ignite.engine import Engine

from lehr.handlers import (
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    CyclicScheduler,
    ExponentialScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PiecewiseLinear,
    ResumeWarning,
    WarmupStableDecayScheduler,
    check_plan,
    configure_scheduler,
)


def optimizer_of(*lrs, optimizer_class=torch.optim.SGD, **more):
    params = [torch.nn.Parameter(torch.zeros(1)) for _ in lrs]
    return optimizer_class([{"params": [p], "lr": lr, **more} for p, lr in zip(params, lrs, strict=True)], lr=1.0)


def findings(make, optimizer):
    trainer = Engine(lambda engine, batch: optimizer.step())
    make(optimizer).attach(trainer)
    return [finding for finding in check_plan(trainer, 10, 10) if finding.code == "groups-flattened"]


ONE_VALUE = {
    "one-cycle": lambda o: OneCycleScheduler(o, "lr", max_value=0.1, total_steps=100),
    "wsd": lambda o: WarmupStableDecayScheduler(o, "lr", 10, 80, 10, peak_value=0.1),
    "points": lambda o: PiecewiseLinear(o, "lr", [(0, 0.0), (50, 0.1)]),
    "triangles": lambda o: CyclicScheduler(o, "lr", 0.01, 0.1, step_size_up=50),
    "cosine": lambda o: CosineAnnealingScheduler(o, "lr", 0.1, 0.01, 100),
    "function": lambda o: ParamScheduler(o, "lr", schedule=lambda i: 0.1),
    "explicit start": lambda o: CosineDecayScheduler(o, "lr", duration=100, start_value=0.1),
    "of several": lambda o: ParamGroupScheduler([CosineAnnealingScheduler(o, "lr", 0.1, 0.01, 100)]),
    "config": lambda o: configure_scheduler(o, {"type": "torch.OneCycleLR", "max_lr": 0.1, "total_steps": 100}),
}


@for_each("make", ONE_VALUE.values(), ids=ONE_VALUE)
def test_one_value_for_groups_that_differ_is_a_finding(make):
    [finding] = findings(make, optimizer_of(0.1, 0.001))
    assert finding.severity == "warning"
    assert finding.numbers == {"lowest": 0.001, "highest": 0.1, "groups": 2}
    assert not findings(make, optimizer_of(0.1, 0.1))
    assert not findings(make, optimizer_of(0.1))


def test_weight_decay_that_is_off_in_one_group_is_found():
    optimizer = torch.optim.AdamW(
        [
            {"params": [torch.nn.Parameter(torch.zeros(1))], "weight_decay": 0.01},
            {"params": [torch.nn.Parameter(torch.zeros(1))], "weight_decay": 0.0},
        ]
    )
    [finding] = findings(lambda o: PiecewiseLinear(o, "weight_decay", [(0, 0.01), (100, 0.1)]), optimizer)
    assert finding.numbers["lowest"] == 0.0
    assert not findings(lambda o: PiecewiseLinear(o, "weight_decay", [(0, 1.0), (100, 10.0)], relative=True), optimizer)


@pytest.mark.parametrize(
    "make",
    [
        lambda o: OneCycleScheduler(o, "lr", max_value=1.0, total_steps=100, relative=True),
        lambda o: OneCycleScheduler(o, "lr", max_value=[0.1, 0.1], total_steps=100),
        lambda o: OneCycleScheduler(o, "lr", max_value=0.1, total_steps=100, param_group_index=1),
        lambda o: ParamScheduler(o, "lr", schedule=lambda i: [0.1, 0.2]),
        lambda o: CosineDecayScheduler(o, "lr", duration=100),
        lambda o: ExponentialScheduler(o, "lr", gamma=0.9),
        lambda o: configure_scheduler(o, {"type": "torch.StepLR", "step_size": 30}),
    ],
    ids=["relative", "a list", "one group", "function of groups", "own start", "own decay", "config"],
)
def test_groups_that_keep_their_ratios_are_no_finding(make):
    assert not findings(make, optimizer_of(0.1, 0.001))


def test_layer_wise_rates_and_lr_scale_work_in_every_relative_scheduler():
    """The recipe of the README: scale the groups once, then use factors."""
    optimizer = optimizer_of(0.1, 0.1, 0.1)
    for group, lr_scale in zip(optimizer.param_groups, [1.0, 0.5, 0.25], strict=True):
        group["lr_scale"] = lr_scale
        group["lr"] *= group["lr_scale"]
    scheduler = OneCycleScheduler(optimizer, "lr", max_value=1.0, total_steps=10, relative=True)
    assert scheduler.simulate(3)[2].tolist() == [0.1, 0.05, 0.025]


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])  # plain SGD has no state
def test_a_scheduler_made_after_the_optimizer_was_loaded_warns_when_it_seeks(kind):
    def trained():
        optimizer = optimizer_of(0.1, optimizer_class=kind)
        for group in optimizer.param_groups:
            group["params"][0].grad = torch.ones(1)
        optimizer.step()
        return optimizer

    loaded = optimizer_of(0.1, optimizer_class=kind)
    loaded.load_state_dict(trained().state_dict())
    scheduler = CosineDecayScheduler(loaded, "lr", duration=10)
    with pytest.warns(ResumeWarning, match="had trained or was loaded"):
        scheduler.seek(8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.seek(9)
        optimizer = optimizer_of(0.1, optimizer_class=kind)
        scheduler = CosineDecayScheduler(optimizer, "lr", duration=10)
        optimizer.load_state_dict(trained().state_dict())
        scheduler.seek(8)
        CosineDecayScheduler(loaded, "lr", duration=10, start_value=0.1).seek(8)
        CosineDecayScheduler(torch.optim.SGD([{"lr": 0.1, "params": [torch.zeros(1)]}]), "lr", duration=10).seek(8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("several", [False, True])
def test_a_simulation_and_the_history_say_what_a_tensor_holds(dtype, several):
    optimizer = optimizer_of(torch.tensor(0.1, dtype=dtype), torch.tensor(0.2, dtype=dtype))
    scheduler = CosineDecayScheduler(optimizer, "lr", duration=7, save_history=True)
    if several:
        scheduler = ParamGroupScheduler([scheduler], save_history=True)
    trainer = Engine(lambda engine, batch: held.append([float(group["lr"]) for group in optimizer.param_groups]))
    scheduler.attach(trainer)
    held = []
    simulated = scheduler.simulate(7).tolist()
    trainer.run([None] * 7)
    assert simulated == held
    assert [list(row) for row in trainer.state.param_history["lr"]] == held
