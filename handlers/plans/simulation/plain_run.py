"""A run whose loop calls the schedulers itself, as an engine that calls them at the same iterations."""

from collections.abc import Mapping, Sequence
from typing import Any

from ignite.engine import Engine, Events

from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import arguments

Schedulers = BaseParamScheduler | Sequence[BaseParamScheduler]
Planned = Engine | Schedulers | Mapping[Any, Schedulers]


class PlainRun(Engine):
    """An engine that stands for a training loop without one. It calls the schedulers; others may observe metrics."""


def engine_of(planned: Planned, max_epochs: int, epoch_length: int, accumulation: int) -> Engine:
    """The engine of a run; schedulers of a loop without one get a :class:`PlainRun`.

    Args:
        planned: an engine; or a scheduler or several, which the loop calls before each step of the optimizer; or a
            mapping from events of ignite to the schedulers that the loop calls then.
        max_epochs: epochs of the run.
        epoch_length: iterations of an epoch.
        accumulation: iterations for each step of the optimizer.

    Raises:
        TypeError: ``planned`` is something else.
        ValueError: there is no scheduler.
    """
    if isinstance(planned, Engine):
        return planned
    step = Events.ITERATION_STARTED if accumulation == 1 else Events.ITERATION_STARTED(every=accumulation)
    by_event = planned if isinstance(planned, Mapping) else {step: planned}
    calls: list[tuple[Any, Any]] = [
        (event, one)
        for event, given in by_event.items()
        for one in (given if isinstance(given, list | tuple) else [given])
    ]
    if not calls:
        raise ValueError(f"trainer must have one or more schedulers, given {arguments.shown(planned)}")
    engine = PlainRun(lambda engine, batch: None)
    for event, scheduler in calls:
        if not isinstance(scheduler, BaseParamScheduler):
            raise TypeError(
                "trainer must be an ignite Engine, a scheduler, a list of schedulers, or a mapping from events to "
                f"schedulers, given {arguments.shown(scheduler)}"
            )
        engine.add_event_handler(event, scheduler)
    begun = {scheduler.event_index for event, scheduler in calls if event in (step, Events.ITERATION_STARTED)}
    if len(begun) == 1 and (events := begun.pop()):  # the loop is in its run, as its schedulers are
        state = engine.state
        state.iteration = events * (accumulation if planned is not by_event else 1)
        state.epoch, state.max_epochs, state.epoch_length = state.iteration // epoch_length, max_epochs, epoch_length
    return engine
