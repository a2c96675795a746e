"""Configs of detectron2 and fvcore: values computed by hand and by formulas, and errors."""

import math
import random

import pytest
import torch
from cases import for_each

from lehr.handlers import configure_scheduler


def optimizer(*rates):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or [0.5]]
    return torch.optim.SGD(groups, lr=0.5)


def values(config, events, **options):
    return configure_scheduler(optimizer(), config, **options).simulate(events)[:, 0].tolist()


def whole(**solver):
    return {
        "VERSION": 2,
        "MODEL": {"META_ARCHITECTURE": "GeneralizedRCNN", "WEIGHTS": "R-50.pkl"},
        "SOLVER": {"IMS_PER_BATCH": 16, "BASE_LR": 0.8, "WARMUP_ITERS": 0, **solver},
        "DATASETS": {"TRAIN": ("coco_2017_train",)},
    }


@for_each(
    ("solver", "expected"),
    [
        ({"STEPS": "(2, 4)", "MAX_ITER": 5, "GAMMA": 0.5}, [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]),
        ({"STEPS": (2,), "MAX_ITER": 4, "WARMUP_ITERS": 2, "WARMUP_FACTOR": 0.5}, [0.4, 0.24, 0.08, 0.08]),
        ({"STEPS": [3], "MAX_ITER": 4, "WARMUP_ITERS": 2, "WARMUP_FACTOR": 0.5}, [0.4, 0.6, 0.8, 0.08]),
        ({"STEPS": [], "MAX_ITER": 4, "WARMUP_ITERS": 2, "WARMUP_METHOD": "constant"}, [0.0008, 0.0008, 0.8, 0.8]),
        ({"STEPS": [9], "MAX_ITER": 4}, [0.8] * 5),
        ({"LR_SCHEDULER_NAME": "WarmupCosineLR", "MAX_ITER": 4}, [0.8, 0.4 + 0.4 * math.sqrt(0.5), 0.4]),
        (
            {"LR_SCHEDULER_NAME": "WarmupCosineLR", "MAX_ITER": 2, "BASE_LR_END": 0.4, "WARMUP_ITERS": 1},
            [0.0008, 0.6, 0.4, 0.4],
        ),
        (
            {"LR_SCHEDULER_NAME": "WarmupCosineLR", "MAX_ITER": 6, "WARMUP_ITERS": 2, "RESCALE_INTERVAL": True},
            [0.0008, 0.4004, 0.8, 0.4 + 0.4 * math.sqrt(0.5), 0.4],
        ),
        (
            {"LR_SCHEDULER_NAME": "WarmupStepWithFixedGammaLR", "MAX_ITER": 6, "NUM_DECAYS": 2, "GAMMA": 0.5},
            [0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.2],
        ),
        (
            {"LR_SCHEDULER_NAME": "WarmupPolyLR", "MAX_ITER": 4, "POLY_LR_POWER": 2, "POLY_LR_CONSTANT_ENDING": 0.25},
            [0.8, 0.45, 0.2, 0.2],
        ),
        (
            {"LR_SCHEDULER_NAME": "WarmupPolyLR", "MAX_ITER": 4, "POLY_LR_POWER": 1, "WARMUP_ITERS": 2},
            [0.0008, 0.8 * 0.5005 * 0.75, 0.4, 0.2, 0.0, 0.0],
        ),
    ],
)
def test_configs(solver, expected):
    assert values(whole(**solver), len(expected)) == pytest.approx(expected)
    assert values(whole(**solver), len(expected), section="SOLVER") == pytest.approx(expected)
    own = {"type": "detectron2.Solver", "BASE_LR": 0.8, "WARMUP_ITERS": 0, **solver}
    assert values(own, len(expected)) == pytest.approx(expected)


def test_the_defaults():
    schedule = configure_scheduler(optimizer(), {"VERSION": 2, "SOLVER": {"MAX_ITER": 40000}}).schedule
    events = [0, 500, 1000, 29999, 30000, 39999]
    assert schedule(events).tolist() == pytest.approx([1e-6, 1e-3 * 0.5005, 1e-3, 1e-3, 1e-4, 1e-4])


