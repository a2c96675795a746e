"""Represents a training loop without an engine by an engine that calls the schedulers at the same iterations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from lehr.handlers.core.clocks.clock import Clock
from lehr.handlers.core.clocks.counting_handlers import AtIterations
from lehr.handlers.core.clocks.stepping_by_amounts import check_counts_amounts
from lehr.handlers.core.duration_unit_checks import refuse_in_plain_loop
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import arguments

from .accumulation import Accumulation

Schedulers = BaseParamScheduler | Sequence[BaseParamScheduler]
Planned = Engine | Schedulers | Mapping[Any, Schedulers]


class PlainRun(Engine):
    """An engine that represents a training loop. It calls the schedulers, but the loop may pass metrics to them."""


class LoopClock(Clock):
    """The clock of a loop without an engine, which passes amounts to ``scheduler.apply(amount=...)``."""

    def reading(self, engine: Engine) -> int:
        """Return 0, because a simulated run has planned amounts instead of readings."""
        return 0


def engine_of(
    planned: Planned,
    max_epochs: int,
    epoch_length: int,
    accumulation: Accumulation,
    amounts: Sequence[int] | None = None,
) -> Engine:
    """Return the engine of a run. For schedulers of a loop without an engine, the engine is a :class:`PlainRun`.

    Args:
        planned: an engine, or a scheduler or several schedulers, which the loop calls before each step of the
            optimizer. It may also be a mapping from events of ignite to the schedulers that the loop calls at these
            events.
        max_epochs: epochs of the run.
        epoch_length: iterations of an epoch.
        accumulation: iterations for each step of each optimizer.
        amounts: the amount that the loop passes to ``apply`` at each iteration, or None if the schedulers count events.

    Raises:
        TypeError: ``planned`` has another type.
        ValueError: there is no scheduler.
    """
    if isinstance(planned, Engine):
        return planned
    by_event = planned if isinstance(planned, Mapping) else {None: planned}
    calls: list[tuple[Any, Any]] = [
        (event, one)
        for event, given in by_event.items()
        for one in (given if isinstance(given, list | tuple) else [given])
    ]
    if not calls:
        raise ValueError(f"trainer must have one or more schedulers, given {arguments.shown(planned)}")
    engine = PlainRun(lambda engine, batch: None)
    done = set()  # pairs of the number of past events and the iterations in each event
    for event, scheduler in calls:
        if not isinstance(scheduler, BaseParamScheduler):
            raise TypeError(
                "trainer must be an ignite Engine, a scheduler, a list of schedulers, or a mapping from events to "
                f"schedulers, given {arguments.shown(scheduler)}"
            )
        refuse_in_plain_loop(scheduler, counts_amounts=amounts is not None and max(amounts) > 1)
        every = accumulation.of_scheduler(scheduler) if event is None else 1
        if event is None:
            event = Events.ITERATION_STARTED if every == 1 else Events.ITERATION_STARTED(every=every)
            if amounts is not None:
                if every > 1:
                    raise ValueError(
                        "amounts must be amounts of optimizer steps if the loop accumulates gradients, given "
                        f"gradient_accumulation_steps {every}: plan the steps, with gradient_accumulation_steps=1"
                    )
                check_counts_amounts(scheduler, "amounts")
                engine.add_event_handler(event, AtIterations(scheduler, LoopClock(), event, None))
                done.add((int(np.searchsorted(np.cumsum([0, *amounts]), scheduler.event_index)), every))
                continue
        engine.add_event_handler(event, scheduler)
        if event == Events.ITERATION_STARTED:
            done.add((scheduler.event_index, every))
    iteration = max((events * every for events, every in done), default=0)
    if iteration and all(iteration // every == events for events, every in done):  # the loop has begun its run
        state = engine.state
        state.iteration = iteration
        state.epoch, state.max_epochs, state.epoch_length = state.iteration // epoch_length, max_epochs, epoch_length
    return engine
