"""If a config states the length of its run, no command needs an option for the length."""

import json

import numpy as np
import pytest
import torch
from commands import printed as run

from lehr.handlers import configure_scheduler

TRAINER = {"lr_scheduler_type": "cosine", "learning_rate": 0.001, "warmup_ratio": 0.1}
MMENGINE = {"param_scheduler": [{"type": "CosineAnnealingLR"}], "train_cfg": {"max_epochs": 3}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "epochs.json": {**TRAINER, "num_train_epochs": 3},
        "float.json": {**TRAINER, "num_train_epochs": 3.0},
        "half.json": {**TRAINER, "num_train_epochs": 2.5},
        "steps.json": {**TRAINER, "num_train_epochs": 7, "max_steps": 30},
        "neither.json": {**TRAINER, "num_train_epochs": -1, "max_steps": -1, "warmup_ratio": 0},
        "mmengine.json": MMENGINE,
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize("file", ["epochs.json", "float.json", "steps.json"])
def test_check_takes_the_stated_run(folder, file):
    given = run("check", file, "--epoch-length", "10", "--max-steps", "30")
    assert run("check", file, "--epoch-length", "10") == given
    assert "for the first iteration of 30" in given


def test_check_rounds_a_part_of_an_epoch_up(folder):
    assert "for the first iteration of 25" in run("check", "half.json", "--epoch-length", "10")


def test_check_of_stated_steps_needs_no_option(folder):
    assert "for the first iteration of 30" in run("check", "steps.json")


def test_an_option_counts_before_the_stated_run(folder):
    assert "for the first iteration of 40" in run("check", "epochs.json", "--epoch-length", "10", "--max-epochs", "4")


def test_check_takes_the_epochs_of_a_training_file(folder):
    for event in ("iteration", "epoch"):
        more = ["--event", event, *(["--in-epochs"] if event == "iteration" else [])]
        given = run("check", "mmengine.json", "--epoch-length", "10", "--max-epochs", "3", *more)
        assert run("check", "mmengine.json", "--epoch-length", "10", *more) == given


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["epochs.json"], "--epoch-length must be set, or --max-steps, given none"),
        (["neither.json", "--epoch-length", "10"], "--max-epochs must be set, or --max-steps, given none"),
    ],
)
def test_check_asks_for_what_is_missing(folder, args, error):
    assert error in run("check", *args, code=2)


def test_diff_takes_the_run_that_both_configs_state(folder):
    assert run("diff", "epochs.json", "steps.json", "--epoch-length", "10") == "no difference\n"
    error = (
        "lehr: --max-steps must be set if two configs have runs of different lengths, given 30 steps in 'epochs.json' "
    )
    assert error + "and 25 steps in 'half.json'" in run(
        "diff", "epochs.json", "half.json", "--epoch-length", "10", code=2
    )


def test_show_says_the_stated_run(folder):
    lines = run("show", "epochs.json", "--epoch-length", "10").splitlines()
    assert lines[3:5] == [
        "  events 3 to 29: from 0.001 to 0 on half a cosine in 27 steps",
        "run: 3 epochs, 30 iterations",
    ]
    assert "run: 25 iterations" in run("show", "half.json", "--epoch-length", "10").splitlines()


@pytest.mark.parametrize("to", ["hf", "lehr", "mmengine", "torch", "transformers"])
def test_convert_takes_the_stated_epochs(folder, to):
    options = ["--to", to, "--initial", "lr=0.001", "--epoch-length", "10", "--format", "json"]
    made = json.loads(run("convert", "epochs.json", *options))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.001)
    expected = configure_scheduler(optimizer, {**TRAINER, "max_steps": 30}).simulate(30)
    np.testing.assert_allclose(configure_scheduler(optimizer, made).simulate(30), expected, rtol=1e-9)


@pytest.mark.parametrize(("file", "steps"), [("epochs.json", 30), ("half.json", 25), ("steps.json", 30)])
def test_audit_takes_the_stated_run(folder, file, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    values = configure_scheduler(optimizer, {**TRAINER, "max_steps": steps}).simulate(steps)[:, 0].tolist()
    rows = [f"{step},{value}\n" for step, value in enumerate(values)]
    (folder / "log.csv").write_text("step,lr\n" + "".join(rows))
    assert run("audit", "log.csv", file, "--epoch-length", "10").startswith(f"lr: as planned at {steps} points")


def test_audit_by_epoch_takes_the_stated_epochs(folder):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    values = configure_scheduler(optimizer, MMENGINE).simulate(3)[:, 0].tolist()
    (folder / "log.csv").write_text("epoch,lr\n" + "".join(f"{at},{value}\n" for at, value in enumerate(values)))
    printed = run("audit", "log.csv", "mmengine.json", "--event", "epoch")
    assert printed.startswith("lr: as planned at 3 points")
