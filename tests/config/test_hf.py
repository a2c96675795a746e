"""The learning-rate arguments of transformers' ``Trainer`` in a config: values computed by hand, lengths and errors."""

import json
import math
import random

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler

# A config of a whole training; most of its keys have no effect on the learning rate.
TRAINING = {
    "output_dir": "out",
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "learning_rate": 1.0,
    "lr_scheduler_type": "linear",
    "weight_decay": 0.01,
    "logging_steps": 10,
    "save_steps": 0.2,
    "eval_strategy": "steps",
    "eval_steps": 50,
    "bf16": True,
    "run": "first",
    "lr_scheduler_kwargs": None,
    "deepspeed": None,
}


def training(name="linear", **arguments):
    return {**TRAINING, "lr_scheduler_type": name, **arguments}


def simulated(config, events=12, groups=1, **kwargs):
    return configure_scheduler(make_optimizer(groups), config, **kwargs).simulate(events)


def rates(config, events=12, **kwargs):
    return simulated(config, events, **kwargs)[:, 0]


RATE = {"min_lr_rate": 0.5}
BY_HAND = [
    (training(max_steps=4), [1, 0.75, 0.5, 0.25, 0, 0]),
    (training(max_steps=6, warmup_steps=2), [0, 0.5, 1, 0.75, 0.5, 0.25, 0]),
    (training(max_steps=6, warmup_ratio=0.2), [0, 0.5, 1, 0.75, 0.5, 0.25, 0]),  # ceil(1.2) = 2 steps
    (training(max_steps=6, warmup_steps=0.2), [0, 0.5, 1, 0.75, 0.5, 0.25, 0]),
    (training(max_steps=6, warmup_steps=2, warmup_ratio=0.9), [0, 0.5, 1, 0.75, 0.5, 0.25, 0]),
    (training(max_steps=6, warmup_steps=0, warmup_ratio=0.2), [0, 0.5, 1, 0.75, 0.5, 0.25, 0]),
    (training(max_steps=6, warmup_steps=2.9), [0, 0.5, 1, 0.75, 0.5, 0.25, 0]),
    (training("cosine", max_steps=6, warmup_steps=2), [0, 0.5, 1, 0.8536, 0.5, 0.1464, 0]),
    (
        training("cosine_with_restarts", max_steps=4, lr_scheduler_kwargs={"num_cycles": 2}),
        [1, 0.5, 1, 0.5, 0, 0],
    ),
    (
        training("polynomial", max_steps=4, lr_scheduler_kwargs='{"power": 2.0, "lr_end": 0.2}'),
        [1, 0.65, 0.4, 0.25, 0.2, 0.2],
    ),
    (training("constant", warmup_steps=3, lr_scheduler_kwargs={"min_lr": 0.1}), [1, 1, 1, 1]),
    (training("constant_with_warmup", warmup_steps=2), [0, 0.5, 1, 1]),
    (training("inverse_sqrt", warmup_steps=2), [0, 0.5, 1, 0.8165, 0.7071]),
    (
        training("cosine_with_min_lr", max_steps=4, lr_scheduler_kwargs={"min_lr": 0.5}),
        [1, 0.9268, 0.75, 0.5732, 0.5],
    ),
    (training("cosine_warmup_with_min_lr", max_steps=4, warmup_steps=2, lr_scheduler_kwargs=RATE), [0.5, 1, 0.75, 0.5]),
    (
        training(
            "warmup_stable_decay",
            max_steps=6,
            warmup_steps=2,
            lr_scheduler_kwargs={"num_decay_steps": 2, "decay_type": "linear"},
        ),
        [0, 0.5, 1, 1, 1, 0.5, 0, 0],
    ),
    # Names as Python prints an enum, and the argument names of examples that have a training loop of their own.
    (training("SchedulerType.COSINE", max_steps=6, warmup_steps=2), [0, 0.5, 1, 0.8536, 0.5, 0.1464, 0]),
    (training(max_train_steps=6, num_warmup_steps=2, num_train_epochs=3), [0, 0.5, 1, 0.75, 0.5, 0.25, 0]),
    ({"trainer": {"args": training(max_steps=4)}, "model": {"type": "bert"}}, [1, 0.75, 0.5, 0.25, 0, 0]),
    ({"_target_": "transformers.TrainingArguments", **training(max_steps=4)}, [1, 0.75, 0.5, 0.25, 0, 0]),
]


