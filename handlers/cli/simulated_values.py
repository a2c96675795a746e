"""Computes the values of a scheduler's first events, in chunks, for ``lehr simulate``, ``plot`` and ``show``."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

from lehr.engine.history import safe_heading
from lehr.handlers.core.schedule_reading import read_values
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.core.scheduler_introspection import column_labels, metric_name_of, reads_metric
from lehr.handlers.core.simulation.private_copies import private_copy
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.metric_driven_parts import metric_parts

from .options import MOST_EVENTS, MOST_SEQUENTIAL_EVENTS
from .scheduler_from_options import make_scheduler

CHUNK = 2**14  # numbers in a chunk
SEQUENTIAL_CHUNK = 2**8  # events in a chunk, for a schedule that is computed event by event
WITHOUT_METRICS = "the values assume that no metric arrives: --metrics 3,2,2,1 simulates metrics"


class Simulation(NamedTuple):
    """The values of a scheduler's first events.

    Args:
        scheduler: the scheduler.
        num_events: the number of events.
        chunks: an iterator over chunks of the values. Each item is the index of the first event in a chunk, and a table
            ``(events, columns)`` of the values.
    """

    scheduler: BaseParamScheduler
    num_events: int
    chunks: Iterator[tuple[int, Array]]


def simulate_events(source: str, given: tuple[str, ...], options: dict[str, Any]) -> Simulation:
    """Return the simulation that the options of a command describe.

    Raises:
        ValueError: the options contradict one another; the number of events is unknown or too high.
    """
    metrics, epoch_length, num_events = options["metrics"], options["epoch_length"], options["num_events"]
    options = {**options, "in_epochs": options["in_epochs"] or epoch_length is not None}
    scheduler = make_scheduler(source, given, options)
    if metrics is None:
        num_events = _length_of(scheduler, num_events)
        if metric_parts(scheduler.schedule):
            click.echo(f"lehr: {WITHOUT_METRICS}", err=True)
        return Simulation(scheduler, num_events, value_chunks(scheduler, num_events))
    if not reads_metric(scheduler):
        raise ValueError(f"--metrics needs a schedule that reads a metric, given {type(scheduler).__name__}")
    num_events = _length_of(scheduler, num_events or len(metrics) * (epoch_length or 1))
    return Simulation(scheduler, num_events, metric_chunks(scheduler, num_events, metrics, epoch_length))


def _length_of(scheduler: BaseParamScheduler, given: int | None) -> int:
    """Return the number of events to simulate, which is the length of the schedule if ``given`` is None."""
    length = scheduler.schedule.length
    if given is None and (length is None or length < 1):
        raise ValueError("--num-events must be set for a schedule without an end, given none")
    number = math.ceil(length or 0) if given is None else given
    if number > MOST_EVENTS:
        raise ValueError(f"--num-events must be at most {MOST_EVENTS}, given {number}")
    if number > MOST_SEQUENTIAL_EVENTS and not scheduler.schedule.is_pure:
        rule = f"must be at most {MOST_SEQUENTIAL_EVENTS} for a schedule that is computed event by event"
        raise ValueError(f"--num-events {rule}, given {number}")
    return number


def value_chunks(scheduler: BaseParamScheduler, num_events: int) -> Iterator[tuple[int, Array]]:
    """Yield the rows of ``scheduler.simulate(num_events)``, bit for bit, in chunks."""
    width = max(scheduler.simulate(1).shape[1], 1)
    if scheduler.schedule.is_pure:
        for start, size in _chunks(num_events, max(CHUNK // width, 1)):
            yield start, scheduler.simulate(size, start)
    else:  # a value depends on the values before it, so one copy of the schedule computes all chunks
        schedule = private_copy(scheduler.schedule)
        for start, size in _chunks(num_events, SEQUENTIAL_CHUNK):
            yield start, read_values(schedule, start, size, width)


def metric_chunks(
    scheduler: Any, num_events: int, metrics: Sequence[float], epoch_length: int | None
) -> Iterator[tuple[int, Array]]:
    """Call a scheduler at the events of an engine that has metrics, and yield the values that it writes, in chunks.

    Args:
        scheduler: a scheduler that reads a metric at each event.
        num_events: the number of events.
        metrics: the metric of each event, or of each epoch. The first event of an epoch reads the metric of the
            previous epoch. Events after the last metric read the last metric again, since it stays in
            ``engine.state.metrics``.
        epoch_length: the number of events in an epoch, if there is a metric for each epoch. If None, there is a metric
            for each event.
    """
    from ignite.engine import Engine

    engine: Any = Engine(lambda engine, batch: None)
    scheduler.save_history = True
    for start, size in _chunks(num_events, SEQUENTIAL_CHUNK):
        for event in range(start, start + size):
            known = event if epoch_length is None else event // epoch_length - 1
            if known >= 0:
                engine.state.metrics[metric_name_of(scheduler)] = metrics[min(known, len(metrics) - 1)]
            scheduler(engine)
        yield start, engine.state.param_history.to_numpy(scheduler.param_name)
        del engine.state.param_history[scheduler.param_name]


def _chunks(num_events: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, num_events, size):
        yield start, min(size, num_events - start)


def labels_of(scheduler: BaseParamScheduler, width: int) -> list[str]:
    """Return a label for each column of a table, such as ``"lr"`` or ``"lr, group 0"``."""
    labels, name = column_labels(scheduler), scheduler.param_name
    if labels is not None and len(labels) == width:
        return labels
    return [name] if width == 1 else [f"{name}, group {group}" for group in range(width)]


def heading_of(label: str) -> str:
    """Return the heading of a column in a CSV file. The CSV file of a history has the same heading.

    >>> heading_of("lr, group 0")
    'lr[0]'
    """
    return safe_heading(re.sub(r", group (\d+)$", r"[\1]", label))
