"""The schedulers of OLMo-core and OLMo 1: values computed by hand, drawn schedulers compared with formulas, errors."""

import math
import random

import numpy as np
import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler


def simulated(config, events=6, **kwargs):
    optimizer = make_optimizer(1)
    optimizer.param_groups[0]["lr"] = 1.0
    return configure_scheduler(optimizer, config, **kwargs).simulate(events)[:, 0]


def whole(scheduler):
    """Return a training config of OLMo-core that contains this scheduler."""
    duration = {"_CLASS_": "olmo_core.train.common.Duration", "value": 6, "unit": "steps"}
    return {
        "_CLASS_": "__main__.ExperimentConfig",
        "trainer": {"_CLASS_": "olmo_core.train.config.TrainerConfig", "max_duration": duration},
        "data_loader": {"global_batch_size": 10},
        "train_module": {"optim": {"_CLASS_": "olmo_core.optim.AdamWConfig", "lr": 1.0}, "scheduler": scheduler},
    }


LINE = [0.5, 1, 0.775, 0.55, 0.325, 0.1]


# OLMo-core counts steps from 1.
@for_each(
    ("name", "given", "values"),
    [
        ("ConstantScheduler", {}, [1] * 6),
        ("ConstantWithWarmup", {"warmup": 2}, [0.5, 1, 1, 1, 1, 1]),
        ("ConstantWithWarmup", {"warmup_fraction": 1 / 3, "warmup_min_lr": 0.2}, [0.6, 1, 1, 1, 1, 1]),
        ("LinearWithWarmup", {"warmup_steps": 2}, LINE),
        ("LinearWithWarmup", {"warmup": 20, "units": "tokens"}, LINE),
        ("CosWithWarmup", {"warmup": 2, "alpha_f": 0.2}, [0.5, 1, 0.882843, 0.6, 0.317157, 0.2]),
        ("InvSqrtWithWarmup", {"warmup": 1, "alpha_f": 0.0}, [1, 0.707107, 0.57735, 0.5, 0.447214, 0.408248]),
        ("WSD", {"warmup": 2, "decay": 2, "decay_fraction": None}, [0.5, 1, 1, 1, 0.5, 0]),
        (
            "SequentialScheduler",
            {
                "schedulers": [
                    {"_CLASS_": "olmo_core.optim.scheduler.ConstantWithWarmup", "warmup": 2},
                    {"_CLASS_": "olmo_core.optim.scheduler.LinearWithWarmup", "warmup": 1, "alpha_f": 0.0},
                ],
                "schedulers_max": [3],
            },
            [0.5, 1, 1, 1, 0.5, 0],
        ),
    ],
)
def test_values_computed_by_hand(name, given, values):
    config = whole({"_CLASS_": f"olmo_core.optim.scheduler.{name}", **given})
    assert simulated(config) == pytest.approx(np.array(values, dtype=float), abs=1e-6)


def test_names_of_olmo_1():
    config = {
        "model": {"max_sequence_length": 4},
        "optimizer": {"name": "adamw", "learning_rate": 1.0},
        "scheduler": {"name": "linear_with_warmup", "t_warmup": 2, "warmup_min_lr": 0.0},
        "max_duration": 6,
        "global_train_batch_size": 5,
    }
    assert simulated(config) == pytest.approx(np.array(LINE))
    config["scheduler"] = {"name": "cosine_with_warmup", "t_warmup": 2, "alpha_f": 0.2}  # the warm-up starts at 0.1
    values = [0.55, 1, 0.882843, 0.6, 0.317157, 0.2]
    assert simulated(config) == pytest.approx(np.array(values), abs=1e-6)
    config["scheduler"] |= {"units": "tokens", "t_warmup": 40, "t_max": 1.2e2}
    assert simulated({**config, "max_duration": "1e3T"}) == pytest.approx(np.array(values), abs=1e-6)


def test_drawn_schedulers_give_the_values_of_the_formula():
    draw = random.Random(2)
    for _ in range(150):
        steps, low = draw.randint(4, 40), draw.choice([0.0, 0.1])
        warmup = draw.randint(1, steps - 1)
        name = draw.choice(["CosWithWarmup", "LinearWithWarmup"])
        expected = []
        for step in range(1, steps + 1):
            done = (step - warmup) / (steps - warmup)
            left = (1 + math.cos(math.pi * done)) / 2 if name[0] == "C" else 1 - done
            expected.append(step / warmup if step < warmup else low + (1 - low) * left)
        config = {"type": f"olmo.{name}", "warmup": warmup, "alpha_f": low}
        values = simulated(config, steps, total_steps=steps)
        assert values == pytest.approx(np.array(expected), rel=1e-9, abs=1e-12), config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "olmo.CosWithWarmup"}, r"\['warmup'\] or \['warmup_fraction'\] must be given, but not both"),
        ({"type": "olmo.CosWithWarmup", "warmup": 2, "warmup_fraction": 0.1}, "must be given, but not both"),
        (
            {"type": "olmo.WSD", "warmup": 2, "decay": 2},
            r"\['decay'\] or \['decay_fraction'\] must be given, but not both",
        ),
        ({"type": "olmo.CosWithWarmup", "warmup": 2, "alpha": 1}, r"\['alpha'\] is not known; did you mean 'alpha_f'"),
        (
            {"type": "olmo.CosWithWarmup", "warmup": 2, "units": "tokens"},
            r"\['global_batch_size'\], the tokens of a step, must be given",
        ),
        ({"type": "olmo.CosWithWarmup", "warmup": 2, "warmup_min_lr": 2}, r"\['warmup_min_lr'\] must be less than"),
        ({"type": "olmo.CosWithWarmup", "warmup": 2, "max_duration": 7}, r"\['max_duration'\] must be 6, the steps"),
        (
            {"type": "olmo.SequentialScheduler", "schedulers": [{"type": "olmo.ConstantScheduler"}]},
            r"\['schedulers_max'\] must be a list of 0 numbers of steps, given None",
        ),
    ],
)
def test_what_is_not_understood_is_refused(config, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        simulated(config, total_steps=6)
    assert len(str(caught.value)) <= 500


def test_the_length_of_the_run_is_needed():
    with pytest.raises(ValueError, match="the steps of the run must be given to configure_scheduler as total_steps"):
        simulated({"type": "olmo.CosWithWarmup", "warmup": 2})


def test_a_fraction_of_tokens_is_rounded_in_tokens():
    scheduler = {"_CLASS_": "olmo_core.optim.LinearWithWarmup", "units": "tokens", "warmup_fraction": 0.5, "t_max": 15}
    config = {"data_loader": {"global_batch_size": 13}, "train_module": {"scheduler": scheduler}}
    optimizer = make_optimizer(lr=1.0)
    values = configure_scheduler(optimizer, config, total_steps=2).simulate(2)[:, 0].tolist()
    # Half of 15 tokens is rounded to 8 (half to even), so the decay has 7 tokens. After 13 tokens, 5 of the 7 are over.
    assert values == pytest.approx([1 - 0.9 * 5 / 7, 0.1], rel=1e-9)
