"""The commands that need no engine where neither torch nor ignite can be imported."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from commands import invoked
from legal_arguments import SCHEDULERS
from optimizers import make_optimizer

from lehr import handlers
from lehr.handlers.cli.sgd_without_torch import DEFAULTS, NUMBERS, PlainSGD, is_legal_for_sgd

# The arguments of these are functions or objects, or the target is an attribute of an engine of ignite.
NOT_FROM_CONFIG = {"BatchRamp", "BatchSizeScheduler", "LRScheduler", "LambdaScheduler", "MultiplicativeScheduler"}
NOT_FROM_CONFIG |= {"ParamScheduler", "StateParamScheduler", "LambdaStateScheduler"}
OF_AN_ENGINE = {"ExpStateScheduler", "MultiStepStateScheduler", "PiecewiseLinearStateScheduler", "StepStateScheduler"}

NOISE = {"type": "Noise", "schedule": {"type": "Anneal", "start_value": 0.1, "end_value": 0.0, "duration": 90}}
OF_LIBRARIES = {
    "noisy": {"type": "ParamScheduler", "schedule": {**NOISE, "std": 0.1, "limit": 0.2}},
    "relative": {"type": "LinearScheduler", "duration": 9, "start_value": 1, "end_value": 0, "relative": True},
    "momentum": {"type": "LinearScheduler", "duration": 9, "param_name": "momentum", "end_value": 0.5},
    "torch": {"type": "torch.OneCycleLR", "max_lr": 0.5, "total_steps": 30},
    "a list of torch's": [{"type": "torch.StepLR", "step_size": 3}, {"type": "torch.ExponentialLR", "gamma": 0.9}],
    "mmengine": [
        {"type": "mmengine.LinearLR", "start_factor": 0.5, "end": 3},
        {"type": "mmengine.ConstantLR", "end": 9},
    ],
    "timm": {"type": "timm.CosineLRScheduler", "t_initial": 20, "noise_range_t": 5, "noise_pct": 0.1},
    "transformers": {"type": "transformers.cosine", "num_warmup_steps": 5, "num_training_steps": 30},
}

WITHOUT_TORCH = """
import json, sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "ignite"):
            raise ImportError(f"no {name} here")

sys.meta_path.insert(0, Refused())
from click.testing import CliRunner
from lehr.handlers.cli.commands import lehr
results = [CliRunner().invoke(lehr, args) for args in json.load(sys.stdin)]
json.dump([[one.exit_code, one.output] for one in results], sys.stdout)
"""


def outputs_without_torch(calls):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], input=json.dumps(calls), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)
    assert [(call, text) for call, (code, text) in zip(calls, outputs, strict=True) if code] == []
    return [text for _, text in outputs]


def config_files(folder):
    """A file for each scheduler that a config can make, on one and on two param groups, and for other configs."""
    configs = {(name, 1): config for name, config in OF_LIBRARIES.items()}
    for name in SCHEDULERS.keys() - NOT_FROM_CONFIG - OF_AN_ENGINE:
        for groups in (1, 2):
            made = getattr(handlers, name)(**SCHEDULERS[name](make_optimizer(groups, lr=0.1)))
            configs[name, groups] = made.config()
    files = [(folder / f"{number}.json", groups) for number, (_, groups) in enumerate(configs)]
    for (file, _), config in zip(files, configs.values(), strict=True):
        file.write_text(json.dumps(config))
    return files


def test_values_and_pictures_need_no_torch(tmp_path):
    files = config_files(tmp_path)
    assert len(files) > 50
    simulations = [["simulate", str(file), "--groups", str(groups), "-n", "60", "--csv"] for file, groups in files]
    picture = tmp_path / "picture.png"
    plots = [["plot", str(files[0][0]), "-n", "60"], ["plot", str(files[0][0]), "-n", "60", "-o", str(picture)]]
    described = [["show", str(files[0][0]), "-n", "60"], ["convert", "torch.StepLR", "step_size=3", "--to", "lehr"]]
    others = [*described, ["list"], ["simulate", "--help"]]
    outputs = outputs_without_torch([*simulations, *plots, *others])
    for call, output in zip(simulations, outputs, strict=False):
        assert invoked(*call, "--optimizer", "sgd").output == output, call  # with the optimizer of torch
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert outputs[-2] == invoked("list").output


@pytest.mark.parametrize("given", [{}, {"momentum": 0.9, "weight_decay": 0.1}, {"dampening": 0.5}, {"lr": 1}])
def test_the_param_groups_are_those_of_torch(given):
    initial = {"lr": 0.1, **given}
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)], "lr": 0.5}], **initial)
    plain = PlainSGD([{}, {"lr": 0.5}], initial)
    for own, theirs in zip(plain.param_groups, optimizer.param_groups, strict=True):
        own, theirs = dict(own), dict(theirs)
        assert (own.pop("params"), len(theirs.pop("params"))) == ([], 1)
        assert {key: (value, type(value)) for key, value in own.items()} == {
            key: (value, type(value)) for key, value in theirs.items()
        }
    assert plain.defaults == optimizer.defaults
    assert set(NUMBERS) <= {"lr", *DEFAULTS}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in NUMBERS for value in (0, 0.5, 1, 1e300)])
def test_torch_takes_the_values_that_are_legal(key, value):
    assert is_legal_for_sgd(key, value)
    torch.optim.SGD([torch.zeros(1)], **{"lr": 0.1, key: value})


@pytest.mark.parametrize("initial", ["lr=-0.1", "momentum=-1", "no_such=1", "lr=text", "nesterov=true", "lr=[0.1]"])
def test_illegal_values_have_the_errors_of_torch(initial):
    call = ["simulate", "StepScheduler", "step_size=3", "-n", "3", "--groups", "2", "--initial", initial]
    error = invoked(*call, code=2).stderr
    assert error == invoked(*call, "--optimizer", "sgd", code=2).stderr


def test_an_unknown_parameter_has_the_same_error():
    call = ["simulate", "StepScheduler", "step_size=3", "-n", "3", "--param-name", "momentun"]
    error = invoked(*call, code=2).stderr
    assert "'dampening', 'lr', 'momentum', 'weight_decay'" in error
    assert error == invoked(*call, "--optimizer", "sgd", code=2).stderr


def test_other_optimizers_are_those_of_torch():
    call = ["simulate", "StepScheduler", "step_size=3", "-n", "4", "--csv", "--param-name", "momentum"]
    rows = invoked(*call, "--optimizer", "Adam").output.splitlines()
    assert np.allclose([float(row.partition(",")[2]) for row in rows[1:]], [0.9, 0.9, 0.9, 0.09])
