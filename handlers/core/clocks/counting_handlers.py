"""Handlers that call a scheduler at its events, and add the amounts of a clock to its event index."""

import weakref
from collections.abc import Callable
from typing import Any

from ignite.engine import Engine
from torch.optim import Optimizer

from lehr.engine.optimizer_events import is_step_event
from lehr.engine.times_fired import is_repeated_epoch_start
from lehr.handlers.core.resuming.repeated_events import forget_recorded
from lehr.handlers.core.saving import NOT_WRITTEN

from .clock import Clock, amount_of, summed_reading
from .time_clock import TimeClock


class Clocked:
    """A handler that calls a scheduler at events that pass a filter, or at the steps of one optimizer.

    Args:
        scheduler: the scheduler.
        clock: the clock.
        event: the event, with its filter.
        optimizer: the optimizer whose steps call the scheduler. If None, all events call the scheduler.
    """

    calls_scheduler = True
    tell: Callable[[int], None] | None = None  # a simulated run sets this to get the index of each written value

    def __init__(self, scheduler: Any, clock: Clock, event: Any, optimizer: Optimizer | None) -> None:
        self._scheduler, self._clock, self._event = scheduler, clock, event
        self._optimizer = None if optimizer is None else weakref.ref(optimizer)
        self._parent: Callable[[], Any] = weakref.ref(scheduler)  # ignite finds the user's handler by this attribute

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Write the value of this event if the event passes the filter, and count the amount."""
        raise NotImplementedError

    def _passes(self, engine: Engine) -> bool:
        passes = getattr(self._event, "filter", None)
        return passes is None or bool(passes(engine, engine.state.get_event_attrib_value(self._event)))

    def _write(self, engine: Engine, amount: int, kwargs: Any) -> None:
        scheduler = self._scheduler
        index, scheduler._counted = scheduler._event_index, self._clock.unit
        scheduler(engine, amount=amount, **kwargs)
        scheduler._written_at = index
        if self.tell is not None:
            self.tell(index)

    def _count(self, amount: int) -> None:
        scheduler = self._scheduler
        if scheduler._written_at is None:
            scheduler._written_at = NOT_WRITTEN
        scheduler._event_index += amount

    def _amount(self) -> int:
        """Return the sum of the readings that are to be counted now."""
        return sum(amount_of(self._clock, reading) for reading in self._due())

    def _due(self) -> tuple[Any, ...]:
        readings: tuple[Any, ...] = self._scheduler._readings
        return readings[: max(len(readings) - self._clock.lag, 0)]


class AtIterations(Clocked):
    """Writes a value at the start of each iteration, and then counts the batch of the iteration."""

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Read the clock, write the value of this event if the event passes the filter, and count the amount."""
        scheduler, reading, before = self._scheduler, summed_reading(self._clock, engine), self._scheduler._readings
        if before or self._clock.lag:
            scheduler._readings = (*before, reading)
            try:
                amount = self._amount()
                rest = scheduler._readings[len(self._due()) :]
                self._write(engine, amount, kwargs) if self._passes(engine) else self._count(amount)
            except BaseException:
                scheduler._readings = before
                raise
            scheduler._readings = rest
        elif self._passes(engine):
            self._write(engine, reading, kwargs)  # type: ignore[arg-type]
        else:
            self._count(reading)  # type: ignore[arg-type]


class BatchCounter(Clocked):
    """Reads a clock at each iteration, for a scheduler that writes at other events.

    A scheduler that writes at real steps counts the batches of a step when the optimizer takes the step. Any other
    scheduler counts each batch at once.
    """

    def __init__(self, scheduler: Any, clock: Clock, event: Any) -> None:
        super().__init__(scheduler, clock, event, None)
        del self._parent  # only the handler that writes has this attribute

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Read the clock for the batch of this iteration."""
        scheduler = self._scheduler
        scheduler._readings = (*scheduler._readings, summed_reading(self._clock, engine))
        if not is_step_event(self._event):
            amount, due = self._amount(), len(self._due())
            self._count(amount)
            scheduler._readings = scheduler._readings[due:]


class AtSteps(Clocked):
    """Writes a value at each real step of an optimizer, and then counts the batches on which the step trains."""

    _last: tuple[int, bool] | None = None  # the amount of the last step, and whether a value was written

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Write the value of this step if the step passes the filter, and count the batches of the step."""
        state: Any = engine.state
        if self._optimizer is not None and state.optimizer is not self._optimizer():
            return
        if state.optimizer_step_again and self._last is not None:
            self._take_back(engine, kwargs.get("name"), *self._last)
        scheduler, amount, due = self._scheduler, self._amount(), len(self._due())
        if passes := self._passes(engine):
            self._write(engine, amount, kwargs)
        else:
            self._count(amount)
        scheduler._readings = scheduler._readings[due:]
        self._last = amount, passes

    def _take_back(self, engine: Engine, name: str | None, amount: int, was_written: bool) -> None:
        """Undo the last step, which has failed. The next step counts the batches of the failed step, too."""
        scheduler, readings, self._last = self._scheduler, self._scheduler._readings, None
        scheduler._go_to(scheduler._event_index - amount)
        scheduler._readings, scheduler._repeats = (amount, *readings), int(was_written)
        if was_written:
            forget_recorded(scheduler, engine, 1, name)


class AtStarts(Clocked):
    """Writes a value at the start of each epoch or batch. A :class:`BatchCounter` counts the batches."""

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Write the value of this event if the event passes the filter, and is not repeated by a resumed run."""
        if not is_repeated_epoch_start(engine) and self._passes(engine):
            self._write(engine, 0, kwargs)


class AtTimes(Clocked):
    """Counts the time since the last event, and then writes a value."""

    _clock: TimeClock

    def __init__(self, scheduler: Any, clock: TimeClock, event: Any, optimizer: Optimizer | None) -> None:
        super().__init__(scheduler, clock, event, optimizer)
        self._run: object = None  # the run whose time is counted
        self._counted = 0  # the milliseconds of this run that are counted so far

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Count the time since the last event, and write the value of this event if the event passes the filter."""
        state: Any = engine.state
        if self._optimizer is not None and state.optimizer is not self._optimizer():
            return
        self.count(engine)
        if not is_repeated_epoch_start(engine) and self._passes(engine):
            if self._optimizer is not None and state.optimizer_step_again:
                forget_recorded(self._scheduler, engine, 1, kwargs.get("name"))
            self._write(engine, 0, kwargs)

    def count(self, engine: Engine) -> None:
        """Count the time since the last event."""
        run, milliseconds = self._clock._milliseconds(engine)
        if run is not self._run:
            self._run, self._counted = run, 0
        self._count(milliseconds - self._counted)
        self._counted = milliseconds
