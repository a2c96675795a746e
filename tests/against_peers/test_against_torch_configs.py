"""Configs of torch's schedulers against torch itself, over drawn arguments."""

import math
import warnings

import numpy as np
import pytest
import torch
from against_ignite import few
from cases import for_each
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as peer
from torch.optim.swa_utils import SWALR

from lehr.handlers import configure_scheduler

EVENTS = 40
counts = st.integers(1, 12)
values = st.floats(1e-3, 1.0)
factors = st.floats(0.05, 1.0)
gammas = st.just(0.0) | st.floats(0.5, 1.2)

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
        {"base_lr": values, "max_lr": values, "step_size_up": st.floats(1, 9)},
        optional={
            "step_size_down": st.floats(1, 9),
            "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
            "gamma": st.floats(0.5, 1.2),
            "base_momentum": st.floats(0.5, 0.8),
        },
    ),
    "OneCycleLR": st.fixed_dictionaries(
        {"max_lr": values, "total_steps": st.integers(2, 90)},
        optional={
            "pct_start": st.floats(0.0, 1.0) | st.floats(0.0, 0.05),
            "cycle_momentum": st.booleans(),
            "anneal_strategy": st.sampled_from(["cos", "linear"]),
            "three_phase": st.booleans(),
            "div_factor": st.floats(1, 50),
            "final_div_factor": st.floats(1, 1e4),
            "max_momentum": st.floats(0.9, 0.99),
        },
    ),
    "SWALR": st.fixed_dictionaries(
        {"swa_lr": values},
        optional={"anneal_epochs": st.integers(0, 12), "anneal_strategy": st.sampled_from(["cos", "linear"])},
    ),
}
initial = st.lists(values, min_size=1, max_size=3)


def optimizer_of(rates, tensor=False):
    make = (lambda rate: torch.tensor(rate, dtype=torch.float64)) if tensor else float
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": make(rate)} for rate in rates]
    return torch.optim.SGD(groups, lr=make(0.1), momentum=0.9, foreach=False)


def held(optimizer):
    return [float(group[key]) for key in ("lr", "momentum") for group in optimizer.param_groups]


class HoldingOneCycleLR(peer.OneCycleLR):
    """Past its end it holds its last value, as ours does, where torch extrapolates for one step and then raises."""

    def get_lr(self):
        step, self.last_epoch = self.last_epoch, min(self.last_epoch, self.total_steps - 1)
        values = super().get_lr()
        self.last_epoch = step
        return values


def constructed(config, optimizer):
    """Torch's own, by the same config."""
    kwargs = {key: value for key, value in config.items() if key != "type"}
    if "schedulers" in kwargs:
        kwargs["schedulers"] = [constructed(one, optimizer) for one in kwargs["schedulers"]]
    name = config["type"].removeprefix("torch.")
    cls = {"SWALR": SWALR, "OneCycleLR": HoldingOneCycleLR}.get(name) or getattr(peer, name)
    return cls(**kwargs) if cls is peer.ChainedScheduler else cls(optimizer, **kwargs)


# What torch raises only when it comes to it: a factor of 0 that it divides by, a milestone at which a nested scheduler
# begins.
FAILURES = ZeroDivisionError, NotImplementedError


def in_torch(configs, rates, tensor=False):
    """What torch has in effect at each step, and the error that ends it."""
    optimizer = optimizer_of(rates, tensor)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            schedulers = [constructed(config, optimizer) for config in configs]
            for _ in range(EVENTS):
                rows.append(held(optimizer))
                optimizer.step()
                for scheduler in schedulers:
                    scheduler.step()
        except FAILURES as error:
            return rows, error
    return rows, None


def here(config, rates, tensor=False):
    optimizer = optimizer_of(rates, tensor)
    scheduler = configure_scheduler(optimizer, config)
    rows = []
    for _ in range(EVENTS):
        scheduler(None)
        rows.append(held(optimizer))
    return rows


