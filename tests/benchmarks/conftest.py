"""What every benchmark has at hand: contenders are timed in turns, and all that is measured ends in one table."""

import gc
import os

import numpy as np
import pytest
import torch
from interleaving import interleaved
from table import Row, lines

ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture(autouse=True, scope="session")
def _collect_as_often_as_python_does():
    gc.set_threshold(700, 10, 10)  # which the tests do not, to save time


@pytest.fixture(autouse=True, scope="session")
def _as_many_threads_as_torch_takes():
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # the tests take one, to save time


@pytest.fixture
def tell(request, benchmark):
    """Put what was measured into the table, and into what pytest-benchmark saves."""

    def tell(what, samples, targets=None, unit="s", section=None):
        row = Row(section or request.module.__name__, what, samples, targets or {}, unit)
        request.config.stash.setdefault(ROWS, []).append(row)
        benchmark.extra_info.setdefault("rows", []).append(row.as_dict())

    return tell


@pytest.fixture
def tell_growth(tell):
    """Put into the table how many times the cost becomes: of each library, from the times of one thing and another."""

    def tell_growth(what, more, less, targets=None):
        tell(what, {name: np.divide(more[name], less[name]) for name in more}, targets, "times", "growth")

    return tell_growth


@pytest.fixture
def side_by_side(benchmark, tell):
    """Time contenders by name, lehr first, in turns, and put them into the table."""

    def side_by_side(what, contenders, targets=None, **duration):
        tell(what, interleaved(benchmark, contenders, **duration), targets)

    return side_by_side


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(ROWS, [])
    for line in ["", *lines(rows)] if rows else []:
        terminalreporter.write_line(line)
