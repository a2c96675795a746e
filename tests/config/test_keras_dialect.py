"""Schedules of Keras: values computed by hand, all saved forms, drawn arguments compared with formulas, and errors."""

import math
import random

import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler


def scheduler_of(config, **kwargs):
    return configure_scheduler(make_optimizer(1), config, **kwargs)


def simulated(config, events=7, **kwargs):
    return scheduler_of(config, **kwargs).simulate(events)[:, 0].tolist()


EXPONENTIAL = {"initial_learning_rate": 8.0, "decay_steps": 2, "decay_rate": 0.25}
TABLE = [
    ("ExponentialDecay", EXPONENTIAL, [8, 4, 2, 1, 0.5, 0.25, 0.125]),
    ("ExponentialDecay", {**EXPONENTIAL, "staircase": True}, [8, 8, 2, 2, 0.5, 0.5, 0.125]),
    ("InverseTimeDecay", {**EXPONENTIAL, "decay_rate": 2.0}, [8, 4, 8 / 3, 2, 1.6, 8 / 6, 8 / 7]),
    ("InverseTimeDecay", {**EXPONENTIAL, "decay_rate": 1, "staircase": True}, [8, 8, 4, 4, 8 / 3, 8 / 3, 2]),
    ("PiecewiseConstantDecay", {"boundaries": [1, 4], "values": [3, 2, 1.5]}, [3, 3, 2, 2, 2, 1.5, 1.5]),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 1.0, "decay_steps": 4, "end_learning_rate": 0.2, "power": 2.0},
        [1, 0.65, 0.4, 0.25, 0.2, 0.2, 0.2],
    ),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 1.2, "decay_steps": 3, "end_learning_rate": 0.0, "cycle": True},
        [1.2, 0.8, 0.4, 0.0, 0.4, 0.2, 0.0],
    ),
    ("CosineDecay", {"initial_learning_rate": 2.0, "decay_steps": 4, "alpha": 0.5, "warmup_steps": 2},
     [2, 1.853553, 1.5, 1.146447, 1, 1, 1]),
    ("CosineDecay", {"initial_learning_rate": 0.4, "decay_steps": 2, "warmup_target": 1.0, "warmup_steps": 3},
     [0.4, 0.6, 0.8, 1.0, 0.5, 0.0, 0.0]),
    ("CosineDecayRestarts", {"initial_learning_rate": 1.0, "first_decay_steps": 2, "m_mul": 0.5, "alpha": 0.2},
     [1, 0.6, 0.6, 0.541421, 0.4, 0.258579, 0.4]),
]  # fmt: skip


@for_each(("name", "arguments", "values"), TABLE)
def test_values_computed_by_hand_in_each_form(name, arguments, values):
    schedule = {"class_name": name, "config": {**arguments, "name": name}}
    saved = {"module": "keras.optimizers.schedules", **schedule, "registered_name": None}
    optimizer = {"module": "keras.optimizers", "class_name": "Adam", "config": {"name": "adam", "learning_rate": saved}}
    forms = [
        {"type": f"keras.{name}", **arguments},
        {"_target_": f"tf.keras.optimizers.schedules.{name}", **arguments},
        saved,
        schedule,
        optimizer,
        {"training": {"compile": {"optimizer": {"class_name": "SGD", "config": {"lr": schedule}}}}},
    ]
    for form in forms:
        assert simulated(form) == pytest.approx(values, abs=1e-6), form


def test_the_warm_up_of_transformers_in_a_saved_optimizer():
    decay = {"initial_learning_rate": 2.0, "decay_steps": 4, "end_learning_rate": 0.0, "power": 1.0, "name": None}
    inner = {"class_name": "PolynomialDecay", "config": decay, "__passive_serialization__": True}
    config = {"initial_learning_rate": 2.0, "decay_schedule_fn": inner, "warmup_steps": 2, "power": 2.0, "name": None}
    optimizer = {"name": "AdamWeightDecay", "learning_rate": {"class_name": "WarmUp", "config": config}, "decay": 0.0}
    assert simulated(optimizer) == pytest.approx([0.0, 0.5, 2.0, 1.5, 1.0, 0.5, 0.0])
    scaled = {"inner_optimizer": {"class_name": "AdamWeightDecay", "config": optimizer}, "dynamic": True}
    assert simulated(scaled) == simulated(optimizer)


