"""What the README shows is run and checked."""

import re

import pytest

import lehr.engine
import lehr.handlers


@pytest.fixture
def readme(repository):
    return (repository / "README.md").read_text()


def test_its_code_runs(readme, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    shown = re.findall(r"^print\(.*\)  # (.*)$", "".join(blocks), re.MULTILINE)
    assert len(shown) == 2
    assert capsys.readouterr().out.splitlines() == shown
    assert namespace["lr"].event_index == 100
    assert len(namespace["history"]["lr"]) == 100
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


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


def test_every_public_scheduler_is_in_it(readme):
    for name in lehr.handlers.__all__:
        if name != "BaseParamScheduler":
            assert name in readme, name


def test_its_files_exist(readme, repository):
    for path in re.findall(r"\]\((examples/[^)]*)\)", readme):
        assert (repository / path).is_file(), path
    layout = readme.split("## How the code is laid out")[1]
    for folder, name in [("handlers", name) for name in re.findall(r"\b(\w+\.py)\b", layout)]:
        assert (repository / folder / name).is_file() or (repository / "engine" / name).is_file(), name
    listed = set(re.findall(r"\b(\w+\.py)\b", layout))
    there = {path.name for folder in ("handlers", "engine") for path in (repository / folder).glob("*.py")}
    assert there - {"__init__.py"} == listed
