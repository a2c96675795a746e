"""Training files of mmcv 1.x: values computed by hand and by mmcv's formulas, and errors."""

import math
import random

import numpy as np
import pytest
import torch
from cases import for_each

from lehr.handlers import configure_scheduler

EPOCHS = {"runner": {"type": "EpochBasedRunner", "max_epochs": 4}}
ITERATIONS = {"runner": {"type": "IterBasedRunner", "max_iters": 8}}


def written(config, events=8, *, key="lr", kind=torch.optim.SGD, **kwargs):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.8, 0.4)]
    optimizer = kind(groups) if kind is torch.optim.Adam else kind(groups, momentum=0.9)
    scheduler, values = configure_scheduler(optimizer, config, **kwargs), []
    for _ in range(events):
        scheduler.apply()
        first = optimizer.param_groups[0]
        values.append(first["betas"][0] if kind is torch.optim.Adam and key == "momentum" else first[key])
    return values


def whole(lr_config, **more):
    """Return a training file that also has sections for other things."""
    file = {"optimizer": {"type": "SGD", "lr": 0.8}, "model": {"type": "FCN", "policy": {"a": 3}}, "log_level": "INFO"}
    return {**file, "lr_config": lr_config, **(more or EPOCHS)}


def cosine(start, end, part):
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


# The run has 4 epochs of 2 iterations; the learning rate of the first group is 0.8.
TABLE = [
    ({"policy": "fixed"}, [0.8] * 8),
    ({"policy": "step", "step": [1, 3]}, [0.8, 0.8, 0.08, 0.08, 0.08, 0.08, 0.008, 0.008]),
    ({"policy": "Step", "step": 2, "gamma": 0.5, "min_lr": 0.5}, [0.8] * 4 + [0.5] * 4),
    ({"policy": "exp", "gamma": 0.5, "by_epoch": False}, [0.8 * 0.5**i for i in range(8)]),
    ({"policy": "inv", "gamma": 1.0, "power": 2.0}, [0.8, 0.8, 0.2, 0.2, 0.8 / 9, 0.8 / 9, 0.05, 0.05]),
    ({"policy": "poly", "power": 2.0, "min_lr": 0.16}, [0.8, 0.8, 0.52, 0.52, 0.32, 0.32, 0.2, 0.2]),
    ({"policy": "LinearAnnealing", "min_lr_ratio": 0.5, "by_epoch": False}, [0.8 - 0.05 * i for i in range(8)]),
    ({"policy": "CosineAnnealing", "min_lr": 0.0, "by_epoch": False}, [cosine(0.8, 0.0, i / 8) for i in range(8)]),
    (
        {"policy": "FlatCosineAnnealing", "min_lr": 0.0, "start_percent": 0.5, "by_epoch": False},
        [0.8] * 4 + [cosine(0.8, 0.0, i / 4) for i in range(4)],
    ),
    # The weight scales only the distance to the lowest value: 0.4 + 0.5 * (0.8 - 0.4).
    (
        {
            "policy": "CosineRestart",
            "periods": [2, 6],
            "restart_weights": [1, 0.5],
            "min_lr_ratio": 0.5,
            "by_epoch": False,
        },
        [0.8, 0.6, *(cosine(0.6, 0.4, i / 6) for i in range(6))],
    ),
    # Two cycles of 4 iterations each rise for 2 iterations. The second cycle rises half as far above 0.8.
    (
        {"policy": "cyclic", "target_ratio": (3, 0.5), "cyclic_times": 2, "step_ratio_up": 0.5, "gamma": 0.5},
        [0.8, 1.6, 2.4, 1.4, 0.8, 1.2, 1.6, 1.0],
    ),
    (
        {"policy": "OneCycle", "max_lr": 1.0, "pct_start": 0.375, "div_factor": 10, "final_div_factor": 100},
        [0.1, 0.55, 1.0, *(cosine(1.0, 0.001, i / 5) for i in range(1, 6))],
    ),
    # The warm-up changes at each iteration; the schedule that it scales changes at each epoch.
    (
        {"policy": "step", "step": [1], "gamma": 0.5, "warmup": "linear", "warmup_iters": 4, "warmup_ratio": 0.2},
        [0.16, 0.32, 0.24, 0.32, 0.4, 0.4, 0.4, 0.4],
    ),
    ({"policy": "fixed", "warmup": "constant", "warmup_iters": 1, "warmup_by_epoch": True}, [0.08] * 2 + [0.8] * 6),
    (
        {"policy": "fixed", "warmup": "exp", "warmup_iters": 2, "warmup_ratio": 0.25, "by_epoch": False},
        [0.2, 0.4, *[0.8] * 6],
    ),
]