def test_the_callback_with_a_schedule_counts_epochs():
    schedule = {"type": "keras.ExponentialDecay", **EXPONENTIAL}
    config = {"type": "keras.callbacks.LearningRateScheduler", "schedule": schedule, "verbose": 1}
    assert simulated(config, 6, epoch_length=2) == [8, 8, 4, 4, 2, 2]


def test_a_plateau_reduces_at_the_last_metric_of_its_patience():
    config = {"factor": 0.5, "patience": 2, "min_delta": 0.1, "cooldown": 2, "min_lr": 0.3}
    optimizer = make_optimizer(1)
    optimizer.param_groups[0]["lr"] = 1.0
    plateau = configure_scheduler(optimizer, {"class_name": "ReduceLROnPlateau", "config": config}).schedule
    values = []
    for metric in (3.0, 2.95, 2.9, 5.0, 5.0, 5.0, 1.0, 1.0, 1.0):
        plateau.observe(metric)
        values.append(plateau.value(0))
    # The first metric after the reduction is in the cooldown. The next metric counts again.
    assert values == [1.0, 1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]


def test_drawn_arguments_give_the_values_of_the_formulas():
    draw = random.Random(5)
    for _ in range(150):
        rate, steps, end = draw.uniform(0.1, 1), draw.randint(1, 30), draw.choice([0.0, 0.05])
        power, alpha, warmup = draw.choice([0.5, 1.0, 3.0]), draw.choice([0.0, 0.2]), draw.randint(1, 9)
        start, cycle = draw.uniform(0, 0.1), draw.random() < 0.5
        of_all = {"initial_learning_rate": rate, "decay_steps": steps}
        polynomial = {"type": "keras.PolynomialDecay", **of_all, "end_learning_rate": end, "power": power}
        cosine = {"type": "keras.CosineDecay", **of_all, "alpha": alpha, "warmup_target": rate, "warmup_steps": warmup}
        lines, waves = [], []
        for i in range(40):
            length = steps * max(math.ceil(i / steps), 1) if cycle else steps
            lines.append(end + (rate - end) * (1 - min(i, length) / length) ** power)
            half = (1 + math.cos(math.pi * min(i - warmup, steps) / steps)) / 2
            waves.append(start + (rate - start) * i / warmup if i < warmup else rate * (alpha + (1 - alpha) * half))
        assert simulated({**polynomial, "cycle": cycle}, 40) == pytest.approx(lines, rel=1e-9, abs=1e-12)
        assert simulated({**cosine, "initial_learning_rate": start}, 40) == pytest.approx(waves, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"class_name": "ExponentalDecay", "config": {}}, "did you mean 'keras.ExponentialDecay'"),
        ({"module": "mine", "class_name": "ExponentialDecay", "config": EXPONENTIAL}, "given 'mine.ExponentialDecay'"),
        ({"class_name": "Adam", "config": {"learning_rate": 0.1}}, "given 'Adam'"),
        (
            {"type": "keras.ExponentialDecay", **EXPONENTIAL, "decay_steps": -5},
            r"\['decay_steps'\] must be more than 0",
        ),
        ({"type": "keras.ExponentialDecay", **EXPONENTIAL, "stair": True}, r"\['stair'\] is not known; did you mean"),
        (
            {"type": "keras.PiecewiseConstantDecay", "boundaries": [3], "values": [1]},
            r"\['values'\] must have one value more",
        ),
        ({"type": "keras.ReduceLROnPlateau", "monitor": "val_auc"}, r"\['mode'\] must be 'min' or 'max' for 'val_auc'"),
    ],
)
def test_what_is_not_understood_is_refused(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        simulated(config)
    assert len(str(caught.value)) <= 500


def test_schedules_count_steps_and_functions_are_refused():
    with pytest.raises(ValueError, match="epoch_length must be left out, since Keras counts steps"):
        simulated({"type": "keras.ExponentialDecay", **EXPONENTIAL}, epoch_length=3)
    with pytest.raises(TypeError, match="must be a mapping that describes a schedule"):
        simulated({"type": "keras.LearningRateScheduler", "schedule": lambda epoch, lr: lr})
