"""The batch size of a data loader."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from ignite.engine import Engine, Events
from ignite.engine.events import RemovableEventHandle
from torch.utils.data import BatchSampler, DataLoader, TensorDataset

from .base import AnyEvent, BaseParamScheduler
from .param_groups import Value
from .schedules import FunctionSchedule, Schedule
from .schedules.base import Array


@dataclass(frozen=True)
class BatchSizes(Schedule):
    """A schedule as batch sizes: whole numbers of at least 1.

    Args:
        schedule: its values are rounded to the next whole number, those of a Python function must be whole.

    Raises:
        ValueError: at an event, the value of a function is not whole, or a value is less than 1.

    Example:
        >>> from lehr.handlers.schedules import LinearInterpolation
        >>> BatchSizes(LinearInterpolation([(0, 8), (4, 18)]))([0, 1, 2, 3, 4]).tolist()
        [8.0, 10.0, 13.0, 16.0, 18.0]
    """

    schedule: Schedule

    def values(self, indices: Array) -> Array:
        """The schedule's values, checked."""
        values = np.asarray(self.schedule.values(indices))
        whole = np.floor(values + 0.5)
        bad = np.flatnonzero((whole < 1) | (~self.ahead & (whole != values)))
        if len(bad):
            raise ValueError(
                f"the batch size must be a whole number of at least 1, given {values[bad[0]]} at event "
                f"{int(indices[bad[0]])} by {self.schedule!r}"
            )
        return whole


class BatchSizeScheduler(BaseParamScheduler):
    """Writes a schedule to the batch size of a data loader's batch sampler.

    At event i, counting from 0, the batch size becomes ``scheduler_fn(i)``. Attach it to epochs, as is the default:
    the sampler reads its batch size as it goes, and workers of the data loader fetch ahead. ignite decides on the
    number of iterations of an epoch when the run begins, and keeps to it: give ``epoch_length`` to ``Engine.run``.

    Args:
        dataloader: a ``DataLoader`` with a batch sampler, that is, made with a ``batch_size``.
        scheduler_fn: a function from the event index, an int, to the batch size, an int; or a :class:`Schedule`,
            whose values are rounded.
        save_history: whether to record what is written in ``engine.state.param_history``, under ``"batch_size"``.

    Raises:
        TypeError: ``dataloader`` is no ``DataLoader``, or ``scheduler_fn`` cannot be called.
        ValueError: the data loader has no batch sampler; at the event, the value is not whole or less than 1.

    Example:
        >>> from lehr.handlers.schedules import LinearInterpolation
        >>> loader = DataLoader(range(100), batch_size=4)
        >>> scheduler = BatchSizeScheduler(loader, scheduler_fn=lambda epoch: 4 * 2**epoch)
        >>> for _ in range(3):
        ...     scheduler(None)
        ...     print(loader.batch_sampler.batch_size)
        4
        8
        16
        >>> BatchSizeScheduler.simulate_values(3, scheduler_fn=LinearInterpolation([(0, 4), (2, 64)]))
        [[0, 4], [1, 34], [2, 64]]
    """

    _kind = int

    def __init__(
        self, dataloader: "DataLoader[Any]", scheduler_fn: Callable[[int], int] | Schedule, save_history: bool = False
    ) -> None:
        if not isinstance(dataloader, DataLoader):
            raise TypeError(f"dataloader must be a torch.utils.data.DataLoader, given {dataloader!r}")
        if not isinstance(dataloader.batch_sampler, BatchSampler):
            raise ValueError(
                f"dataloader must have a torch.utils.data.BatchSampler, given one with {dataloader.batch_sampler!r}"
            )
        if not callable(scheduler_fn):
            raise TypeError(f"scheduler_fn must be a function of the event index, given {scheduler_fn!r}")
        schedule = scheduler_fn if isinstance(scheduler_fn, Schedule) else FunctionSchedule(scheduler_fn)
        super().__init__("batch_size", save_history, schedule=BatchSizes(schedule))
        self.dataloader = dataloader
        self.scheduler_fn = scheduler_fn

    def attach(
        self, engine: Engine, event: AnyEvent = Events.EPOCH_STARTED, name: str | None = None
    ) -> RemovableEventHandle:
        """Write at every such event of an engine; see :meth:`BaseParamScheduler.attach`."""
        return super().attach(engine, event, name)

    def _write(self, engine: Engine | None, value: Value) -> None:
        assert isinstance(self.dataloader.batch_sampler, BatchSampler)
        self.dataloader.batch_sampler.batch_size = int(value)  # type: ignore[arg-type]

    @classmethod
    def _on_stand_in(cls, **scheduler_kwargs: Any) -> Self:
        if "scheduler_fn" not in scheduler_kwargs:
            raise ValueError("scheduler_fn must be given to simulate the batch sizes, given none")
        return cls(**{"dataloader": DataLoader(TensorDataset(torch.empty(1))), **scheduler_kwargs})
