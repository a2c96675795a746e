"""Schedulers of PaddlePaddle and files of its libraries: values computed by hand and by formulas, and errors."""

import json
import math
import random

import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler


def simulated(config, events=8, **kwargs):
    return configure_scheduler(make_optimizer(1), config, **kwargs).simulate(events)[:, 0].tolist()


STEPS = {"learning_rate": 1.0, "step_size": 2, "gamma": 0.5}
TABLE = [
    ("CosineAnnealingDecay", {"learning_rate": 1.0, "T_max": 2}, [1, 0.5, 0, 0.5, 1, 0.5, 0, 0.5]),
    ("CosineAnnealingWarmRestarts", {"learning_rate": 1.0, "T_0": 1, "T_mult": 2, "eta_min": 0.2},
     [1, 1, 0.6, 1, 0.882843, 0.6, 0.317157, 1]),
    ("CyclicLR", {"base_learning_rate": 0.0, "max_learning_rate": 1.0, "step_size_up": 2, "step_size_down": 1,
     "mode": "triangular2"}, [0, 0.5, 1, 0, 0.25, 0.5, 0, 0.125]),
    ("ExponentialDecay", {"learning_rate": 8, "gamma": 0.5}, [8, 4, 2, 1, 0.5, 0.25, 0.125, 0.0625]),
    ("InverseTimeDecay", {"learning_rate": 1.0, "gamma": 1.0}, [1, 0.5, 1 / 3, 0.25, 0.2, 1 / 6, 1 / 7, 0.125]),
    ("LambdaDecay", {"learning_rate": 2.0, "lr_lambda": lambda step: 0.5**step},
     [2, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]),
    ("LinearLR", {"learning_rate": 2.0, "total_steps": 4, "start_factor": 0.5}, [1, 1.25, 1.5, 1.75, 2, 2, 2, 2]),
    ("LinearWarmup", {"learning_rate": {"type": "StepDecay", **STEPS}, "warmup_steps": 2, "start_lr": 0.2,
     "end_lr": 0.6}, [0.2, 0.4, 1, 1, 0.5, 0.5, 0.25, 0.25]),
    ("LinearWarmup", {"learning_rate": 0.7, "warmup_steps": 2, "start_lr": 0.2, "end_lr": 0.6}, [0.2, 0.4, *[0.7] * 6]),
    ("MultiStepDecay", {"learning_rate": 1.0, "milestones": [1, 3], "gamma": 0.5}, [1, 0.5, 0.5, *[0.25] * 5]),
    ("MultiplicativeDecay", {"learning_rate": 2.0, "lr_lambda": lambda step: 0.5},
     [2, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]),
    ("NaturalExpDecay", {"learning_rate": 8.0, "gamma": math.log(2)}, [8, 4, 2, 1, 0.5, 0.25, 0.125, 0.0625]),
    ("NoamDecay", {"d_model": 4, "warmup_steps": 4, "learning_rate": 2.0},
     [0, 0.125, 0.25, 0.375, 0.5, 0.447214, 0.408248, 0.377964]),
    ("OneCycleLR", {"max_learning_rate": 1.0, "total_steps": 7, "divide_factor": 4.0, "end_learning_rate": 0.0,
     "phase_pct": 3 / 7, "anneal_strategy": "linear"}, [0.25, 0.625, 1, 0.75, 0.5, 0.25, 0, 0]),
    ("PiecewiseDecay", {"boundaries": [2, 5], "values": [1, 0.5, 0.1]}, [1, 1, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1]),
    ("PolynomialDecay", {"learning_rate": 1.2, "decay_steps": 3, "end_lr": 0, "cycle": True},
     [1.2, 0.8, 0.4, 0, 0.4, 0.2, 0, 0.266667]),
    ("StepDecay", STEPS, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]),
]  # fmt: skip


@for_each(("name", "arguments", "values"), TABLE)
def test_values_computed_by_hand(name, arguments, values):
    for form in ({"type": f"paddle.{name}"}, {"_target_": f"paddle.optimizer.lr.{name}"}):
        assert simulated({**form, **arguments}) == pytest.approx(values, abs=1e-6)
    in_epochs = simulated({"type": f"paddle.{name}", **arguments}, 16, epoch_length=2)
    assert in_epochs[::2] == in_epochs[1::2] == simulated({"type": f"paddle.{name}", **arguments})


