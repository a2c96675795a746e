"""Configs of torch's schedulers against torch itself, over drawn arguments."""

import math
import warnings

import numpy as np
import pytest
import torch
from against_ignite import few
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler as peer

from lehr.handlers import configure_scheduler

EVENTS = 40
counts = st.integers(1, 12)
values = st.floats(1e-3, 1.0)
factors = st.floats(0.05, 1.0)
gammas = st.floats(0.5, 1.2)

LEAVES = {
    "StepLR": st.fixed_dictionaries({"step_size": counts}, optional={"gamma": gammas}),
    "MultiStepLR": st.fixed_dictionaries({"milestones": st.lists(st.integers(0, 30), max_size=4), "gamma": gammas}),
    "ConstantLR": st.fixed_dictionaries({}, optional={"factor": factors, "total_iters": counts}),
    "LinearLR": st.fixed_dictionaries(
        {}, optional={"start_factor": factors, "end_factor": st.floats(0, 1), "total_iters": counts}
    ),
    "ExponentialLR": st.fixed_dictionaries({"gamma": gammas}),
    "PolynomialLR": st.fixed_dictionaries({}, optional={"total_iters": counts, "power": st.floats(0.2, 3)}),
    "CosineAnnealingLR": st.fixed_dictionaries({"T_max": counts}, optional={"eta_min": st.floats(0, 0.5)}),
    "CosineAnnealingWarmRestarts": st.fixed_dictionaries(
        {"T_0": counts}, optional={"T_mult": st.integers(1, 3), "eta_min": st.floats(0, 0.5)}
    ),
    "LambdaLR": st.fixed_dictionaries({"lr_lambda": st.sampled_from([math.cos, math.exp, lambda i: 1 / (1 + i)])}),
    "MultiplicativeLR": st.fixed_dictionaries({"lr_lambda": st.sampled_from([math.cos, lambda i: 0.9])}),
    "CyclicLR": st.fixed_dictionaries(
        {"base_lr": values, "max_lr": values, "step_size_up": st.floats(0.5, 9)},
        optional={
            "step_size_down": st.floats(0.5, 9),
            "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
            "gamma": gammas,
            "base_momentum": st.floats(0.5, 0.8),
        },
    ),
    "OneCycleLR": st.fixed_dictionaries(
        {"max_lr": values, "total_steps": st.integers(EVENTS, 90)},
        optional={
            "pct_start": st.floats(0.1, 0.45),
            "anneal_strategy": st.sampled_from(["cos", "linear"]),
            "three_phase": st.booleans(),
            "div_factor": st.floats(1, 50),
            "final_div_factor": st.floats(1, 1e4),
            "max_momentum": st.floats(0.9, 0.99),
        },
    ),
}
initial = st.lists(values, min_size=1, max_size=3)


def optimizer_of(rates):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def held(optimizer):
    return [group["lr"] for group in optimizer.param_groups] + [group["momentum"] for group in optimizer.param_groups]


def constructed(config, optimizer):
    """Torch's own, by the same config."""
    kwargs = {key: value for key, value in config.items() if key != "type"}
    if "schedulers" in kwargs:
        kwargs["schedulers"] = [constructed(one, optimizer) for one in kwargs["schedulers"]]
    cls = getattr(peer, config["type"].removeprefix("torch."))
    return cls(**kwargs) if cls is peer.ChainedScheduler else cls(optimizer, **kwargs)


def in_torch(configs, rates):
    """What torch has in effect at each step, and whether it raises on the way."""
    optimizer = optimizer_of(rates)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedulers = [constructed(config, optimizer) for config in configs]
        for _ in range(EVENTS):
            rows.append(held(optimizer))
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
    return np.array(rows)


def here(config, rates):
    optimizer = optimizer_of(rates)
    scheduler = configure_scheduler(optimizer, config)
    rows = []
    for _ in range(EVENTS):
        scheduler(None)
        rows.append(held(optimizer))
    return np.array(rows)


def agree(configs, rates, config):
    expected = in_torch(configs, rates)
    np.testing.assert_allclose(here(config, rates), expected, rtol=1e-12, atol=1e-14 * max(1, np.abs(expected).max()))


@pytest.mark.filterwarnings("ignore:.* must be at least 0, but .* writes")
@pytest.mark.parametrize("name", LEAVES)
@few
@given(data=st.data(), rates=initial)
def test_alone(name, data, rates):
    config = {"type": f"torch.{name}", **data.draw(LEAVES[name])}
    agree([config], rates, config)


leaves = st.one_of(
    *[
        kwargs.map(lambda given, name=name: {"type": f"torch.{name}", **given})
        for name, kwargs in LEAVES.items()
        if name not in ("LambdaLR", "MultiplicativeLR")
    ]
)


@few
@given(st.lists(leaves, min_size=2, max_size=3), st.data(), initial)
def test_one_after_another(members, data, rates):
    milestones = sorted(data.draw(st.lists(st.integers(0, 30), min_size=len(members) - 1, max_size=len(members) - 1)))
    config = {"type": "torch.SequentialLR", "schedulers": members, "milestones": milestones}
    agree([config], rates, config)


@pytest.mark.parametrize("milestone", [3, 12])
@pytest.mark.parametrize("eta_min", [0.0, 0.01])
@pytest.mark.parametrize("T_max", [1, 3, 5])
def test_annealing_begins_at_the_first_value_of_a_one_cycle_and_turns_back_to_its_own(T_max, eta_min, milestone):
    members = [
        {"type": "torch.CosineAnnealingLR", "T_max": T_max, "eta_min": eta_min},
        {"type": "torch.OneCycleLR", "max_lr": 1.0, "total_steps": 40},
    ]
    config = {"type": "torch.SequentialLR", "schedulers": members, "milestones": [milestone]}
    agree([config], [0.3, 2.0], config)


@few
@given(st.lists(leaves, min_size=2, max_size=3), initial)
def test_at_once(members, rates):
    config = {"type": "torch.ChainedScheduler", "schedulers": members}
    agree([config], rates, config)
    agree(members, rates, members)


@few
@given(st.lists(leaves, min_size=2, max_size=2), leaves, st.integers(1, 20), st.integers(1, 20), initial)
def test_nested(inner, other, milestone, outer_milestone, rates):
    sequence = {"type": "torch.SequentialLR", "schedulers": inner, "milestones": [milestone]}
    chain = {"type": "torch.ChainedScheduler", "schedulers": inner}
    for first in (sequence, chain):
        config = {"type": "torch.SequentialLR", "schedulers": [first, other], "milestones": [outer_milestone]}
        agree([config], rates, config)
    for members in ([sequence, other], [other, sequence], [chain, other]):
        config = {"type": "torch.ChainedScheduler", "schedulers": members}
        agree([config], rates, config)
