"""Torch's DDP and FSDP2, with a distributed checkpoint: two ranks train with the values of ``simulate``."""

import json

import pytest
import torch
from frameworks import simulated
from ranks import run_on_two_ranks

pytestmark = pytest.mark.integrations


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two ranks trains with."""
    folder = tmp_path_factory.mktemp("ranks")
    run_on_two_ranks("sharded_run", folder)
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("way", ["ddp", "fsdp2"])
@pytest.mark.parametrize("kind", ["unbroken", "resumed"])
def test_each_step_trains_with_the_simulated_values(ranks, way, kind):
    for results in ranks:
        assert [tuple(pair) for pair in results[way][kind]] == simulated(torch.optim.AdamW)
        assert results[way]["same weights"]
