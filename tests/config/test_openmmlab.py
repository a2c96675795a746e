"""Schedulers that other OpenMMLab libraries add to mmengine: values computed by hand and by formulas, and errors."""

import math
import random

import numpy as np
import pytest
import torch
from cases import for_each

from lehr.handlers import configure_scheduler


def optimizer_of(*groups):
    given = [{"params": [torch.nn.Parameter(torch.zeros(1))], **group} for group in groups]
    return torch.optim.SGD(given, lr=0.8, momentum=0.9)


def written(config, events, *groups, key="lr", **kwargs):
    optimizer = optimizer_of(*groups or [{}])
    scheduler, rows = configure_scheduler(optimizer, config, **kwargs), []
    for _ in range(events):
        scheduler.apply()
        rows.append([group[key] for group in optimizer.param_groups])
    return np.array(rows) if groups else np.array(rows)[:, 0]


QUADRATIC = {"type": "mmdet.QuadraticWarmupLR", "end": 4}
DECAY = {"type": "mmpretrain.CosineAnnealingWeightDecay", "T_max": 4, "eta_min": 0.2}
HOOK = {
    "type": "YOLOv5ParamSchedulerHook",
    "lr_factor": 0.5,
    "max_epochs": 10,
    "warmup_epochs": 1,
    "warmup_bias_lr": 0.1,
    "warmup_mim_iter": 3,
}
TABLE = [
    # 0.8 * (k + 1)^2 / 16
    (QUADRATIC, {}, [0.05, 0.2, 0.45, 0.8, 0.8]),
    ({**QUADRATIC, "begin": 1, "end": 3}, {}, [0.8, 0.2, 0.8, 0.8]),
    (
        {**QUADRATIC, "end": 2, "convert_to_iter_based": True},
        {"epoch_length": 2},
        [0.05, 0.2, 0.45, 0.8, 0.8],
    ),
    # Each step adds 0.8 * (2k + 1) / 16 to the value before it. StepLR halves the value every two steps.
    (
        [{"type": "mmengine.StepLR", "step_size": 2, "gamma": 0.5}, QUADRATIC],
        {},
        [0.05, 0.2, 0.2 / 2 + 0.25, 0.35 + 0.35, 0.35],
    ),
    ({"type": "mmpose.ConstantLR", "factor": 2.0, "end": 3}, {}, [1.6, 1.6, 0.8, 0.8]),
    # A cosine with `T_max=2.5` has its lowest point between two steps.
    (
        {"type": "mmengine.CosineAnnealingLR", "T_max": 2.5, "end": 9},
        {},
        [0.4 * (1 + math.cos(math.pi * step / 2.5)) for step in range(6)],
    ),
    (HOOK, {"epoch_length": 2}, [0.0, 0.8 / 3, 0.76 * 2 / 3, 0.76, 0.76, 0.76, 0.72, 0.72, 0.68]),
    (
        {
            "type": "PPYOLOEParamSchedulerHook",
            "warmup_min_iter": 2,
            "warmup_epochs": 0,
            "min_lr_ratio": 0.5,
            "total_epochs": 3,
        },
        {"epoch_length": 2},
        [0.0, 0.4, 0.8, 0.4 + 0.2 * (1 + math.cos(math.pi / 4)), 0.6],
    ),
]


@pytest.mark.parametrize(("config", "kwargs", "expected"), TABLE)
def test_values_are_those_of_the_library(config, kwargs, expected):
    np.testing.assert_allclose(written(config, len(expected), **kwargs), expected, rtol=1e-12, atol=1e-15)


def test_the_momentum_and_any_parameter_warm_up_likewise():
    config = {"type": "mmdet.QuadraticWarmupMomentum", "end": 3}
    np.testing.assert_allclose(written(config, 4, key="momentum"), [0.1, 0.4, 0.9, 0.9])
    config = {"type": "mmdet.QuadraticWarmupParamScheduler", "param_name": "weight_decay", "end": 2}
    np.testing.assert_allclose(written(config, 3, {"weight_decay": 0.4}, key="weight_decay")[:, 0], [0.1, 0.4, 0.4])


def test_a_group_without_weight_decay_stays_without():
    values = written(DECAY, 5, {"weight_decay": 0.04}, {"weight_decay": 0.0}, key="weight_decay")
    np.testing.assert_allclose(values[[0, 2, 4]], [[0.04, 0], [0.12, 0], [0.2, 0]])


def test_the_third_group_and_the_momentum_of_yolov5_have_their_own_warm_up():
    groups = [{"lr": 0.8}, {"lr": 0.4}, {"lr": 0.2}]
    values = written(HOOK, 5, *groups, epoch_length=2)
    np.testing.assert_allclose(values[1], [0.8 / 3, 0.4 / 3, 0.1 * 2 / 3 + 0.2 / 3])
    np.testing.assert_allclose(values[4], [0.76, 0.38, 0.19])
    np.testing.assert_allclose(
        written(HOOK, 5, key="momentum", epoch_length=2), [0.8, 0.8 + 0.1 / 3, 0.9 - 0.1 / 3, 0.9, 0.9]
    )


@for_each("seed", range(20))
def test_a_warm_up_within_other_entries_is_a_loop_over_the_steps(seed):
    drawn = random.Random(seed)
    begin, end, gamma = drawn.randint(0, 4), drawn.randint(5, 12), drawn.uniform(0.5, 1.0)
    entries = [
        {"type": "mmengine.QuadraticWarmupLR", "begin": begin, "end": end},
        {"type": "mmengine.ExponentialLR", "gamma": gamma, "end": 9},
    ]
    value, expected, first = 0.8, [], drawn.random() < 0.5
    for step in range(15):
        for kind in "qe" if first else "eq":
            if kind == "e" and 0 < step < 9:
                value *= gamma
            elif kind == "q" and begin <= step < end:
                rise = 0.8 * (2 * (step - begin) + 1) / (end - begin) ** 2
                value = rise if step == begin else value + rise
        expected.append(value)
    np.testing.assert_allclose(written(entries if first else entries[::-1], 15), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("config", "kwargs", "message"),
    [
        ({"type": "mmdet.QuadraticWarmupLR"}, {}, r"config\['end'\] must be given, in epochs"),
        (
            {**QUADRATIC, "end": 1.5, "convert_to_iter_based": True},
            {"epoch_length": 3},
            r"config\['end'\] and begin must be whole numbers of iterations, given 4.5",
        ),
        (HOOK, {}, "needs epoch_length"),
        ({**HOOK, "scheduler_type": "step"}, {"epoch_length": 2}, r"\['scheduler_type'\] must be one of"),
        (
            {"type": "mmyolo.PPYOLOEParamSchedulerHook", "total_epochs": 5},
            {"epoch_length": 2},
            r"\['total_epochs'\] must be longer than the warm-up of 1000 iterations",
        ),
        ({"type": "mmpose.ConstantLR", "factor": -1.0}, {}, r"\['factor'\] must be at least 0"),
        ({"type": "mmengine.CosineAnnealingLR", "T_max": -2.5}, {}, r"\['T_max'\] must be at least 0"),
    ],
)
def test_what_cannot_be_said_is_refused(config, kwargs, message):
    with pytest.raises(ValueError, match=message) as caught:
        configure_scheduler(optimizer_of({}), config, **kwargs)
    assert len(str(caught.value)) <= 500