def test_a_plateau_starts_from_its_own_learning_rate():
    config = {"type": "paddle.ReduceOnPlateau", "learning_rate": 1.0, "factor": 0.5, "patience": 1}
    plateau = configure_scheduler(make_optimizer(1), config).schedule
    for metric in (1.0, 2.0, 2.0):
        plateau.observe(metric)
    assert plateau.value(0) == 0.5


def read_file(tmp_path, text, events=8, **kwargs):
    path = tmp_path / "config.yml"
    path.write_text(text)
    return simulated(path, events, **kwargs)


def test_a_file_of_paddleseg_counts_iterations(tmp_path):
    text = """
    batch_size: 4
    iters: 6
    train_dataset: {type: Dataset, transforms: [{type: Normalize}]}
    optimizer: {type: SGD, momentum: 0.9}
    lr_scheduler: {type: PolynomialDecay, learning_rate: 1.0, end_lr: 0.2, power: 1.0}
    """
    assert read_file(tmp_path, text) == pytest.approx(
        [1, 0.866667, 0.733333, 0.6, 0.466667, 0.333333, 0.2, 0.2], abs=1e-6
    )
    warm = text.replace("power: 1.0}", "power: 1.0, warmup_iters: 2, warmup_start_lr: 0.5}")
    for kwargs in ({}, {"epoch_length": 3}):
        values = read_file(tmp_path, warm, **kwargs)
        assert values == pytest.approx([0.5, 0.75, 1, 0.8, 0.6, 0.4, 0.2, 0.2])


CLAS = """
Global: {epochs: 4, output_dir: ./output}
Optimizer:
  name: Momentum
  momentum: 0.9
  lr: {LR}
  regularizer: {name: L2, coeff: 0.00004}
DataLoader: {Train: {dataset: {name: ImageNetDataset}}}
"""


