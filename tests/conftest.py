"""What every test has at hand."""

import gc
import logging
import os
from pathlib import Path

# Threads that wait for one another take most of the time of small tensors, in the processes that tests start, too.
os.environ["OMP_NUM_THREADS"] = "1"

import matplotlib
import pytest
import torch
from hypothesis import HealthCheck, settings

matplotlib.use("Agg")

# One seed for all: a failure on one machine is a failure on every other. Shared machines make deadlines lie.
settings.register_profile(
    "lehr", deadline=None, derandomize=True, max_examples=12, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "proof", deadline=None, derandomize=True, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "hundred", deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "lehr"))


@pytest.fixture
def repository() -> Path:
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def axes():
    """Empty axes, closed again after the test."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def pytest_collection_modifyitems(items):
    """Skip what is for a GPU where there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture
def fresh_compiler():
    """Nothing compiled before the test or after it; double precision; one thread, since many wait for one another."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.compiler.reset()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)
    torch.compiler.reset()


def pytest_collection_finish():
    """Leave what was imported and collected out of garbage collection, on which a fifth of the time goes otherwise."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    # pytest adds its handlers to each logger that passes nothing on, six times a test; torch has fifty of them.
    for logger in logging.getLogger().manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and logger.name.partition(".")[0] == "torch":
            logger.propagate = True
