"""The schedulers of Composer and LLM Foundry: values computed by hand and by formulas, and errors."""

import math
import random

import numpy as np
import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler


def simulated(config, events=8, **kwargs):
    optimizer = make_optimizer(1)
    optimizer.param_groups[0]["lr"] = 1.0
    return configure_scheduler(optimizer, config, **kwargs).simulate(events)[:, 0]


RUN = {"max_duration": "6ba"}
TYPED = {"type": "composer.CosineAnnealingWithWarmupScheduler", "t_warmup": "2ba", "alpha_f": 0.2}
WARM_COSINE = {"name": "cosine_with_warmup", "t_warmup": "2ba", "alpha_f": 0.2}
COSINE = [0, 0.5, 1, 0.882843, 0.6, 0.317157, 0.2, 0.2]


@for_each(
    ("config", "values"),
    [
        (WARM_COSINE, COSINE),
        ({**WARM_COSINE, "t_warmup": "0.34dur", "t_max": "1dur", "scale_warmup": True}, COSINE),
        ({"type": "composer.CosineAnnealingWithWarmupScheduler", "t_warmup": "2ba", "alpha_f": 0.2}, COSINE),
        ({"composer.optim.CosineAnnealingWithWarmupScheduler": {"t_warmup": "2ba", "alpha_f": 0.2}}, COSINE),
        ({"name": "linear_decay_with_warmup", "t_warmup": "2ba"}, [0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0]),
        ({"name": "constant_with_warmup", "t_warmup": "2ba", "alpha": 0.5}, [0, 0.25, *[0.5] * 6]),
        (
            {"name": "multistep_with_warmup", "t_warmup": "2ba", "milestones": ["4ba", "0.9dur"]},
            [0, 0.5, 1, 1, 0.1, 0.01],
        ),
        (
            {"name": "inv_sqrt_with_warmup", "t_warmup": "2ba", "t_scale": "1ba", "t_cooldown": "2ba"},
            [0, 0.5, 1, 0.707107, 0.57735, 0.288675, 0, 0],
        ),
        ({"type": "composer.StepScheduler", "step_size": "2ba", "gamma": 0.5}, [1, 1, 0.5, 0.5, 0.25]),
        ({"type": "composer.ConstantScheduler", "alpha": 0.5, "t_max": "0.5dur"}, [0.5, 0.5, 0.5, 1, 1]),
        ({"type": "composer.LinearScheduler", "alpha_i": 0.5, "alpha_f": 2}, [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2]),
        ({"type": "composer.ExponentialScheduler", "gamma": 0.25, "decay_period": "2ba"}, [1, 0.5, 0.25, 0.125]),
        ({"type": "composer.CosineAnnealingWarmRestartsScheduler", "t_0": "2ba"}, [1, 0.5, 1, 0.5]),
        ({"type": "composer.PolynomialScheduler", "power": 2, "t_max": "4ba"}, [1, 0.5625, 0.25, 0.0625, 0, 0]),
    ],
)
def test_values_computed_by_hand(config, values):
    whole = {**RUN, "scheduler": config, "optimizer": {"name": "decoupled_adamw", "lr": 1.0}}
    expected = pytest.approx(np.array(values, dtype=float), abs=1e-6)
    assert simulated(whole, len(values)) == expected
    assert simulated(config, len(values), total_steps=6) == expected
    assert simulated(config, len(values), max_epochs=2, epoch_length=3) == expected


def test_times_in_epochs_need_the_length_of_an_epoch():
    config = {"max_duration": "4ep", "scheduler": {"name": "linear_decay_with_warmup", "t_warmup": "1ep"}}
    values = [0, 0.5, 1, 0.8333333, 0.6666667, 0.5, 0.3333333, 0.1666667]
    assert simulated(config, epoch_length=2) == pytest.approx(np.array(values), abs=1e-6)
    assert simulated({**config, "max_duration": 4}, epoch_length=2) == pytest.approx(np.array(values), abs=1e-6)
    with pytest.raises(ValueError, match=r"\['t_warmup'\] needs epoch_length"):
        simulated(config)
    with pytest.raises(ValueError, match=r"\['max_duration'\] must be 9, the steps of the run, given 4ep"):
        simulated(config["scheduler"] | {"max_duration": "4ep"}, epoch_length=2, total_steps=9)


