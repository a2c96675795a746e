"""The commands lehr check and lehr diff, for a training of given length."""

import re
import sys

import pytest
import torch
from click.testing import CliRunner
from commands import invoked
from ignite.engine import Engine, Events
from PIL import Image

from lehr.handlers import check_plan, configure_scheduler, diff_plans, dry_run
from lehr.handlers.cli.commands import lehr as command


def run(*args, code=0):
    result = invoked(*args, code=code)
    assert result.stderr == ""
    return result.stdout


def trainer(config, event=Events.ITERATION_STARTED, **kwargs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    engine = Engine(lambda engine, batch: None)
    configure_scheduler(optimizer, config, **kwargs).attach(engine, event)
    return engine


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with the same plan in a.yaml and same.json, and with another plan in b.yaml."""
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


def test_the_exit_code_of_check_is_one_only_for_errors(folder):
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
    for ending in ("png", "svg"):
        output = run("diff", "a.yaml", "b.yaml", *LENGTHS, "-o", f"diff.{ending}", code=1)
        assert output.endswith(f"\nwrote diff.{ending}\n")
    with Image.open(folder / "diff.png") as image:
        image.load()
        assert len(image.convert("RGB").getcolors(100_000)) > 10
    svg = (folder / "diff.svg").read_text()
    assert "<svg" in svg[:1000]
    assert "a.yaml" in svg


def test_options_are_passed_to_the_library(monkeypatch):
    given = []
    monkeypatch.setattr("lehr.handlers.plans.check_plan", lambda *args, **kwargs: given.append((args, kwargs)) or [])
    run("check", "LinearScheduler", "duration=2", *LENGTHS, "--groups", "2", "--optimizer", "AdamW")
    [((engine, *lengths), kwargs)] = given
    assert isinstance(engine, Engine)
    assert (lengths, list(kwargs)) == ([4, 5], ["progress"])


def page_of(path):
    return path.read_text(encoding="utf-8")


def test_check_writes_a_page_with_its_findings(folder):
    args = ["check", "LinearScheduler", "duration=40", *LENGTHS]
    output = run(*args, "--html", "page.html")
    assert output == run(*args) + "wrote page.html\n"
    text = page_of(folder / "page.html")
    assert "<h1>LinearScheduler duration=40</h1>" in text
    assert "a plan of 20 iterations: 4 epochs of 5" in text
    assert '<span class="code warning">warning: ' in text


def test_diff_writes_a_page_of_both(folder):
    output = run("diff", "a.yaml", "b.yaml", *LENGTHS, "--html", "page.html", code=1)
    assert output.endswith("\nwrote page.html\n")
    text = page_of(folder / "page.html")
    assert "Differences of a.yaml and b.yaml" in text
    assert "<li>lr, group 0: from iteration 3 on (0.1 and 0.01)" in text


def test_plot_writes_a_page_of_a_run(folder):
    args = ["plot", "LinearScheduler", "duration=40", "-n", "20"]
    assert run(*args, "--html", "page.html") == "wrote page.html\n"
    text = page_of(folder / "page.html")
    assert "a plan of 20 iterations: 1 epoch of 20" in text
    assert "warning: end-not-reached" in text
    assert run(*args, "--epoch-length", "5", "--html", "page.html", "--force", "-o", "plan.svg").split("\n") == [
        "wrote page.html", "wrote plan.svg", ""
    ]  # fmt: skip
    assert "4 epochs of 5" in page_of(folder / "page.html")
    assert run("plot", "LinearScheduler", "duration=4", "--in-epochs", "--epoch-length", "5", "--html", "n.html")
    assert "a plan of 20 iterations: 4 epochs of 5" in page_of(folder / "n.html")


def test_a_page_of_metrics_has_the_values_that_simulate_prints(folder):
    args = ["torch.ReduceLROnPlateau", "patience=1", "--metrics", "3,2,2,2,2,1", "--groups", "2"]
    assert run("plot", *args, "--html", "page.html", "--epoch-length", "3") == "wrote page.html\n"
    text = page_of(folder / "page.html")
    assert "2 epochs of 3" in text
    assert "lr    group 1  0.1    0.01    0.1      0.01" in text
    rows = [line.split() for line in run("simulate", *args).splitlines()[1:]]
    assert [float(row[2]) for row in rows] == [0.1, 0.1, 0.1, 0.01, 0.01, 0.01]


def test_a_page_is_written_only_to_a_new_html_file(folder, monkeypatch):
    (folder / "old.html").write_text("old")
    for args, error in [
        (["--html", "page.png"], "--html must end in .html, given 'page.png'"),
        (["--html", "old.html"], "--html must be a new file unless --force is set, given 'old.html', which exists"),
        (["--html", "none/page.html"], "none/page.html: No such file or directory"),
        (["--html", "page.html", "-n", "2e7"], "--num-events must be at most 10000000 for --html, given 20000000"),
    ]:
        result = CliRunner().invoke(command, ["plot", "LinearScheduler", "duration=4", *args])
        assert (result.exit_code, result.stderr) == (2, f"lehr: {error}\n")
    monkeypatch.setitem(sys.modules, "plotly.io", None)
    result = CliRunner().invoke(command, ["plot", "LinearScheduler", "duration=4", "--html", "page.html"])
    assert (result.exit_code, result.stderr) == (2, "lehr: to_html needs plotly: pip install 'lehr[html]'\n")
    assert page_of(folder / "old.html") == "old"
    assert not (folder / "page.html").exists()


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("info", 1)])
def test_check_fails_on_the_severity_that_is_asked_for(fail_on, code):
    plan = ["LinearScheduler", "duration=1000", "--max-epochs", "8", "--epoch-length", "100"]
    result = CliRunner().invoke(command, ["check", *plan, "--fail-on", fail_on])
    assert "1 warning" in result.output
    assert result.exit_code == code


def test_an_epoch_length_alone_makes_durations_epochs():
    alone = CliRunner().invoke(command, ["simulate", "torch.StepLR", "step_size=1", "-n", "6", "--epoch-length", "3"])
    both = CliRunner().invoke(
        command, ["simulate", "torch.StepLR", "step_size=1", "-n", "6", "--epoch-length", "3", "--in-epochs"]
    )
    assert alone.exit_code == 0
    assert alone.output == both.output


@pytest.mark.parametrize("option", ["--max-steps", "--total-steps"])
def test_the_number_of_steps_has_two_names(option):
    flags = ["simulate", "transformers.linear", "num_warmup_steps=1", option, "4", "-n", "4"]
    assert "0.0333" in CliRunner().invoke(command, flags).output
    assert "nothing found" in CliRunner().invoke(command, ["check", "ConstantScheduler", "value=1", option, "4"]).output