@for_each(("lr_config", "expected"), TABLE)
def test_values_are_those_of_mmcv(lr_config, expected):
    np.testing.assert_allclose(written(whole(lr_config), epoch_length=2), expected, rtol=1e-12)
    np.testing.assert_allclose(written(lr_config, epoch_length=2, max_epochs=4), expected, rtol=1e-12)
    given = written(whole(lr_config, total_epochs=4), epoch_length=2, section="lr_config")
    np.testing.assert_allclose(given, expected, rtol=1e-12)


MOMENTUM = [
    ({"policy": "step", "step": 2}, [0.9] * 4 + [0.45] * 4),
    (
        {"policy": "CosineAnnealing", "min_momentum": 0.5, "by_epoch": False},
        [cosine(0.9, 0.5, i / 8) for i in range(8)],
    ),
    ({"policy": "cyclic", "target_ratio": [0.5, 1], "step_ratio_up": 0.25, "anneal_strategy": "linear"},
        [0.9, 0.675, *(0.45 + 0.075 * i for i in range(6))]),
    ({"policy": "OneCycle", "pct_start": 0.375}, [0.95, 0.9, *(cosine(0.85, 0.95, i / 5) for i in range(6))]),
    # A warm-up divides the momentum by the factor by which it multiplies a learning rate.
    ({"policy": "step", "step": 9, "warmup": "linear", "warmup_iters": 2, "warmup_ratio": 0.5}, [1.8, 1.2, *[0.9] * 6]),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*momentum.*must be")
@for_each("kind", [torch.optim.SGD, torch.optim.Adam])
@for_each(("momentum_config", "expected"), MOMENTUM)
def test_the_momentum_has_policies_of_its_own(momentum_config, expected, kind):
    file = whole({"policy": "fixed"}, **EPOCHS, momentum_config=momentum_config)
    np.testing.assert_allclose(written(file, key="momentum", kind=kind, epoch_length=2), expected, rtol=1e-12)
    assert written(file, kind=kind, epoch_length=2) == [0.8] * 8
    alone = {"momentum_config": momentum_config}
    given = {"key": "momentum", "param_name": "momentum", "epoch_length": 2, "max_epochs": 4}
    np.testing.assert_allclose(written(alone, kind=kind, **given), expected, rtol=1e-12)


def test_the_runner_of_the_file_says_what_a_policy_counts():
    step = {"policy": "step", "step": [3], "gamma": 0.5}
    assert written(whole(step), epoch_length=2) == [0.8] * 6 + [0.4] * 2
    assert written(whole(step, **ITERATIONS), epoch_length=2) == [0.8] * 3 + [0.4] * 5
    assert written(whole(step, total_iters=8)) == [0.8] * 3 + [0.4] * 5
    assert written(step, 4, max_epochs=4) == [0.8] * 3 + [0.4]
    with pytest.raises(ValueError, match=r"config\['by_epoch'\] must be given if the run has iterations and no epochs"):
        written(step, total_steps=8, epoch_length=2)


def test_the_config_of_a_scheduler_leads_back_to_it():
    file = whole({"policy": "cyclic"}, **EPOCHS, momentum_config={"policy": "cyclic"})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8, momentum=0.9)
    scheduler = configure_scheduler(optimizer, file, epoch_length=2)
    again = configure_scheduler(optimizer, scheduler.config())
    assert "model" not in scheduler.config()
    assert again.simulate(8).tolist() == scheduler.simulate(8).tolist()


