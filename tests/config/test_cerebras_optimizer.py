"""The section ``optimizer`` of Cerebras' files: values computed by hand and by a formula, and errors."""

import math
import random

import pytest
import torch

from lehr.handlers import configure_scheduler


def values(config, events, groups=None, **options):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD(groups(parameter) if groups else [parameter], lr=0.5)
    return configure_scheduler(optimizer, config, **options).simulate(events)[:, 0].tolist()


def file(learning_rate, **more):
    return {
        "train_input": {"data_dir": "train", "batch_size": 8},
        "optimizer": {"optimizer_type": "AdamW", "learning_rate": learning_rate, "loss_scaling_factor": 1.0, **more},
        "runconfig": {"max_steps": 8},
    }


UP = {"scheduler": "Linear", "initial_learning_rate": 0.0, "end_learning_rate": 0.4}


@pytest.mark.parametrize(
    ("learning_rate", "expected"),
    [
        ([{**UP, "steps": 2}, {"scheduler": "Constant", "learning_rate": 0.3}], [0.0, 0.2, 0.3, 0.3, 0.3]),
        ([{**UP, "total_iters": 4}], [0.0, 0.1, 0.2, 0.3, 0.4, 0.4]),
        ({**UP, "scheduler": "linearlr", "decay_steps": 4, "alpha": 0.1}, [0.0, 0.1, 0.2, 0.3, 0.4, 0.4]),
        (
            [{**UP, "steps": 2}, {"scheduler": "cosinedecaylr", "base_lr": 0.4, "end_learning_rate": 0.0, "steps": 2}],
            [0.0, 0.2, 0.4, 0.2, 0.0, 0.0],
        ),
        (
            {"scheduler": "PiecewiseConstant", "initial_learning_rate": 1, "values": [0.3, 0.2], "boundaries": [2]},
            [0.3, 0.3, 0.2, 0.2],
        ),
        ([{"scheduler": "InverseSquareRootDecay", "scale": 1.0, "warmup_steps": 4}], [0.5] * 5 + [1 / math.sqrt(5)]),
        (
            [
                {"scheduler": "Cosine", "initial_learning_rate": 0.4, "decay_steps": 4, "alpha": 0.5, "steps": 2},
                {"scheduler": "Constant", "learning_rate": 0.1},
            ],
            [0.4, 0.2 + 0.1 * (1 + math.sqrt(0.5)), 0.1, 0.1],
        ),
        (
            {"scheduler": "MultiStep", "initial_learning_rate": 0.8, "decay_rate": 0.5, "milestones": [1, 3]},
            [0.8, 0.4, 0.4, 0.2],
        ),
    ],
)
def test_files(learning_rate, expected):
    assert values(file(learning_rate), len(expected)) == pytest.approx(expected)
    assert values(learning_rate, len(expected), dialect="cerebras") == pytest.approx(expected)
    section = {"section": "optimizer.learning_rate", "dialect": "cerebras"}
    assert values(file(learning_rate), len(expected), **section) == pytest.approx(expected)


@pytest.mark.parametrize("given", [0.25, "2.5e-1"])
def test_a_number_needs_the_dialect(given):
    assert values(file(given), 3, dialect="cerebras") == [0.25] * 3
    with pytest.raises(ValueError, match="'type' must be present"):
        values(file(given), 3)
    assert values(0.25, 2, dialect="cerebras") == [0.25] * 2
    with pytest.raises(TypeError, match="config must be a mapping"):
        values(0.25, 2)


def test_schedulers_that_count_all_steps():
    down = {"scheduler": "Linear", "initial_learning_rate": 0.8, "end_learning_rate": 0.0, "steps": 4}
    listed = [{**UP, "steps": 2}, down]
    assert values(file(listed), 6) == pytest.approx([0.0, 0.2, 0.8, 0.6, 0.4, 0.2])
    assert values(file(listed, disable_lr_steps_reset=True), 6) == pytest.approx([0.0, 0.2, 0.4, 0.2, 0.0, 0.0])


def test_factors_of_layers_must_be_in_the_param_groups():
    config = file([{**UP, "steps": 2}], adjust_learning_rate={"decoder_kernel": 0.5})
    with pytest.raises(
        ValueError, match="so their param groups must have the key 'adjust_learning_rate', given {'decoder"
    ):
        values(config, 3)
    scaled = values(config, 3, lambda one: [{"params": [one], "adjust_learning_rate": 0.5}])
    assert scaled == pytest.approx([0.0, 0.1, 0.2])
    assert values(file([{**UP, "steps": 2}], adjust_learning_rate={"decoder_kernel": 1.0}), 3)[2] == pytest.approx(0.4)


def test_the_schedule_of_sparsity_is_another_one():
    config = {**file([{**UP, "steps": 2}]), "sparsity": {"drop_fraction": {"type": "cosine", "init": 0.3}}}
    assert values(config, 3) == pytest.approx([0.0, 0.2, 0.4])


@pytest.mark.parametrize(
    ("learning_rate", "match"),
    [
        ([{"scheduler": "Linar", **{k: v for k, v in UP.items() if k != "scheduler"}}], "did you mean 'linear'"),
        ([UP, {"scheduler": "Constant", "learning_rate": 0.1}], r"\[0\]: 'steps' or 'total_iters' must be given"),
        ([{**UP, "steps": 0}], r"\['steps'\] must be a whole number of at least 1, given 0"),
        ([{**UP, "stepz": 3, "steps": 3}], r"\['stepz'\] is not known"),
        ([{**UP, "steps": 2, "main_scheduler": "parallel"}], "'main_scheduler' must be"),
    ],
)
def test_errors(learning_rate, match):
    with pytest.raises(ValueError, match=match):
        values(file(learning_rate), 3)


def test_drawn_lists():
    """Each line or cosine of a list follows the schedules before it, for its own number of steps."""
    draw = random.Random(3)
    for _ in range(100):
        listed, expected = [], []
        for _ in range(draw.randint(1, 4)):
            name, steps = draw.choice(["Linear", "CosineDecay"]), draw.randint(1, 6)
            first, last = draw.uniform(0, 1), draw.uniform(0, 1)
            key = draw.choice(["steps", "decay_steps", "total_iters"])
            listed.append({"scheduler": name, "initial_learning_rate": first, "end_learning_rate": last, key: steps})
            for step in range(steps):
                left = 1 - step / steps if name == "Linear" else (1 + math.cos(math.pi * step / steps)) / 2
                expected.append(last + (first - last) * left)
        assert values(file(listed), len(expected)) == pytest.approx(expected, rel=1e-9, abs=1e-15)
