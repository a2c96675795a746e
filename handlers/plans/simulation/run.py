"""A rehearsal of a run: what copies of its schedulers do at its events, and no training step."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ignite.engine import Engine, Events
from torch.optim import Optimizer

from lehr.engine.event_counts import fired_at_end, repeated_epoch_starts
from lehr.handlers.core.copying import private_copy, reachable_from
from lehr.handlers.core.inspection import (
    engines_of,
    existing_schedulers,
    locations_of,
    metric_name_of,
    optimizers_of,
    prepare_copy,
    resumed_scheduler,
    simulate_resume,
)
from lehr.handlers.core.reading import random_state_kept
from lehr.handlers.core.scheduler import BaseParamScheduler

from .attached import Wire, evaluators_of, wires_of
from .code_inspection import referred_to_by
from .empty_engines import engine_like, loader_like
from .members import loaders_of
from .timeline import EVALUATION, FORESEEN, ORDER, Timeline, Waiting

ENDS = (Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED, Events.COMPLETED)  # of iterations that have been made


@dataclass
class Part:
    """A scheduler in a rehearsal.

    Args:
        original: the scheduler.
        copy: what acts for it.
        wires: where it is attached, or one of its methods.
        expected: how many of its events had come before the rehearsal begins.
        again: how many of those a resumed run has once more.
        missed: how many of those came at the very end, perhaps after the checkpoint.
        ticks: for each event in the rehearsal, which iteration's training step comes next, from 0.
    """

    original: BaseParamScheduler
    copy: BaseParamScheduler
    wires: list[Wire]
    expected: int = 0
    again: int = 0
    missed: int = 0
    ticks: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def first_event(self) -> int:
        """The index of its first event in the rehearsal."""
        return self.copy.event_index - len(self.ticks)

    @property
    def writing(self) -> list[Wire]:
        """The wires at whose events it writes."""
        return [wire for wire in self.wires if wire.writes]


def stands_at(trainer: Engine, iterations: int) -> int:
    """How many iterations of a run an engine has behind it: none where ignite would begin anew."""
    state = trainer.state
    # Older versions of ignite have no max_iters, and turn what is given into epochs.
    has_begun = state.max_epochs is not None or getattr(state, "max_iters", None) is not None
    return int(state.iteration) if has_begun and state.iteration < iterations else 0


class Rehearsal:
    """The events that a run of an engine would have, from where it stands, for copies of its schedulers.

    Args:
        trainer: the engine. Neither it nor anything that belongs to it is changed.
        max_epochs: epochs of the whole run.
        epoch_length: iterations of an epoch.
        metrics: the values of each metric, evenly spaced over the run.
        accumulation: how many iterations make a step of the optimizers.
    """

    def __init__(
        self,
        trainer: Engine,
        max_epochs: int,
        epoch_length: int,
        metrics: Mapping[str, Sequence[float]],
        accumulation: int,
    ) -> None:
        self.trainer, self.max_epochs, self.epoch_length = trainer, max_epochs, epoch_length
        self.iterations, self.metrics, self.accumulation = max_epochs * epoch_length, metrics, accumulation
        self.start = stands_at(trainer, self.iterations)
        self._engines = {engine: engine_like(engine) for engine in (trainer, *evaluators_of(trainer))}
        self.engine, *evaluators = self._engines.values()
        self._timeline = Timeline(trainer, self.engine, evaluators, max_epochs, epoch_length, metrics, accumulation)
        wires = [wire for engine in self._engines for wire in wires_of(engine)]
        self.unforeseen = [
            wire
            for wire in wires
            if isinstance(wire.target, BaseParamScheduler)
            and wire.event not in (FORESEEN if wire.engine is trainer else EVALUATION)
        ]
        self._wires = [wire for wire in wires if wire not in self.unforeseen]
        self.parts = self._copied()
        self.failed: tuple[Part, Engine] | None = None  # whose event has raised an error, and of which engine it was

    @property
    def silent(self) -> list[Part]:
        """The schedulers that write, and do not say where."""
        return [part for part in self.parts if part.writing and not locations_of(part.copy, self.engine)]

    def optimizers(self) -> set[int]:
        """The trainer's optimizers, by their ids: those that its own code, or a scheduler of it, refers to."""
        own = {id(thing) for thing in referred_to_by(self.trainer) if isinstance(thing, Optimizer)}
        return own.union(*(optimizers_of(part.original) for part in self.parts))

    def out_of_sight(self) -> list[BaseParamScheduler]:
        """The schedulers of the trainer's optimizers on other engines, whose events nobody can tell."""
        own = self.optimizers()
        return [
            scheduler
            for scheduler in existing_schedulers()
            if any(engine not in self._engines for engine in engines_of(scheduler))
            and not own.isdisjoint(optimizers_of(scheduler))
        ]

    def called_by_others(self) -> list[BaseParamScheduler]:
        """The schedulers that a handler or the training step refers to, and that nothing else calls."""
        originals = [part.original for part in self.parts]
        known = {id(thing) for thing in reachable_from([*originals, *(wire.target for wire in self.unforeseen)])}
        things = {id(thing): thing for thing in referred_to_by(self.trainer) if isinstance(thing, BaseParamScheduler)}
        return [thing for at, thing in things.items() if at not in known and not engines_of(thing)]

    @property
    def tick(self) -> int:
        """The iteration whose training step comes next, from 0."""
        return self._timeline.tick

    def stand_in_for(self, engine: Engine) -> Engine:
        """What acts for the trainer, or for one of its evaluators."""
        return self._engines[engine]

    def _copied(self) -> list[Part]:
        schedulers = [wire.target for wire in self._wires if isinstance(wire.target, BaseParamScheduler)]
        originals = list({id(scheduler): scheduler for scheduler in schedulers}.values())
        loaders = dict.fromkeys(loader for scheduler in originals for loader in loaders_of(scheduler))
        replaced: list[tuple[object, object]] = [*self._engines.items(), *((one, loader_like(one)) for one in loaders)]
        copies = private_copy(originals, replaced=replaced)
        for copied in copies:
            prepare_copy(copied, self.metrics)
        wires = [[wire for wire in self._wires if wire.target is original] for original in originals]
        return [Part(*its_own) for its_own in zip(originals, copies, wires, strict=True)]

    def order_of(self, part: Part) -> tuple[int, int]:
        """When it writes between two training steps, and where among those who wait for the same event."""
        return max((ORDER.index(wire.event), self._wires.index(wire)) for wire in part.writing)

    def run(self, sample: Callable[[], None]) -> None:
        """Let all events come, and call ``sample`` in each iteration, where its training step would be.

        Raises:
            Exception: what a scheduler raises at one of its events, with a note that says when it was.
        """
        with random_state_kept():
            try:
                if self.start:
                    self._count_before()
                self._timeline.walk(self.start, self.iterations, self._handlers(self._write), sample)
            except Exception as error:
                number = self.tick if self.engine.last_event_name in ENDS else self.tick + 1
                error.add_note(f"in a dry run, at iteration {number} of {self.iterations}")
                raise

    def _count_before(self) -> None:
        """Count the events that the run has had before, and stand where it does."""
        self._timeline.walk(0, self.start, self._handlers(self._count), lambda: None, afresh=True)
        self.engine.state.epoch = self.start // self.epoch_length
        for part in self.parts:
            events = [wire.filtered_event for wire in part.writing]
            part.again = sum(repeated_epoch_starts(self.engine, event) for event in events)
            part.missed = sum(fired_at_end(self.engine, event) for event in events)

    def _handlers(self, action: Callable[[Part, Wire], Callable[[], None]]) -> dict[tuple[Engine, Any], list[Waiting]]:
        """Those who wait for each event, in the order of the engine's own handlers."""
        handlers: dict[tuple[Engine, Any], list[Waiting]] = defaultdict(list)
        parts = {id(part.original): part for part in self.parts}
        for wire in self._wires:
            if isinstance(wire.target, BaseParamScheduler):
                act = action(parts[id(wire.target)], wire)
            elif wire.target in self._engines:
                act = self._evaluation(self._engines[wire.target], handlers)
            elif id(resumed := resumed_scheduler(wire.target)) in parts:
                act = self._resume(wire.target, parts[id(resumed)])
            else:
                continue
            handlers[self._engines[wire.engine], wire.event].append(Waiting(wire.event_filter, wire.optimizer, act))
        return handlers

    def _write(self, part: Part, wire: Wire) -> Callable[[], None]:
        act, engine = getattr(part.copy, wire.method), self._engines[wire.engine]
        note, timeline = part.ticks.append, self._timeline

        def write() -> None:
            try:
                act(engine)
            except Exception:
                self.failed = part, engine
                raise
            note(timeline.tick)

        if wire.writes:
            return write
        if wire.method == "observe" and metric_name_of(part.copy) not in self.metrics:
            return lambda: None
        return lambda: act(engine)

    def _count(self, part: Part, wire: Wire) -> Callable[[], None]:
        def count() -> None:
            part.expected += wire.writes

        return count

    def _resume(self, check: object, part: Part) -> Callable[[], None]:
        def resume() -> None:
            if self.engine.state.iteration > 0:
                simulate_resume(check, self.engine, part.copy)

        return resume

    def _evaluation(self, evaluator: Engine, handlers: dict[tuple[Engine, Any], list[Waiting]]) -> Callable[[], None]:
        return lambda: self._timeline.evaluate(evaluator, handlers)
