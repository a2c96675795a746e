"""The flags of Megatron-LM: values computed by hand, drawn flags compared with its formula, and errors."""

import json
import math
import random

import numpy as np
import pytest
import torch
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler
from lehr.handlers.core.for_plans_and_cli import members_of

FLAGS = {"lr": 1.0, "min_lr": 0.2, "train_iters": 6, "lr_warmup_iters": 2, "lr_decay_style": "linear"}
LINEAR = [0.0, 0.5, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2]
WSD = {**FLAGS, "lr_decay_style": "WSD", "lr_wsd_decay_iters": 2}
IN_SAMPLES = {"lr": 1.0, "train_samples": 12, "lr_warmup_samples": 4, "global_batch_size": 2, "min_lr": 0.2}


def simulated(config, events=8, **kwargs):
    return configure_scheduler(make_optimizer(2), config, **kwargs).simulate(events)[:, 0].round(6).tolist()


@for_each(
    ("config", "values"),
    [
        (FLAGS, LINEAR),
        ({key.replace("_", "-"): value for key, value in FLAGS.items()}, LINEAR),
        (
            {**FLAGS, "num_layers": 12, "optimizer": "adam", "eval_iters": 3, "override_opt_param_scheduler": True},
            LINEAR,
        ),
        ({**IN_SAMPLES, "lr_decay_style": "linear"}, LINEAR),
        ({**FLAGS, "lr_warmup_iters": 0, "lr_warmup_fraction": 1 / 3}, LINEAR),
        ({**FLAGS, "lr_warmup_init": 0.5}, [0.5, 0.75, *LINEAR[2:]]),
        ({**FLAGS, "lr_decay_style": "constant"}, [0.0, 0.5, *[1.0] * 6]),
        ({**FLAGS, "lr_decay_style": "cosine"}, [0.0, 0.5, 1.0, 0.882843, 0.6, 0.317157, 0.2, 0.2]),
        ({**FLAGS, "lr_decay_style": "inverse-square-root"}, [0, 0.5, 1, 0.816497, 0.707107, 0.632456, 0.57735, 0.2]),
        ({**FLAGS, "lr_decay_iters": 4}, [0.0, 0.5, 1.0, 0.6, 0.2, 0.2, 0.2, 0.2]),
        ({**WSD, "lr_wsd_decay_style": "linear"}, [0, 0.5, 1.0, 1.0, 1.0, 0.6, 0.2, 0.2]),
        ({**WSD, "lr_wsd_decay_style": "cosine"}, [0, 0.5, 1.0, 1.0, 1.0, 0.6, 0.2, 0.2]),
        (WSD, [0, 0.5, 1.0, 1.0, 1.0, 0.531371, 0.2, 0.2]),
        ({**WSD, "lr_wsd_decay_style": "minus_sqrt"}, [0, 0.5, 1.0, 1.0, 1.0, 0.434315, 0.2, 0.2]),
        ({"type": "megatron.OptimizerParamScheduler", **FLAGS}, LINEAR),
        (
            {
                "train": {"train_iters": 6},
                "optimizer": {"lr": 1.0, "min_lr": 0.2},
                "scheduler": {"lr_decay_style": "linear", "lr_warmup_iters": 2},
            },
            LINEAR,
        ),
    ],
)
def test_values_computed_by_hand(config, values):
    assert simulated(config) == pytest.approx(values, abs=1e-6)


def test_the_length_and_the_learning_rate_may_be_those_of_the_run():
    short = {key: value for key, value in FLAGS.items() if key not in ("lr", "train_iters")}
    optimizer = make_optimizer(1)
    optimizer.param_groups[0]["lr"] = 1.0
    assert configure_scheduler(optimizer, short, total_steps=6).simulate(8)[:, 0].tolist() == pytest.approx(LINEAR)
    with pytest.raises(ValueError, match=r"\['train_iters'\] or total_steps of configure_scheduler must be given"):
        configure_scheduler(optimizer, short)
    with pytest.raises(ValueError, match=r"\['train_iters'\] must be 7, the steps of the run, given 6"):
        configure_scheduler(optimizer, FLAGS, total_steps=7)


def test_a_file_of_flags(tmp_path):
    path = tmp_path / "args.json"
    path.write_text(json.dumps({"model": {"layers": 3}, "training": FLAGS}))
    assert simulated(path) == pytest.approx(LINEAR)


def test_the_weight_decay_grows_except_where_it_is_zero():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "weight_decay": one} for one in (0.1, 0.0)]
    optimizer = torch.optim.AdamW(groups, lr=0.3)
    growing = {"weight_decay_incr_style": "linear", "start_weight_decay": 0.1, "end_weight_decay": 0.4}
    rates, decays = members_of(configure_scheduler(optimizer, {**FLAGS, "train_iters": 3, **growing}))
    assert rates.simulate(2)[:, 0].tolist() == [0.0, 0.5]
    assert decays.param_name == "weight_decay"
    assert decays.simulate(5) == pytest.approx(np.array([[0.1, 0], [0.2, 0], [0.3, 0], [0.4, 0], [0.4, 0]]))
    growing["weight_decay_incr_style"] = "cosine"
    _, decays = members_of(configure_scheduler(optimizer, {**FLAGS, "train_iters": 3, **growing}))
    assert decays.simulate(5)[:, 0].tolist() == pytest.approx([0.1, 0.175, 0.325, 0.4, 0.4])


def test_param_groups_have_their_own_bounds():
    optimizer = make_optimizer(2)
    optimizer.param_groups[1].update(max_lr=0.4, min_lr=0.0)
    values = configure_scheduler(optimizer, FLAGS).simulate(8)
    assert values[:, 0].tolist() == pytest.approx(LINEAR)
    assert values[:, 1].tolist() == pytest.approx([0.0, 0.2, 0.4, 0.3, 0.2, 0.1, 0.0, 0.0])


