"""Code of users, who know public names alone: it runs from a folder of its own, and does what it has always done."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cases import for_each

FOLDER = Path(__file__).resolve().parent
RECORDED = FOLDER.parent / "golden" / "their_package.json"
PUBLIC_MODULES = {"lehr.engine", "lehr.handlers", "lehr.handlers.schedules", "lehr.handlers.plans"}


def run(folder, *arguments):
    """The output of a Python process that starts in a folder."""
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What each training of the users' package did."""
    folder = tmp_path_factory.mktemp("users")
    shutil.copytree(FOLDER / "their_package", folder / "their_package")
    return json.loads(run(folder, "-m", "their_package.train"))


@for_each("name", json.loads(RECORDED.read_text()))
def test_their_package_trains_with_the_recorded_values(trained, name):
    expected = json.loads(RECORDED.read_text())[name]
    assert trained[name] == expected
    if isinstance(expected, dict):
        assert expected["recorded"] == expected["resumed"]
        # A plan has a column for each param group, and one for a number in the engine's state.
        columns = {
            of: [row if isinstance(row, list) else [row] for row in rows] for of, rows in expected["recorded"].items()
        }
        assert expected["planned"] == columns


def test_their_package_uses_public_names_alone():
    imported = set()
    for file in (FOLDER / "their_package").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level and node.module.startswith("lehr"):
                imported.add(node.module)
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_") or node.attr.endswith("__"), node.attr
            assert not isinstance(node, ast.Import) or "lehr" not in {name.name.split(".")[0] for name in node.names}
    assert imported == PUBLIC_MODULES
