"""Torch's DDP and FSDP2, with a distributed checkpoint: two ranks train with the values of ``simulate``."""

import json

import pytest
import torch
from frameworks import make_optimizer, simulated
from ranks import run_on_two_ranks

pytestmark = pytest.mark.integrations
sharded_run = pytest.importorskip("sharded_run", reason="torch 2.4 has no fully_shard", exc_type=ImportError)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Return the values with which each of two ranks trains."""
    folder = tmp_path_factory.mktemp("ranks")
    run_on_two_ranks("sharded_run", folder)
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("way", ["ddp", "fsdp2"])
@pytest.mark.parametrize("kind", ["unbroken", "resumed"])
def test_each_step_trains_with_the_simulated_values(ranks, way, kind):
    for results in ranks:
        assert [tuple(pair) for pair in results[way][kind]] == simulated(torch.optim.AdamW)
        assert results[way]["same weights"]


def test_the_mean_of_the_metrics_of_all_ranks_drives_a_callback(ranks):
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(1))])
    scheduler, expected = sharded_run.plateau(optimizer), []
    for metrics in zip(*sharded_run.METRICS, strict=True):
        scheduler.apply()
        expected.append(optimizer.param_groups[0]["lr"])
        scheduler.observe(sum(metrics) / 2)
    assert [results["metrics"] for results in ranks] == [expected] * 2
    assert expected[-1] == 0.05
