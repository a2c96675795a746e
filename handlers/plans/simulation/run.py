"""Simulates a run: copies of the schedulers write at the events of the run, without any training step."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from torch.optim import Optimizer

from lehr.engine.times_fired import fired_at_end, repeated_epoch_starts
from lehr.handlers.core import for_plans_and_cli
from lehr.handlers.core.for_plans_and_cli import metric_name_of, optimizers_of
from lehr.handlers.core.simulation.keep_random_state import calls_user_code, random_state_kept_if
from lehr.handlers.schedules.base import Array

from .amounts import PlannedCounting
from .computed_schedulers import ComputedRun, computable, is_seen
from .copies import empty_engine, recorded_values, simulated_schedulers
from .event_times import Part, has_known_filter, num_calls
from .handler_discovery import AttachedHandler, attached_handlers, engine_references
from .simulated_scheduler import SimulatedScheduler, WrittenSchedule
from .timeline import EVALUATOR_EVENTS, TRAINER_EVENTS, Callback, RunSettings, Timeline

PROGRESS_INTERVAL = 1000  # iterations between two calls of ``progress``
COMPLETED_EVENTS = (Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED, Events.COMPLETED)


class SimulatedRun:
    """Fires the events of a run, from the next iteration of the engine on, for copies of its schedulers.

    Args:
        trainer: the engine. The run changes neither the engine nor its objects.
        settings: the length and the metrics of the run.
    """

    def __init__(self, trainer: Engine, settings: RunSettings) -> None:
        self.trainer, self.settings = trainer, settings
        handlers = attached_handlers(trainer)
        self.evaluators = list(dict.fromkeys(handler.owner for handler in handlers if handler.method == "run"))
        of_evaluators = {evaluator: attached_handlers(evaluator) for evaluator in self.evaluators}
        self._with_schedulers = [trainer]
        for evaluator, its_handlers in of_evaluators.items():
            if any(handler.scheduler is not None for handler in its_handlers):
                self._with_schedulers.append(evaluator)
                handlers += its_handlers
        self.unsupported = [
            handler
            for handler in handlers
            if handler.scheduler is not None
            and (
                handler.event not in (TRAINER_EVENTS if handler.engine is trainer else EVALUATOR_EVENTS)
                or (handler.clocked is not None and settings.amounts.planned(handler.clocked.clock) is None)
            )
        ]
        self.handlers = [handler for handler in handlers if handler not in self.unsupported]
        self.failed: tuple[SimulatedScheduler, Engine] | None = None  # the scheduler with the error, and its engine
        self._make_copies()

    def _make_copies(self) -> None:
        """Make the objects that the run changes: empty engines, copies of the schedulers, and records of values."""
        self._engines = {engine: empty_engine(engine) for engine in self._with_schedulers}
        self.engine, *evaluators = self._engines.values()
        self._timeline = Timeline(self.trainer, self.engine, evaluators, self.settings)
        self.schedulers = simulated_schedulers(self.handlers, self._engines, self.settings.metrics)
        self.recorded = recorded_values(self.schedulers, self._engines)
        self._counting = PlannedCounting(self._timeline, self.settings.amounts)
        self._repeats = array("q")  # the number of iterations for which each recorded row is valid

    def run(self, progress: Callable[[int], object] | None) -> None:
        """Fire all events, and record the values of each iteration at its training step.

        Args:
            progress: None, or a function that is called with ``PROGRESS_INTERVAL`` after each ``PROGRESS_INTERVAL``
                iterations.

        Raises:
            Exception: a scheduler raises an error at an event. A note names the iteration.
        """
        with random_state_kept_if(self.calls_user_code):
            try:
                found = computable(self.schedulers, self.recorded.values(), self.handlers, self.trainer, self.engine)
                try:
                    computed = self._computed(found)
                except Exception:  # fire the events one by one, to find the event that raises the error
                    self._make_copies()
                    found, computed = [], self._computed([])
                self._step([one for one in self.schedulers if one not in found], computed, progress)
            except Exception as error:
                done = self.engine.last_event_name in COMPLETED_EVENTS
                iteration = self._timeline.iteration + (0 if done else 1)
                error.add_note(f"in a dry run, at iteration {iteration} of {self.settings.iterations}")
                raise

    @cached_property
    def calls_user_code(self) -> bool:
        """Whether the run calls a function of a user, as a filter or inside a scheduler."""
        called = *(scheduler.copy for scheduler in self.schedulers), *(one.event_filter for one in self.handlers)
        return calls_user_code(called)

    def _computed(self, schedulers: list[SimulatedScheduler]) -> ComputedRun:
        """Compute the events of the given schedulers.

        Raises:
            Exception: a scheduler raises an error at an event.
        """
        settings, originals = self.settings, {id(one.original): one for one in schedulers}
        for values in self.recorded.values():
            values.read_before()
        self._timeline.begin(settings.start)
        for handler in self.handlers if settings.start else ():
            scheduler = originals.get(id(for_plans_and_cli.resumed_scheduler(handler.owner)))
            if scheduler is not None:
                self._resume(handler.owner, scheduler)
        part = Part(settings, settings.start, settings.iterations, self._timeline.steps)
        return ComputedRun(schedulers, self.handlers, self.engine, part)

    def _step(
        self, schedulers: list[SimulatedScheduler], computed: ComputedRun, progress: Callable[[int], object] | None
    ) -> None:
        """Fire the events of the schedulers that are not computed, and end the run.

        Raises:
            Exception: a scheduler, a filter or ``progress`` raises an error.
        """
        settings, timeline, moment = self.settings, self._timeline, None
        start, stop = settings.start, settings.iterations
        stepped = {id(one.original): one for one in schedulers}
        self._times = {one: array("q") for one in schedulers}
        try:
            if start:
                self._count_before()
            callbacks = self._callbacks(stepped, self.handlers, self._write)
            record = self._recorder({id(one) for one in schedulers}, progress)
            timeline.fire_all(start, stop, callbacks, record, timeline.steps, self._is_watched(schedulers))
            if self.engine.should_terminate:
                moment, stop = computed.moment(timeline), timeline.iteration
        except Exception:
            self.failed = self.failed or self._counting.failed
            moment, stop = computed.moment(timeline), timeline.iteration + (timeline.calling is None)
            raise
        finally:
            for scheduler, times in self._times.items():
                scheduler.event_iterations = np.array(times, dtype=np.int64)
            computed.end(moment, self.recorded.values(), stop)

    def _is_watched(self, stepped: list[SimulatedScheduler]) -> bool:
        """Return whether code of a user may look at the state of the engine between two events."""
        return not all(map(has_known_filter, self.handlers)) or any(is_seen(self.engine, one) for one in stepped)

    def _recorder(self, stepped: set[int], progress: Callable[[int], object] | None) -> Callable[[int], None]:
        readers = [reader for values in self.recorded.values() if (reader := values.reader(stepped)) is not None]
        recorded, timeline, repeats = 0, self._timeline, self._repeats

        def record(iterations: int) -> None:
            nonlocal recorded
            for read in readers:
                read()
            if readers:
                repeats.append(iterations)
            if progress is not None:
                first = recorded - recorded % PROGRESS_INTERVAL + PROGRESS_INTERVAL
                recorded += iterations
                for at in range(first, recorded + 1, PROGRESS_INTERVAL):
                    timeline.iteration, timeline.calling = self.settings.start + at - 1, None
                    progress(PROGRESS_INTERVAL)

        return record

    def _count_before(self) -> None:
        """Count the events before the start of the simulated run."""
        settings, engine, timeline = self.settings, self.engine, self._timeline
        schedulers = {id(one.original): one for one in self.schedulers}
        steps = dict.fromkeys(timeline.steps, 0)
        others = []
        for handler in self.handlers:
            if handler.clocked is not None:
                continue  # the engine does not know the count of a clock
            if handler.engine is not self.trainer or not has_known_filter(handler) or handler.scheduler is None:
                others.append(handler)
            elif handler.writes:
                scheduler = schedulers[id(handler.scheduler)]
                scheduler.events_before += num_calls(handler, Part(settings, 0, settings.start, steps))
        callbacks = self._callbacks(schedulers, others, self._count)
        timeline.fire_all(0, settings.start, callbacks, lambda iterations: None, steps, self._is_watched([]))
        engine.state.epoch = settings.start // settings.epoch_length
        for scheduler in self.schedulers:
            events = [handler.filtered_event for handler in scheduler.writing_handlers]
            scheduler.repeated_events = sum(repeated_epoch_starts(engine, event) for event in events)
            scheduler.last_events = sum(fired_at_end(engine, event) for event in events)

    def _callbacks(
        self,
        schedulers: Mapping[int, SimulatedScheduler],
        handlers: list[AttachedHandler],
        callback_of: Callable[[SimulatedScheduler, AttachedHandler], Callable[[], None]],
    ) -> dict[tuple[Engine, Any], list[Callback]]:
        """Return the callbacks of each event for the given schedulers, in the order of the engine's own handlers."""
        callbacks: dict[tuple[Engine, Any], list[Callback]] = defaultdict(list)
        for handler in handlers:
            resumed = for_plans_and_cli.resumed_scheduler(handler.owner) if handler.method == "resume" else None
            scheduler = schedulers.get(id(handler.scheduler or resumed))
            if handler.method == "run" and handler.owner in self._engines and schedulers:
                function: Callable[[], None] = partial(self._timeline.evaluate, self._engines[handler.owner], callbacks)
            elif scheduler is None:
                continue
            elif resumed is not None:
                function = partial(self._resume, handler.owner, scheduler)
            else:
                function = callback_of(scheduler, handler)
            callbacks[self._engines[handler.engine], handler.event].append(Callback.of(handler, function))
        return callbacks

    def _write(self, scheduler: SimulatedScheduler, handler: AttachedHandler) -> Callable[[], None]:
        engine = self._engines[handler.engine]
        add, timeline = self._times[scheduler].append, self._timeline
        if handler.clocked is not None:
            return self._counting.function(scheduler, handler.clocked, add)
        call = getattr(scheduler.copy, handler.method)
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
            for_plans_and_cli.simulate_resume(handler, self.engine, scheduler.copy)

    @property
    def stop(self) -> int:
        """The iteration after the last iteration. A deadline may end the run before ``settings.iterations``."""
        return self._timeline.iteration if self.engine.should_terminate else self.settings.iterations

    @cached_property
    def tables(self) -> dict[str, Array]:
        """The values of each name after the run: ``(iterations, groups)``."""
        start, iterations = self.settings.start, self.settings.iterations
        tables: dict[str, Array] = {}
        for name, values in self.recorded.items():
            table = values.table(start, iterations, self._repeats)
            # Two names may share a table.
            is_shared = any(np.may_share_memory(table, other) for other in tables.values())
            tables[name] = (table.copy() if is_shared else table)[: self.stop]
        return tables

    @cached_property
    def written_schedules(self) -> list[WrittenSchedule]:
        """All schedules whose values the run has written."""
        return [
            written
            for name, values in self.recorded.items()
            for written in values.written_schedules(name, self.engine, self.tables[name])
        ]

    def writing_order(self, scheduler: SimulatedScheduler) -> tuple[int, int]:
        """Return the position of a scheduler's last write between two training steps: the event and the handler.

        If several schedulers write the same value, the scheduler with the latest position overrides the others.
        """
        return max((TRAINER_EVENTS.index(one.event), self.handlers.index(one)) for one in scheduler.writing_handlers)

    @property
    def engines(self) -> Collection[Engine]:
        """The trainer, and the evaluators that it runs and that have schedulers."""
        return self._engines.keys()

    @cached_property
    def references(self) -> list[Any]:
        """The objects that the trainer's training step and handlers refer to."""
        return engine_references(self.trainer)

    @cached_property
    def optimizers(self) -> set[int]:
        """The ids of the optimizers that the trainer's code refers to, or that its schedulers write to."""
        own = {id(one) for one in self.references if isinstance(one, Optimizer)}
        return own.union(*(optimizers_of(scheduler.original) for scheduler in self.schedulers))
