"""DeepSpeed trains with the values of ``simulate`` on two ranks: as_torch_scheduler in ``deepspeed.initialize``.

``make integrations`` does not run this test, since DeepSpeed compiles code. Install it in the same environment by
``DS_BUILD_OPS=0 pip install --no-build-isolation deepspeed``.
"""

import importlib.util
import json

import pytest
import torch
from frameworks import simulated
from ranks import run_on_two_ranks

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="needs DeepSpeed"),
]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Return the values with which each of two ranks trains."""
    folder = tmp_path_factory.mktemp("ranks")
    run_on_two_ranks("deepspeed_run", folder)
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("way", ["plain", "accumulated", "function", "ZeRO 1", "ZeRO 2", "resumed", "resumed ZeRO 1"])
def test_each_step_trains_with_the_simulated_values(ranks, way):
    for results in ranks:
        assert [tuple(pair) for pair in results[way]] == simulated(torch.optim.AdamW)


def test_a_plateau_gets_the_metric_that_the_engine_passes_on(ranks):
    assert [results["driven"] for results in ranks] == [[0.1, 0.1, 0.1, 0.05, 0.025]] * 2
