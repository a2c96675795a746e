"""Configs of fairseq: values computed by hand and by fairseq's formulas, and errors."""

import math
import random

import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events

from lehr.handlers import configure_scheduler


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)


def values(config, events, **options):
    return configure_scheduler(optimizer(), config, **options).simulate(events)[:, 0].tolist()


def hydra(section, lr=0.8, **optimization):
    """Return a config as in fairseq's examples, with this section ``lr_scheduler``."""
    return {
        "common": {"fp16": True},
        "optimizer": {"_name": "adam", "adam_betas": "(0.9,0.98)", "weight_decay": 0.01},
        "optimization": {"lr": [lr], "sentence_avg": True, **optimization},
        "lr_scheduler": section,
        "model": {"_name": "transformer"},
    }


FORMS = [
    ("inverse_sqrt", {"warmup_updates": 4}, {}, [0.0, 0.2, 0.4, 0.6, 0.8, 0.8 * math.sqrt(0.8)]),
    ("inverse_sqrt", {"warmup_updates": 2, "warmup_init_lr": 0.4}, {}, [0.4, 0.6, 0.8]),
    ("fixed", {"warmup_updates": 4}, {}, [0.2, 0.4, 0.6, 0.8, 0.8]),
    ("fixed", {}, {}, [0.8, 0.8]),
    ("polynomial_decay", {"warmup_updates": 2}, {"max_update": 6}, [0.0, 0.4, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0]),
    ("polynomial_decay", {"total_num_update": 2, "power": 2.0, "end_learning_rate": 0.4}, {}, [0.8, 0.5, 0.4, 0.4]),
    ("polynomial_decay", {"total_num_update": 2, "power": 0, "force_anneal": 3}, {"max_epoch": 2}, [0.8, 0.8, 0.0]),
    ("cosine", {"warmup_updates": 2}, {"max_update": 6}, [0.0, 0.4, 0.8, 0.4 + 0.4 * math.sqrt(0.5), 0.4]),
    ("cosine", {"lr_period_updates": 2, "min_lr": 0.4, "lr_shrink": 0.5}, {}, [0.8, 0.6, 0.4, 0.3, 0.2]),
    ("cosine", {"lr_period_updates": 1, "t_mult": 2.0, "lr_shrink": 0.5}, {}, [0.8, 0.4, 0.2, 0.2]),
    ("step", {"warmup_updates": 2, "lr_deacy_period": 1, "min_lr": 0.2}, {}, [0.2, 0.5, 0.8, 0.4, 0.2, 0.2]),
    ("triangular", {"max_lr": 1.6, "lr_period_updates": 4, "lr_shrink": 0.75}, {}, [0.8, 1.2, 1.6, 1.2, 0.8, 1.0, 1.2]),
    ("triangular", {"max_lr": 1.6, "lr_period_updates": 2, "lr_shrink": 0.5, "shrink_min": True}, {},
        [0.8, 1.6, 0.4, 0.8]),
    ("tri_stage", {"phase_ratio": [0.25, 0.25, 0.5], "init_lr_scale": 0.5, "final_lr_scale": 0.25}, {"max_update": 8},
        [0.4, 0.6, 0.8, 0.8, 0.8, 0.8 * 0.25**0.25, 0.4, 0.8 * 0.25**0.75, 0.2, 0.2]),
    ("tri_stage", {"hold_steps": 1, "decay_steps": 1, "final_lr_scale": 0.5}, {}, [0.8, 0.8, 0.4, 0.4]),
]  # fmt: skip


@for_each(("name", "section", "optimization", "expected"), FORMS)
def test_schedules(name, section, optimization, expected):
    whole = hydra({"_name": name, **section}, **optimization)
    flags = {"arch": "transformer", "lr_scheduler": name, "lr": [0.8], "stop_min_lr": -1, **section, **optimization}
    typed = {"type": f"fairseq.{TYPES[name]}", "lr": 0.8, **section, **optimization}
    if name != "polynomial_decay":
        typed.pop("max_epoch", None)
    for config in (whole, {"cfg": whole}, flags):
        assert values(config, len(expected)) == pytest.approx(expected)
    assert values(whole, len(expected), section="lr_scheduler") == pytest.approx(expected)
    assert values(typed, len(expected)) == pytest.approx(expected)
    without = {**section, "max_update": None, "_name": name}
    steps = optimization.get("max_update")
    if "max_epoch" not in optimization:
        assert values({"lr_scheduler": without, "optimization": {"lr": 0.8}}, len(expected), total_steps=steps) == (
            pytest.approx(expected)
        )


TYPES = {
    "cosine": "CosineLRSchedule",
    "fixed": "FixedLRSchedule",
    "inverse_sqrt": "InverseSquareRootSchedule",
    "polynomial_decay": "PolynomialDecayLRSchedule",
    "step": "StepLRSchedule",
    "tri_stage": "TriStageLRSchedule",
    "triangular": "TriangularLRSchedule",
}


def test_a_learning_rate_for_each_epoch():
    fixed = {"_name": "fixed", "force_anneal": 3, "lr_shrink": 0.5}
    config = {"lr_scheduler": fixed, "optimization": {"lr": [0.8, 0.4]}}
    assert values(config, 8, epoch_length=2) == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1])
    with pytest.raises(ValueError, match="epoch_length of configure_scheduler must be the updates"):
        values(config, 8)
    # The schedule `polynomial_decay` skips the first learning rate.
    decay = {"_name": "polynomial_decay", "total_num_update": 4}
    config = {"lr_scheduler": decay, "optimization": {"lr": [9.0, 0.8, 0.4]}}
    assert values(config, 4, epoch_length=2) == pytest.approx([0.8, 0.6, 0.2, 0.1])


