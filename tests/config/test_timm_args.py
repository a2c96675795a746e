"""The arguments of timm's training command: values computed by hand and by timm's formulas, and errors."""

import math
import random

import numpy as np
import pytest
import torch
from cases import for_each

from lehr.handlers import configure_scheduler

# Keys of an args.yaml that have no effect on the schedule.
OTHERS = {
    "model": "resnet50",
    "batch_size": 128,
    "opt": "sgd",
    "momentum": 0.9,
    "weight_decay": 2e-5,
    "lr_base": 0.1,
    "lr_base_size": 256,
    "lr_base_scale": "",
    "epoch_repeats": 0.0,
    "start_epoch": None,
    "mixup_off_epoch": 0,
    "model_ema_warmup": False,
    "workers": 4,
    "eval_metric": "top1",
    "log_interval": 50,
}


def optimizer_of(*scales):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr_scale": scale} for scale in scales or (1.0,)]
    return torch.optim.SGD(groups, lr=0.8)


def simulated(config, events, *scales, **kwargs):
    values = configure_scheduler(optimizer_of(*scales), config, **kwargs).simulate(events)
    return values.tolist() if scales else values[:, 0].tolist()


def cosine(start, end, part):
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


TABLE = [
    ({"sched": "cosine", "epochs": 4, "warmup_epochs": 0}, [*(cosine(0.8, 0.0, i / 4) for i in range(5)), 0.0]),
    # The warm-up takes the first 2 of the 6 epochs; the cosine continues at its third epoch.
    (
        {"sched": "cosine", "epochs": 6, "warmup_epochs": 2, "warmup_lr": 0.2, "min_lr": 0.1, "lr": 0.4},
        [0.2, 0.3, *(cosine(0.4, 0.1, i / 6) for i in range(2, 7)), 0.1],
    ),
    # With `warmup_prefix`, the warm-up comes before the 4 epochs of the cosine.
    (
        {"sched": "cosine", "epochs": 4, "warmup_epochs": 2, "warmup_lr": 0.0, "warmup_prefix": True},
        [0.0, 0.4, *(cosine(0.8, 0.0, i / 4) for i in range(5))],
    ),
    (
        {"sched": "cosine", "epochs": 2, "warmup_epochs": 0, "lr_cycle_limit": 2, "lr_cycle_decay": 0.25},
        [0.8, 0.4, 0.2, 0.1, 0.0, 0.0],
    ),
    ({"sched": "step", "decay_epochs": 2.0, "decay_rate": 0.5, "warmup_epochs": 0}, [0.8, 0.8, 0.4, 0.4, 0.2]),
    (
        {"sched": "multistep", "decay_milestones": [2, 4], "decay_rate": 0.5, "warmup_epochs": 0},
        [0.8, 0.4, 0.4, 0.2, 0.2],  # timm takes each milestone one epoch early
    ),
    # For a polynomial, `decay_rate` is the power.
    ({"sched": "poly", "epochs": 4, "decay_rate": 2.0, "warmup_epochs": 0}, [0.8, 0.45, 0.2, 0.05, 0.0]),
    ({"sched": "constant", "warmup_epochs": 2, "warmup_lr": 0.2}, [0.2, 0.5, 0.8, 0.8]),
    ({"sched": "none", "lr": 0.3}, [0.3, 0.3]),
    (
        {"sched": "wsd", "epochs": 6, "warmup_epochs": 2, "warmup_lr": 0.4, "decay_epochs": 0.5,
         "lr_decay_fn": "linear"},
        [0.4, 0.6, 0.8, 0.8, 0.8, 0.4, 0.0],
    ),
]  # fmt: skip


@for_each(("config", "expected"), TABLE)
def test_values_are_those_of_timm(config, expected):
    np.testing.assert_allclose(simulated(config, len(expected)), expected, rtol=1e-12, atol=1e-15)
    nested = {"training": {"lr_scheduler": {**OTHERS, "lr": None, **config}}}
    np.testing.assert_allclose(simulated(nested, len(expected)), expected, rtol=1e-12, atol=1e-15)


def test_epochs_are_kept_and_updates_are_not():
    config = {"sched": "cosine", "epochs": 2, "warmup_epochs": 1, "warmup_lr": 0.0}
    np.testing.assert_allclose(simulated(config, 6, epoch_length=3), [0, 0, 0, 0.4, 0.4, 0.4], atol=1e-15)
    expected = [0.0, 0.8 / 3, 1.6 / 3, *(cosine(0.8, 0.0, i / 6) for i in range(3, 6))]
    updates = simulated({**config, "sched_on_updates": True}, 6, epoch_length=3)
    np.testing.assert_allclose(updates, expected, rtol=1e-12, atol=1e-15)