@for_each(("config", "expected"), BY_HAND)
def test_values_computed_by_hand(config, expected):
    np.testing.assert_allclose(rates(config, len(expected)), expected, atol=6e-5)
    config = json.loads(json.dumps(configure_scheduler(make_optimizer(1), config).config()))
    assert config["type"] == "hf.TrainingArguments"
    assert "bf16" not in config
    np.testing.assert_allclose(rates(config, len(expected)), expected, atol=6e-5)


def test_drawn_warmups_and_lengths_follow_the_formula():
    drawn = random.Random(3)
    for _ in range(100):
        epochs, epoch_length = drawn.choice([1, 2.0, drawn.uniform(0.5, 4)]), drawn.randint(3, 12)
        ratio, rate = drawn.random(), drawn.random()
        steps = math.ceil(epochs * epoch_length)
        warmup = math.ceil(steps * ratio)
        config = training(num_train_epochs=epochs, max_steps=-1, warmup_ratio=ratio, learning_rate=rate)
        expected = [
            rate * event / warmup if event < warmup else rate * max(steps - event, 0) / max(steps - warmup, 1)
            for event in range(50)
        ]
        np.testing.assert_allclose(rates(config, 50, epoch_length=epoch_length), expected, rtol=1e-9, atol=1e-15)


def test_a_learning_rate_of_the_config_is_that_of_all_groups():
    assert simulated(training(max_steps=2), 3, 2).tolist() == [[1, 1], [0.5, 0.5], [0, 0]]
    assert simulated(training(max_steps=2, learning_rate=None), 3, 2).tolist() == [[0.5, 1.5], [0.25, 0.75], [0, 0]]


def test_the_length_may_be_that_of_the_run(tmp_path):
    expected = rates(training(max_steps=12), 14)
    for length in ({"total_steps": 12}, {"max_epochs": 3, "epoch_length": 4}):
        assert np.array_equal(rates(TRAINING, 14, **length), expected)
        assert np.array_equal(rates(training(num_train_epochs=3.0), 14, **length), expected)
        assert np.array_equal(rates({**TRAINING, "run": length}, 14), expected)
    (tmp_path / "training.json").write_text(json.dumps(training(num_train_epochs=3)))
    assert np.array_equal(rates(tmp_path / "training.json", 14, epoch_length=4), expected)


def test_a_config_without_a_type_is_linear_where_the_dialect_is_given():
    config = {key: value for key, value in training(max_steps=6, warmup_ratio=0.2).items() if "scheduler" not in key}
    assert np.array_equal(rates(config, 8, dialect="hf"), rates(training(max_steps=6, warmup_ratio=0.2), 8))
    with pytest.raises(ValueError, match="'type' must be present"):
        configure_scheduler(make_optimizer(1), config)


@pytest.mark.parametrize(
    ("arguments", "length", "every"),
    [
        ({"eval_strategy": "steps", "eval_steps": 3}, {}, 3),
        ({"eval_strategy": "epoch"}, {"epoch_length": 4}, 4),
        ({"evaluation_strategy": "steps", "eval_strategy": None, "eval_steps": None, "logging_steps": 2}, {}, 2),
        ({"eval_strategy": "steps", "eval_steps": 0.25, "max_steps": 12}, {}, 3),
    ],
)
def test_a_plateau_reads_its_metric_at_each_evaluation(arguments, length, every):
    kwargs = {"factor": 0.5, "patience": 0}
    config = training(
        "reduce_lr_on_plateau", lr_scheduler_kwargs=kwargs, metric_for_best_model="eval_loss", **arguments
    )
    optimizer, seen = make_optimizer(1), []
    trainer = Engine(lambda engine, batch: seen.append(optimizer.param_groups[0]["lr"]))
    configure_scheduler(optimizer, config, **length).attach(trainer, Events.ITERATION_STARTED)

    @trainer.on(Events.ITERATION_COMPLETED(every=every))
    def evaluate():
        trainer.state.metrics["eval_loss"] = 1.0

    trainer.run([None] * 12)
    rises = np.arange(12) // every
    assert seen == (0.5 ** np.maximum(rises - 1, 0)).tolist()


DEEPSPEED = {
    "optimizer": {"type": "AdamW", "params": {"lr": "auto"}},
    "scheduler": {
        "type": "WarmupDecayLR",
        "params": dict.fromkeys(("warmup_min_lr", "warmup_max_lr", "warmup_num_steps", "total_num_steps"), "auto"),
    },
    "train_batch_size": "auto",
}


