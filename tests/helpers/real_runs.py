"""Real runs to compare plans with: what stands where schedulers write when a training step has been made."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer

from lehr.engine import OptimizerEvents
from lehr.handlers import dry_run
from lehr.handlers.schedules import LinearInterpolation

Metrics = Mapping[str, Sequence[float]]
COUNTING = LinearInterpolation([(0, 0.0), (100000, 100000.0)])  # the value is the index of the event
WAYS = ("attach", "add_event_handler")
KINDS = [
    Events.STARTED,
    Events.EPOCH_STARTED,
    Events.GET_BATCH_STARTED,
    Events.GET_BATCH_COMPLETED,
    Events.ITERATION_STARTED,
    Events.ITERATION_COMPLETED,
    Events.EPOCH_COMPLETED,
    Events.COMPLETED,
    *OptimizerEvents,
]


@dataclass
class Training:
    """A trainer whose training step records what ``reads`` finds at its end.

    Args:
        metrics: the values of each metric, evenly spaced over the run: those for whole epochs are there when the epoch
            completes, others when the training step ends.
        accumulation: how many iterations make one step of the optimizers; or of each of them, in turn.
        trainer: the engine.
    """

    metrics: Metrics = field(default_factory=dict)
    accumulation: int | tuple[int, ...] = 1
    trainer: Engine = field(default_factory=make_trainer)
    optimizers: list[Any] = field(default_factory=list)
    reads: dict[str, Callable[[], list[float]]] = field(default_factory=dict)
    rows: dict[str, list[list[float]]] = field(default_factory=dict)
    evaluators: list[Engine] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trainer._process_function = self.step
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, self._tell_of_epochs)

    def optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """One more optimizer, whose steps are made."""
        self.optimizers.append(make_optimizer(*args, **kwargs))
        return self.optimizers[-1]

    @property
    def accumulation_steps(self) -> Any:
        """``accumulation`` as ``dry_run`` takes it."""
        if isinstance(self.accumulation, int):
            return self.accumulation
        return dict(zip(self.optimizers, itertools.cycle(self.accumulation), strict=False))

    def evaluator(self) -> Engine:
        """An engine that has the metrics of the moment when its epoch completes."""
        evaluator, known = make_trainer(), self.trainer.state.metrics
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.state.metrics.update(known))
        self.evaluators.append(evaluator)
        return evaluator

    def step(self, engine: Engine, batch: object) -> None:
        """The training step."""
        iteration = engine.state.iteration
        steps = self.accumulation_steps
        for optimizer in self.optimizers:
            if iteration % (steps if isinstance(steps, int) else steps[optimizer]) == 0:
                optimizer.step()
        for name, read in self.reads.items():
            self.rows.setdefault(name, []).append([float("nan") if one is None else float(one) for one in read()])
        self._tell(iteration, whole_epochs=False)

    def _tell_of_epochs(self) -> None:
        self._tell(self.trainer.state.iteration, whole_epochs=True)

    def _tell(self, iteration: int, whole_epochs: bool) -> None:
        state = self.trainer.state
        for name, values in self.metrics.items():
            apart = state.max_epochs * state.epoch_length // len(values)
            if iteration % apart == 0 and whole_epochs == (apart % state.epoch_length == 0 and state.epoch_length > 1):
                state.metrics[name] = values[iteration // apart - 1]

    def run(self, max_epochs: int, epoch_length: int) -> None:
        """Really run."""
        self.trainer.run([0] * epoch_length, max_epochs=max_epochs)


def bits(table: Any) -> list[list[str]]:
    """A table of numbers, bit by bit."""
    return [[float(value).hex() for value in row] for row in table]


def assert_as_planned(
    make: Callable[[Training], None],
    max_epochs: int,
    epoch_length: int,
    metrics: Metrics | None = None,
    accumulation: int | tuple[int, ...] = 1,
    in_any_order: bool = False,
) -> Any:
    """A plan is what a run of the same objects, made anew, does; groups of one name perhaps in another order."""
    planned, really = Training(metrics or {}, accumulation), Training(metrics or {}, accumulation)
    make(planned)
    make(really)
    steps = planned.accumulation_steps
    plan = dry_run(planned.trainer, max_epochs, epoch_length, metrics, gradient_accumulation_steps=steps)
    really.run(max_epochs, epoch_length)
    assert sorted(plan) == sorted(really.rows)
    for name, rows in really.rows.items():
        assert len(rows) == max_epochs * epoch_length
        planned_columns, columns = zip(*bits(plan[name]), strict=True), zip(*bits(rows), strict=True)
        put_in_order = sorted if in_any_order else list
        assert put_in_order(planned_columns) == put_in_order(columns), name
    assert planned.trainer.state.iteration == 0
    assert not planned.rows
    return plan


def attach(training: Training, scheduler: Any, event: Any, way: str, name: str | None = None) -> None:
    """Attach a scheduler to the trainer in one of the two ways, with a name or without."""
    if way == "attach":
        scheduler.attach(training.trainer, event, name)
    elif name is None:
        training.trainer.add_event_handler(event, scheduler)
    else:
        training.trainer.add_event_handler(event, scheduler, name)
