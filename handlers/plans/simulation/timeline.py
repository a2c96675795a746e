"""Fires the events of a run in the order in which ignite fires them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ignite.engine import Engine, Events
from torch.optim import Optimizer

from lehr.engine.optimizer_events import OptimizerEvents, stepping_optimizers, steps_of

from .accumulation import Accumulation
from .amounts import PlannedAmounts
from .handler_discovery import AttachedHandler

BATCH_EVENTS = (Events.GET_BATCH_STARTED, Events.GET_BATCH_COMPLETED)
OF_ITERATIONS = (*BATCH_EVENTS, Events.ITERATION_STARTED, Events.ITERATION_COMPLETED, *OptimizerEvents)
EVALUATOR_EVENTS = (Events.STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.COMPLETED)

# The events in the order in which they fire between one training step and the next.
TRAINER_EVENTS = (
    OptimizerEvents.STEP_COMPLETED, Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED, Events.COMPLETED,
    Events.STARTED, Events.EPOCH_STARTED, *BATCH_EVENTS, Events.ITERATION_STARTED, OptimizerEvents.STEP_STARTED,
)  # fmt: skip


@dataclass(frozen=True)
class RunSettings:
    """The length of a run, and its metrics and amounts.

    Args:
        max_epochs: epochs of the whole run.
        epoch_length: iterations of an epoch.
        iterations: iterations of the whole run. The last epoch may be shorter than the others.
        start: the iteration with which the run starts, counted from 0. It is more than 0 if the run is resumed.
        metrics: the values of each metric, evenly spaced over the run. If each value belongs to one or more whole
            epochs, the metric gets the value when an epoch completes. Otherwise it gets the value when an iteration
            completes.
        accumulation: iterations for each step of each optimizer.
        amounts: the amount that each iteration adds to a clock.
    """

    max_epochs: int
    epoch_length: int
    iterations: int
    start: int
    metrics: Mapping[str, Sequence[float]]
    accumulation: Accumulation
    amounts: PlannedAmounts

    def interval(self, num_values: int) -> int:
        """Return the iterations between two values of a metric that has ``num_values`` values in the run."""
        by_epoch = num_values == self.iterations // self.epoch_length
        return self.epoch_length if by_epoch else self.iterations // num_values


class Callback(NamedTuple):
    """A function that an event calls, if the event passes the filter and is a step of the optimizer.

    Args:
        handler: the handler that the function replaces.
        event_filter: the filter, or None if there is no filter.
        optimizer: the optimizer at whose steps the function is called. If None, it is called at each event that passes.
        function: the function.
    """

    handler: AttachedHandler
    event_filter: Any
    optimizer: Optimizer | None
    function: Callable[[], None]

    @classmethod
    def of(cls, handler: AttachedHandler, function: Callable[[], None]) -> "Callback":
        """Return the callback of a handler. A handler with a clock checks the filter and the optimizer itself."""
        if handler.clocked is not None:
            return cls(handler, None, None, function)
        return cls(handler, handler.event_filter, handler.optimizer, function)


Callbacks = Mapping[tuple[Engine, Any], list[Callback]]


class Timeline:
    """Fires the events of a run, and keeps the state of the engine as ignite would have it at each event.

    Args:
        trainer: the engine of the real run. The timeline only reads which optimizers fire its step events.
        engine: the empty engine of the simulated run. The timeline counts iterations and epochs in the state of this
            engine.
        evaluators: the empty engines of the evaluators, which also get the metrics.
        settings: the length and the metrics of the run.
    """

    def __init__(self, trainer: Engine, engine: Engine, evaluators: Sequence[Engine], settings: RunSettings) -> None:
        self.engine, self.engines, self.settings = engine, (engine, *evaluators), settings
        self.iteration = 0  # the iteration of the next training step, counted from 0
        self.calling: AttachedHandler | None = None  # the handler of the trainer that is being called
        self.steps = {optimizer: steps_of(trainer, optimizer) or 0 for optimizer in stepping_optimizers(trainer)}
        self._by_epoch: list[tuple[str, Sequence[float], int]] = []
        self._by_iteration: list[tuple[str, Sequence[float], int]] = []
        for name, values in settings.metrics.items():
            interval = settings.interval(len(values))
            whole_epochs = interval % settings.epoch_length == 0 and settings.epoch_length > 1
            (self._by_epoch if whole_epochs else self._by_iteration).append((name, values, interval))

    def begin(self, first: int) -> None:
        """Set the counters for the beginning of a part of the run."""
        state, length = self.engine.state, self.settings.epoch_length
        state.max_epochs, state.epoch_length = self.settings.max_epochs, length
        state.iteration, state.epoch, self.iteration = first, first // length, first

    def fire_all(
        self,
        first: int,
        last: int,
        callbacks: Callbacks,
        record: Callable[[int], None],
        steps: dict[Optimizer, int],
        each_iteration: bool = True,
    ) -> None:
        """Fire the events of the iterations ``first`` to ``last - 1``.

        Args:
            first: the first iteration. If ``first`` is within an epoch, the epoch starts again, as in ignite.
            last: the iteration after the last iteration.
            callbacks: the callbacks of each event.
            record: a function to call in place of training steps, with the number of training steps since its last
                call.
            steps: the number of steps that each optimizer has made. The method updates these numbers.
            each_iteration: whether to visit every iteration, even if no event calls a function there. This is needed if
                a function of a user may look at the state of the engine.
        """
        state, length = self.engine.state, self.settings.epoch_length
        self.begin(first)
        if not callbacks:
            record(last - first)
            self._set_metrics(first - 1, last, self._by_epoch + self._by_iteration)
            state.iteration, state.epoch, self.iteration = last, -(-last // length), last
            return
        self._set_metrics(first - 1, first, self._by_epoch + self._by_iteration)
        self._fire(self.engine, callbacks, Events.STARTED, state.epoch)
        each_iteration = each_iteration or any((self.engine, event) in callbacks for event in OF_ITERATIONS)
        while state.iteration < last and not self.engine.should_terminate:
            state.epoch += 1
            self._fire(self.engine, callbacks, Events.EPOCH_STARTED, state.epoch)
            end = min(state.epoch * length, last)
            if each_iteration:
                self._fire_iterations(end, callbacks, record, steps)
            else:
                record(end - state.iteration)
                self._set_metrics(state.iteration, end, self._by_iteration)
                state.iteration = self.iteration = end
            if end % length == 0 and not self.engine.should_terminate:
                self._set_metrics(end - length, end, self._by_epoch)
                self._fire(self.engine, callbacks, Events.EPOCH_COMPLETED, state.epoch)
        if last == self.settings.iterations:
            self._fire(self.engine, callbacks, Events.COMPLETED, state.epoch)

    def _fire_iterations(
        self, end: int, callbacks: Callbacks, record: Callable[[int], None], steps: dict[Optimizer, int]
    ) -> None:
        """Fire the events of the iterations up to the end of an epoch."""
        state, engine = self.engine.state, self.engine
        batch_events = [event for event in BATCH_EVENTS if (engine, event) in callbacks]
        started = callbacks.get((engine, Events.ITERATION_STARTED), [])
        completed = callbacks.get((engine, Events.ITERATION_COMPLETED), [])
        apart = {self.settings.accumulation.of(optimizer) for optimizer in steps}
        for iteration in range(state.iteration + 1, end + 1):
            for event in batch_events:
                self._fire(engine, callbacks, event, iteration - 1)
            state.iteration = iteration
            self._call(started, engine, Events.ITERATION_STARTED, iteration)
            if apart and any(iteration % every == 0 for every in apart):
                self._step(callbacks, steps)
            record(1)
            self.iteration = iteration
            if self._by_iteration:
                self._set_metrics(iteration - 1, iteration, self._by_iteration)
            if completed:
                self._call(completed, engine, Events.ITERATION_COMPLETED, iteration)
                if engine.should_terminate:
                    return

    def evaluate(self, evaluator: Engine, callbacks: Callbacks) -> None:
        """Fire the events of one run of an evaluator."""
        for event in EVALUATOR_EVENTS:
            evaluator.state.epoch = epoch = 0 if event is Events.STARTED else 1
            self._fire(evaluator, callbacks, event, epoch)

    def _fire(self, engine: Engine, callbacks: Callbacks, event: Any, count: int) -> None:
        if of_event := callbacks.get((engine, event)):
            self._call(of_event, engine, event, count)

    def _call(self, callbacks: list[Callback], engine: Engine, event: Any, count: int) -> None:
        engine.last_event_name = event
        for handler, event_filter, optimizer, function in callbacks:
            if engine is self.engine:
                self.calling = handler
            is_its_step = optimizer is None or optimizer is engine.state.optimizer  # type: ignore[attr-defined]
            if is_its_step and (event_filter is None or event_filter(engine, count)):
                function()

    def _step(self, callbacks: Callbacks, steps: dict[Optimizer, int]) -> None:
        state: Any = self.engine.state
        making = [one for one in steps if state.iteration % self.settings.accumulation.of(one) == 0]
        for optimizer in making:
            state.optimizer, state.optimizer_step = optimizer, steps[optimizer] + 1
            self._fire(self.engine, callbacks, OptimizerEvents.STEP_STARTED, steps[optimizer] + 1)
            steps[optimizer] += 1
            state.optimizer_steps = list(steps.values())
            self._fire(self.engine, callbacks, OptimizerEvents.STEP_COMPLETED, steps[optimizer])
        state.optimizer = None

    def _set_metrics(self, before: int, now: int, series: list[tuple[str, Sequence[float], int]]) -> None:
        """Set each metric of the engines to its last value after iteration ``before``, up to iteration ``now``."""
        for name, values, interval in series:
            if now // interval > max(before, 0) // interval:
                for engine in self.engines:
                    engine.state.metrics[name] = values[now // interval - 1]
