"""What the README shows is run and checked."""

import re

import pytest
from pages import PARSERS
from sybil import Sybil

import lehr.engine
import lehr.handlers


@pytest.fixture
def readme(repository):
    return (repository / "README.md").read_text()


def test_its_code_prints_what_it_shows(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = list(Sybil(PARSERS, path=str(repository)).parse(repository / "README.md"))
    assert len(blocks) >= 8
    for block in blocks:
        block.evaluate()
    before, after = block.namespace["scheduler"].simulate(31)[29:, 0]
    assert after / before == pytest.approx(0.1)


def test_it_is_short(readme):
    assert len(readme.splitlines()) <= 200
    quick_start = re.search(r"## Quick start\n+```python\n(.*?)```", readme, re.DOTALL)
    assert quick_start
    assert len([line for line in quick_start[1].splitlines() if line.strip()]) <= 13


def test_the_names_in_its_tables_exist(readme):
    names = set(re.findall(r"\b([A-Z]\w+(?:Scheduler|Linear|History))\(", readme))
    assert len(names) >= 7
    assert all(hasattr(lehr.handlers, name) or hasattr(lehr.engine, name) for name in names)


def test_its_files_exist(readme, repository):
    paths = re.findall(r"\]\(((?!https?:)[^)]*)\)", readme)
    assert len(paths) >= 8
    for path in paths:
        assert (repository / path).is_file(), path
