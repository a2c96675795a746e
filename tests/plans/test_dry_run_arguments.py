"""A wrong argument of ``dry_run`` is an error that names the argument and its rule, and changes nothing."""

import math

import numpy as np
import pytest
import torch
from cases import for_each
from everything import Everything
from ignite.engine import Events
from optimizers import make_trainer, values_of
from real_runs import Training

from lehr.handlers import ReduceOnPlateauScheduler, check_plan, dry_run

NUMBERS = [
    (0, ValueError, "at least 1"),
    (-3, ValueError, "at least 1"),
    (2.5, ValueError, "whole"),
    (math.nan, ValueError, "finite"),
    (math.inf, ValueError, "finite"),
    (True, TypeError, "number"),
    ("3", TypeError, "number"),
    ([3], TypeError, "number"),
]


@for_each("name", ["max_epochs", "epoch_length", "gradient_accumulation_steps"])
@for_each(("value", "error", "rule"), [*NUMBERS, (None, TypeError, "number")])
def test_numbers_are_whole_and_positive(name, value, error, rule):
    if name == "gradient_accumulation_steps" and value is None:
        return  # None means the accumulation of the trainer
    everything = Everything(0)
    before = everything.seen()
    with pytest.raises(error, match=rf"{name} must be .*{rule}.* given ") as raised:
        dry_run(everything.trainer, **{"max_epochs": 5, "epoch_length": 4, name: value})
    assert repr(value) in str(raised.value)
    assert everything.seen() == before


@pytest.mark.parametrize(("value", "error", "rule"), NUMBERS)
def test_the_accumulation_of_each_optimizer_is_whole_and_positive(value, error, rule):
    everything = Everything(0)
    before, steps = everything.seen(), {torch.optim.SGD([torch.zeros(1)], lr=0.1): value}
    with pytest.raises(error, match=rf"gradient_accumulation_steps\[SGD\] must be .*{rule}.* given ") as raised:
        dry_run(everything.trainer, 5, 4, gradient_accumulation_steps=steps)
    assert repr(value) in str(raised.value)
    assert len(str(raised.value)) <= 500
    assert everything.seen() == before


def test_the_accumulation_is_of_optimizers():
    rule = "gradient_accumulation_steps must have keys that are optimizers of torch, given 'generator'"
    with pytest.raises(TypeError, match=rule):
        check_plan(Everything(0).trainer, 5, 4, gradient_accumulation_steps={"generator": 5})


@pytest.mark.parametrize("trainer", [None, "trainer", Training(), make_trainer, 3])
def test_the_trainer_is_an_engine(trainer):
    with pytest.raises(TypeError, match="trainer must be an ignite Engine, a scheduler, a list"):
        dry_run(trainer, 5, 4)


METRICS = [
    ([1.0], TypeError, r"metrics must be a mapping of names to values, given \[1.0\]"),
    ("loss", TypeError, "metrics must be a mapping of names to values, given 'loss'"),
    (1.0, TypeError, "metrics must be a mapping of names to values, given 1.0"),
    ({3: [1.0]}, TypeError, "metrics must have names that are strings, given 3"),
    ({None: [1.0]}, TypeError, "metrics must have names that are strings, given None"),
    ({"loss": 1.0}, TypeError, r"metrics\['loss'\] must be a list of numbers, given 1.0"),
    ({"loss": "12345"}, TypeError, r"metrics\['loss'\] must be a list of numbers, given '12345'"),
    ({"loss": b"12345"}, TypeError, r"metrics\['loss'\] must be a list of numbers"),
    ({"loss": None}, TypeError, r"metrics\['loss'\] must be a list of numbers, given None"),
    ({"loss": {1.0: 2.0}}, TypeError, r"metrics\['loss'\] must be a list of numbers"),
    ({"loss": {1.0, 2.0}}, TypeError, r"metrics\['loss'\] must be a list of numbers"),
    ({"loss": iter([1.0])}, TypeError, r"metrics\['loss'\] must be a list of numbers"),
    ({"loss": np.array(1.0)}, TypeError, r"metrics\['loss'\] must be a list of numbers"),
    ({"loss": np.ones((5, 2))}, TypeError, r"metrics\['loss'\]"),
    ({"loss": [1.0, None, 1.0, 1.0, 1.0]}, TypeError, r"metrics\['loss'\]\[1\].* given None"),
    ({"loss": [1.0, 1.0, "one", 1.0, 1.0]}, TypeError, r"metrics\['loss'\]\[2\].* given 'one'"),
    ({"loss": [1.0, "1.0", 1.0, 1.0, 1.0]}, TypeError, r"metrics\['loss'\]\[1\] must be a number, given '1.0'"),
    ({"loss": [[1.0]] * 5}, TypeError, r"metrics\['loss'\]\[0\].* given \[1.0\]"),
    ({"loss": []}, ValueError, r"metrics\['loss'\] must have .* given 0 values"),
    ({"loss": [1.0] * 3}, ValueError, r"metrics\['loss'\] must have .* divides the 20 iterations, given 3 values"),
    ({"loss": [1.0] * 21}, ValueError, r"metrics\['loss'\] must have .* given 21 values"),
    ({"loss": [1.0] * 40}, ValueError, r"metrics\['loss'\] must have .* given 40 values"),
    ({"loss": [1.0] * 5, "accuracy": [1.0] * 6}, ValueError, r"metrics\['accuracy'\] must have .* given 6 values"),
]


@for_each(("metrics", "error", "text"), METRICS)
def test_metrics_are_lists_of_numbers_by_name(metrics, error, text):
    everything = Everything(0)
    before = everything.seen()
    with pytest.raises(error, match=text):
        dry_run(everything.trainer, 5, 4, metrics)
    assert everything.seen() == before


@pytest.mark.parametrize(
    "values",
    [
        [3, 2, 2, 2, 1],
        (3.0, 2.0, 2.0, 2.0, 1.0),
        np.array([3, 2, 2, 2, 1]),
        np.array([3, 2, 2, 2, 1], dtype=np.float32),
        [torch.tensor(3.0), np.float64(2), np.int32(2), 2, 1.0],
    ],
)
def test_metrics_of_any_kind_of_number(values):
    training = Training()
    optimizer = training.optimizer()
    ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0).attach(
        training.trainer, Events.EPOCH_COMPLETED
    )
    plan = dry_run(training.trainer, 5, 1, {"loss": values})
    assert plan["lr"][:, 0].tolist() == [0.5, 0.5, 0.5, 0.25, 0.125]
    assert values_of(optimizer) == [0.5]


def test_the_epoch_length_is_that_of_the_run_the_trainer_is_in():
    everything = Everything(2)
    before = everything.seen()
    with pytest.raises(ValueError, match="epoch_length must be 4, as in the run that the trainer is in, given 5"):
        dry_run(everything.trainer, 5, 5)
    assert everything.seen() == before
    assert dry_run(everything.trainer, 5, 4).start == 8


def test_a_run_that_is_over_says_nothing_of_the_next_ones_epochs():
    training = Training()
    optimizer = training.optimizer()
    ReduceOnPlateauScheduler(optimizer, "lr", "loss").attach(training.trainer, Events.EPOCH_STARTED)
    assert dry_run(training.trainer, 2, 7).start == 0
    assert dry_run(training.trainer, 1, 1)["lr"].tolist() == [[0.5]]
