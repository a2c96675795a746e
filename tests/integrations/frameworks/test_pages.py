"""The code of the pages about other trainers runs in these trainers, and prints what its comments say."""

import re

import pytest

pytest.importorskip("sybil")

from pages import PARSERS
from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser

pytestmark = pytest.mark.integrations
IN_TRAINERS = CodeBlockParser("py", PythonEvaluator())  # the blocks of code that need another trainer


@pytest.mark.parametrize(
    ("page", "package"),
    [
        ("lightning", "lightning"),
        ("hugging_face", "transformers"),
        ("accelerate", "accelerate"),
        ("skorch", "skorch"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # the trainers warn that a run is small and on a CPU
def test_a_page_prints_what_it_shows(page, package, repository, tmp_path, monkeypatch, capsys):
    pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    path = repository / "docs" / "trainers" / f"{page}.md"
    blocks = list(Sybil([*PARSERS, IN_TRAINERS], path=str(repository)).parse(path))
    assert blocks
    shown = 0
    for block in blocks:
        block.evaluate()
        printed = capsys.readouterr().out
        for expected in re.findall(r"print\(.*\)  # (.*)|^# (.*)$", str(block.parsed), re.MULTILINE):
            text = "".join(expected).removesuffix("...")
            assert text in printed, (text, printed)
            shown += 1
    assert shown