def test_the_optimizer_gives_the_learning_rate_that_is_left_out():
    assert values({"_name": "fixed"}, 2) == [0.5, 0.5]
    assert values({"lr_scheduler": "fixed", "warmup_updates": 2, "lr": "0.25"}, 3) == [0.125, 0.25, 0.25]


def test_what_a_config_leaves_to_the_command_line():
    config = hydra({"_name": "cosine"}, max_update="???")
    assert values(config, 3, total_steps=4) == values(hydra({"_name": "cosine"}, max_update=4), 3)


def test_a_plateau():
    section = {"_name": "reduce_lr_on_plateau", "lr_shrink": 0.5, "warmup_updates": 3}
    config = {"lr_scheduler": section, "optimization": {"lr": [0.6]}}
    model, written = optimizer(), []
    scheduler = configure_scheduler(model, config, epoch_length=2)
    trainer = Engine(lambda engine, batch: written.append(model.param_groups[0]["lr"]))
    scheduler.attach(trainer, Events.ITERATION_STARTED)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: engine.state.metrics.update(loss=1.0))
    trainer.run([0] * 2, max_epochs=4)
    # The plateau ignores the first epoch, which ends in the warm-up. The third epoch is no better than the second.
    assert written == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.6, 0.6, 0.3, 0.3])


def test_a_composite_optimizer_whose_groups_have_one_schedule():
    def group(**more):
        adam = {"_name": "adam", "weight_decay": 0.05}
        return {"lr_float": 0.4, "optimizer": adam, "lr_scheduler": {"_name": "cosine", "warmup_updates": 2}, **more}

    def composite(**groups):
        return {**hydra("pass_through", max_update=4), "optimizer": {"_name": "composite", "groups": groups}}

    expected = pytest.approx([0.0, 0.2, 0.4, 0.2])
    assert values(composite(default=group()), 4) == expected
    assert values(composite(decay=group(), no_decay=group(optimizer={"_name": "sgd"})), 4) == expected
    with pytest.raises(ValueError, match="must all have the same schedule, or section= must choose one group"):
        values(composite(a=group(), b=group(lr_float=0.2)), 4)
    section = {"section": "optimizer.groups.b", "dialect": "fairseq"}
    assert values(composite(a=group(), b=group(lr_float=0.2)), 3, **section) == pytest.approx([0.0, 0.1, 0.2])


@for_each(
    ("config", "match"),
    [
        (hydra({"_name": "cosin"}), "'type' must be present"),
        (hydra({"_name": "cosine", "warmup_update": 3}), "did you mean 'warmup_updates'"),
        (hydra({"_name": "cosine"}, max_updates=9), r"\['optimization'\]\['max_updates'\] is not known; did you mean"),
        (hydra({"_name": "cosine"}), r"\['max_update'\] or total_steps of configure_scheduler must be given"),
        (hydra({"_name": "cosine", "warmup_updates": 9}, max_update=9), "must be less than max_update, given 9"),
        (hydra({"_name": "inverse_sqrt", "warmup_updates": 0}), "must be a whole number of at least 1, given 0"),
        (hydra({"_name": "tri_stage", "phase_ratio": [0.5, 0.4]}), "must be three numbers whose sum is 1"),
        (hydra({"_name": "triangular", "max_lr": 0.1}), "must be more than lr, 0.8, given 0.1"),
        (hydra({"_name": "polynomial_decay", "force_anneal": 3}, max_update=9), "after the last epoch, given 3"),
        (hydra("pass_through"), "must be a mapping of groups for 'pass_through'"),
        ({"lr_scheduler": "cosine", "max_update": 9, "lr": 0.1, "warmup_steps": 3}, r"\['warmup_steps'\] is not known"),
        ({"lr_scheduler": "cosine", "learning_rate": 0.1, "num_epochs": 3}, "'type' must be present"),
    ],
)
def test_errors(config, match):
    with pytest.raises((TypeError, ValueError), match=match):
        values(config, 3)


def test_drawn_cosines():
    """Each cycle is half a cosine; it is longer and lower than the cycle before it."""
    draw = random.Random(4)
    for _ in range(60):
        warmup, period, mult = draw.randint(0, 5), draw.randint(2, 7), draw.choice([1, 2, 3])
        top, low, shrink = draw.uniform(0.5, 1), draw.uniform(0, 0.5), draw.uniform(0.1, 1)
        expected = [low + (top - low) * update / warmup for update in range(warmup)]
        for cycle in range(4):
            length = period * mult**cycle
            heights = [(1 + math.cos(math.pi * update / length)) / 2 for update in range(length)]
            expected += [shrink**cycle * (low + (top - low) * height) for height in heights]
        section = {"_name": "cosine", "warmup_updates": warmup, "lr_period_updates": period, "t_mult": mult}
        config = hydra({**section, "min_lr": low, "lr_shrink": shrink}, lr=top)
        assert values(config, len(expected)) == pytest.approx(expected, rel=1e-9)
