"""Runs the code of the pages: Python with and without prompts, the code of pictures, and shell commands.

The blocks of a page share their names, and a folder of their own. Sybil finds the blocks and runs those in Python.
"""

import doctest
import re
import shlex
import subprocess
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch
from click.testing import CliRunner
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.myst.lexers import DirectiveLexer

from lehr.handlers.cli.commands import lehr

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty current folder and one seed; no figure stays open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        torch.manual_seed(0)
        yield
        plt.close("all")


def pictures(document: Document) -> Iterator[Region]:
    """The code of the pictures of a page."""
    for region in DirectiveLexer("plot")(document):
        yield Region(region.start, region.end, region.lexemes["source"], PythonEvaluator())


def run_commands(example: Example) -> str | None:
    """Run the lines of a block that begin with ``$``, and compare what each prints with the lines under it."""
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", str(example.parsed), re.MULTILINE):
        name, *arguments = shlex.split(command) if command.startswith("lehr ") else [""]
        if name:
            printed = CliRunner().invoke(lehr, arguments).output
        else:
            printed = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
        if not doctest.OutputChecker().check_output(expected, printed, FLAGS):
            return f"{command}\nexpected:\n{expected}\nprinted:\n{printed}"
    return None


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=FLAGS), CodeBlockParser("console", run_commands), pictures],
    pattern="*.md",
    excludes=["build/*", "generated/*"],
    fixtures=["page_folder"],
).pytest()