def test_a_run_of_millions_steps_a_few_events_earlier():
    schedule = configure_scheduler(optimizer(), whole(MAX_ITER=4_000_000, STEPS=[1000])).schedule
    assert schedule([995, 997]).tolist() == pytest.approx([0.8, 0.08])


def test_param_groups_keep_their_own_learning_rates():
    config = whole(STEPS=[1], MAX_ITER=2, GAMMA=0.5, BIAS_LR_FACTOR=2.0)
    scheduler = configure_scheduler(optimizer(0.8, 1.6), config)
    assert scheduler.schedule([0, 1]).tolist() == [[0.8, 1.6], [0.4, 0.8]]
    with pytest.raises(ValueError, match=r"\['BIAS_LR_FACTOR'\] must be 1, unless the optimizer's param groups"):
        values(config, 2)


def test_files_with_a_base(tmp_path):
    (tmp_path / "base.yaml").write_text(
        "VERSION: 2\nMODEL: {WEIGHTS: '', SIZES: !!python/object/apply:eval ['[1]']}\n"
        "SOLVER: {BASE_LR: 0.8, STEPS: (1, 2), MAX_ITER: 3, GAMMA: 0.5}\n"
    )
    inner = tmp_path / "configs" / "inner.yaml"
    inner.parent.mkdir()
    inner.write_text("_BASE_: ../base.yaml\nSOLVER: {WARMUP_ITERS: 0, STEPS: (2,)}\n")
    assert values(inner, 4, root=tmp_path) == pytest.approx([0.8, 0.8, 0.4, 0.4])
    with pytest.raises(ValueError, match=r"\['_BASE_'\] is read only if configure_scheduler has root="):
        values(inner, 4)
    with pytest.raises(ValueError, match="_BASE_ must be a YAML file below root, given '../base.yaml'"):
        values(inner, 4, root=inner.parent)
    (tmp_path / "base.yaml").write_text("_BASE_: configs/inner.yaml")
    with pytest.raises(ValueError, match="_BASE_ must not lead back to its own file"):
        values(inner, 4, root=tmp_path)


@for_each(
    ("config", "match"),
    [
        ({"MODEL": {"WEIGHT": "R50"}, "SOLVER": {"BASE_LR": 1}}, "maskrcnn-benchmark or of detectron2's version 1"),
        ({"SOLVER": {"BASE_LR": 0.1, "MAX_ITER": 9}}, r"\['VERSION'\] must be 2, or SOLVER must have WARMUP_ITERS and"),
        (whole(LR_POLICY="cosine"), r"\['SOLVER'\]\['LR_POLICY'\] is not known"),
        (whole(WARMUP_EPOCHS=3), r"\['WARMUP_EPOCHS'\] is not known; did you mean 'WARMUP_ITERS'"),
        (whole(STEPS="__import__('os')"), r"\['STEPS'\] must be a list of iterations"),
        (whole(STEPS=[3, 2]), r"\['STEPS'\] must rise, given \[3, 2\]"),
        (whole(STEPS=[5], MAX_ITER=5), r"\['STEPS'\] must not contain MAX_ITER itself"),
        (whole(LR_SCHEDULER_NAME="WarmupCosineLR", BASE_LR_END=2), r"\['BASE_LR_END'\] must be at most BASE_LR, 0.8"),
        ({"type": "detectron2.CosineParamScheduler", "start_value": 1, "end_value": 0}, "total_steps of configure"),
    ],
)  # fmt: skip
def test_errors(config, match):
    with pytest.raises((TypeError, ValueError), match=match):
        values(config, 3)


FVCORE = "fvcore.common.param_scheduler."


