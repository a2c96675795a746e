"""The handlers that call a scheduler at its events, and let it count what a clock says."""

import inspect
import weakref
from collections.abc import Callable
from typing import Any

from ignite.engine import Engine
from torch.optim import Optimizer

from lehr.engine.event_counts import is_repeated_epoch_start
from lehr.engine.optimizer_events import is_step_event
from lehr.handlers.core.given_units import refuse_in_plain_loop
from lehr.handlers.core.resuming.repeated_events import forget_recorded
from lehr.handlers.core.saving import NOT_WRITTEN
from lehr.handlers.core.strided_reading import StridedReader
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.units import EVENTS

from .clock import Clock, amount_of, summed_reading
from .time_clock import TimeClock

AMOUNTS = "amounts"  # the unit of a plain loop that passes amounts to ``apply``


class Clocked:
    """A handler that calls a scheduler at events that pass a filter, or at the steps of one optimizer.

    Args:
        scheduler: the scheduler.
        clock: the clock.
        event: the event, with its filter.
        optimizer: the optimizer whose steps count; None for all events.
    """

    calls_scheduler = True
    tell: Callable[[int], None] | None = None  # in a simulated run, called with the event index of each value

    def __init__(self, scheduler: Any, clock: Clock, event: Any, optimizer: Optimizer | None) -> None:
        self._scheduler, self._clock, self._event = scheduler, clock, event
        self._optimizer = None if optimizer is None else weakref.ref(optimizer)
        self._parent: Callable[[], Any] = weakref.ref(scheduler)  # ignite finds the user's handler by this attribute

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Write the value of this event, if it passes the filter, and count."""
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
    """Writes at iterations, and counts the batch of each of them after that."""

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Read the clock, write the value of this event, if it passes the filter, and count."""
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

    A scheduler that writes at real steps counts the batches of a step when the step is made. Any other one counts each
    batch at once.
    """

    def __init__(self, scheduler: Any, clock: Clock, event: Any) -> None:
        super().__init__(scheduler, clock, event, None)
        del self._parent  # the handler that writes has it

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Read the clock."""
        scheduler = self._scheduler
        scheduler._readings = (*scheduler._readings, summed_reading(self._clock, engine))
        if not is_step_event(self._event):
            amount, due = self._amount(), len(self._due())
            self._count(amount)
            scheduler._readings = scheduler._readings[due:]


class AtSteps(Clocked):
    """Writes at real steps, and then counts the batches that the step trains on."""

    _last: tuple[int, bool] | None = None  # the amount of the last step, and whether a value was written

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Write the value of this step, if it passes the filter, and count its batches."""
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
        """Take the last step back, since it has failed: its batches count with those of the next one."""
        scheduler, readings, self._last = self._scheduler, self._scheduler._readings, None
        scheduler._go_to(scheduler._event_index - amount)
        scheduler._readings, scheduler._repeats = (amount, *readings), int(was_written)
        if was_written:
            forget_recorded(scheduler, engine, 1, name)


class AtStarts(Clocked):
    """Writes at the start of epochs or batches; a :class:`BatchCounter` counts the batches."""

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Write the value of this event, if it passes the filter, and if a resumed run has not had it before."""
        if not is_repeated_epoch_start(engine) and self._passes(engine):
            self._write(engine, 0, kwargs)


class AtTimes(Clocked):
    """Counts the time since the last event, and then writes."""

    _clock: TimeClock

    def __init__(self, scheduler: Any, clock: TimeClock, event: Any, optimizer: Optimizer | None) -> None:
        super().__init__(scheduler, clock, event, optimizer)
        self._run: object = None  # the run whose time is counted; _counted is its counted time
        self._counted = 0

    def __call__(self, engine: Engine, **kwargs: Any) -> None:
        """Count the time since the last event, and write the value of this event, if it passes the filter."""
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


def check_counts_amounts(scheduler: Any, argument: str) -> None:
    """Check that a scheduler can count amounts other than 1.

    Raises:
        ValueError: its schedule goes on event by event, or its class has a ``__call__`` without ``amount``.
    """
    planned = [getattr(one, "_planned", None) for one in (scheduler, *getattr(scheduler, "_members", ()))]
    stepwise = next((found for one in planned if one is not None and (found := _stepwise_part(one))), None)
    if stepwise is not None:
        raise ValueError(
            f"{argument} must be left out for a schedule that goes on event by event, given "
            f"{arguments.shown(stepwise)}: use a schedule of lehr, whose value at any event is a formula"
        )
    if "amount" not in inspect.signature(type(scheduler).__call__).parameters:
        raise ValueError(
            f"{argument} must be left out for {type(scheduler).__name__}, whose __call__ has no argument 'amount': "
            "add it, and pass it on to the base class"
        )


def _stepwise_part(schedule: Schedule) -> Schedule | None:
    if schedule.goes_event_by_event:
        return schedule
    return next((found for part in schedule.parts if (found := _stepwise_part(part)) is not None), None)


def read_with_strides(scheduler: Any) -> None:
    """Let a scheduler read its schedule at indices that may be far apart."""
    if scheduler._reader_type is not StridedReader:
        scheduler._reader_type = StridedReader
        index, readings = scheduler._event_index, scheduler._readings
        scheduler._go_to(index)  # this makes a new reader
        scheduler._readings = readings


def count_events_again(scheduler: Any) -> None:
    """Let a scheduler that has counted a clock, or amounts, count its events from now on, and keep its last value."""
    if scheduler._written_at is not None:
        scheduler._loaded_value = scheduler._last_value()
        scheduler._loaded_at, scheduler._written_at, scheduler._readings = scheduler._event_index, None, ()


def apply_amount(scheduler: Any, amount: object) -> None:
    """Write the value of this event of a plain loop, and count an amount; see :meth:`BaseParamScheduler.apply`."""
    checked = arguments.whole_number("amount", amount, at_least=0)
    if checked == 1 and scheduler._written_at is None:
        scheduler._counted = scheduler._counted or EVENTS
        scheduler(None)
        return
    if scheduler._written_at is None:
        check_counts_amounts(scheduler, "amount")
        if checked > 1:
            refuse_in_plain_loop(scheduler, counts_amounts=True)
        read_with_strides(scheduler)
    scheduler._counted = scheduler._counted or AMOUNTS
    index = scheduler._event_index
    scheduler(None, amount=checked)
    scheduler._written_at = index
