"""DeepSpeed's schedulers: values computed by hand and by a formula, the value ``"auto"``, and errors."""

import json
import math
import random

import numpy as np
import pytest
import torch
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler
from lehr.handlers.core.for_plans_and_cli import members_of

CONFIG = {
    "train_micro_batch_size_per_gpu": 4,
    "optimizer": {"type": "AdamW", "params": {"lr": "auto", "betas": [0.9, 0.95]}},
    "zero_optimization": {"stage": 2, "overlap_comm": True},
}


def ds_config(name, **params):
    return {**CONFIG, "scheduler": {"type": name, "params": params}}


def rates(config, events, optimizer=None, **kwargs):
    scheduler = configure_scheduler(optimizer or make_optimizer(1), config, **kwargs)
    [lr] = [one for one in members_of(scheduler) if one.param_name == "lr"]
    return lr.simulate(events)[:, 0]


def momenta(config, events):
    scheduler = configure_scheduler(make_optimizer(1, torch.optim.AdamW), config)
    [momentum] = [one for one in members_of(scheduler) if one.param_name == "momentum"]
    return momentum.simulate(events)[:, 0]


LOG = [0, 0, 0.5, 0.7925, 1, 1]  # log2(1), log2(2) / 2, log2(3) / 2
BY_HAND = [
    ("WarmupLR", {"warmup_max_lr": 1.0, "warmup_num_steps": 4}, LOG),
    ("WarmupLR", {"warmup_max_lr": 1.0, "warmup_num_steps": 4, "warmup_type": "auto"}, LOG),
    ("WarmupLR", {"warmup_max_lr": 1.0, "warmup_num_steps": 4, "warmup_type": "linear"}, [0, 0, 0.25, 0.5, 0.75, 1, 1]),
    ("WarmupLR", {"warmup_min_lr": 0.2, "warmup_max_lr": 1.0, "warmup_num_steps": 0}, [0.2, 0.2, 1, 1]),
    ("WarmupLR", {"warmup_num_steps": 4, "last_batch_iteration": -1}, [0, 0, 0.25, 0.3962, 0.5, 0.5]),
    (
        "WarmupDecayLR",
        {"warmup_min_lr": 0.2, "warmup_max_lr": 1.0, "warmup_num_steps": 4, "total_num_steps": 8},
        [0.2, 0.2, 0.6, 0.834, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2],
    ),
    (
        "WarmupDecayLR",
        {"warmup_num_steps": 2, "total_num_steps": 4, "warmup_type": "linear"},
        [0, 0, 0.0005, 0.001, 0.0005, 0, 0],
    ),
    (
        "WarmupCosineLR",
        {"warmup_num_steps": 2, "total_num_steps": 6, "warmup_min_ratio": 0.5, "warmup_type": "linear"},
        [0, 0.25, 0.375, 0.4268, 0.25, 0.0733, 0, 0],
    ),
    ("LRRangeTest", {"lr_range_test_min_lr": 0.1, "lr_range_test_step_size": 4}, [0.1, 0.125, 0.15, 0.175, 0.2]),
    (
        "LRRangeTest",
        {"lr_range_test_min_lr": 0.1, "lr_range_test_step_size": 2, "lr_range_test_staircase": True},
        [0.1, 0.1, 0.2, 0.2, 0.3],
    ),
    (
        "OneCycle",
        {
            "cycle_min_lr": 0.2,
            "cycle_max_lr": 1.0,
            "cycle_first_step_size": 2,
            "cycle_second_step_size": 4,
            "decay_step_size": 2,
            "decay_lr_rate": 1.0,
        },
        [0.2, 0.6, 1, 0.8, 0.6, 0.4, 0.2, 0.1333, 0.1],
    ),
    (
        "OneCycle",
        {"cycle_min_lr": 0, "cycle_max_lr": 1, "cycle_first_step_size": 4, "cycle_first_stair_count": 2},
        [0, 0, 0.5, 0.5, 1, 0.5, 0.5, 0, 0, 0],
    ),
]


@for_each(("name", "params", "expected"), BY_HAND)
def test_values_computed_by_hand(name, params, expected):
    got = rates(ds_config(name, **params), len(expected))
    np.testing.assert_allclose(got, expected, atol=6e-5)
    assert np.array_equal(got, rates({"type": f"deepspeed.{name}", **params}, len(expected)))


def test_momentum_is_cycled_with_the_first_of_the_betas_alone():
    params = {"cycle_min_lr": 0.1, "cycle_max_lr": 1.0, "cycle_first_step_size": 2, "cycle_min_mom": 0.7}
    config = ds_config("OneCycle", **params, decay_step_size=1, decay_mom_rate=0.1)
    # The first step already has the lowest momentum.
    np.testing.assert_allclose(momenta(config, 7), [0.7, 0.8, 0.7, 0.8, 0.9, 0.99, 1.08])
    for config, kind in (
        (ds_config("OneCycle", **params), torch.optim.SGD),
        (ds_config("OneCycle", **params, cycle_momentum=False), torch.optim.AdamW),
    ):
        scheduler = configure_scheduler(make_optimizer(1, kind), config)
        assert [one.param_name for one in members_of(scheduler)] == ["lr"]


