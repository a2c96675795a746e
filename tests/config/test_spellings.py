"""Configs in the notations of other tools make the same scheduler as a config with its own name."""

import json
import sys
import types

import pytest
import torch
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import PiecewiseLinear, configure_scheduler
from lehr.handlers.config.python_files import Unreadable, read_python

STEP = {"type": "torch.StepLR", "step_size": 2, "gamma": 0.5}
ARGUMENTS = {"step_size": 2, "gamma": 0.5}
SEQUENCE = {
    "type": "torch.SequentialLR",
    "milestones": [4],
    "schedulers": [{"type": "torch.LinearLR", "start_factor": 0.5, "total_iters": 4}, STEP],
}
PLATEAU = {"type": "torch.ReduceLROnPlateau", "patience": 1, "metric_name": "val_loss"}


def config_of(config, **kwargs):
    return configure_scheduler(make_optimizer(2), config, **kwargs).config()


def simulated(config, events=12, **kwargs):
    return configure_scheduler(make_optimizer(2), config, **kwargs).simulate(events).tolist()


class Config:
    """A config object that is neither a ``dict`` nor a ``list``, like the configs of ml_collections."""

    def __init__(self, values):
        self._values = values

    def keys(self):
        return self._values.keys()

    def __getitem__(self, key):
        value = self._values[key]
        return Config(value) if isinstance(value, dict) else value


class PassingOn:
    """A config object that looks up attributes in the mapping it contains, like mmengine's ``Config``."""

    def __init__(self, values):
        self._values = values

    def __getattr__(self, name):
        return getattr(self._values, name)

    def __getitem__(self, key):
        return self._values[key]


def some_function(optimizer, num_warmup_steps):
    """Stand in for a function that transformers defines in one of its modules."""


some_function.__module__, some_function.__qualname__ = "transformers.optimization", "get_constant_schedule_with_warmup"

