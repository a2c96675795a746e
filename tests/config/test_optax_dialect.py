"""Schedules of optax: values computed by hand, drawn arguments compared with formulas, and errors."""

import json
import math
import random

import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler


def simulated(config, events=8, **kwargs):
    return configure_scheduler(make_optimizer(1), config, **kwargs).simulate(events)[:, 0].tolist()


LINE = {"init_value": 1.0, "end_value": 0.2, "transition_steps": 4}
WARMUP = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 2}
COSINE = {**WARMUP, "decay_steps": 6, "end_value": 0.2}
TABLE = [
    ("constant_schedule", {"value": 0.5}, [0.5] * 8),
    ("linear_schedule", {**LINE, "transition_begin": 2}, [1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2]),
    ("linear_schedule", {**LINE, "transition_steps": 0}, [1] * 8),
    ("polynomial_schedule", {**LINE, "power": 2}, [1, 0.65, 0.4, 0.25, 0.2, 0.2, 0.2, 0.2]),
    ("cosine_decay_schedule", {"init_value": 2, "decay_steps": 4, "alpha": 0.5, "exponent": 2.0},
     [2, 1.728553, 1.25, 1.021447, 1, 1, 1, 1]),
    ("exponential_decay", {"init_value": 1.0, "transition_steps": 2, "decay_rate": 0.25, "transition_begin": 1,
     "staircase": True, "end_value": 0.05}, [1, 1, 1, 0.25, 0.25, 0.0625, 0.0625, 0.05]),
    ("exponential_decay", {"init_value": 1.0, "transition_steps": 1, "decay_rate": 2.0, "end_value": 5.0},
     [1, 2, 4, 5, 5, 5, 5, 5]),
    ("warmup_constant_schedule", WARMUP, [0, 0.5, 1, 1, 1, 1, 1, 1]),
    ("warmup_cosine_decay_schedule", COSINE, [0, 0.5, 1, 0.882843, 0.6, 0.317157, 0.2, 0.2]),
    ("warmup_exponential_decay_schedule", {**WARMUP, "transition_steps": 1, "decay_rate": 0.5},
     [0, 0.5, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125]),
    ("piecewise_constant_schedule", {"init_value": 1.0, "boundaries_and_scales": {5: 0.1, 2: 0.5}},
     [1, 1, 0.5, 0.5, 0.5, 0.05, 0.05, 0.05]),
    ("piecewise_interpolate_schedule", {"interpolate_type": "linear", "init_value": 1.0,
     "boundaries_and_scales": {2: 2.0, 6: 0.0}}, [1, 1.5, 2, 1.5, 1, 0.5, 0, 0]),
    ("linear_onecycle_schedule", {"transition_steps": 6, "peak_value": 1.0, "pct_start": 0.34, "pct_final": 0.7,
     "div_factor": 5.0, "final_div_factor": 2.0}, [0.2, 0.6, 1, 0.6, 0.2, 0.15, 0.1, 0.1]),
    ("cosine_onecycle_schedule", {"transition_steps": 6, "peak_value": 1.0, "pct_start": 0.34, "div_factor": 5.0,
     "final_div_factor": 2.0}, [0.2, 0.6, 1, 0.868198, 0.55, 0.231802, 0.1, 0.1]),
    ("sgdr_schedule", {"cosine_kwargs": [{**COSINE, "decay_steps": 4}, {**COSINE, "peak_value": 0.5}]},
     [0, 0.5, 1, 0.6, 0, 0.25, 0.5, 0.456066]),
    ("join_schedules", {"schedules": [{"_target_": "optax.constant_schedule", "value": 1},
     {"type": "optax.linear_schedule", **LINE}], "boundaries": [3]}, [1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]),
]  # fmt: skip


@for_each(("name", "arguments", "values"), TABLE)
def test_values_computed_by_hand_in_each_form(name, arguments, values):
    forms = [
        {"type": f"optax.{name}", **arguments},
        {"_target_": f"optax.schedules.{name}", **arguments},
        {"_target_": "optax.adamw", "learning_rate": {"_target_": f"optax.{name}", **arguments}, "weight_decay": 0.1},
    ]
    for form in forms:
        assert simulated(form) == pytest.approx(values, abs=1e-6), form
        assert simulated(json.loads(json.dumps(form))) == simulated(form)
    scheduler = configure_scheduler(make_optimizer(1), forms[0])
    assert configure_scheduler(make_optimizer(1), scheduler.config()).simulate(8)[:, 0].tolist() == simulated(forms[0])


def test_drawn_arguments_give_the_values_of_the_formulas():
    draw = random.Random(7)
    for _ in range(150):
        low, peak, end = draw.uniform(0, 0.1), draw.uniform(0.5, 1), draw.uniform(0, 0.1)
        warmup, steps, exponent = draw.randint(0, 9), draw.randint(1, 20), draw.choice([0.5, 1.0, 3.0])
        begin, rate, stairs = draw.randint(0, 5), draw.uniform(0.5, 0.99), draw.random() < 0.5
        of_warmup = {"init_value": low, "peak_value": peak, "warmup_steps": warmup, "end_value": end}
        cosine = {**of_warmup, "decay_steps": warmup + steps, "exponent": exponent}
        decay = {**of_warmup, "transition_steps": steps, "decay_rate": rate, "transition_begin": begin}
        waves, powers = [], []
        for i in range(40):
            half = (1 + math.cos(math.pi * min(i - warmup, steps) / steps)) / 2
            times = max(i - warmup - begin, 0) / steps
            up = low + (peak - low) * i / max(warmup, 1)
            waves.append(up if i < warmup else end + (peak - end) * half**exponent)
            powers.append(up if i < warmup else max(peak * rate ** (math.floor(times) if stairs else times), end))
        config = {"type": "warmup_cosine_decay_schedule", **cosine}
        assert simulated(config, 40) == pytest.approx(waves, rel=1e-9, abs=1e-12)
        config = {"type": "optax.warmup_exponential_decay_schedule", **decay, "staircase": stairs}
        assert simulated(config, 40) == pytest.approx(powers, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "optax.linear_schedul", **LINE}, "did you mean 'optax.linear_schedule'"),
        ({"type": "optax.linear_schedule", **LINE, "warmup_steps": 3}, r"\['warmup_steps'\] is not known"),
        (
            {"type": "optax.warmup_cosine_decay_schedule", **COSINE, "decay_steps": 2},
            r"must be more than the 2 steps of",
        ),
        ({"type": "optax.cosine_decay_schedule", "init_value": 1, "decay_steps": 0}, r"\['decay_steps'\] must be more"),
        ({"type": "optax.join_schedules", "schedules": [], "boundaries": []}, "must have at least one mapping"),
        (
            {
                "type": "optax.join_schedules",
                "schedules": [{"type": "constant_schedule", "value": 1}],
                "boundaries": [3],
            },
            r"\['boundaries'\] must be 0 steps for 1 schedules",
        ),
        (
            {"type": "optax.piecewise_constant_schedule", "init_value": 1, "boundaries_and_scales": {"2": 1, 2: 2}},
            "the step 2 must occur once",
        ),
    ],
)
def test_what_is_not_understood_is_refused(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        simulated(config)
    assert len(str(caught.value)) <= 500


def test_schedules_count_steps():
    with pytest.raises(ValueError, match="epoch_length must be left out, since optax counts steps"):
        simulated({"type": "optax.linear_schedule", **LINE}, epoch_length=3)