def formula(c, step, size):
    """Return the learning rate at an iteration, as Megatron's documentation of its flags gives it."""
    t, decay, warmup = step * size, c["train_iters"] * size, c["lr_warmup_fraction"] * c["train_iters"] * size
    top, low, style = c["lr"], c["min_lr"], c["lr_decay_style"]
    if warmup and t <= warmup:
        return c["lr_warmup_init"] + (top - c["lr_warmup_init"]) * t / warmup
    if style == "constant":
        return top
    if t > decay:
        return low
    if style == "inverse-square-root":
        return max(low, top * math.sqrt(max(warmup, 1) / max(t, 1)))
    ratio = (t - warmup) / (decay - warmup)
    if style == "WSD":
        last = c["lr_wsd_decay_iters"] * size
        ratio, style = max(t - (decay - last), 0) / last, c["lr_wsd_decay_style"]
    remaining = {
        "linear": 1 - ratio,
        "cosine": (1 + math.cos(math.pi * ratio)) / 2,
        "exponential": 2 * 0.5**ratio - 1,
        "minus_sqrt": 1 - math.sqrt(ratio),
    }
    return low + remaining[style] * (top - low)


def test_drawn_flags_give_the_values_of_the_formula():
    draw = random.Random(7)
    for _ in range(200):
        lr, size = draw.uniform(0.1, 1.0), draw.choice([1, 4, 9])
        config = {
            "lr": lr,
            "min_lr": draw.choice([0.0, 0.3 * lr]),
            "lr_warmup_init": draw.choice([0.0, 0.1 * lr]),
            "lr_warmup_fraction": draw.choice([0.0, 0.1, 0.37, 0.9]),
            "train_iters": draw.randint(2, 40),
            "lr_decay_style": draw.choice(["constant", "linear", "cosine", "inverse-square-root", "WSD"]),
            "lr_wsd_decay_style": draw.choice(["linear", "cosine", "exponential", "minus_sqrt"]),
            "lr_wsd_decay_iters": draw.randint(1, 50),
            "global_batch_size": size,
        }
        values = configure_scheduler(make_optimizer(1), config).simulate(50)[:, 0]
        expected = [formula(config, step, size) for step in range(50)]
        assert values == pytest.approx(np.array(expected), rel=1e-9, abs=1e-12), config


@for_each(
    ("config", "message"),
    [
        ({**FLAGS, "warmup": 0.01}, r"\['warmup'\] is not known to megatron.*a config of GPT-NeoX"),
        ({**FLAGS, "lr_decay_starting_step": 3}, "a config of nanotron"),
        ({**FLAGS, "lr-warmup-steps": 3}, r"\['lr-warmup-steps'\].*'lr_warmup_iters'"),
        ({**FLAGS, "max_steps": 3}, r"\['max_steps'\] is not known .*: give 'train_iters'"),
        ({**FLAGS, "num-epochs": 3}, r"\['num-epochs'\] is not known .*: give 'train_iters'"),
        ({**FLAGS, "lr_warmup_iter": 3}, r"\['lr_warmup_iter'\] is not known; did you mean 'lr_warmup_iters'"),
        ({**FLAGS, "lr-decay-style": "cosine"}, r"\['lr-decay-style'\] must occur once"),
        ({**FLAGS, "lr_warmup_fraction": 0.1}, r"\['lr_warmup_iters'\] must not be combined with lr_warmup_fraction"),
        ({**FLAGS, "lr_warmup_samples": 3}, r"\['lr_warmup_samples'\] must be left out in a run that counts iters"),
        ({**FLAGS, "lr_warmup_iters": 6}, "warm-up must be shorter than the decay, 6 iterations, given 6"),
        ({**FLAGS, "min_lr": 2.0}, r"\['min_lr'\] must be at most the learning rate, 1.0, given 2.0"),
        ({**FLAGS, "lr_warmup_init": 2.0}, r"\['lr_warmup_init'\] must be at most the learning rate"),
        ({**FLAGS, "lr_decay_style": "WSD"}, r"\['lr_wsd_decay_iters'\] must be at least 1"),
        ({**FLAGS, "lr_decay_style": "cosin"}, r"\['lr_decay_style'\] must be"),
        (
            {**FLAGS, "weight_decay_incr_style": "linear"},
            r"\['start_weight_decay'\] and end_weight_decay must be numbers",
        ),
        ({**FLAGS, "start_weight_decay": 0.2, "end_weight_decay": 0.1}, r"\['end_weight_decay'\] must be"),
        ({**FLAGS, "rampup_batch_size": [2, 2, 8]}, r"\['rampup_batch_size'\] is not known"),
        (
            {**IN_SAMPLES, "lr_decay_style": "linear", "global_batch_size": None},
            r"\['global_batch_size'\] must be given",
        ),
        (
            {"lr": 1.0, "lr_decay_style": "inverse-square-root", "train_iters": 4},
            r"\['global_batch_size'\] must be given, since an inverse square root without a warm-up",
        ),
        ({"lr_decay_style": "cosine", "train_iters": 4}, r"\['min_lr'\] must be a number if lr is missing"),
    ],
)
def test_what_is_not_understood_is_refused(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        configure_scheduler(make_optimizer(2), config)
    assert len(str(caught.value)) <= 500


def test_flags_count_iterations_alone():
    with pytest.raises(ValueError, match="epoch_length must be left out, since Megatron counts iterations"):
        configure_scheduler(make_optimizer(1), FLAGS, epoch_length=3)
