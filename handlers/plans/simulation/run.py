"""A simulated run: copies of the schedulers write at the events of a run, without any training step."""

from collections import defaultdict
from collections.abc import Callable
from functools import cached_property, partial
from itertools import count
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch.optim import Optimizer
from torch.utils.data import BatchSampler, DataLoader, TensorDataset

from lehr.engine.event_counts import fired_at_end, repeated_epoch_starts
from lehr.handlers.core import inspection
from lehr.handlers.core.copying import private_copy, reachable_from
from lehr.handlers.core.inspection import engines_of, locations_of, metric_name_of, optimizers_of
from lehr.handlers.core.random_state import random_state_kept
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.batch_size import BatchSizeScheduler
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.base import Array

from .handlers import AttachedHandler, attached_handlers, engine_references
from .schedulers import RecordedValues, SimulatedScheduler, WrittenSchedule
from .timeline import EVALUATOR_EVENTS, TRAINER_EVENTS, Callback, RunSettings, Timeline

PROGRESS_INTERVAL = 1000  # iterations between two calls of ``progress``
COMPLETED_EVENTS = (Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED, Events.COMPLETED)


class SimulatedRun:
    """The events of a run, from the next iteration of the engine on, for copies of its schedulers.

    Args:
        trainer: the engine. The run does not change it, or anything that belongs to it.
        settings: the length and the metrics of the run.
    """

    def __init__(self, trainer: Engine, settings: RunSettings) -> None:
        self.trainer, self.settings = trainer, settings
        handlers = attached_handlers(trainer)
        self.evaluators = list(dict.fromkeys(handler.owner for handler in handlers if handler.method == "run"))
        self._engines = {trainer: _empty_engine(trainer)}
        for evaluator in self.evaluators:
            of_evaluator = attached_handlers(evaluator)
            if any(handler.scheduler is not None for handler in of_evaluator):
                self._engines[evaluator] = _empty_engine(evaluator)
                handlers += of_evaluator
        self.engine, *evaluators = self._engines.values()
        self._timeline = Timeline(trainer, self.engine, evaluators, settings)
        self.unsupported = [
            handler
            for handler in handlers
            if handler.scheduler is not None
            and handler.event not in (TRAINER_EVENTS if handler.engine is trainer else EVALUATOR_EVENTS)
        ]
        self.handlers = [handler for handler in handlers if handler not in self.unsupported]
        self.schedulers = self._simulated_schedulers()
        self.recorded = self._recorded_values()
        self.failed: tuple[SimulatedScheduler, Engine] | None = None  # the scheduler that raised, and its engine

    def _simulated_schedulers(self) -> list[SimulatedScheduler]:
        handlers: dict[int, list[AttachedHandler]] = defaultdict(list)
        for handler in self.handlers:
            if handler.scheduler is not None:
                handlers[id(handler.scheduler)].append(handler)
        originals = [of_scheduler[0].owner for of_scheduler in handlers.values()]
        members = [member for original in originals for member in inspection.members_of(original)]
        loaders = dict.fromkeys(member.dataloader for member in members if isinstance(member, BatchSizeScheduler))
        replaced: list[tuple[object, object]] = [
            *self._engines.items(),
            *((loader, _empty_loader(loader)) for loader in loaders),
        ]
        copies = private_copy(originals, replaced=replaced)
        for copied in copies:
            inspection.prepare_copy(copied, self.settings.metrics)
        locations = [locations_of(copied, self.engine) for copied in copies]
        return list(map(SimulatedScheduler, originals, copies, handlers.values(), locations))

    def _recorded_values(self) -> dict[str, RecordedValues]:
        recorded: dict[str, RecordedValues] = {}
        for scheduler in self.schedulers:
            own_names = inspection.history_names(scheduler.copy, None)
            for handler in scheduler.writing_handlers:
                for own_name, locations in locations_of(scheduler.copy, self._engines[handler.engine]).items():
                    # A momentum that torch writes beside the learning rate has no history, and keeps its name.
                    name = handler.name if handler.name and own_name in own_names else own_name
                    recorded.setdefault(name, RecordedValues()).add(scheduler, locations)
        return recorded

    def run(self, progress: Callable[[int], object] | None) -> None:
        """Fire all events, and record the values of each iteration at its training step.

        Args:
            progress: called with ``PROGRESS_INTERVAL`` after every so many iterations, or None.

        Raises:
            Exception: a scheduler raises it at an event. A note names the iteration.
        """
        record = self._recorder(progress)
        with random_state_kept(*self.called):
            try:
                if self.settings.start:
                    self._count_before()
                self._timeline.fire_all(
                    self.settings.start, self.settings.iterations, self._callbacks(self._write), record
                )
            except Exception as error:
                done = self.engine.last_event_name in COMPLETED_EVENTS
                iteration = self._timeline.iteration + (0 if done else 1)
                error.add_note(f"in a dry run, at iteration {iteration} of {self.settings.iterations}")
                raise

    @property
    def called(self) -> list[object]:
        """The schedulers and filters of events that a run calls, and with them the functions of users."""
        return [*(scheduler.copy for scheduler in self.schedulers), *(one.event_filter for one in self.handlers)]

    def _recorder(self, progress: Callable[[int], object] | None) -> Callable[[], None]:
        readers = [values.reader() for values in self.recorded.values()]
        iterations = count(1)

        def record() -> None:
            for read in readers:
                read()
            if progress is not None and next(iterations) % PROGRESS_INTERVAL == 0:
                progress(PROGRESS_INTERVAL)

        return record

    def _count_before(self) -> None:
        """Count the events that came before the simulated run starts."""
        self._timeline.fire_all(0, self.settings.start, self._callbacks(self._count), lambda: None, from_zero=True)
        self.engine.state.epoch = self.settings.start // self.settings.epoch_length
        for scheduler in self.schedulers:
            events = [handler.filtered_event for handler in scheduler.writing_handlers]
            scheduler.repeated_events = sum(repeated_epoch_starts(self.engine, event) for event in events)
            scheduler.last_events = sum(fired_at_end(self.engine, event) for event in events)

    def _callbacks(
        self, callback_of: Callable[[SimulatedScheduler, AttachedHandler], Callable[[], None]]
    ) -> dict[tuple[Engine, Any], list[Callback]]:
        """The callbacks of each event, in the order of the engine's own handlers."""
        callbacks: dict[tuple[Engine, Any], list[Callback]] = defaultdict(list)
        schedulers = {id(scheduler.original): scheduler for scheduler in self.schedulers}
        for handler in self.handlers:
            if handler.scheduler is not None:
                function = callback_of(schedulers[id(handler.scheduler)], handler)
            elif handler.method == "run" and handler.owner in self._engines:
                function = partial(self._timeline.evaluate, self._engines[handler.owner], callbacks)
            elif (scheduler := schedulers.get(id(inspection.resumed_scheduler(handler.owner)))) is not None:
                function = partial(self._resume, handler.owner, scheduler)
            else:
                continue
            callback = Callback(handler.event_filter, handler.optimizer, function)
            callbacks[self._engines[handler.engine], handler.event].append(callback)
        return callbacks

    def _write(self, scheduler: SimulatedScheduler, handler: AttachedHandler) -> Callable[[], None]:
        call, engine = getattr(scheduler.copy, handler.method), self._engines[handler.engine]
        add, timeline = scheduler.event_iterations.append, self._timeline
        if handler.method == "observe":
            has_metric = metric_name_of(scheduler.copy) in self.settings.metrics

            def observe() -> None:
                scheduler.observed_iterations.append(timeline.iteration)
                if has_metric:
                    call(engine)

            return observe
        if not handler.writes:
            return partial(call, engine)

        def write() -> None:
            try:
                call(engine)
            except Exception:
                self.failed = scheduler, engine
                raise
            add(timeline.iteration)

        return write

    def _count(self, scheduler: SimulatedScheduler, handler: AttachedHandler) -> Callable[[], None]:
        def count_event() -> None:
            scheduler.events_before += handler.writes

        return count_event

    def _resume(self, handler: object, scheduler: SimulatedScheduler) -> None:
        if self.engine.state.iteration > 0:
            inspection.simulate_resume(handler, self.engine, scheduler.copy)

    @cached_property
    def tables(self) -> dict[str, Array]:
        """The values of each name after the run: ``(iterations, groups)``."""
        start, iterations = self.settings.start, self.settings.iterations
        return {name: values.table(start, iterations) for name, values in self.recorded.items()}

    @cached_property
    def written_schedules(self) -> list[WrittenSchedule]:
        """All schedules that the run has written."""
        return [
            written
            for name, values in self.recorded.items()
            for written in values.written_schedules(name, self.engine, self.tables[name])
        ]

    def writing_order(self, scheduler: SimulatedScheduler) -> tuple[int, int]:
        """The position of its last write between two training steps; the later of two schedulers wins."""
        return max(
            (TRAINER_EVENTS.index(handler.event), self.handlers.index(handler))
            for handler in scheduler.writing_handlers
        )

    @cached_property
    def references(self) -> list[Any]:
        """The objects that the trainer's training step and handlers refer to."""
        return engine_references(self.trainer)

    @cached_property
    def optimizers(self) -> set[int]:
        """The ids of the trainer's optimizers: those that its code refers to, or that its schedulers write to."""
        own = {id(one) for one in self.references if isinstance(one, Optimizer)}
        return own.union(*(optimizers_of(scheduler.original) for scheduler in self.schedulers))

    def unforeseen(self) -> list[str]:
        """The schedulers whose events or locations the run cannot predict, in words."""
        without_locations = [one.original for one in self.schedulers if one.writing_handlers and not one.locations]
        on_other_engines = [
            scheduler
            for scheduler in inspection.existing_schedulers()
            if any(engine not in self._engines for engine in engines_of(scheduler))
            and not self.optimizers.isdisjoint(optimizers_of(scheduler))
        ]
        owners = [scheduler.original for scheduler in self.schedulers] + [one.owner for one in self.unsupported]
        known = {id(part) for part in reachable_from(owners)}
        referenced = {id(one): one for one in self.references if isinstance(one, BaseParamScheduler)}
        called = [one for key, one in referenced.items() if key not in known and not engines_of(one)]
        return [
            *(f"{arguments.shown(handler.owner)} on {handler.event_text}" for handler in self.unsupported),
            *(
                f"{arguments.shown(one)}, which has no param groups, or does not say where it writes"
                for one in without_locations
            ),
            *(f"{arguments.shown(one)} on an engine that no handler of the trainer runs" for one in on_other_engines),
            *(f"{arguments.shown(one)}, which your code may call" for one in called),
        ]


def _empty_engine(engine: Engine) -> Engine:
    """An engine in the same state, without handlers, data or metrics."""
    empty = Engine(lambda engine, batch: None)
    left_out = ("batch", "output", "dataloader", "param_history")
    vars(empty.state).update({key: value for key, value in vars(engine.state).items() if key not in left_out})
    empty.state.metrics = {}
    return empty


def _empty_loader(loader: "DataLoader[Any]") -> "DataLoader[Any]":
    """A data loader of one number, with the same batch size."""
    assert isinstance(loader.batch_sampler, BatchSampler)
    return DataLoader(TensorDataset(torch.empty(1)), batch_size=loader.batch_sampler.batch_size)
