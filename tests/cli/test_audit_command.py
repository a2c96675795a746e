"""The command lehr audit compares a log with a config."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from commands import printed
from PIL import Image

from lehr.handlers import configure_scheduler
from lehr.handlers.cli.commands import lehr as command


def run(*args, code=0):
    return printed("audit", *args, code=code)


def values_of(config, number, **kwargs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return configure_scheduler(optimizer, config, **kwargs).simulate(number)[:, 0]


def write(path, values, every=1, first=0, heading="step"):
    rows = [f"{at + first},{values[at]}\n" for at in range(0, len(values), every)]
    path.write_text(f"{heading},lr\n" + "".join(rows))


CONFIG = {"type": "torch.CosineAnnealingLR", "T_max": 100}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a config in plan.json, and with the log of a run with this config in log.csv."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps(CONFIG))
    write(tmp_path / "log.csv", values_of(CONFIG, 100), every=5)
    return tmp_path


def test_a_log_as_planned(folder):
    expected = "lr: as planned at 20 points, steps 0 to 95, within float64\n(steps count from 0)\n"
    assert run("log.csv", "plan.json") == expected
    assert run("log.csv", "torch.CosineAnnealingLR", "T_max=100", "--max-epochs", 10, "--epoch-length", 10) == expected
    assert run("log.csv", "plan.json", "--max-steps", 100) == expected


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda plan: plan[1:101], "if it is 1 step ahead"),
        (lambda plan: plan[:200:2], "if the schedule moves 2 times in each step"),
        (lambda plan: plan[np.arange(100) // 4], "if the schedule moves once in 4 steps"),
        (lambda plan: plan[:100] * 8, "if all values are the planned ones times 8"),
        (lambda plan: plan[np.arange(100) % 60], "if the plan begins again at step 60"),
        (lambda plan: plan[np.minimum(np.arange(100), 60)], "if the value stays at 0.0345492 from step 60 on"),
    ],
)
def test_the_cause_of_a_difference_is_printed(folder, values, words):
    write(folder / "wrong.csv", values(values_of(CONFIG, 300)))
    output = run("wrong.csv", "plan.json", code=1)
    assert f"  matches exactly {words}" in output


def test_another_length_of_the_run(folder):
    config = {"lr_scheduler_type": "cosine", "warmup_steps": 10, "learning_rate": 0.1}
    (folder / "args.json").write_text(json.dumps(config))
    values = values_of(config, 60, total_steps=120)
    history = [{"learning_rate": values[step - 1], "epoch": 1, "step": step} for step in range(5, 60, 5)]
    (folder / "trainer_state.json").write_text(json.dumps({"max_steps": 120, "log_history": history}))
    assert "each step logs the value that it had" in run("trainer_state.json", "args.json", "--max-steps", 120)
    output = run("trainer_state.json", "args.json", "--max-steps", 900, code=1)
    assert "matches exactly if the run has 120 steps in place of 900" in output
    halves = run("trainer_state.json", "args.json", "--max-steps", 240, code=1)
    assert "matches exactly if the run has 120 steps in place of 240" in halves
    assert "the steps of the run must be known" in run("trainer_state.json", "args.json", code=2)


def test_epochs(folder):
    by_epoch = {"type": "torch.StepLR", "step_size": 2, "gamma": 0.5}
    (folder / "epochs.json").write_text(json.dumps(by_epoch))
    write(folder / "right.csv", values_of(by_epoch, 8).repeat(20))
    write(folder / "wrong.csv", values_of(by_epoch, 160))
    write(folder / "summary.csv", values_of(by_epoch, 8), heading="epoch")
    write(folder / "events.csv", values_of(by_epoch, 8), heading="event_index")
    lengths = ["--event", "epoch", "--epoch-length", 20]
    assert "as planned at 160 points" in run("right.csv", "epochs.json", *lengths)
    assert "as planned at 8 points" in run("summary.csv", "epochs.json", *lengths)
    assert "as planned at 8 points" in run("events.csv", "epochs.json", *lengths)
    assert "as planned at 8 points" in run("summary.csv", "epochs.json", "--event", "epoch")
    assert "the schedule moves 20 times in each step" in run("wrong.csv", "epochs.json", *lengths, code=1)
    assert run("right.csv", "epochs.json", "--event", "epoch", code=2).startswith("lehr: --epoch-length must be set")
    in_epochs = ["--in-epochs", "--max-epochs", 8, "--epoch-length", 20]
    assert "as planned" in run("right.csv", "StepScheduler", "step_size=2", "gamma=0.5", *in_epochs)


def test_options(folder):
    values = values_of(CONFIG, 100)
    rows = [f"{at + 1},{value},{value * 1.0001}\n" for at, value in enumerate(values)]
    (folder / "two.csv").write_text("step,rate a,rate b\n" + "".join(rows))
    assert "a heading must name 'lr'" in run("two.csv", "plan.json", code=2)
    printed = run("two.csv", "plan.json", "--column", "rate a", code=1)
    assert "1 step behind" in printed
    assert "or --first-step 1" in printed
    assert "as planned" in run("two.csv", "plan.json", "--column", "rate a", "--first-step", 1)
    b = ["two.csv", "plan.json", "--column", "rate b", "--first-step", 1]
    assert "the planned ones times 1.0001" in run(*b, code=1)
    assert "as planned at 100 points, steps 1 to 100, within 0.001" in run(*b, "--tolerance", 1e-3)
    groups = ["--groups", 2, "--initial", "lr=[0.2,0.1]"]
    assert "times 0.5" in run("log.csv", "plan.json", *groups, code=1)
    assert "as planned" in run("log.csv", "plan.json", *groups, "--group", 1)
    assert "group must be less than 2" in run("log.csv", "plan.json", *groups, "--group", 2, code=2)


def test_a_file_of_values_is_a_plan(folder):
    args = ["simulate", "torch.CosineAnnealingLR", "T_max=100", "-n", "100", "--csv", "-o", "p.csv"]
    assert CliRunner().invoke(command, args).exit_code == 0
    assert "as planned at 20 points" in run("log.csv", "p.csv")
    assert "as planned at 100 points" in run("p.csv", "p.csv")
    write(folder / "behind.csv", np.append(0.1, values_of(CONFIG, 99)))
    assert "1 step behind" in run("behind.csv", "p.csv", code=1)


def test_a_picture(folder):
    write(folder / "wrong.csv", values_of(CONFIG, 200)[::2])
    for ending in ("png", "svg"):
        assert run("wrong.csv", "plan.json", "-o", f"a.{ending}", code=1).endswith(f"\nwrote a.{ending}\n")
    with Image.open(folder / "a.png") as image:
        image.load()
        assert len(image.convert("RGB").getcolors(100_000)) > 10
    assert "logged, differs" in (folder / "a.svg").read_text()
    assert "must be a new file unless --force is set" in run("log.csv", "plan.json", "-o", "a.png", code=2)
    assert "wrote a.png" in run("log.csv", "plan.json", "-o", "a.png", "--force")


def test_files_that_cannot_be_compared(folder):
    (folder / "bad.csv").write_text("step,lr\n0,0.1\n1,oops\n")
    for args, error in [
        (["bad.csv", "plan.json"], "bad.csv, line 3: lr must be a number, given 'oops'"),
        (["none.csv", "plan.json"], "none.csv: No such file or directory"),
        (["log.csv", "none.json"], "none.json"),
        (
            ["log.csv", "plan.json", "--max-epochs", 3],
            "--epoch-length must be set with --max-epochs",
        ),
        (["log.csv", "plan.json", "--max-steps", 3, "--max-epochs", 3, "--epoch-length", 1], "--max-steps must not be"),
        (["log.csv", "Nonsense"], "Nonsense"),
    ]:
        message = run(*args, code=2)
        assert error in message
        assert message.count("\n") == 1
    assert CliRunner().invoke(command, ["audit", "--help"]).exit_code == 0


def test_a_schedule_that_a_metric_drives_is_planned_without_it(folder):
    result = CliRunner().invoke(command, ["audit", "log.csv", "torch.ReduceLROnPlateau"])
    assert result.exit_code == 1
    assert "the planned values assume that no metric arrives" in result.stderr
