"""Files of torchtitan and torchtune: values computed by hand, drawn sections compared with the formula, and errors."""

import math
import random

import numpy as np
import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler

FILE = """
[job]
dump_folder = "./outputs"

[model]
name = "llama3"
flavor = "8B"

[optimizer]
name = "AdamW"
lr = 3e-4

[lr_scheduler]
warmup_steps = 2
{section}

[training]
local_batch_size = 1
seq_len = 8192
steps = 8
"""
BEFORE_0_1 = """
[model]
name = "llama3"
flavor = "8B"

[training]
batch_size = 1
warmup_steps = 3
steps = 7
"""


def simulated(config, events=10, **kwargs):
    optimizer = make_optimizer(1)
    optimizer.param_groups[0]["lr"] = 1.0
    return configure_scheduler(optimizer, config, **kwargs).simulate(events)[:, 0]


@for_each(
    ("section", "values"),
    [
        ("", [0.5, 1, 1, 0.8333333, 0.6666667, 0.5, 0.3333333, 0.1666667, 0, 0]),
        ("decay_ratio = 0.5", [0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]),
        ("decay_ratio = 0.5\nmin_lr_factor = 0.2", [0.5, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2]),
        ("decay_ratio = 0.5\nlr_min = 0.2", [0.5, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2]),
        ("decay_ratio = 0.5\ndecay_type = 'sqrt'", [0.5, 1, 1, 1, 1, 0.5, 0.2928932, 0.1339746, 0, 0]),
        ("decay_ratio = 0.5\ndecay_type = 'cosine'", [0.5, 1, 1, 1, 1, 0.8535534, 0.5, 0.1464466, 0, 0]),
        ("decay_ratio = 0.0", [0.5, *[1] * 9]),
        ("decay_ratio = 1.0", [0.5, 1, 1, 0.8333333, 0.6666667, 0.5, 0.3333333, 0.1666667, 0, 0]),
        ("total_steps = 4", [0.5, 1, 1, 0.5, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_values_computed_by_hand(section, values, tmp_path):
    path = tmp_path / "train.toml"
    path.write_text(FILE.format(section=section))
    assert simulated(path) == pytest.approx(np.array(values), abs=1e-6)
    assert simulated(path, section="lr_scheduler").tolist() == simulated(path).tolist()


def test_a_file_from_before_0_1_has_its_own_formula(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text(BEFORE_0_1)
    assert simulated(path) == pytest.approx(np.array([0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, 0, 0]))


def test_a_section_alone_needs_the_dialect_and_the_steps():
    config = {"lr_scheduler": {"warmup_steps": 2}}
    with pytest.raises(ValueError, match="'type' must be present"):
        configure_scheduler(make_optimizer(1), config)
    with pytest.raises(ValueError, match=r"\['steps'\] or total_steps of configure_scheduler must be given"):
        simulated(config, dialect="torchtitan", section="lr_scheduler")
    values = simulated(config, total_steps=4, dialect="torchtitan", section="lr_scheduler")
    assert values[:5] == pytest.approx(np.array([0.5, 1, 1, 0.5, 0]))


def test_the_section_of_another_trainer_is_not_taken_for_torchtitans():
    config = {"lr_scheduler": {"warmup_steps": 2}, "training": {"steps": 8}, "model": {"name": "llama3"}}
    with pytest.raises(ValueError, match="'type' must be present"):
        configure_scheduler(make_optimizer(1), config)


def test_drawn_sections_give_the_values_of_the_formula():
    draw = random.Random(5)
    for _ in range(150):
        steps = draw.randint(1, 40)
        section = {
            "warmup_steps": draw.randint(0, 45),
            "decay_ratio": draw.choice([None, 0.1, 0.5, 1.0]),
            "decay_type": draw.choice(["linear", "sqrt", "cosine"]),
            "min_lr_factor": draw.choice([0.0, 0.1, 0.7]),
        }
        warmup = min(section["warmup_steps"], steps)
        decay = steps - warmup
        if section["decay_ratio"] is not None:
            decay = min(decay, round(steps * section["decay_ratio"]))
        expected = []
        for i in range(steps):
            part = max(i - (steps - decay), 0) / max(decay, 1)
            left = {"linear": 1 - part, "sqrt": 1 - part**0.5, "cosine": (1 + math.cos(math.pi * part)) / 2}
            low = section["min_lr_factor"]
            expected.append((i + 1) / warmup if i < warmup else low + (1 - low) * left[section["decay_type"]])
        config = {"model": {"flavor": "8B"}, "training": {"steps": steps}, "lr_scheduler": section}
        assert simulated(config, steps) == pytest.approx(np.array(expected), rel=1e-9, abs=1e-12), section


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("lr_min = 0.1\nmin_lr_factor = 0.1", r"\['lr_min'\] must not be combined with min_lr_factor, given 0.1"),
        ("decay_ratios = 0.1", r"\['decay_ratios'\] is not known; did you mean 'decay_ratio'"),
        ("decay_type = 'exp'", r"\['decay_type'\] must be"),
        ("decay_ratio = 1.5", r"\['decay_ratio'\] must be"),
        ("decay_ratio = ", "not well-formed|Invalid value"),
    ],
)
def test_what_is_not_understood_is_refused(section, message, tmp_path):
    path = tmp_path / "train.toml"
    path.write_text(FILE.format(section=section))
    with pytest.raises(ValueError, match=message) as caught:
        configure_scheduler(make_optimizer(1), path)
    assert len(str(caught.value)) <= 500


def test_a_file_of_torchtune():
    config = {
        "optimizer": {"_component_": "torch.optim.AdamW", "lr": 2e-5},
        "lr_scheduler": {
            "_component_": "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup",
            "num_warmup_steps": 2,
        },
        "epochs": 1,
        "max_steps_per_epoch": None,
        "model": {"_component_": "torchtune.models.llama3.llama3_8b"},
    }
    values = [0, 0.5, 1, 0.8535534, 0.5, 0.1464466, 0]
    assert simulated(config, 7, total_steps=6) == pytest.approx(np.array(values), abs=1e-6)
    config["lr_scheduler"]["_component_"] = "torchtune.modules.get_cosine_schedule_with_warmup"
    assert simulated(config, 7, total_steps=6) == pytest.approx(np.array(values), abs=1e-6)