def test_the_learning_rate_of_the_file_is_scaled_in_each_group():
    config = {"sched": "step", "decay_epochs": 1, "decay_rate": 0.5, "warmup_epochs": 0, "lr": 0.4}
    np.testing.assert_allclose(simulated(config, 2, 1.0, 0.5), [[0.4, 0.2], [0.2, 0.1]])


def test_a_plateau_reads_the_metric_of_the_evaluation():
    config = {"sched": "plateau", "patience_epochs": 0, "decay_rate": 0.5, "warmup_epochs": 0, "eval_metric": "loss"}
    optimizer, values = optimizer_of(), []
    scheduler = configure_scheduler(optimizer, config)
    for _ in range(4):
        scheduler.apply()
        values.append(optimizer.param_groups[0]["lr"])
        scheduler.observe(1.0)
    assert values == [0.8, 0.8, 0.4, 0.2]
    assert scheduler.metric_name == "loss"
    assert configure_scheduler(optimizer_of(), {**config, "eval_metric": "top5"}).metric_name == "top5"


@for_each("seed", range(20))
def test_noise_begins_and_ends_at_fractions_of_the_epochs(seed):
    drawn = random.Random(seed)
    epochs, begin, end = drawn.randint(5, 30), drawn.uniform(0, 0.5), drawn.uniform(0.5, 1)
    plain = {"sched": "cosine", "epochs": epochs, "warmup_epochs": drawn.randint(0, 4)}
    both = simulated({**plain, "lr_noise": [begin, end], "lr_noise_pct": 0.5, "seed": seed}, epochs)
    smooth = simulated(plain, epochs)
    noisy = [epoch for epoch in range(1, epochs) if begin * epochs <= epoch < end * epochs]
    differs = [epoch for epoch in range(epochs) if both[epoch] != smooth[epoch]]
    assert differs == noisy
    assert all(abs(both[epoch] / smooth[epoch] - 1) < 0.5 for epoch in noisy)


def test_a_length_that_is_left_out_is_that_of_the_run():
    config = {"sched": "cosine", "warmup_epochs": 0}
    assert simulated(config, 5, max_epochs=4) == simulated({**config, "epochs": 4}, 5)
    longer = {**config, "epochs": 4, "cooldown_epochs": 2}
    assert simulated(longer, 5, max_epochs=6) == simulated(longer, 5)


@for_each(
    ("config", "kwargs", "message"),
    [
        ({"sched": "cosine_lr", "epochs": 3}, {}, r"config\['sched'\] must be one of"),
        ({"sched": "cosine"}, {}, r"config\['epochs'\] or max_epochs of configure_scheduler must be a number"),
        ({"sched": "cosine", "epochs": 9}, {"max_epochs": 8}, r"config\['epochs'\] must be 8, the epochs of the run"),
        ({"sched": "cosine", "epochs": 9, "start_epoch": 3}, {}, r"config\['start_epoch'\] must be 0: use seek"),
        ({"sched": "cosine", "epochs": 9, "max_epochs": 8}, {}, r"\['max_epochs'\] is not known .*: give 'epochs'"),
        ({"sched": "poly", "epochs": 9, "power": 2}, {}, r"\['power'\] is not known .*: give 'decay_rate'"),
        ({"sched": "cosine", "epochs": 9, "warmup_epoch": 3}, {}, r"\['warmup_epoch'\] is not known; did you mean"),
        ({"sched": "cosine", "epochs": 9, "warmup_epochs": 0.5}, {}, r"\['warmup_epochs'\] must be a whole number"),
        ({"sched": "cosine", "epochs": 9, "sched_on_updates": True}, {}, r"\['sched_on_updates'\] needs epoch_length"),
        (
            {"sched": "plateau", "sched_on_updates": True},
            {"epoch_length": 3},
            r"\['sched_on_updates'\] must be false for a plateau",
        ),
        ({"sched": "plateau", "decay_rate": 1.5}, {}, r"\['decay_rate'\] must be at least 0 and less than 1"),
        ({"sched": "wsd", "epochs": 9, "decay_epochs": 8.0}, {}, r"\['decay_epochs'\] must be within the 4 steps"),
        ({"sched": "step", "epochs": 9, "lr_noise": [0.1, 0.2, 0.3]}, {}, r"\['lr_noise'\] must be a number or a list"),
    ],
)
def test_what_timm_would_not_take_is_refused(config, kwargs, message):
    with pytest.raises(ValueError, match=message) as caught:
        simulated(config, 3, **kwargs)
    assert len(str(caught.value)) <= 500


def test_a_block_of_that_name_is_not_an_argument_of_timm():
    with pytest.raises(ValueError, match="'type' must be present"):
        simulated({"optim": {"sched": {"name": "SomeSchedule"}}}, 3)