SPELLED = [
    (STEP, {"type": "torch.optim.lr_scheduler.StepLR", **ARGUMENTS}),
    (STEP, {"type": torch.optim.lr_scheduler.StepLR, **ARGUMENTS}),
    (STEP, {"_target_": "torch.optim.lr_scheduler.StepLR", "_partial_": True, "_convert_": "all", **ARGUMENTS}),
    (STEP, {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": ARGUMENTS}),
    (STEP, {"class": "torch.optim.lr_scheduler.StepLR", "params": ARGUMENTS}),
    (STEP, {"_component_": "torch.optim.lr_scheduler.StepLR", **ARGUMENTS}),
    (STEP, {"type": "torch.StepLR", "args": ARGUMENTS}),
    (STEP, {"torch.StepLR": ARGUMENTS}),
    (STEP, {**STEP, "optimizer": None, "verbose": True}),
    (STEP, {**STEP, "optimizer": "@optimizer", "verbose": "deprecated"}),
    (STEP, Config(STEP)),
    (STEP, PassingOn(STEP)),
    (STEP, types.MappingProxyType(STEP)),
    (STEP, {"scheduler": STEP}),
    (STEP, {"scheduler": STEP, "interval": "epoch", "frequency": 1, "name": "lr", "strict": True, "monitor": "loss"}),
    (PLATEAU, {"type": "torch.ReduceLROnPlateau", "patience": 1, "monitor": "val_loss"}),
    (PLATEAU, {"scheduler": {"type": "torch.ReduceLROnPlateau", "patience": 1}, "monitor": "val_loss"}),
    (SEQUENCE, {**SEQUENCE, "schedulers": [{"torch.LinearLR": {"start_factor": 0.5, "total_iters": 4}}, Config(STEP)]}),
    (
        {"type": "mmengine.LinearLR", "end": 4},
        {"type": "mmdet.LinearLR", "end": 4},
    ),
    ({"type": "mmengine.LinearLR", "end": 4}, {"type": "mmengine.optim.scheduler.LinearLR", "end": 4}),
    (
        {"type": "transformers.get_constant_schedule_with_warmup", "num_warmup_steps": 3},
        {"type": some_function, "num_warmup_steps": 3},
    ),
    (
        {"type": "PiecewiseLinear", "milestones_values": [[0, 1.0], [4, 0.1]]},
        {"_target_": "ignite.handlers.PiecewiseLinear", "milestones_values": [[0, 1.0], [4, 0.1]]},
    ),
    (
        {"type": "PiecewiseLinear", "milestones_values": [[0, 1.0], [4, 0.1]]},
        {"type": PiecewiseLinear, "milestones_values": [[0, 1.0], [4, 0.1]]},
    ),
    (
        {"type": "cerebras.CosineDecayLR", "initial_learning_rate": 1.0, "end_learning_rate": 0.1, "total_iters": 9},
        {
            "_target_": "cerebras.pytorch.optim.lr_scheduler.CosineDecayLR",
            "initial_learning_rate": 1.0,
            "end_learning_rate": 0.1,
            "total_iters": 9,
        },
    ),
]


@for_each(("own", "spelled"), SPELLED)
def test_a_spelling_of_another_tool_is_understood(own, spelled):
    assert config_of(spelled) == own
    assert config_of([spelled]) == {"schedulers": [own]}
    assert config_of({"training": {"epochs": 3, "lr_scheduler": spelled}, "optimizer": {"type": "SGD"}}) == own


def test_steps_of_lightning_are_iterations_or_epochs():
    by_epoch = simulated(STEP, epoch_length=3)
    assert simulated({"scheduler": STEP, "interval": "epoch"}, epoch_length=3) == by_epoch
    assert simulated({"scheduler": STEP, "interval": "step"}, epoch_length=3) == simulated(STEP)
    assert simulated({"scheduler": STEP, "interval": "step", "frequency": 3}) == by_epoch
    assert simulated({"scheduler": STEP, "frequency": 2}, 24, epoch_length=3) == simulated(STEP, 24, epoch_length=6)
    config = config_of({"scheduler": STEP, "interval": "step", "frequency": 3})
    assert simulated(config) == by_epoch


@pytest.mark.parametrize(
    ("config", "dialect"),
    [
        ([{"type": "LinearLR", "end": 4}, {"type": "MultiStepLR", "begin": 4, "milestones": [6]}], "mmengine"),
        (
            {"SequentialLR": {"milestones": [4], "schedulers": [{"LinearLR": {"total_iters": 4}}, {"LinearLR": {}}]}},
            "torch",
        ),
        ({"type": "CosineLRScheduler", "t_initial": 9}, "timm"),
        ({"type": "get_linear_schedule_with_warmup", "num_warmup_steps": 3, "num_training_steps": 9}, "transformers"),
        ({"ConstantLR": {"learning_rate": 0.5}}, "cerebras"),
        ({"type": "LinearLrInterval", "end": 9}, "mmagic"),
    ],
)
def test_types_without_a_prefix_are_recognised_by_their_arguments(config, dialect):
    assert simulated(config) == simulated(config, dialect=dialect)
    assert f"{dialect}." in json.dumps(config_of(config))


def test_types_of_several_libraries_need_a_dialect():
    config = {"type": "StepLR", "step_size": 2, "gamma": 0.5}
    with pytest.raises(ValueError, match="'StepLR' may belong to mmengine or torch: pass dialect='mmengine'"):
        configure_scheduler(make_optimizer(), config)
    assert config_of(config, dialect="torch") == STEP
    assert config_of([config], dialect="mmengine") == {"schedulers": [{**STEP, "type": "mmengine.StepLR"}]}
    with pytest.raises(ValueError, match=r"config\['type'\] must be a known type"):
        configure_scheduler(make_optimizer(), config, dialect="lehr")
    with pytest.raises(ValueError, match="dialect must be one of"):
        configure_scheduler(make_optimizer(), config, dialect="pytorch")


def test_a_list_of_types_that_nobody_has_is_refused_by_their_names():
    with pytest.raises(ValueError, match=r"config\[0\]\['type'\] must be a known type, .* given 'LineerLR'.*LinearLR"):
        configure_scheduler(make_optimizer(), [{"type": "LineerLR", "end": 4}, {"type": "StepLR", "step_size": 3}])


@for_each(
    ("config", "message"),
    [
        (
            {"type": "torch.StepLR", "_target_": "torch.StepLR"},
            "config must name its type once, given 'type' and '_target_'",
        ),
        ({**STEP, "args": {"gamma": 0.1}}, r"config\['args'\]\['gamma'\] must occur once"),
        ({**STEP, "gamma": "${optimizer.gamma}"}, r"config\['gamma'\] must be a value, given the interpolation"),
        ({"scheduler": STEP, "interval": "batch"}, r"config\['interval'\] must be"),
        ({"scheduler": STEP, "frequency": 0}, r"config\['frequency'\] must be a whole number of at least 1, given 0"),
        ({**STEP, "optimizer": 3}, r"config\['optimizer'\] is not known"),
        ({**STEP, "monitor": "loss"}, r"config\['monitor'\] is not known"),
        ({"_target_": "os.system", "command": "true"}, r"config\['type'\] must be a known type, .* given 'os.system'"),
        ({"type": "mmfoo.LinearLR", "end": 3}, "did you mean"),
    ],
)
def test_what_is_not_understood_is_named(config, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        configure_scheduler(make_optimizer(), config)
    assert len(str(caught.value)) <= 500


def test_nothing_is_imported_from_a_name():
    name = "antigravity"
    assert name not in sys.modules
    with pytest.raises(ValueError, match="must be a known type"):
        configure_scheduler(make_optimizer(), {"_target_": f"{name}.StepLR"})
    assert name not in sys.modules


# Sections of whole training configs.

TRAINING = {
    "seed": 3,
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1},
    "train": {"lr_scheduler": {"_target_": "torch.optim.lr_scheduler.StepLR", **ARGUMENTS}, "epochs": 9},
}


def test_the_only_scheduler_of_a_training_config_is_found(tmp_path):
    (tmp_path / "training.json").write_text(json.dumps(TRAINING))
    for config in (TRAINING, tmp_path / "training.json", Config(TRAINING)):
        assert config_of(config) == STEP
        assert config_of(config, section="train.lr_scheduler") == STEP


def test_one_of_several_sections_is_chosen_by_name():
    config = {**TRAINING, "generator": {"schedulers": [STEP, {"type": "torch.ExponentialLR", "gamma": 0.5}]}}
    with pytest.raises(ValueError, match="set section= to one of 'train.lr_scheduler', 'generator.schedulers'"):
        configure_scheduler(make_optimizer(), config)
    assert config_of(config, section="generator.schedulers.0") == STEP
    assert config_of(config, section="generator.schedulers") == config["generator"]
    with pytest.raises(ValueError, match="section must lead to a part of config, which has 'seed', .* given 'lr'"):
        configure_scheduler(make_optimizer(), config, section="lr")
    with pytest.raises(TypeError, match="section must be a string, given 3"):
        configure_scheduler(make_optimizer(), config, section=3)


def test_a_config_without_schedulers_says_how_to_name_one():
    with pytest.raises(ValueError, match="'type' must be present, as in"):
        configure_scheduler(make_optimizer(), {"optimizer": {"type": "SGD"}, "epochs": 3})


# Python files.

PYTHON = """
_base_ = ["../base/schedule.py"]
from mmengine.optim import LinearLR
max_epochs = 4 * 2
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=max_epochs, val_interval=1)
model = build_model(depth=3)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-1, by_epoch=True, begin=0, end=max_epochs // 4),
    dict(type="CosineAnnealingLR", eta_min=0.001, begin=2),
]
"""


def test_a_python_file_is_read_and_not_executed(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(PYTHON)
    own = [
        {"type": "mmengine.LinearLR", "start_factor": 0.1, "by_epoch": True, "begin": 0, "end": 2},
        {"type": "mmengine.CosineAnnealingLR", "eta_min": 0.001, "begin": 2},
    ]
    for kwargs in ({"dialect": "mmengine"}, {"section": "param_scheduler"}):
        config = config_of(path, **kwargs)
        assert config == {"schedulers": own, "run": {"max_epochs": 8}}
    assert simulated(path) == simulated(own, max_epochs=8)


def test_files_of_a_base_are_read_below_the_root_alone(tmp_path):
    for folder in ("base", "own"):
        (tmp_path / folder).mkdir()
    (tmp_path / "base" / "schedule.py").write_text(
        "train_cfg = dict(max_epochs=8)\nparam_scheduler = [dict(type='LinearLR', end=4)]\nother = dict(a=1, b=2)\n"
    )
    path = tmp_path / "own" / "config.py"
    path.write_text("_base_ = '../base/schedule.py'\ntrain_cfg = dict(max_epochs=6)\n")
    assert config_of(path, root=tmp_path)["run"] == {"max_epochs": 6}
    with pytest.raises(ValueError, match="'type' must be present"):
        configure_scheduler(make_optimizer(), path)
    with pytest.raises(ValueError, match="_base_ must be a file below root, given '../base/schedule.py'"):
        configure_scheduler(make_optimizer(), path, root=tmp_path / "own")


def test_parts_of_variables_and_of_the_base_are_read(tmp_path):
    base = "max_epochs = 8\ntrain_cfg = dict(max_epochs=max_epochs, steps=[3, 5])\n"
    (tmp_path / "base.py").write_text(base)
    path = tmp_path / "config.py"
    path.write_text(
        "_base_ = './base.py'\nown = dict(ends=[2, 4])\n"
        "param_scheduler = [dict(type='LinearLR', end=own['ends'][-1]),\n"
        "    dict(type='MultiStepLR', begin=4, end=_base_.max_epochs - 1, milestones=_base_.train_cfg['steps'])]\n"
    )
    given = config_of(path, root=tmp_path, dialect="mmengine")["schedulers"]
    assert [(one["end"], one.get("milestones")) for one in given] == [(4, None), (7, [3, 5])]
    with pytest.raises(ValueError, match=r"\['end'\] must be data, .* given _base_.max_epochs - 1 in line 4"):
        configure_scheduler(make_optimizer(), path, dialect="mmengine")


def test_a_value_that_is_more_than_data_is_named_with_its_line(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("epochs = 3\nparam_scheduler = dict(type='LinearLR', end=int(epochs), begin=0)\n")
    with pytest.raises(ValueError, match=r"\['end'\] must be data, .* given int\(epochs\) in line 2"):
        configure_scheduler(make_optimizer(), path, dialect="mmengine")


@for_each(
    "text",
    [
        "import os\nos.remove('x')\nx = __import__('os').system('true')",
        "x = 10**10**10",
        "x = [0] * 10**9",
        "x = 'a' * 10**9",
        "x = 1e15 * 1e300 * 1e300",
        "x = {{_base_.model}}",
        "x = lambda: 3",
        "x = {**dict(a=1)}",
        "x = a.__class__.__mro__[1]",
        "x = _base_.__dict__['y']",
        "x = [1, 2][10**10]",
        "x, y = 1, 2",
        "x = 5 // 0",
    ],
)
def test_hostile_python_is_only_read(text):
    assert isinstance(read_python(f"a = 3\n{text}").get("x", Unreadable), Unreadable | type)


def test_python_that_is_not_well_formed_is_refused(tmp_path):
    for text, message in (
        ("x = (", "not well-formed in line 1"),
        ("x = " + "(" * 5000 + ")" * 5000, "deep|nested|many"),
    ):
        (tmp_path / "config.py").write_text(text)
        with pytest.raises(ValueError, match=message) as caught:
            configure_scheduler(make_optimizer(), tmp_path / "config.py")
        assert len(str(caught.value)) <= 500


def test_a_changed_part_of_a_base_leaves_the_rest(tmp_path):
    (tmp_path / "base.py").write_text(
        "param_scheduler = [dict(type='MultiStepLR', milestones=[1])]\nloader = dict(a=1)"
    )
    config = tmp_path / "config.py"
    config.write_text("_base_ = ['base.py']\n_base_.loader.a = make()\n")
    values = configure_scheduler(make_optimizer(), config, dialect="mmengine", root=tmp_path).simulate(2)[:, 0]
    assert values[1] == pytest.approx(values[0] / 10)
    for line in ("_base_.param_scheduler[0].end = make()", "_base_.pop('param_scheduler')"):
        config.write_text(f"_base_ = ['base.py']\n{line}\n")
        with pytest.raises(ValueError, match="must be data, since a Python file|_base_ must be the path of a file"):
            configure_scheduler(make_optimizer(), config, dialect="mmengine", root=tmp_path)


def test_flags_may_have_the_dashes_of_the_command_line():
    flags = {"lr-decay-style": "linear", "lr": 0.5, "min-lr": 0.0, "train-iters": 4}
    config = {"MODEL_ARGS": {**{f"--{key}": value for key, value in flags.items()}, "--save": "${SAVE}"}}
    values = configure_scheduler(make_optimizer(), config).simulate(4)[:, 0]
    assert values.tolist() == pytest.approx([0.5, 0.375, 0.25, 0.125])
