"""The events of a run in the order in which ignite fires them, without running anything."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ignite.engine import Engine, Events
from torch.optim import Optimizer

from lehr.engine.optimizer_events import OptimizerEvents, stepping_optimizers, steps_of

FETCHING = (Events.GET_BATCH_STARTED, Events.GET_BATCH_COMPLETED)
EVALUATION = (Events.STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.COMPLETED)
FORESEEN = (*EVALUATION, *FETCHING, Events.ITERATION_STARTED, Events.ITERATION_COMPLETED, *OptimizerEvents)


class Waiting(NamedTuple):
    """Someone who waits for an event: its filter, whose steps alone are meant, and what is to be done."""

    event_filter: Any
    optimizer: Optimizer | None
    act: Callable[[], None]


# In which order they come between two training steps.
ORDER = (
    OptimizerEvents.STEP_COMPLETED, Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED, Events.COMPLETED,
    Events.STARTED, Events.EPOCH_STARTED, *FETCHING, Events.ITERATION_STARTED, OptimizerEvents.STEP_STARTED,
)  # fmt: skip
Handlers = Mapping[tuple[Engine, Any], list[Waiting]]


class Timeline:
    """The events of a run, and what the state of the engine says at each of them.

    Args:
        trainer: the engine whose run it is; only asked for its optimizers' steps.
        stand_in: what acts for it: its state counts on.
        evaluators: what acts for its evaluators, to which new metrics are told as well.
        max_epochs: epochs of the whole run.
        epoch_length: iterations of an epoch.
        metrics: the values of each metric, evenly spaced over the run: those for whole epochs are known when the
            epoch completes, others when the iteration does.
        accumulation: how many iterations make a step of the optimizers.
    """

    def __init__(
        self,
        trainer: Engine,
        stand_in: Engine,
        evaluators: Sequence[Engine],
        max_epochs: int,
        epoch_length: int,
        metrics: Mapping[str, Sequence[float]],
        accumulation: int,
    ) -> None:
        self.engine, self.evaluators = stand_in, evaluators
        self.max_epochs, self.epoch_length, self.accumulation = max_epochs, epoch_length, accumulation
        self.iterations = max_epochs * epoch_length
        self.tick = 0  # the iteration whose training step comes next, from 0
        self._optimizers = {optimizer: steps_of(trainer, optimizer) or 0 for optimizer in stepping_optimizers(trainer)}
        self._by_epoch: list[tuple[str, Sequence[float], int]] = []
        self._by_iteration: list[tuple[str, Sequence[float], int]] = []
        for name, values in metrics.items():
            interval = self.iterations // len(values)
            whole_epochs = interval % epoch_length == 0 and epoch_length > 1
            (self._by_epoch if whole_epochs else self._by_iteration).append((name, values, interval))

    def walk(self, first: int, last: int, handlers: Handlers, sample: Callable[[], None], afresh: bool = False) -> None:
        """Let the events of iterations ``first`` to ``last - 1`` come, and sample in each of them.

        Where ``first`` lies within an epoch, ignite begins that once more. Real steps are counted on from where they
        are, or ``afresh`` from 0.
        """
        state, length = self.engine.state, self.epoch_length
        state.max_epochs, state.epoch_length = self.max_epochs, length
        state.iteration, state.epoch, self.tick = first, first // length, first
        steps = {optimizer: 0 if afresh else count for optimizer, count in self._optimizers.items()}
        fetching = [event for event in FETCHING if (self.engine, event) in handlers]
        started = handlers.get((self.engine, Events.ITERATION_STARTED), [])
        completed = handlers.get((self.engine, Events.ITERATION_COMPLETED), [])
        self._tell_metrics(first, self._by_epoch + self._by_iteration)
        self.fire(self.engine, handlers, Events.STARTED, state.epoch)
        while state.iteration < last:
            state.epoch += 1
            self.fire(self.engine, handlers, Events.EPOCH_STARTED, state.epoch)
            for iteration in range(state.iteration + 1, min(state.epoch * length, last) + 1):
                for event in fetching:
                    self.fire(self.engine, handlers, event, iteration - 1)
                state.iteration = iteration
                self._let(started, Events.ITERATION_STARTED, iteration)
                if steps and iteration % self.accumulation == 0:
                    self._step(handlers, steps)
                sample()
                self.tick = iteration
                if self._by_iteration:
                    self._tell_metrics(iteration, self._by_iteration)
                if completed:
                    self._let(completed, Events.ITERATION_COMPLETED, iteration)
            if state.iteration % length == 0:
                self._tell_metrics(state.iteration, self._by_epoch)
                self.fire(self.engine, handlers, Events.EPOCH_COMPLETED, state.epoch)
        if last == self.iterations:
            self.fire(self.engine, handlers, Events.COMPLETED, state.epoch)

    def evaluate(self, evaluator: Engine, handlers: Handlers) -> None:
        """Let the events of an evaluator's run come."""
        for event in EVALUATION:
            evaluator.state.epoch = epoch = 0 if event is Events.STARTED else 1
            self.fire(evaluator, handlers, event, epoch)

    def fire(self, engine: Engine, handlers: Handlers, event: Any, count: int) -> None:
        """Let an event come to those who wait for it, with the count that its filters are given."""
        waiting = handlers.get((engine, event))
        if waiting:
            self._let(waiting, event, count, engine)

    def _let(self, waiting: list[Waiting], event: Any, count: int, engine: Engine | None = None) -> None:
        engine = engine or self.engine
        engine.last_event_name = event
        for event_filter, optimizer, act in waiting:
            meant = optimizer is None or optimizer is engine.state.optimizer  # type: ignore[attr-defined]
            if meant and (event_filter is None or event_filter(engine, count)):
                act()

    def _step(self, handlers: Handlers, steps: dict[Optimizer, int]) -> None:
        state: Any = self.engine.state
        for optimizer in steps:
            state.optimizer, state.optimizer_step = optimizer, steps[optimizer] + 1
            self.fire(self.engine, handlers, OptimizerEvents.STEP_STARTED, steps[optimizer] + 1)
            steps[optimizer] += 1
            state.optimizer_steps = list(steps.values())
            self.fire(self.engine, handlers, OptimizerEvents.STEP_COMPLETED, steps[optimizer])
        state.optimizer = None

    def _tell_metrics(self, iteration: int, series: list[tuple[str, Sequence[float], int]]) -> None:
        for name, values, interval in series:
            if iteration and iteration % interval == 0:
                for engine in (self.engine, *self.evaluators):
                    engine.state.metrics[name] = values[iteration // interval - 1]
