"""The command lehr in a training of given length: check and diff."""

import re

import pytest
import torch
from click.testing import CliRunner
from ignite.engine import Engine, Events
from PIL import Image

from lehr.handlers import check_plan, configure_scheduler, diff_plans, dry_run
from lehr.handlers.cli import check_command
from lehr.handlers.cli.commands import lehr as command


def run(*args, code=0):
    result = CliRunner().invoke(command, args)
    assert result.exit_code == code, (args, result.output, result.exception)
    assert result.stderr == ""
    return result.stdout


def trainer(config, event=Events.ITERATION_STARTED, **kwargs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    engine = Engine(lambda engine, batch: None)
    configure_scheduler(optimizer, config, **kwargs).attach(engine, event)
    return engine


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a.yaml and same.json are of one plan, and b.yaml of another one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("{type: torch.StepLR, step_size: 3}\n")
    (tmp_path / "same.json").write_text('[{"type": "torch.StepLR", "step_size": 3}]\n')
    (tmp_path / "b.yaml").write_text("{type: torch.StepLR, step_size: 2}\n")
    return tmp_path


LENGTHS = ["--max-epochs", "4", "--epoch-length", "5"]


@pytest.mark.parametrize(
    ("args", "config", "event", "kwargs"),
    [
        (["duration=40"], {"duration": 40}, Events.ITERATION_STARTED, {}),
        (["duration=40", "--event", "epoch"], {"duration": 40}, Events.EPOCH_STARTED, {}),
        (["duration=3", "--in-epochs"], {"duration": 3}, Events.ITERATION_STARTED, {"epoch_length": 5}),
    ],
)
def test_check_prints_what_check_plan_finds(args, config, event, kwargs):
    findings = check_plan(trainer({"type": "LinearScheduler", **config}, event, **kwargs), 4, 5)
    assert run("check", "LinearScheduler", *args, *LENGTHS) == f"{findings}\n"


def test_the_exit_code_of_check_is_one_for_errors_alone(folder):
    assert "1 warning" in run("check", "LinearScheduler", "duration=40", *LENGTHS)
    assert run("check", "a.yaml", *LENGTHS) == "nothing found\n"
    negative = "[{type: LinearScheduler, duration: 10, end_value: -1}]"
    (folder / "negative.yaml").write_text(negative)
    assert "error: illegal-value" in run("check", "negative.yaml", *LENGTHS, code=1)


@pytest.mark.parametrize("event", ["iteration", "epoch"])
def test_diff_prints_what_diff_plans_finds(folder, event):
    events = {"iteration": Events.ITERATION_STARTED, "epoch": Events.EPOCH_STARTED}
    plans = [dry_run(trainer(path, events[event]), 4, 5) for path in ("a.yaml", "b.yaml")]
    expected = diff_plans(*plans)
    assert expected
    assert run("diff", "a.yaml", "b.yaml", *LENGTHS, "--event", event, code=1) == f"{expected}\n"


def test_the_exit_code_of_diff_is_that_of_diff(folder):
    assert run("diff", "a.yaml", "same.json", *LENGTHS) == "no difference\n"
    assert run("diff", "a.yaml", "a.yaml", *LENGTHS, "--in-epochs") == "no difference\n"
    run("diff", "a.yaml", "b.yaml", *LENGTHS, "--in-epochs", code=1)
    assert "as in diff(1)" in re.sub(r"\s+", " ", run("diff", "--help"))


def test_diff_draws_both(folder):
    for ending in ("png", "svg", "pdf"):
        output = run("diff", "a.yaml", "b.yaml", *LENGTHS, "-o", f"diff.{ending}", code=1)
        assert output.endswith(f"\nwrote diff.{ending}\n")
    with Image.open(folder / "diff.png") as image:
        image.load()
        assert len(image.convert("RGB").getcolors(100_000)) > 10
    svg = (folder / "diff.svg").read_text()
    assert "<svg" in svg[:1000]
    assert "a.yaml" in svg
    assert (folder / "diff.pdf").read_bytes().startswith(b"%PDF-")


def test_what_is_passed_on(monkeypatch):
    given = []
    monkeypatch.setattr(check_command, "check_plan", lambda *args, **kwargs: given.append((args, kwargs)) or [])
    run("check", "LinearScheduler", "duration=2", *LENGTHS, "--groups", "2", "--optimizer", "AdamW")
    [((engine, *lengths), kwargs)] = given
    assert isinstance(engine, Engine)
    assert (lengths, list(kwargs)) == ([4, 5], ["progress"])