def agree(configs, rates, config, tensor=False):
    expected, error = in_torch(configs, rates, tensor)
    try:
        ours = here(config, rates, tensor)
    except ValueError as refusal:  # before the first step, with the path to the entry
        assert error is not None
        assert str(refusal).startswith("config")
        return
    if error is not None:
        return  # we go on, where torch cannot
    atol = 1e-14 * max(1, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=atol)


@pytest.mark.filterwarnings("ignore:.* must be at least 0.* writes")
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


@for_each("milestone", [3, 12])
@for_each("eta_min", [0.0, 0.01])
@for_each("T_max", [1, 3, 5])
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


def compounds_of(schedulers):
    """SequentialLR and ChainedScheduler of such schedulers; the next one begins so many steps after the one before."""

    def sequence(drawn):
        gaps, inner = zip(*drawn, strict=True)
        milestones = np.cumsum(gaps)[:-1].tolist()
        return {"type": "torch.SequentialLR", "schedulers": list(inner), "milestones": milestones}

    return st.lists(st.tuples(st.integers(0, 15), schedulers), min_size=1, max_size=3).map(sequence) | st.lists(
        schedulers, min_size=1, max_size=3
    ).map(lambda inner: {"type": "torch.ChainedScheduler", "schedulers": inner})


def of_class(name):
    return LEAVES[name].map(lambda given: {"type": f"torch.{name}", **given})


every_leaf = st.one_of(*map(of_class, LEAVES))
of_any_depth = st.recursive(every_leaf, compounds_of, max_leaves=6)


@pytest.mark.filterwarnings("ignore:.* must be at least 0.* writes")
@given(compounds_of(of_any_depth), initial, st.booleans())
def test_compounds_of_any_depth(config, rates, tensor):
    agree([config], rates, config, tensor)


@pytest.mark.filterwarnings("ignore:.* must be at least 0.* writes")
@given(st.lists(of_any_depth, min_size=2, max_size=3), initial, st.booleans())
def test_lists_of_compounds(members, rates, tensor):
    agree(members, rates, members, tensor)


@pytest.mark.proof
@pytest.mark.filterwarnings("ignore:.* must be at least 0.* writes")
@settings(max_examples=1500)
@given(compounds_of(of_any_depth), initial, st.booleans())
def test_many_compounds(config, rates, tensor):
    agree([config], rates, config, tensor)


def test_a_sequence_goes_on_to_swalr_from_the_value_that_it_has():
    members = [{"type": "torch.StepLR", "step_size": 2, "gamma": 0.5}, {"type": "torch.SWALR", "swa_lr": 0.05}]
    config = {"type": "torch.SequentialLR", "schedulers": members, "milestones": [5]}
    rows = here(config, [0.1])
    assert [row[0] for row in rows[:6]] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    agree([config], [0.1], config)


@pytest.mark.parametrize(
    ("inner", "milestones", "message"),
    [
        (
            [{"type": "torch.SequentialLR", "schedulers": [{"type": "torch.StepLR", "step_size": 2}]}] * 2
            + [{"type": "torch.MultiplicativeLR", "lr_lambda": math.cos}],
            [3, 9],
            r"config\['schedulers'\]\[1\] must be the first scheduler of its SequentialLR, .* given the milestone 3",
        ),
        (
            [{"type": "torch.ConstantLR", "factor": 0.0}, {"type": "torch.MultiplicativeLR", "lr_lambda": math.cos}],
            [9],
            r"config\['schedulers'\]\[0\]\['factor'\] must be above 0 inside another scheduler",
        ),
    ],
)
def test_what_torch_itself_would_raise_in_mid_run_is_refused_before(inner, milestones, message):
    config = {"type": "torch.SequentialLR", "schedulers": inner, "milestones": milestones}
    for one in inner:
        if one["type"] == "torch.SequentialLR":
            one["milestones"] = []
    with pytest.raises(ValueError, match=message):
        here(config, [0.1])
