"""The target that writes the batch size of a data loader."""

from collections.abc import Callable
from functools import partial
from typing import Any

from ignite.engine import Engine
from torch.utils.data import BatchSampler, DataLoader

from lehr.handlers.schedules.arguments import shown

from .target import Location, Target


class BatchSize(Target):
    """A target that writes the ``batch_size`` of a data loader's batch sampler.

    Args:
        dataloader: the data loader.

    Raises:
        TypeError: ``dataloader`` is not a ``DataLoader``.
        ValueError: the data loader has no ``BatchSampler``.
    """

    is_saved = False

    def __init__(self, dataloader: "DataLoader[Any]") -> None:
        if not isinstance(dataloader, DataLoader):
            raise TypeError(f"dataloader must be a torch.utils.data.DataLoader, given {shown(dataloader)}")
        if not isinstance(dataloader.batch_sampler, BatchSampler):
            raise ValueError(
                "dataloader must have a torch.utils.data.BatchSampler, "
                f"given a DataLoader whose batch_sampler is {shown(dataloader.batch_sampler)}"
            )
        self.dataloader = dataloader

    def check(self, value: Any, engine: Engine | None) -> Callable[[], None]:
        """Return a function that writes the batch size, which the schedule has checked already."""
        return partial(self.write, value, engine)

    def write(self, value: Any, engine: Engine | None) -> None:
        """Set the batch size of the data loader."""
        self.last = int(value)
        self.dataloader.batch_sampler.batch_size = self.last  # type: ignore[union-attr]

    def read(self) -> Any:
        """Return the last batch size that was written."""
        return self.last

    def holders(self, engine: Engine) -> list[Any]:
        """Return a list that contains the batch sampler."""
        return [self.dataloader.batch_sampler]

    def locations(self, engine: Engine) -> list[Location]:
        """Return a list that contains the location of the batch size."""
        sampler = self.dataloader.batch_sampler
        return [Location(sampler, "batch_size", None, sampler)]