def formula(name, p, event):
    """Return the learning rate at step ``event`` for an optimizer whose learning rate is 0.5."""
    warmup = max(p.get("warmup_num_steps", 1000), 2)
    low, high, step = p.get("warmup_min_lr", 0), p.get("warmup_max_lr", 0.5), event - 1
    part = step / warmup if p["warmup_type"] == "linear" else math.log(step + 1) / math.log(warmup) if event else 0
    rest = max(p.get("total_num_steps", 0) - warmup, 1)
    if name == "WarmupCosineLR":
        if event and step >= warmup:
            wave = math.cos(math.pi * min((step - warmup + 1) / rest, 1))
            return 0.5 * (p["cos_min_ratio"] + (1 - p["cos_min_ratio"]) * (1 + wave) / 2)
        return 0.5 * (p["warmup_min_ratio"] * (1 - part) + part) if event else 0
    if event and step >= warmup:
        part = 1 if name == "WarmupLR" else max((p["total_num_steps"] - step) / rest, 0)
    return low + (high - low) * part if event else low


@pytest.mark.parametrize("name", ["WarmupLR", "WarmupDecayLR", "WarmupCosineLR"])
def test_drawn_warmups_follow_the_formula(name):
    drawn = random.Random(7)
    for _ in range(60):
        params = {"warmup_num_steps": drawn.randint(1, 20), "warmup_type": drawn.choice(["log", "linear"])}
        if name != "WarmupLR":
            params["total_num_steps"] = drawn.randint(1, 40)
        if name == "WarmupCosineLR":
            params |= {"warmup_min_ratio": drawn.random(), "cos_min_ratio": drawn.random()}
        else:
            params |= {"warmup_min_lr": drawn.random() / 10, "warmup_max_lr": drawn.random()}
        expected = [formula(name, params, event) for event in range(50)]
        np.testing.assert_allclose(rates(ds_config(name, **params), 50), expected, rtol=1e-9, atol=1e-15)


def test_values_for_each_group():
    params = {"warmup_max_lr": [0.4, 1.0], "warmup_num_steps": 2, "warmup_type": "linear"}
    scheduler = configure_scheduler(make_optimizer(2), ds_config("WarmupLR", **params))
    assert scheduler.simulate(4).tolist() == [[0, 0], [0, 0], [0.2, 0.5], [0.4, 1.0]]


AUTO = {"warmup_min_lr": "auto", "warmup_max_lr": "auto", "total_num_steps": "auto"}


def test_auto_is_filled_in_from_the_optimizer_and_the_run(tmp_path):
    config = ds_config("WarmupDecayLR", **AUTO, warmup_num_steps=4)
    (tmp_path / "ds_config.json").write_text(json.dumps(config))
    own = {"type": "deepspeed.WarmupDecayLR", "warmup_max_lr": 0.5, "warmup_num_steps": 4, "total_num_steps": 12}
    expected = rates(own, 16)
    assert np.array_equal(rates(tmp_path / "ds_config.json", 16, total_steps=12), expected)
    assert np.array_equal(rates(config, 16, max_epochs=3, epoch_length=4), expected)
    scheduler = configure_scheduler(make_optimizer(1), config, total_steps=12)
    assert np.array_equal(rates(json.loads(json.dumps(scheduler.config())), 16), expected)


def test_names_of_torch_are_known_beside_its_own():
    config = ds_config("StepLR", step_size=2, gamma=0.5)
    assert rates(config, 4, dialect="deepspeed").tolist() == [0.5, 0.5, 0.25, 0.25]


REFUSED = [
    (
        ds_config("WarmupDecayLR", **AUTO),
        {},
        r"config\['scheduler'\]: 'total_num_steps' must be a number, or configure_scheduler",
    ),
    (ds_config("WarmupDecayLR"), {}, "'total_num_steps' must be a number"),
    (
        ds_config("WarmupLR", warmup_num_steps="auto"),
        {},
        r"config\['scheduler'\]\['warmup_num_steps'\] must be a number of steps, given 'auto': write the number here",
    ),
    (
        ds_config("WarmupDecayLR", total_num_steps=9),
        {"total_steps": 10},
        r"\['total_num_steps'\] must be 10, the steps of the run, given 9",
    ),
    (ds_config("WarmupLR", warmup_num_step=3, warmup_max_lr=1), {}, "did you mean 'warmup_num_steps'"),
    (ds_config("WarmupLR", warmup_type="cubic"), {}, r"\['warmup_type'\] must be one of"),
    (ds_config("WarmupLR", warmup_max_lr=[0.1, 0.2]), {}, "group"),
    (ds_config("OneCycle", cycle_min_lr="auto", cycle_max_lr=1), {}, r"\['cycle_min_lr'\] must be"),
    (ds_config("OneCycle", cycle_max_lr=1), {}, "'cycle_min_lr' must be present"),
    (ds_config("WarmupLR", last_batch_iteration=5), {}, r"\['last_batch_iteration'\] must be -1"),
    (
        {"scheduler": {"type": "deepspeed.WarmupLR"}, "interval": "step", "frequency": 2},
        {},
        r"\['lightning'\] must be left out, since DeepSpeed",
    ),
]


@for_each(("config", "length", "message"), REFUSED)
def test_what_is_not_understood_is_named(config, length, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        configure_scheduler(make_optimizer(1), config, **length)
    assert len(str(caught.value)) <= 500