def test_schedulers_of_fvcore():
    step = {"_target_": FVCORE + "MultiStepParamScheduler", "values": [1, 0.5], "milestones": [3, 4]}
    warmup = {"_target_": "detectron2.solver.WarmupParamScheduler", "scheduler": step, "warmup_length": 0.25}
    config = {"lr_multiplier": {**warmup, "warmup_factor": 0.5}, "train": {"max_iter": 8}}
    expected = pytest.approx([0.25, 0.375, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25])
    assert values(config, 9) == expected
    assert values({"lr_multiplier": {**warmup, "warmup_factor": 0.5}}, 9, total_steps=8) == expected
    parts = [{"type": FVCORE + "ConstantParamScheduler", "value": 0.4}, {**step, "values": [1, 0.5]}]
    composite = {"type": FVCORE + "CompositeParamScheduler", "schedulers": parts, "lengths": [0.5, 0.5]}
    multiplier = {"type": "detectron2.LRMultiplier", "multiplier": composite, "max_iter": 8}
    assert values(multiplier, 9) == pytest.approx([0.2] * 4 + [0.5] * 3 + [0.25] * 2)
    fixed = {**composite, "interval_scaling": ["rescaled", "fixed"]}
    assert values(fixed, 8, total_steps=8) == pytest.approx([0.2] * 4 + [0.5] * 2 + [0.25] * 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lengths": [1.0]}, r"\['lengths'\] must have an item for each of the 2 schedulers, given 1"),
        (
            {"interval_scaling": ["fixed"]},
            r"\['interval_scaling'\] must have an item for each of the 2 schedulers, given 1",
        ),
        ({"interval_scaling": ["fixed"] * 3}, r"\['interval_scaling'\] must have an item .* given 3"),
    ],
)
def test_a_composite_names_the_list_that_has_the_wrong_length(wrong, message):
    part = {"type": FVCORE + "ConstantParamScheduler", "value": 0.4}
    composite = {"type": FVCORE + "CompositeParamScheduler", "schedulers": [part, part], "lengths": [0.5, 0.5]}
    with pytest.raises(ValueError, match=message):
        values({**composite, **wrong}, 8, total_steps=8)


def test_lazy_configs(tmp_path):
    (tmp_path / "config.py").write_text(
        "from fvcore.common.param_scheduler import CosineParamScheduler\n"
        "from detectron2.config import LazyCall as L\n"
        "from detectron2.solver import WarmupParamScheduler\n"
        "train = dict(max_iter=4, amp=dict(enabled=True))\n"
        "lr_multiplier = L(WarmupParamScheduler)(\n"
        "    scheduler=L(CosineParamScheduler)(start_value=1.0, end_value=0.0),\n"
        "    warmup_length=1 / 4, warmup_factor=0.0)\n"
    )
    cosine = [(1 + math.cos(math.pi * event / 4)) / 4 for event in range(4)]
    assert values(tmp_path / "config.py", 4) == pytest.approx([0.0, *cosine[1:]])


def test_drawn_solvers():
    """A drawn schedule is half a cosine or has steps; its warm-up is a line to the schedule's value at its end."""
    draw = random.Random(5)
    for _ in range(60):
        events, factor, gamma = draw.randint(8, 40), draw.uniform(0, 1), draw.uniform(0.1, 1)
        warmup, steps = draw.randint(0, events - 1), sorted(draw.sample(range(1, events), 2))
        name = draw.choice(["WarmupMultiStepLR", "WarmupCosineLR"])

        def after(event, name=name, events=events, steps=steps, gamma=gamma):
            if name == "WarmupCosineLR":
                return (1 + math.cos(math.pi * event / events)) / 2
            return gamma ** sum(event >= step for step in steps)

        lines = [factor + (after(warmup) - factor) * event / warmup for event in range(warmup)]
        expected = [0.8 * one for one in [*lines, *map(after, range(warmup, events))]]
        solver = {"LR_SCHEDULER_NAME": name, "MAX_ITER": events, "STEPS": steps, "GAMMA": gamma}
        config = whole(**solver, WARMUP_ITERS=warmup, WARMUP_FACTOR=factor)
        assert values(config, events) == pytest.approx(expected, rel=1e-9)
