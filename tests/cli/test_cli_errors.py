"""Errors of the command lehr: each prints one line on stderr and exits with code 2. Also the progress bar."""

import importlib.metadata
import io
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cases import for_each
from click.testing import CliRunner

from lehr.handlers.cli import terminal_plot
from lehr.handlers.cli.commands import lehr as command
from lehr.handlers.cli.progress import Progress

STEP = ["torch.StepLR", "step_size=3"]
TRAINING = ["--max-epochs", "2", "--epoch-length", "3"]


def failed(*args):
    """Return the line that a failing command prints."""
    result = CliRunner().invoke(command, args)
    assert isinstance(result.exception, SystemExit), result.exception
    return one_line(result.exit_code, result.stderr)


def one_line(code, stderr):
    assert code == 2, stderr
    assert stderr.startswith("lehr"), stderr
    assert stderr.endswith("\n"), stderr
    assert len(stderr.splitlines()) == 1, stderr
    assert "Traceback" not in stderr
    return stderr[:-1]


@for_each(
    ("args", "said"),
    [
        # types and their arguments
        (["simulate", "Foo"], "given 'Foo'"),
        (["simulate", "torch.StpLR"], "given 'torch.StpLR'; did you mean 'torch.StepLR'"),
        (["simulate", "steplr", "-n", "3"], "did you mean"),
        (["plot", "torch.StepLR", "-n", "3"], "'step_size' must be present"),
        (["plot", "torch.StepLR", "step_size=0", "-n", "3"], "step_size must be a whole number of at least 1, given 0"),
        (["plot", "torch.StepLR", "stepsize=3", "-n", "3"], "stepsize is not known; did you mean 'step_size'?"),
        (
            ["simulate", "torch.StepLR", "step_size", "-n", "3"],
            "must be key=value, such as gamma=0.5, given 'step_size'",
        ),
        (["simulate", "torch.StepLR", "step_size=", "-n", "3"], "must be key=value"),
        (["simulate", "torch.StepLR", "=3", "-n", "3"], "must be key=value"),
        (["simulate", "torch.StepLR", "step_size=[3", "-n", "3"], "given '[3', which is not well-formed"),
        (["simulate", *STEP, "step_size=4", "-n", "3"], "must have each key once, given 'step_size' twice"),
        (["simulate", *STEP, "type=Foo", "-n", "3"], "type must occur once, given 'torch.StepLR' and 'Foo'"),
        (["simulate", "torch.LambdaLR", "lr_lambda=3", "-n", "3"], "lr_lambda must be a function"),
        (["simulate", "torch.MultiStepLR", "milestones=[2020-01-01]", "-n", "3"], "milestones[0] must be a number"),
        (["list", "cosne"], "PATTERN must be part of a name or description, given 'cosne'; did you mean 'cosine'"),
        (["list", "zzzzzz"], "given 'zzzzzz'"),
        # numbers of events
        (["simulate", *STEP, "-n", "0"], "--num-events must be a whole number of at least 1, given 0"),
        (["simulate", *STEP, "-n", "-4"], "--num-events must be a whole number of at least 1, given -4"),
        (["simulate", *STEP, "-n", "1.5"], "--num-events must be a whole number of at least 1, given 1.5"),
        (["simulate", *STEP, "-n", "many"], "--num-events must be a number, given 'many'"),
        (["simulate", *STEP, "-n", "1e9"], "--num-events must be at most 100000000, given 1000000000"),
        (["plot", *STEP, "-n", "9" * 400], "--num-events must be"),
        (["plot", "torch.ReduceLROnPlateau", "-n", "1e8"], "at most 10000000 for a schedule that is computed event by"),
        (["plot", *STEP], "--num-events must be set for a schedule without an end"),
        (["simulate", *STEP, "-n", "3", "--rows", "0"], "--rows must be a whole number of at least 1, given 0"),
        # the optimizer, the parameter, the metrics and the length of the run
        (["simulate", *STEP, "-n", "3", "--optimizer", "adamm"], "given 'adamm'; did you mean 'Adam'?"),
        (["simulate", *STEP, "-n", "3", "--initial", "momentun=1"], "given 'momentun'; did you mean 'momentum'?"),
        (["simulate", *STEP, "-n", "3", "--initial", "lr"], "--initial must be key=value"),
        (["simulate", *STEP, "-n", "3", "--initial", "lr=-1"], "arguments of SGD"),
        (["simulate", *STEP, "-n", "3", "--groups", "2", "--initial", "lr=[1,2,3]"], "--initial lr must have 2 values"),
        (["simulate", *STEP, "-n", "3", "--groups", "1001"], "--groups must be at most 1000, given 1001"),
        (["simulate", *STEP, "-n", "3", "--param-name", "beta"], "param_name must be one of"),
        (["simulate", *STEP, "-n", "3", "--in-epochs"], "--epoch-length must be set with --in-epochs"),
        (["simulate", *STEP, "-n", "3", "--metrics", "1,2"], "--metrics needs a schedule that reads a metric"),
        (
            ["plot", "torch.ReduceLROnPlateau", "--metrics", "a,b"],
            "--metrics must be numbers such as 3,2,2,1, given 'a,b'",
        ),
        (["plot", "torch.ReduceLROnPlateau", "--metrics", ""], "--metrics must be numbers"),
        (
            ["check", *STEP, *TRAINING, "--in-epochs", "--event", "epoch"],
            "--in-epochs must not be set with --event epoch",
        ),
        (["check", *STEP, "--max-epochs", "10000", "--epoch-length", "10000"], "must be at most 10000000"),
        # options and commands
        (["simulate", *STEP, "--foo"], "No such option '--foo'"),
        (["simulate"], "Missing argument 'TYPE|FILE'"),
        (["check", *STEP, "--max-epochs", "3"], "--epoch-length must be set, or --max-steps"),
        (["diff", "a.yaml"], "Missing argument 'B'"),
        (["check", *STEP, *TRAINING, "--event", "step"], "'step' is not one of 'iteration', 'epoch'"),
        (["frob"], "No such command 'frob'"),
        (["--frob"], "No such option '--frob'"),
        # files
        (["plot", "nothere.yaml"], "nothere.yaml: No such file or directory"),
        (["plot", "folder.yaml"], "folder.yaml: cannot be read: Is a directory"),
        (["plot", "pipe.yaml"], "pipe.yaml: the file must be a regular file, given a named pipe"),
        (["show", "pipe.json"], "pipe.json: the file must be a regular file, given a named pipe"),
        (["convert", "pipe.yaml", "--to", "torch"], "the file must be a regular file, given a named pipe"),
        (["check", "pipe.yaml", *TRAINING], "the file must be a regular file, given a named pipe"),
        (["diff", "a.yaml", "pipe.py", *TRAINING], "the file must be a regular file, given a named pipe"),
        (["audit", "pipe.yaml", *STEP], "pipe.yaml must be a regular file, given a named pipe"),
        (["audit", "log.csv", "pipe.csv"], "pipe.csv must be a regular file, given a named pipe"),
        (["plot", "zeros.json"], "zeros.json: the file must be a regular file, given a device"),
        (["plot", "./nothere.txt"], "config must be a .yaml, .yml, .json, .toml or .py file, given 'nothere.txt'"),
        (["plot", "broken.yaml"], "broken.yaml: the text is not well-formed"),
        (["plot", "broken.json"], "broken.json: "),
        (["plot", "latin.yaml"], "latin.yaml: "),
        (["plot", "empty.yaml"], "must be a mapping, a list of mappings or the path of a file"),
        (["plot", "wrong.yaml", "-n", "3"], "wrong.yaml['gama'] is not known; did you mean 'gamma'?"),
        (["plot", "wrong.yaml", "-n", "3", "-o", "new.png"], "is not known"),
        (["plot", "wrong.yaml", "gamma=3"], "arguments must be in the file, given 'gamma=3'"),
        (["check", "broken.yaml", *TRAINING], "broken.yaml: the text is not well-formed"),
        (["diff", "broken.yaml", "broken.json", *TRAINING], "broken.yaml: the text is not well-formed"),
        (["plot", *STEP, "-n", "3", "-o", "nothere/lr.png"], "nothere/lr.png: No such file or directory"),
        (["plot", *STEP, "-n", "3", "-o", "folder.yaml"], "-o must end in .png, .svg or .pdf, given 'folder.yaml'"),
        (["plot", *STEP, "-n", "3", "-o", "lr"], "-o must end in .png, .svg or .pdf, given 'lr'"),
        (["plot", *STEP, "-n", "3", "-o", "folder.png"], "folder.png: Is a directory"),
        (["plot", *STEP, "-n", "3", "-o", "full.png"], "No space left on device"),
        (["simulate", *STEP, "-n", "3", "-o", "full.png"], "No space left on device"),
        (["simulate", *STEP, "-n", "3", "-o", "folder.png"], "folder.png: Is a directory"),
        (["diff", "a.yaml", "b.yaml", *TRAINING, "-o", "a.gif"], "-o must end in .png, .svg or .pdf, given 'a.gif'"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_an_error_is_one_line(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("type: [\n  a: }\n")
    (tmp_path / "broken.json").write_text("{\n")
    (tmp_path / "latin.yaml").write_bytes(b"type: \xe9\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "wrong.yaml").write_text("type: torch.StepLR\nstep_size: 3\ngama: 0.5\n")
    (tmp_path / "full.png").symlink_to("/dev/full")
    (tmp_path / "zeros.json").symlink_to("/dev/zero")
    (tmp_path / "a.yaml").write_text("type: torch.StepLR\nstep_size: 3\n")
    (tmp_path / "log.csv").write_text("step,lr\n0,0.1\n")
    for name in ("pipe.yaml", "pipe.json", "pipe.py", "pipe.csv"):
        os.mkfifo(tmp_path / name)
    for name in ("folder.yaml", "folder.png"):
        (tmp_path / name).mkdir()
    before = sorted(tmp_path.iterdir())
    assert said in failed(*args)
    assert sorted(tmp_path.iterdir()) == before


def test_an_error_leaves_a_file_as_it_was(tmp_path):
    for ending, verb in ((".png", "plot"), (".csv", "simulate")):
        path = tmp_path / f"kept{ending}"
        path.write_text("what was there before")
        failed(verb, "torch.StepLR", "step_size=0", "-n", "3", "--force", "-o", str(path))
        assert path.read_text() == "what was there before"


def test_an_error_of_our_own_is_one_line_too_and_says_so(monkeypatch):
    def broken(*args):
        raise KeyError("oh\nno")

    monkeypatch.setattr("lehr.handlers.cli.list_command.recorded_types", broken)
    assert failed("list").startswith("lehr: this is a bug of lehr, please report it: KeyError: ")
    monkeypatch.setenv("LEHR_TRACEBACK", "1")
    assert isinstance(CliRunner().invoke(command, ["list"]).exception, KeyError)


@pytest.mark.parametrize(
    ("error", "said"), [(MemoryError("no"), "not enough memory: no"), (KeyboardInterrupt(), "inter")]
)
def test_memory_and_interrupts(error, said, monkeypatch):
    def broken(*args):
        raise error

    monkeypatch.setattr("lehr.handlers.cli.simulated_values.value_chunks", broken)
    assert said in failed("simulate", *STEP, "-n", "3", "--csv")


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_too():
    args = ["StateParamScheduler", "schedule={type: Constant, value: 0.5}", "param_name=dropout"]
    result = CliRunner().invoke(command, ["check", *args, *TRAINING])
    assert result.exit_code == 0
    assert result.stderr.startswith("lehr: warning: ")
    assert "dropout" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_terminal_plot_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "uniplot", None)
    assert "pip install 'lehr[cli]', or -o lr.png" in failed("plot", *STEP, "-n", "3")


def test_a_terminal_without_unicode(monkeypatch):
    monkeypatch.setattr(terminal_plot, "can_print", lambda text: False)
    output = CliRunner().invoke(command, ["plot", *STEP, "-n", "9"]).output
    assert output.isascii()
    assert output.count("\n|") == terminal_plot.HEIGHT


# The command in its own process.

# The output is buffered, as for a user, so that only the last write fails.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
# A shell makes background processes, such as these tests, ignore interrupts.
HEARING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
RUN = HEARING + "from lehr.handlers.cli import main; main()"


def process(*args, stdout=subprocess.PIPE, env=ENVIRONMENT):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *args], stdout=stdout, stderr=subprocess.PIPE, text=True, env=env
    )


LONG = ["simulate", "OneCycleScheduler", "max_value=0.1", "total_steps=1000", "-n", "1e8", "--csv"]


@pytest.mark.proof
def test_a_closed_pipe():
    with process(*LONG) as running:
        assert running.stdout.readline() == "event_index,lr\n"
        running.stdout.close()
        stderr = running.stderr.read()
        assert one_line(running.wait(60), stderr) == "lehr: the output was closed before all of it was written"


@pytest.mark.proof
def test_a_pipe_that_is_closed_before_the_last_output():
    with process("simulate", *STEP, "-n", "3", "--csv") as running:
        running.stdout.close()
        stderr = running.stderr.read()
        assert one_line(running.wait(60), stderr) == "lehr: the output was closed before all of it was written"


@pytest.mark.proof
def test_an_interrupt():
    with process(*LONG) as running:
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=300)
        assert one_line(running.returncode, stderr) == "lehr: interrupted"


@pytest.mark.proof
def test_an_output_on_a_full_disk():
    for args in (["list"], ["simulate", *STEP, "-n", "3", "--csv"]):
        with open("/dev/full", "w") as full, process(*args, stdout=full) as running:
            _, stderr = running.communicate(timeout=300)
        assert one_line(running.returncode, stderr) == "lehr: No space left on device"


def test_without_click_it_says_how_to_install_it(tmp_path):
    (tmp_path / "click.py").write_text("raise ImportError('there is none')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with process("list", env={**os.environ, "PYTHONPATH": path}) as running:
        stdout, stderr = running.communicate(timeout=300)
    assert stdout == ""
    last = stderr.splitlines(keepends=True)[-1]  # torch 2.4 prints a warning before this line
    assert "pip install 'lehr[cli]'" in one_line(running.returncode, last)


def test_the_script_is_installed():
    [script] = importlib.metadata.entry_points(group="console_scripts", name="lehr")
    assert script.value == "lehr.handlers.cli:main"
    assert callable(script.load())


# The progress bar.


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(seconds, stream, total=100, wanted=True):
    """Return the output of a progress bar; ``seconds`` has the time at which each step of the work ends."""
    now = iter([0.0, *seconds])
    with Progress(total, wanted, stream, lambda: next(now)) as bar:
        for _ in seconds:
            bar.advance(total // len(seconds))
    return stream.getvalue()


def test_no_bar_for_work_that_takes_two_seconds():
    assert shown([0.5, 1.0, 1.5, 1.9], Terminal()) == ""
    assert shown([0.5, 1.0, 1.5, 2.5], Terminal()) == ""  # after 2.5 seconds, the work is done


def test_a_bar_after_two_seconds_on_a_terminal():
    output = shown([0.5, 2.0, 3.0, 4.0], Terminal())
    assert "50%" in output
    assert "25%" not in output
    assert output.rstrip("\n\x1b[?25h ").endswith("100%")
    assert shown([0.5, 2.0, 3.0, 4.0], io.StringIO()) == ""
    assert shown([0.5, 2.0, 3.0, 4.0], Terminal(), wanted=False) == ""


@pytest.mark.parametrize(
    "line",
    [
        "simulate OneCycleScheduler max_value=0.1 total_steps=1000 -n 5e4 --force -o out.csv",
        "simulate torch.ReduceLROnPlateau -n 2e4 --force -o out.csv",
        "simulate torch.ReduceLROnPlateau --metrics 3,2,2 -n 1e3",
        "plot OneCycleScheduler max_value=0.1 total_steps=1000 -n 6e5 --force -o out.png",
        "check OneCycleScheduler max_value=0.1 total_steps=3000 --max-epochs 3 --epoch-length 1000",
        "diff a.json b.json --max-epochs 3 --epoch-length 1000",
    ],
)
def test_long_work_shows_a_bar_and_short_work_none(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.json", "b.json"):
        Path(name).write_text('{"type": "torch.StepLR", "step_size": 30}')
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    for clock, bars in ((lambda: 0.0, 0), (itertools.count().__next__, 1)):
        monkeypatch.setattr(Progress.__init__, "__defaults__", (True, None, clock))
        command.main(line.split(), standalone_mode=False)
        assert ("simulating" in stderr.getvalue()) == bool(bars)
