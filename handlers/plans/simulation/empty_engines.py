"""What acts for engines and data loaders where nothing real may be touched."""

from typing import Any

import torch
from ignite.engine import Engine
from torch.utils.data import BatchSampler, DataLoader, TensorDataset


def engine_like(engine: Engine) -> Engine:
    """An engine without handlers or data, in the same state."""
    stand_in = Engine(lambda engine, batch: None)
    left_out = ("batch", "output", "dataloader", "param_history")
    vars(stand_in.state).update({key: value for key, value in vars(engine.state).items() if key not in left_out})
    stand_in.state.metrics = {}
    return stand_in


def loader_like(loader: "DataLoader[Any]") -> "DataLoader[Any]":
    """A data loader of next to nothing, in batches of the same size."""
    assert isinstance(loader.batch_sampler, BatchSampler)
    return DataLoader(TensorDataset(torch.empty(1)), batch_size=loader.batch_sampler.batch_size)
