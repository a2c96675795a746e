"""What the README shows is run and checked."""

import copy
import inspect
import re
import shlex
import subprocess

import pytest
import torch
from click.testing import CliRunner
from matplotlib import pyplot as plt

import lehr.engine
import lehr.handlers
from lehr.handlers import BaseParamScheduler
from lehr.handlers.cli.commands import lehr as command


@pytest.fixture
def readme(repository):
    return (repository / "README.md").read_text()


LOOK = re.compile(r"## Look before you train\n.*?(?=\n## )", re.DOTALL)
COMPILED = re.compile(r"## Compiled steps, .*?(?=\n## )", re.DOTALL)


def test_what_it_shows_before_training_is_what_is_printed(readme, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    section = LOOK.search(readme)
    assert section
    namespace: dict = {}
    exec("import torch\nfrom ignite.engine import create_supervised_trainer", namespace)
    pairs = re.findall(r"```python\n(.*?)```\n(?:\n.*?)??```\n(.*?)```", section[0], re.DOTALL)
    assert len(pairs) == 3
    for block, shown in pairs:
        run_blocks([block], namespace)
        assert capsys.readouterr().out == shown
    panels = namespace["plot_plan"](namespace["plan"])
    assert [panel.get_ylabel() for panel in panels] == ["lr", "weight_decay"]
    plt.close(panels[0].figure)


def test_its_code_runs(readme, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", LOOK.sub("", readme), re.DOTALL)
    assert len(blocks) == 9
    namespace: dict = {}
    run_blocks(blocks[:3], namespace)
    shown = re.findall(r"^print\(.*\)  # (.*)$", "".join(blocks), re.MULTILINE)
    assert len(shown) == 4
    assert capsys.readouterr().out.splitlines() == shown[:2]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "checkpoint_175.pt",
        "checkpoint_200.pt",
    ]

    # The next process makes the same objects, and has seen nothing of the run.
    untrained = [re.sub(r"trainer\.run.*|print.*", "", block) for block in blocks]
    resumed: dict = {}
    run_blocks([untrained[0], untrained[2].replace("create_dir=True", "require_empty=False")], resumed)
    assert (resumed["lr"].event_index, len(resumed["history"])) == (0, 0)
    run_blocks([blocks[3]], resumed)
    assert resumed["lr"].event_index == namespace["lr"].event_index == 200
    assert resumed["history"] == namespace["history"]
    assert len(resumed["history"]["lr"]) == 200
    assert resumed["trainer"].state.epoch == 8
    run_blocks([blocks[1], blocks[5]], resumed)
    assert resumed["scheduler"].event_index == 25

    # Real steps and phases, and the same from a state in mid-run.
    run_blocks([blocks[4]], namespace)
    assert capsys.readouterr().out.splitlines() == shown[2:3]
    whole = namespace["trainer"].state.param_history["lr"][:]
    state: list = []
    save = "trainer.add_event_handler(Events.ITERATION_COMPLETED(once=117), lambda: state.extend(map(copy.deepcopy, ["
    save += "model.state_dict(), optimizer.state_dict(), trainer.state_dict(), phases.state_dict()])))\n"
    namespace |= {"state": state, "copy": copy}
    run_blocks([blocks[4].replace("trainer.run", save + "trainer.run")], namespace)
    load = "for thing, its_state in zip([model, optimizer, trainer, phases], state, strict=True):\n"
    load += "    thing.load_state_dict(its_state)\n"
    run_blocks([blocks[4].replace("trainer.run(data, max_epochs=8)", load + "trainer.run(data)")], namespace)
    assert namespace["trainer"].state.param_history["lr"] == whole[23:]

    # A plateau after a warm-up, in a run of its own.
    moved: dict = {}
    run_blocks([untrained[0].replace("lr.attach(trainer)", ""), "from ignite.engine import Events", blocks[8]], moved)
    moved["trainer"].run(moved["data"], max_epochs=4)
    assert moved["plateau"].schedule.state_dict()["best"] > 0
    assert moved["optimizer"].param_groups[0]["lr"] == 0.1


def test_its_compiled_step_trains_with_the_schedule(readme, fresh_compiler, capsys):
    compiled, on_the_device = re.findall(r"```python\n(.*?)```", COMPILED.search(readme).group(), re.DOTALL)
    start = re.search(r"## Quick start\n+```python\n(.*?)```", readme, re.DOTALL).group(1)
    namespace: dict = {}
    run_blocks([start[: start.index("lr = ")], "rate = torch.tensor(0.1)"], namespace)
    before = namespace["model"].weight.clone()
    run_blocks([compiled.replace("lr=torch.tensor(0.1)", "lr=rate")], namespace)
    assert not torch.equal(namespace["model"].weight, before)
    simulated = namespace["scheduler"].simulate(3)[:, 0].tolist()
    assert namespace["rate"].item() == simulated[2] != simulated[0]
    run_blocks([on_the_device], namespace)
    assert namespace["rate"].item() == simulated[0]
    assert capsys.readouterr().out == re.search(r"print\(plan.*  # (.*)", on_the_device).group(1) + "\n"


def run_blocks(blocks, namespace):
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)