@for_each(
    ("lr", "values"),
    [
        ("name: Cosine, learning_rate: 1.0, warmup_epoch: 1", [0, 0.5, 1, 0.933013, 0.75, 0.5, 0.25, 0.066987]),
        ("name: Cosine, learning_rate: 1.0, eta_min: 0.2, by_epoch: True", [1, 1, 0.882843, 0.882843, 0.6, 0.6]),
        ("name: Linear, learning_rate: 1.0, warmup_epoch: 1", [0, 0.5, 1, 5 / 6, 4 / 6, 0.5, 2 / 6, 1 / 6]),
        ("name: Linear, learning_rate: 1.0, by_epoch: True, warmup_epoch: 1", [0, 0, 0.5, 0.5, 1, 1, 2 / 3, 2 / 3]),
        ("name: Step, learning_rate: 1.0, step_size: 1.5, gamma: 0.5", [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]),
        ("name: Piecewise, decay_epochs: [1, 3], values: [1, 0.5, 0.1]", [1, 1, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1]),
        ("name: MultiStepDecay, learning_rate: 1.0, milestones: [1, 2], gamma: 0.5", [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ("name: ConstLR, learning_rate: 1.0, warmup_epoch: 2, warmup_start_lr: 0.2", [0.2, 0.4, 0.6, 0.8, 1, 1]),
        ("name: CosineFixmatch, learning_rate: 1.0, num_warmup_steps: 2, num_cycles: 0.5", [0, 0.5, 1, 0.965926]),
    ],
)
def test_files_of_paddleclas(tmp_path, lr, values):
    text = CLAS.replace("{LR}", f"{{{lr}}}")
    assert read_file(tmp_path, text, len(values), epoch_length=2) == pytest.approx(values, abs=1e-6)


PIECEWISE = "- !PiecewiseDecay {gamma: 0.1, milestones: [3, 4]}"
COSINE = "- {name: CosineDecay, max_epochs: 4}"


@pytest.mark.parametrize(
    ("schedulers", "values"),
    [
        (f"{PIECEWISE}\n  - !LinearWarmup {{start_factor: 0.2, steps: 2}}", [0.2, 0.6, 1, 1, 1, 1, 0.1, 0.1, 0.01]),
        (f"{PIECEWISE}\n  - !LinearWarmup {{start_factor: 0.0, steps: 7}}", [*(i / 7 for i in range(7)), 0.1, 0.01]),
        (f"{COSINE}\n  - {{name: ExpWarmup, epochs: 1}}", [0, 0.25, 1, 0.933013, 0.75, 0.5, 0.25, 0.066987, 0.066987]),
        (COSINE.replace("4", "4, use_warmup: False"), [1, 0.96194, 0.853553, 0.691342, 0.5, 0.308658, 0.146447]),
        ("- !PiecewiseDecay {values: [3, 2, 1], milestones: [1, 2], use_warmup: False}", [3, 3, 2, 2, 1]),
    ],
)
def test_files_of_paddledetection_with_tags_and_names(tmp_path, schedulers, values):
    text = f"""
epoch: 5
LearningRate:
  base_lr: 1.0
  schedulers:
  {schedulers}
OptimizerBuilder: {{optimizer: {{type: Momentum, momentum: 0.9}}}}
TrainDataset: !COCODataSet
  image_dir: train
Other: !Tag
"""
    assert read_file(tmp_path, text, len(values), epoch_length=2) == pytest.approx(values, abs=1e-6)
    with pytest.raises(ValueError, match="epoch_length of configure_scheduler must be the iterations"):
        read_file(tmp_path, text)


def test_drawn_arguments_give_the_values_of_the_formulas():
    draw = random.Random(11)
    for _ in range(150):
        rate, low, steps = draw.uniform(0.1, 1), draw.uniform(0, 0.1), draw.randint(1, 20)
        warmup, power, cycle = draw.randint(1, 9), draw.choice([0.5, 1.0, 2.0]), draw.random() < 0.5
        decay = {"learning_rate": rate, "decay_steps": steps, "end_lr": low, "power": power, "cycle": cycle}
        warm = {"warmup_steps": warmup, "start_lr": low, "end_lr": rate}
        config = {"type": "paddle.LinearWarmup", "learning_rate": {"type": "PolynomialDecay", **decay}, **warm}
        expected = []
        for i in range(40):
            at = i - warmup
            length = steps * max(math.ceil(at / steps), 1) if cycle else steps
            fall = low + (rate - low) * (1 - min(max(at, 0), length) / length) ** power
            expected.append(low + (rate - low) * i / warmup if at < 0 else fall)
        assert simulated(config, 40) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@for_each(
    ("config", "message"),
    [
        ({"type": "paddle.StepDecy", **STEPS}, "did you mean 'paddle.StepDecay'"),
        (
            {"type": "paddle.StepDecay", **STEPS, "stepsize": 3},
            r"\['stepsize'\] is not known; did you mean 'step_size'",
        ),
        ({"type": "paddle.StepDecay", **STEPS, "gamma": 1.0}, r"\['gamma'\] must be at least 0 and less than 1"),
        ({"type": "paddle.ReduceOnPlateau", "learning_rate": 1, "cooldown": 2}, r"\['cooldown'\] must be 0"),
        ({"type": "paddle.PiecewiseDecay", "boundaries": [1], "values": [1]}, r"\['values'\] must be more than"),
        (
            {"type": "paddle.PolynomialDecay", "learning_rate": 1},
            r"\['decay_steps'\] must be given, or the file must have iters",
        ),
        (
            {"type": "paddle.LinearWarmup", "learning_rate": 1, "warmup_steps": 3, "start_lr": 1, "end_lr": 1},
            "the warm-up must end above its start",
        ),
        (
            {"Global": {"epoch_num": 4}, "Optimizer": {"name": "Adam", "lr": {"name": "Cosine", "learning_rate": 1}}},
            "the file must not be one of PaddleOCR",
        ),
        (
            {"Global": {"epochs": 4}, "Optimizer": {"name": "Adam", "lr": {"name": "Cosin", "learning_rate": 1}}},
            "did you mean 'Cosine'",
        ),
    ],
)
def test_what_is_not_understood_is_refused(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        simulated(config)
    assert len(str(caught.value)) <= 500


def test_a_tag_of_python_is_refused(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text("type: !!python/name:os.system\n")
    with pytest.raises(TypeError, match="a value of the tag !!python/name:os.system is not made"):
        simulated(path)
    path.write_text(f"!StepDecay {json.dumps(STEPS)}\n")
    assert simulated(path, 4) == [1.0, 1.0, 0.5, 0.5]
