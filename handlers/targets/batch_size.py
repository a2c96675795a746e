"""The batch size of a data loader."""

from collections.abc import Callable
from functools import partial
from typing import Any

from ignite.engine import Engine
from torch.utils.data import BatchSampler, DataLoader

from lehr.handlers.schedules.arguments import shown

from .target import Location, Target


class BatchSize(Target):
    """The ``batch_size`` of a data loader's batch sampler.

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
                f"given one with {shown(dataloader.batch_sampler)}"
            )
        self.dataloader = dataloader

    def check(self, value: Any, engine: Engine | None) -> Callable[[], None]:
        """The function that writes the batch size; the schedule has checked the value."""
        return partial(self.write, value, engine)

    def write(self, value: Any, engine: Engine | None) -> None:
        """Set the batch size."""
        self.last = int(value)
        self.dataloader.batch_sampler.batch_size = self.last  # type: ignore[union-attr]

    def read(self) -> Any:
        """The last batch size that was written."""
        return self.last

    def holders(self, engine: Engine) -> list[Any]:
        """The batch sampler."""
        return [self.dataloader.batch_sampler]

    def locations(self, engine: Engine) -> list[Location]:
        """The location of the batch size."""
        sampler = self.dataloader.batch_sampler
        return [Location(sampler, "batch_size", None, sampler)]
