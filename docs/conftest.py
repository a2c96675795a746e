"""The code of each page is run, in an empty folder of its own."""

from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from pages import PARSERS
from sybil import Sybil

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty current folder and one seed; no figure stays open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        torch.manual_seed(0)
        yield
        plt.close("all")


pytest_collect_file = Sybil(
    parsers=PARSERS, pattern="*.md", excludes=["build/*", "generated/*"], fixtures=["page_folder"]
).pytest()
