"""Fixtures of the benchmarks: they time contenders in interleaved rounds, and print all rows as one table."""

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
    gc.set_threshold(700, 10, 10)  # the tests collect less often, to save time


@pytest.fixture(autouse=True, scope="session")
def _as_many_threads_as_torch_takes():
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # the tests take one, to save time


@pytest.fixture
def add_row(request, benchmark):
    """Add a row to the table, and to the JSON of pytest-benchmark."""

    def add_row(what, measured, targets=None, unit="s", section=None):
        row = Row(section or request.module.__name__, what, measured, targets or {}, unit)
        request.config.stash.setdefault(ROWS, []).append(row)
        benchmark.extra_info.setdefault("rows", []).append(row.as_dict())

    return add_row


@pytest.fixture
def add_growth(add_row):
    """Add a row with the ratio of two times of each library: how much the cost grows."""

    def add_growth(what, more, less, targets=None):
        add_row(what, {name: np.divide(more[name], less[name]) for name in more}, targets, "times", "growth")

    return add_growth


@pytest.fixture
def side_by_side(benchmark, add_row):
    """Time contenders, lehr first, and add a row with the results."""

    def side_by_side(what, contenders, targets=None, **duration):
        add_row(what, interleaved(benchmark, contenders, **duration), targets)

    return side_by_side


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(ROWS, [])
    for line in ["", *lines(rows)] if rows else []:
        terminalreporter.write_line(line)
