"""``BatchSizeScheduler``, which writes a schedule to the batch size of a data loader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from ignite.engine import Engine, Events
from ignite.engine.events import RemovableEventHandle
from torch.utils.data import DataLoader, TensorDataset

from lehr.handlers.core.attaching import AnyClock, AnyEvent
from lehr.handlers.core.resuming.adjustment import Adjustment
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import FunctionSchedule, RunLength, Schedule, arguments
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.durations_to_events import resolved
from lehr.handlers.targets.batch_size import BatchSize


@dataclass(frozen=True)
class BatchSizes(Schedule):
    """Rounds the values of a schedule to whole batch sizes.

    Args:
        schedule: a schedule with values of at least 0.5.

    Raises:
        ValueError: a value rounds to less than 1.

    Example:
        >>> from lehr.handlers.schedules import LinearInterpolation
        >>> BatchSizes(LinearInterpolation([(0, 8), (4, 18)]))([0, 1, 2, 3, 4]).tolist()
        [8.0, 11.0, 13.0, 16.0, 18.0]
    """

    schedule: Schedule

    @property
    def length(self) -> float | None:
        """The length of the schedule."""
        return self.schedule.length

    def values(self, indices: Array) -> Array:
        """Return the rounded values.

        Raises:
            ValueError: a value rounds to less than 1.
        """
        sizes = np.floor(np.asarray(self.schedule.values(indices)) + 0.5)
        for at in np.flatnonzero(sizes < 1):
            arguments.whole_number(
                f"the batch size of {arguments.shown(self.schedule)} at event {indices[at]:.0f}", sizes[at], at_least=1
            )
        return sizes


@dataclass(frozen=True, repr=False)
class BatchSizeFunction(FunctionSchedule):
    """A schedule that calls a Python function, which must return whole numbers of at least 1.

    Raises:
        ValueError: the function returns another value.

    Example:
        >>> BatchSizeFunction(lambda event: 2**event)([0, 1, 2]).tolist()
        [1.0, 2.0, 4.0]
    """

    def value(self, index: int) -> float:
        """Return the batch size that the function returns, after a check."""
        size = self.function(index)
        if type(size) is int and 1 <= size <= arguments.MAX_EVENT_INDEX:  # to skip the slow check below
            return float(size)
        try:
            return float(arguments.whole_number(self.named(index), size, at_least=1))
        except TypeError as error:  # ignite raises a ValueError for a wrong type, too
            raise ValueError(str(error)) from error

    def named(self, index: int) -> str:
        """Name the batch size at an event for an error text."""
        return f"the batch size, {super().named(index)},"


class BatchSizeScheduler(BaseParamScheduler):
    """Writes a schedule to the batch size of a data loader's batch sampler.

    At event i, counting from 0, the batch size becomes ``scheduler_fn(i)``. By default the scheduler attaches to the
    start of each epoch. If the batch size changes in the middle of an epoch, the data loader may continue with the old
    size. With ``drop_last``, it does so until the epoch ends. With workers, it does so for the batches that the workers
    have prefetched. ignite fixes the number of iterations per epoch when the run starts, so pass ``epoch_length`` to
    ``Engine.run``.

    Args:
        dataloader: a ``DataLoader`` that was constructed with a ``batch_size``, so that it has a batch sampler.
        scheduler_fn: a function that takes the event index and returns the batch size, both ints; or a
            :class:`Schedule`, whose values are rounded.
        save_history: whether to record the written values in ``engine.state.param_history``, under ``"batch_size"``.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: ``dataloader`` is not a ``DataLoader``, or ``scheduler_fn`` is not callable.
        ValueError: the data loader has no batch sampler; at an event, the value is not a whole number of at least 1.

    Source: Smith et al., "Don't Decay the Learning Rate, Increase the Batch Size", 2018,
    https://arxiv.org/abs/1711.00489.

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

    _number_type = int
    _target: BatchSize

    def __init__(
        self,
        dataloader: "DataLoader[Any]",
        scheduler_fn: Callable[[int], int] | Schedule,
        save_history: bool = False,
        *,
        run: RunLength | None = None,
    ) -> None:
        self._run = run
        target = BatchSize(dataloader)
        scheduler_fn = resolved(arguments.function("scheduler_fn", scheduler_fn, "a function of the event index"), run)
        schedule = BatchSizes(scheduler_fn) if isinstance(scheduler_fn, Schedule) else BatchSizeFunction(scheduler_fn)
        super().__init__("batch_size", save_history, schedule=schedule, target=target)
        self.scheduler_fn = scheduler_fn
        self._register()

    @property
    def dataloader(self) -> "DataLoader[Any]":
        """The data loader whose batch size is written."""
        return self._target.dataloader

    @dataloader.setter
    def dataloader(self, dataloader: "DataLoader[Any]") -> None:
        self._target = BatchSize(dataloader)

    def attach(
        self,
        engine: Engine,
        event: AnyEvent = Events.EPOCH_STARTED,
        name: str | None = None,
        clock: AnyClock = None,
    ) -> RemovableEventHandle:
        """Write the batch size at each event of an engine; see :meth:`BaseParamScheduler.attach`.

        Args:
            engine: the engine, usually the trainer.
            event: an event of the engine, with any filter.
            name: the name of the history. If None, it is ``"batch_size"``.
            clock: the clock whose amounts the event index counts. If None, it counts events.

        Raises:
            TypeError, ValueError: see :meth:`BaseParamScheduler.attach`.
        """
        return super().attach(engine, event, name, clock)

    def _num_groups(self) -> None:
        return None

    def _adjust(self, adjustment: Adjustment) -> None:
        super()._adjust(adjustment)
        is_whole = adjustment.handover is None and adjustment.cooldown is None
        if not is_whole and self._schedule is not None:
            self._follow(BatchSizes(self._schedule))  # a handover or a cooldown gives fractions

    def _check_state(self, state: Mapping[str, Any]) -> None:
        if state["value"] is not None:
            arguments.whole_number("value", state["value"], at_least=1)

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        if "scheduler_fn" not in scheduler_kwargs:
            raise ValueError("scheduler_fn must be given to simulate batch sizes, given none")
        return cls(**{"dataloader": DataLoader(TensorDataset(torch.empty(1))), **scheduler_kwargs})
