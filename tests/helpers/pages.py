"""Runs the code of a page in Markdown: Python with and without prompts, the code of pictures, and shell commands.

The blocks of a page share their names. Sybil finds the blocks, and runs those in Python.
"""

import doctest
import re
import shlex
import subprocess
from collections.abc import Iterator

from click.testing import CliRunner
from sybil import Document, Example, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.myst.lexers import DirectiveLexer

from lehr.handlers.cli.commands import lehr

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def pictures(document: Document) -> Iterator[Region]:
    """The code of the pictures of a page."""
    for region in DirectiveLexer("plot")(document):
        yield Region(region.start, region.end, region.lexemes["source"], PythonEvaluator())


def run_commands(example: Example) -> str | None:
    """Run the lines of a block that begin with ``$``, and compare what each prints with the lines under it."""
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", str(example.parsed), re.MULTILINE):
        if command.startswith("lehr "):
            printed = CliRunner().invoke(lehr, shlex.split(command)[1:]).output
        else:
            printed = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
        if not doctest.OutputChecker().check_output(expected, printed, FLAGS):
            return f"{command}\nexpected:\n{expected}\nprinted:\n{printed}"
    return None


PARSERS = [PythonCodeBlockParser(doctest_optionflags=FLAGS), CodeBlockParser("console", run_commands), pictures]