def test_the_scheduler_of_deepspeed_is_filled_in_from_the_arguments():
    config = training("cosine", max_steps=20, warmup_ratio=0.2, deepspeed=DEEPSPEED)
    own = {"type": "deepspeed.WarmupDecayLR", "warmup_max_lr": 1.0, "warmup_num_steps": 4, "total_num_steps": 20}
    assert np.array_equal(rates(config, 24), rates(own, 24))
    bare = {key: value for key, value in DEEPSPEED.items() if key != "scheduler"}
    config = training("cosine", max_steps=20, warmup_ratio=0.2)
    assert np.array_equal(rates({**config, "deepspeed": bare}, 24), rates(config, 24))
    with pytest.warns(UserWarning, match=r"config\['deepspeed'\] is a path whose file is not read. If 'ds.json' has"):
        assert np.array_equal(rates({**config, "deepspeed": "ds.json"}, 24), rates(config, 24))


STEPS = "the steps of the run must be known: give max_steps, or total_steps, or num_train_epochs and epoch_length"
REFUSED = [
    (TRAINING, {}, STEPS),
    (training(num_train_epochs=3), {}, STEPS),
    (training("constant_with_warmup", warmup_ratio=0.1), {}, STEPS),
    (training("cosin"), {}, r"config\['lr_scheduler_type'\] must be a known name, given 'cosin'; did you mean"),
    (training({"values": ["cosine"]}), {}, r"config\['lr_scheduler_type'\] must be a string"),
    (
        training(max_steps=9),
        {"total_steps": 10},
        "the number of steps must be 10, as in the run, given 9 by max_steps=9",
    ),
    (
        training(num_train_epochs=2),
        {"max_epochs": 3, "epoch_length": 4},
        r"\['num_train_epochs'\] must be 3, the epochs of the run",
    ),
    (training(max_steps=0), {}, r"config\['max_steps'\] must be above 0, or -1 for none, given 0"),
    (training(max_steps=2.5), {}, r"config\['max_steps'\] must be a whole number"),
    (training(warmup_ratio=2), {}, r"config\['warmup_ratio'\] must be"),
    (training(warmup_steps=-1), {}, r"config\['warmup_steps'\] must be"),
    (
        training(max_steps=9, lr_warmup_steps=2),
        {},
        r"config\['lr_warmup_steps'\] is not known; did you mean 'warmup_st",
    ),
    (training(max_steps=9, warmup_epochs=2), {}, r"config\['warmup_epochs'\] is not known"),
    (training(num_epochs=2), {}, r"config\['num_epochs'\] is not known .*: give 'num_train_epochs'"),
    (training("cosine", total_steps=9), {}, r"config\['total_steps'\] is not known .*: give 'max_steps'"),
    (training(max_steps=9, stable_ratio=0.2), {}, "is not known .*: give it in 'lr_scheduler_kwargs'"),
    (training(max_steps=9, num_cycles=2), {}, r"config\['num_cycles'\] is not known"),
    (training(max_steps=9, warmup_step=2), {}, "did you mean 'warmup_steps'"),
    (training("cosine", max_steps=9, lr_scheduler_kwargs="cycles"), {}, r"\['lr_scheduler_kwargs'\] must be a mapping"),
    (
        training("cosine", max_steps=9, lr_scheduler_kwargs={"num_cycle": 2}),
        {},
        r"config\['lr_scheduler_kwargs'\]\['num_cycle'\] is not known; did you mean 'num_cycles'",
    ),
    (
        training("cosine", max_steps=9, lr_scheduler_kwargs={"num_warmup_steps": 2}),
        {},
        r"\['lr_scheduler_kwargs'\]\['num_warmup_steps'\] must be left out",
    ),
    (training("cosine_with_min_lr", max_steps=9), {}, "exactly one of min_lr and min_lr_rate must be a number"),
    (
        training("greedy", eval_strategy="no"),
        {},
        r"\['eval_strategy'\] must be 'steps' or 'epoch' for greedy, given 'no'",
    ),
    (training("greedy", eval_strategy="epoch"), {}, "epoch_length must be given, since eval_strategy is 'epoch'"),
    (
        training("polynomial", max_steps=9, lr_scheduler_kwargs={"lr_end": 10.0}),
        {},
        "lr_end must be less than the optimizer's .*, given 10.0",
    ),
    (training("greedy", eval_delay=5), {}, r"\['eval_delay'\] must be 0 for greedy, given 5"),
    (
        {"scheduler": {"type": "hf.TrainingArguments", "max_steps": 9}, "interval": "step", "frequency": 2},
        {},
        r"\['lightning'\] must be left out, since the Trainer",
    ),
]


@for_each(("config", "length", "message"), REFUSED)
def test_what_is_not_understood_is_named(config, length, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        configure_scheduler(make_optimizer(1, torch.optim.AdamW), config, **length)
    assert len(str(caught.value)) <= 500