@for_each("seed", range(20))
def test_a_warm_up_of_a_polynomial_follows_the_formula(seed):
    drawn = random.Random(seed)
    length, epochs, warmup = drawn.randint(1, 4), drawn.randint(2, 5), drawn.randint(1, 9)
    ratio, power, floor = drawn.uniform(0.01, 1), drawn.uniform(0.5, 2), drawn.uniform(0, 0.2)
    by_epoch, events = drawn.random() < 0.5, length * epochs
    config = {"policy": "poly", "power": power, "min_lr": floor, "by_epoch": by_epoch}
    config |= {"warmup": "linear", "warmup_iters": warmup, "warmup_ratio": ratio}
    expected = []
    for event in range(events):
        done = event // length / epochs if by_epoch else event / events
        value = (0.8 - floor) * (1 - done) ** power + floor
        expected.append(value * (ratio + (1 - ratio) * event / warmup) if event < warmup else value)
    file = whole(config, runner={"max_epochs": epochs})
    np.testing.assert_allclose(written(file, events, epoch_length=length), expected, rtol=1e-12)


def test_a_python_file_of_mmcv_is_read(tmp_path):
    (tmp_path / "config.py").write_text(
        "optimizer = dict(type='SGD', lr=0.8)\n"
        "lr_config = dict(policy='step', warmup='linear', warmup_iters=2, warmup_ratio=1.0 / 2, step=[2, 3])\n"
        "runner = dict(type='EpochBasedRunner', max_epochs=4)\n"
    )
    expected = [0.4, 0.6, 0.8, 0.8, 0.08, 0.08, 0.008, 0.008]
    np.testing.assert_allclose(written(tmp_path / "config.py", epoch_length=2), expected)


@for_each(
    ("config", "message"),
    [
        ({"policy": "stp", "step": 3}, r"config\['policy'\] must be a known name, given 'Stp'; did you mean 'Step'"),
        ({"policy": "step"}, "'step' must be present"),
        ({"policy": "step", "step": 3, "power": 1.0}, r"config\['power'\] is not known"),
        ({"policy": "step", "step": 3, "gama": 0.1}, r"config\['gama'\] is not known; did you mean 'gamma'"),
        ({"policy": "step", "step": [3, 2]}, r"config\['step'\] must rise, given \[3, 2\]"),
        ({"policy": "poly"}, "the epochs of the run must be known: give max_epochs to configure_scheduler"),
        ({"policy": "cyclic"}, "the iterations of the run must be known: give total_steps to configure_scheduler"),
        ({"policy": "OneCycle", "max_lr": 1.0}, r"config\['total_steps'\] must be a number if the run"),
        ({"policy": "cyclic", "by_epoch": True}, r"config\['by_epoch'\] must be false for this policy"),
        ({"policy": "CosineRestart", "periods": [3], "min_lr": 0.1, "min_lr_ratio": 0.1}, "exactly one of min_lr and"),
        ({"policy": "fixed", "warmup": "linear"}, r"config\['warmup_iters'\] must be a number"),
        ({"policy": "fixed", "warmup": "linear", "warmup_iters": 3}, r"config\['warmup'\] needs epoch_length"),
        ({"policy": "fixed", "warmup": "square", "warmup_iters": 3}, r"config\['warmup'\] must be one of"),
        (
            whole({"policy": "step", "step": 3, "by_epoch": True}, **ITERATIONS),
            r"config\['lr_config'\]\['by_epoch'\] must be false in a file with an IterBasedRunner",
        ),
        (whole({"policy": "YOLOX"}), r"config\['lr_config'\]\['policy'\] must be a known name, given 'YOLOX'"),
        ({"agent": {"policy": "MlpPolicy"}}, "'type' must be present"),
        (whole({"policy": "step", "step": 0}), r"config\['lr_config'\]\['step'\] must be a whole number of at least 1"),
        (
            whole({"policy": "fixed"}, **EPOCHS, momentum_config={"policy": "poly"}),
            r"config\['momentum_config'\]\['policy'\] must be a known name, given 'Poly'",
        ),
    ],
)
def test_what_mmcv_would_not_take_is_refused(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        written(config)
    assert len(str(caught.value)) <= 500
