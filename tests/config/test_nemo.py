"""The block ``sched:`` of NeMo: values computed by hand, drawn blocks compared with formulas, and errors."""

import json
import math
import random

import numpy as np
import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler


def optimizer_of(*rates):
    optimizer = make_optimizer(len(rates))
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    return optimizer


def simulated(config, events=8, **kwargs):
    return configure_scheduler(optimizer_of(1.2), config, **kwargs).simulate(events)[:, 0].tolist()


WARM = {"warmup_steps": 2, "max_steps": 6, "min_lr": 0.2}
UP = [0.4, 0.8, 1.2]


@for_each(
    ("config", "values"),
    [
        ({"name": "WarmupPolicy", **WARM}, [*UP, 1.2, 1.2, 1.2, 1.2, 0.2]),
        ({"name": "WarmupHoldPolicy", **WARM, "hold_steps": 6}, [*UP, 1.2, 1.2, 1.2, 1.2, 1.2, 0.2]),
        ({"name": "WarmupAnnealing", **WARM}, [*UP, 0.95, 0.7, 0.45, 0.2, 0.2]),
        ({"name": "WarmupHoldAnnealLinear", **WARM, "hold_steps": 2}, [*UP, 1.2, 1.2, 0.7, 0.2, 0.2]),
        ({"name": "WarmupHoldAnnealOneMinusSquareRoot", **WARM, "hold_steps": 0}, [*UP, 0.6, 0.351472, 0.2, 0.2, 0.2]),
        ({"name": "CosineAnnealing", **WARM}, [*UP, 1.053553, 0.7, 0.346447, 0.2, 0.2]),
        ({"name": "CosineAnnealing", **WARM, "constant_steps": 2}, [0.0, 0.6, 1.2, 0.7, 0.2, 0.2, 0.2, 0.2]),
        ({"name": "SquareAnnealing", **WARM}, [*UP, 0.675, 0.3, 0.2, 0.2, 0.2]),
        ({"name": "SquareRootAnnealing", **WARM}, [*UP, 0.848528, 0.69282, 0.489898, 0.2, 0.2]),
        ({"name": "InverseSquareRootAnnealing", **WARM}, [*UP, 1.03923, 0.929516, 0.848528, 0.785584, 0.2]),
        ({"name": "PolynomialDecayAnnealing", **WARM, "power": 2}, [*UP, 0.7625, 0.45, 0.2625, 0.2, 0.2]),
        ({"name": "PolynomialHoldDecayAnnealing", **WARM, "hold_steps": 2}, [*UP, 1.2, 1.2, 0.7, 0.2, 0.2]),
        ({"name": "NoamHoldAnnealing", **WARM, "hold_steps": 2}, [*UP, 1.2, 1.2, 0.979796, 0.848528, 0.2]),
        ({"name": "NoamAnnealing", **WARM, "d_model": 4}, [0.212132, 0.212132, 0.424264, 0.34641, 0.3, 0.268328]),
        (
            {"name": "T5InverseSquareRootAnnealing", "constant_steps": 4, "max_steps": 6},
            [*[0.5] * 5, 0.447214, 0.408248],
        ),
    ],
)
def test_values_computed_by_hand(config, values):
    assert simulated(config, len(values)) == pytest.approx(values, abs=1e-6)
    assert simulated(
        {"type": f"nemo.{config['name']}", **{k: v for k, v in config.items() if k != "name"}}
    ) == simulated(config)


def test_the_block_of_a_file_takes_the_steps_of_its_trainer(tmp_path):
    sched = {"name": "CosineAnnealing", "warmup_ratio": 0.34, "warmup_steps": None, "min_lr": 0.2, "t_max_epochs": 3}
    optim = {"name": "adamw", "lr": 1.2, "betas": [0.9, 0.98], "sched": sched}
    path = tmp_path / "config.json"
    for steps, kwargs in ((6, {}), (-1, {"total_steps": 6})):
        path.write_text(json.dumps({"name": "a-model", "trainer": {"max_steps": steps}, "model": {"optim": optim}}))
        assert simulated(path, **kwargs) == pytest.approx([*UP, 1.053553, 0.7, 0.346447, 0.2, 0.2], abs=1e-6)
        assert simulated(path, section="model.optim.sched", **kwargs) == simulated(path, **kwargs)
    with pytest.raises(ValueError, match=r"\['max_steps'\] or total_steps of configure_scheduler must be given"):
        simulated(path)


def test_the_first_group_counts_where_it_does_in_nemo():
    config = {"name": "WarmupAnnealing", **WARM}
    values = configure_scheduler(optimizer_of(1.2, 0.6), config).simulate(5)
    assert values[:, 1].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.95, 0.7])
    values = configure_scheduler(optimizer_of(1.2, 0.6), {"name": "SquareAnnealing", **WARM}).simulate(5)
    assert values[:, 1].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.3375, 0.2])


def test_drawn_blocks_give_the_values_of_the_formula():
    draw = random.Random(3)
    for _ in range(150):
        steps, base = draw.randint(4, 40), draw.uniform(0.3, 1.0)
        warmup, power, low = draw.randint(0, steps - 1), draw.choice([0.5, 1.0, 2.0]), draw.choice([0.0, 0.2])
        shape = {"warmup_steps": warmup, "max_steps": steps, "min_lr": low}
        cosine = {"name": "CosineAnnealing", **shape}
        poly = {"name": "PolynomialDecayAnnealing", **shape, "power": power}
        for config in (cosine, poly):
            expected = []
            for i in range(steps + 4):
                part = (i - warmup) / (steps - warmup)
                left = (1 + math.cos(math.pi * part)) / 2 if config is cosine else max(1 - part, 0) ** power
                up = base * (i + 1) / (warmup + 1)
                after = low if i > steps else low + (base - low) * left
                expected.append(up if warmup and i <= warmup else after)
            values = configure_scheduler(optimizer_of(base), config).simulate(steps + 4)[:, 0]
            assert values == pytest.approx(np.array(expected), rel=1e-9, abs=1e-12), config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "CosineAnnealing", **WARM, "warmup_ratio": 0.1}, r"\['warmup_ratio'\] must not be combined with"),
        ({"name": "CosineAnnealing", **WARM, "min_lr": 3.0}, r"\['min_lr'\] must be at most the learning rate"),
        ({"name": "CosineAnnealing", **WARM, "constant_steps": 4}, r"\['constant_steps'\] must leave steps"),
        ({"name": "CosineAnnealing", **WARM, "warmup_step": 4}, r"\['warmup_step'\] is not known; did you mean"),
        ({"name": "NoamAnnealing", **WARM}, "'d_model' must be present"),
        ({"name": "NoamHoldAnnealing", "max_steps": 6}, r"\['warmup_steps'\] must be at least 1, given 0"),
    ],
)
def test_what_is_not_understood_is_refused(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        simulated(config)
    assert len(str(caught.value)) <= 500


def test_blocks_count_steps_alone():
    with pytest.raises(ValueError, match="epoch_length must be left out, since NeMo counts steps"):
        simulated({"name": "WarmupPolicy", **WARM}, epoch_length=3)
    with pytest.raises(ValueError, match=r"\['max_steps'\] must be 7, the steps of the run, given 6"):
        simulated({"name": "WarmupPolicy", **WARM}, total_steps=7)
