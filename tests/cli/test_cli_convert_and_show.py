"""The commands lehr show and lehr convert."""

import json

import pytest
import torch
import yaml
from commands import invoked

from lehr.handlers import configure_scheduler
from lehr.handlers.config import convert_config

TRAINER = {"lr_scheduler_type": "linear", "learning_rate": 0.001, "warmup_steps": 10, "max_steps": 50, "bf16": True}
MMENGINE = {
    "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.1}},
    "param_scheduler": [
        {"type": "LinearLR", "start_factor": 0.5, "end": 3, "by_epoch": True},
        {"type": "MultiStepLR", "milestones": [6, 8], "gamma": 0.1},
    ],
    "train_cfg": {"max_epochs": 10},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training_args.json").write_text(json.dumps(TRAINER))
    (tmp_path / "mmengine.json").write_text(json.dumps(MMENGINE))
    return tmp_path


def run(*args, code=0):
    result = invoked(*args, code=code)
    return result.stderr if code else result.stdout


def test_show_describes_the_schedule_of_a_file(folder):
    lines = run("show", "training_args.json").splitlines()
    assert lines[:7] == [
        "training_args.json: hf.TrainingArguments (of transformers' Trainer)",
        "lr:",
        "  events 0 to 9: from 0 to 0.001 on a straight line in 10 steps",
        "  events 10 to 49: from 0.001 to 0 on a straight line in 40 steps",
        "run: 50 iterations",
        "ignored: bf16",
        "",
    ]
    assert any("lr: 0 to 0.001" in line for line in lines[7:])  # the title of the picture
    assert any("│" in line for line in lines[7:])


def test_show_finds_the_section_and_the_run_of_a_whole_file(folder):
    output = run("show", "mmengine.json", "--section", "param_scheduler")
    assert output.startswith("mmengine.json: mmengine.LinearLR, mmengine.MultiStepLR (of mmengine)\n")
    for line in (
        "in its section ['param_scheduler']",
        "  events 0 to 1: from 0.05 to 0.1 on a straight line in 2 steps",
        "  events 3 to 9: from 0.1, times 0.1 at the steps 3, 5",
        "run: 10 epochs",
    ):
        assert f"{line}\n" in output
    assert "ignored" not in output
    in_epochs = run("show", "mmengine.json", "--in-epochs", "--epoch-length", "4", "--section", "param_scheduler")
    assert "run: 10 epochs, 40 iterations, with" not in in_epochs
    assert "run: 10 epochs, 40 iterations\n" in in_epochs
    assert "  events 0 to 7: from 0.05 to 0.1 on a straight line in 2 steps of 4 events\n" in in_epochs


def test_show_draws_as_plot_does(folder):
    output = run("show", "training_args.json", "-o", "plan.svg", "--html", "plan.html")
    assert output.endswith("wrote plan.html\nwrote plan.svg\n")
    assert "<svg" in (folder / "plan.svg").read_text()[:1000]
    assert "a plan of 50 iterations" in (folder / "plan.html").read_text(encoding="utf-8")
    assert "which exists" in run("show", "training_args.json", "-o", "plan.svg", code=2)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["torch.StepLR", "step_size=30"], "event 0 and later: from 0.1, times 0.1 every 30 steps"),
        (["torch.StepLR", "step_size=30", "--groups", "2", "--initial", "lr=[0.1,0.2]"], "lr, group 1:\n  event 0"),
        (["torch.ReduceLROnPlateau"], "times 0.1 after more than 10 metrics without an improvement"),
        (["torch.OneCycleLR", "max_lr=1", "total_steps=9", "--initial", "momentum=0.9"], "momentum:\n  event 0"),
    ],
)  # fmt: skip
def test_show_takes_types(args, said):
    assert said in run("show", *args)


def test_convert_writes_what_convert_config_returns(folder):
    args = ["convert", "training_args.json", "--to", "torch", "--total-steps", "50", "--initial", "lr=0.001"]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.001)
    expected = convert_config("training_args.json", to="torch", optimizer=optimizer, total_steps=50)
    assert yaml.safe_load(run(*args)) == expected
    assert json.loads(run(*args, "--format", "json")) == expected
    for name in ("out.yaml", "out.json"):
        assert run(*args, "-o", name) == f"wrote {name}\n"
        made = configure_scheduler(optimizer, name).simulate(50)
        assert made[:, 0].tolist() == pytest.approx(
            configure_scheduler(optimizer, "training_args.json").simulate(50)[:, 0].tolist(), rel=1e-9
        )
    assert "which exists" in run(*args, "-o", "out.json", code=2)
    assert run(*args, "-o", "out.json", "--force") == "wrote out.json\n"
    assert json.loads((folder / "out.json").read_text()) == expected


def test_convert_counts_the_epochs_of_a_file(folder):
    section = ["--section", "param_scheduler"]
    made = yaml.safe_load(run("convert", "mmengine.json", "--to", "torch", *section))
    assert made["milestones"] == [3]
    made = yaml.safe_load(
        run("convert", "mmengine.json", "--to", "torch", *section, "--in-epochs", "--epoch-length", "4")
    )
    assert (made["milestones"], made["epoch_length"]) == ([3], 4)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["training_args.json", "--to", "torch"], "it can do so for an optimizer whose 'lr' is 0.001"),
        (["torch.StepLR", "step_size=3", "--to", "hf"], "hf cannot express the schedule of 'lr' at event 0 and later"),
        (["torch.StepLR", "step_size=3", "--to", "pytorch"], "Invalid value for '--to'"),
        (["torch.StepLR", "step_size=3", "--to", "lehr", "-o", "out.txt"], "-o must end in .yaml, .yml or .json"),
        (["torch.StepLR", "step_size=3", "--to", "lehr", "--in-epochs"], "--epoch-length must be set with --in-epo"),
    ],
)  # fmt: skip
def test_configs_that_convert_refuses(folder, args, said):
    assert said in run("convert", *args, code=2)
    assert not (folder / "out.txt").exists()


def test_convert_without_pyyaml(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    args = ["convert", "training_args.json", "--to", "lehr"]
    assert "YAML needs PyYAML" in run(*args, code=2)
    assert json.loads(run(*args, "--format", "json"))["type"] == "ConcatScheduler"
