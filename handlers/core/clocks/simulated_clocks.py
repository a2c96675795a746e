"""Clocks that know all readings of a simulated run in advance, and the handlers that use these clocks."""

import copy
import weakref
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from ignite.engine import Engine
from torch.optim import Optimizer

from .clock import Clock
from .counting_handlers import BatchCounter, Clocked
from .time_clock import TimeClock

DURING_ITERATION = ("ITERATION_STARTED", "STEP_STARTED", "STEP_COMPLETED")


class PlannedClock(Clock):
    """A clock that knows its amounts in advance. Each amount is a sum over all ranks.

    Args:
        clock: the clock of the real run.
        amounts: the amount of each iteration of the run.
    """

    is_summed: ClassVar[bool] = False

    def __init__(self, clock: Clock, amounts: Sequence[int]) -> None:
        super().__init__(clock.lag)
        self._amounts = amounts

    def reading(self, engine: Engine) -> int:
        """Return the amount of this iteration."""
        return int(self._amounts[engine.state.iteration - 1])


class PlannedTime:
    """A function that returns the planned time of a simulated run so far.

    Args:
        seconds: the duration of each iteration of the run.
        start: the index of the first iteration of the simulated run, counting from 0.
    """

    def __init__(self, seconds: Sequence[float], start: int) -> None:
        self._ends = np.cumsum([0.0, *seconds])
        self._ends -= self._ends[start]

    def __call__(self, engine: Engine) -> float:
        """Return the seconds of the run so far."""
        name = getattr(engine.last_event_name, "name", engine.last_event_name)
        return float(self._ends[engine.state.iteration - (name in DURING_ITERATION)])


def planned_time(clock: TimeClock, times: PlannedTime) -> TimeClock:
    """Return a copy of a ``TimeClock`` that reads planned times in a simulated run."""
    made = copy.copy(clock)
    made._planned, made._left = times, weakref.WeakKeyDictionary()
    return made


class ClockedAttachment(NamedTuple):
    """A handler that ``attach`` has registered for a scheduler with a clock.

    Args:
        handler: the object that counts.
        method: the method that the engine calls to count, or to end the run; None if the engine calls the handler
            itself.
        event: the event of the scheduler, with its filter.
        optimizer: the optimizer whose steps call the scheduler. If None, all events call the scheduler.
    """

    handler: Clocked
    method: str | None
    event: Any
    optimizer: Optimizer | None

    @property
    def writes(self) -> bool:
        """Whether the engine calls the handler to write values, not only to count."""
        return self.method is None and not isinstance(self.handler, BatchCounter)

    @property
    def scheduler(self) -> Any:
        """The scheduler of the handler."""
        return self.handler._scheduler

    @property
    def clock(self) -> Clock:
        """The clock of the handler."""
        return self.handler._clock

    def planned(self, copied: Any, clock: Clock) -> Clocked:
        """Return a handler of the same type for a copy of the scheduler."""
        handler = self.handler
        if isinstance(handler, BatchCounter):
            return BatchCounter(copied, clock, self.event)
        return type(handler)(copied, clock, self.event, self.optimizer)


def clocked_attachment(function: object) -> ClockedAttachment | None:
    """Return the attachment to which a handler of an engine belongs; None if it belongs to no attachment."""
    owner = getattr(function, "__self__", function)
    if not isinstance(owner, Clocked):
        return None
    optimizer = None if owner._optimizer is None else owner._optimizer()
    method = None if owner is function else getattr(function, "__name__", None)
    return ClockedAttachment(owner, method, owner._event, optimizer)


def is_counter(function: object) -> bool:
    """Return whether a handler of an engine only starts a clock that measures the time of a run."""
    return isinstance(getattr(function, "__self__", None), TimeClock)


def counting_function(attachment: ClockedAttachment, planned: Clocked) -> Any:
    """Return the function that a simulated run calls instead of the handler."""
    return planned if attachment.method is None else getattr(planned, attachment.method)