def test_several_schedulers_multiply():
    config = [
        {"type": "composer.LinearScheduler", "t_max": "4ba"},
        {"type": "composer.StepScheduler", "step_size": "2ba", "gamma": 0.5},
    ]
    expected = pytest.approx(np.array([1, 0.75, 0.25, 0.125, 0]))
    assert simulated(config, 5) == expected
    assert simulated({"schedulers": config, "max_duration": "5ba"}, 5, section="schedulers") == expected


def test_drawn_warmups_give_the_values_of_the_formula():
    draw = random.Random(11)
    for _ in range(150):
        length, epochs = draw.randint(1, 8), draw.randint(1, 5)
        steps, part, low = length * epochs, round(draw.random(), 2), draw.choice([0.0, 0.1])
        name = draw.choice(["cosine_with_warmup", "linear_decay_with_warmup"])
        warmup = int(part * length * epochs)
        expected = []
        for i in range(steps):
            done = (i - warmup) / max(steps - warmup, 1)
            left = (1 + math.cos(math.pi * done)) / 2 if name.startswith("cosine") else 1 - done
            expected.append(i / warmup if i < warmup else low + (1 - low) * left)
        config = {"name": name, "t_warmup": f"{part}dur", "alpha_f": low}
        values = simulated(config, steps, max_epochs=epochs, epoch_length=length)
        assert values == pytest.approx(np.array(expected), rel=1e-9, abs=1e-12), config


@for_each(
    ("config", "message"),
    [
        (
            {**TYPED, "t_warmup": "100tok"},
            r"\['t_warmup'\] must be in batches \(ba\), epochs \(ep\) or parts of the run \(dur\)",
        ),
        ({**TYPED, "t_warmup": "soon"}, r"\['t_warmup'\] must be a time such as '100ba'"),
        ({**TYPED, "t_max": "5ba"}, r"\['t_max'\] must be at least the 6 batches of the run, given 5"),
        ({**TYPED, "t_warmups": "5ba"}, r"\['t_warmups'\] is not known; did you mean 't_warmup'"),
        ({**TYPED, "scale_schedule_ratio": 0.5}, r"\['scale_schedule_ratio'\] must be 1, given 0.5"),
        ({**TYPED, "max_duration": "1dur"}, r"\['max_duration'\] must be in batches"),
        ({"type": "composer.StepScheduler", "step_size": "0ba"}, r"\['step_size'\] must be .* at least 1, given 0"),
        ({"type": "composer.StepScheduler", "step_size": "1.5ba"}, r"\['step_size'\] must be a whole number"),
        (
            {"name": "inv_sqrt_with_warmup", "t_warmup": "0.1dur", "t_scale": "1ba", "t_cooldown": "0ba"},
            r"\['t_warmup'\] must be in batches or epochs, given 0.1dur",
        ),
    ],
)
def test_what_is_not_understood_is_refused(config, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        simulated(config, total_steps=6)
    assert len(str(caught.value)) <= 500


def test_a_part_of_the_run_needs_its_length():
    with pytest.raises(ValueError, match=r"\['t_max'\] is a fraction of the run, so the length of the run is needed"):
        simulated(WARM_COSINE)


def test_a_name_of_two_libraries_is_told_by_its_times():
    assert simulated({**WARM_COSINE, "t_warmup": 2, "warmup_min_lr": 0.0}, 6, total_steps=6)[0] == 0.5  # OLMo 1
    with pytest.raises(
        ValueError, match="'cosine_with_warmup' may belong to composer or olmo: pass dialect='composer'"
    ):
        simulated({**WARM_COSINE, "t_warmup": "soon"}, total_steps=6)


def test_a_part_of_a_run_in_batches_is_rounded_in_batches():
    optimizer = make_optimizer(lr=1.0)
    config = {"type": "composer.StepScheduler", "step_size": "0.7dur", "gamma": 0.1}
    values = configure_scheduler(optimizer, config, total_steps=30, epoch_length=3).simulate(30)[:, 0]
    assert values[[20, 21]].tolist() == pytest.approx([1.0, 0.1])