def test_its_quick_start_is_about_a_dozen_lines(readme):
    quick_start = re.search(r"## Quick start\n+```python\n(.*?)```", readme, re.DOTALL)
    assert quick_start
    assert len([line for line in quick_start[1].splitlines() if line.strip()]) <= 13


def test_its_own_schedule_is_ten_lines(readme):
    block = re.search(r"## A schedule of your own.*?```python\n(.*?)```", readme, re.DOTALL)
    assert block
    assert len([line for line in block[1].splitlines() if line.strip()]) <= 10


def test_the_names_in_its_tables_exist(readme):
    names = set(re.findall(r"\b([A-Z]\w+(?:Scheduler|Linear|History))\(", readme))
    assert len(names) >= 7
    assert all(hasattr(lehr.handlers, name) or hasattr(lehr.engine, name) for name in names)


def test_every_public_name_but_those_of_the_gallery_is_in_it(readme):
    """``test_registry.py`` tells which schedulers its gallery lacks."""
    for name in lehr.handlers.__all__:
        cls = getattr(lehr.handlers, name)
        if not (inspect.isclass(cls) and issubclass(cls, BaseParamScheduler)):
            assert re.search(rf"\b{name}\b", readme), name


def test_its_files_exist(readme, repository):
    for path in re.findall(r"\]\((examples/[^)]*)\)", readme):
        assert (repository / path).is_file(), path
    layout = readme.split("## How the code is laid out")[1]
    listed = set(re.findall(r"^ *(\w+)/ ", layout, re.MULTILINE))
    there = {path.name for path in (repository / "handlers").iterdir() if (path / "__init__.py").is_file()}
    assert listed == there | {"lehr", "engine", "handlers"}


def test_its_config_is_that_of_the_example(readme, repository):
    shown = re.search(r"```yaml\n(.*?)```", readme, re.DOTALL)
    assert shown
    assert shown[1] == (repository / "examples" / "from_config.yaml").read_text()


def test_its_commands_print_what_it_shows(readme, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(repository / "examples")
    block = re.search(r"## The command line.*?```\n(.*?)```", readme, re.DOTALL)
    assert block
    commands = re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]
    assert len([line for line in commands if line.startswith("lehr ")]) >= 7
    for shown in commands:
        line, *expected = shown.splitlines()
        if not line.startswith("lehr "):
            subprocess.run(line, shell=True, check=True)
            continue
        line = line.removeprefix("lehr ")
        result = CliRunner().invoke(command, shlex.split(line))
        assert result.exit_code == (1 if line.startswith("diff") else 0), result.output
        printed, at = [*result.stdout.splitlines(), "..."], 0
        for one in expected:
            begins = one.endswith("...")  # the rest of a line, or of the output, is left out
            found = [line == one or (begins and line.startswith(one[:-3])) for line in printed[at:]]
            assert True in found, (one, result.stdout)
            at += found.index(True) + 1
