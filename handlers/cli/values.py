"""The values of a scheduler, event by event, as many as one likes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ignite.engine import Engine

from lehr.handlers.core.copying import private_copy
from lehr.handlers.core.reading import read_values
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.metric_scheduler import driven_parts
from lehr.handlers.schedules.base import Array

from .progress import Progress

MOST_AHEAD, MOST_LIVE = 10**8, 10**7
CHUNK = 2**18  # numbers at a time: a few megabytes
CHUNK_OF_LIVE = 2**12  # events at a time, where each is computed by itself


@dataclass(frozen=True)
class Column:
    """What one column of values is.

    Args:
        param_name: the parameter, or the name in a :class:`ParamGroupScheduler`.
        group: which of its param groups; None if there is one column for all of them.
    """

    param_name: str
    group: int | None

    @property
    def heading(self) -> str:
        """As a history's CSV has it."""
        return self.param_name if self.group is None else f"{self.param_name}[{self.group}]"


def columns_of(scheduler: BaseParamScheduler, width: int) -> list[Column]:
    """What the columns of a scheduler's values are."""
    labels = scheduler._labels()
    if labels is None or len(labels) != width:
        return [Column(scheduler.param_name, None if width == 1 else group) for group in range(width)]
    columns = []
    for label in labels:
        name, separator, group = label.rpartition(", group ")
        columns.append(Column(name, int(group)) if separator and group.isdigit() else Column(label, None))
    return columns


def is_driven(scheduler: BaseParamScheduler) -> bool:
    """Whether its values depend on a metric."""
    return bool(driven_parts(scheduler.schedule))


def number_of_events(scheduler: BaseParamScheduler, given: int | None, is_live: bool = False) -> int:
    """How many events to look at: those that are given, or as many as the schedule lasts.

    Args:
        scheduler: whose they are.
        given: how many, if somebody says.
        is_live: whether they are to be gone through one by one.

    Raises:
        ValueError: nobody says, or they are too many.
    """
    length = scheduler.schedule.length
    if given is None and (length is None or length < 1):
        raise ValueError("--num-events must be given for a schedule without an end, given none")
    number = math.ceil(length or 0) if given is None else given
    most = MOST_AHEAD if scheduler.schedule.is_pure and not is_live else MOST_LIVE
    if number > most:
        why = "" if most == MOST_AHEAD else " for a schedule that is computed event by event"
        raise ValueError(f"--num-events must be at most {most}{why}, given {number}")
    return number


def chunks_of(scheduler: BaseParamScheduler, num_events: int) -> Iterator[tuple[int, Array]]:
    """The values of the first events, some at a time, each with the index of its first event.

    They are bit for bit those of ``scheduler.simulate(num_events)``. Where a value depends on those before, one copy of
    the schedule goes on from chunk to chunk.
    """
    if not scheduler.schedule.is_pure:
        schedule, groups = private_copy(scheduler.schedule), scheduler._num_groups()
        for start in range(0, num_events, CHUNK_OF_LIVE):
            yield start, read_values(schedule, start, min(CHUNK_OF_LIVE, num_events - start), groups)
        return
    size = max(CHUNK // max(scheduler.simulate(1).shape[1], 1), 1)
    for start in range(0, num_events, size):
        yield start, scheduler.simulate(min(size, num_events - start), start)


def driven_by(
    scheduler: BaseParamScheduler,
    metrics: Sequence[float],
    epoch_length: int | None,
    num_events: int,
    progress: Progress,
) -> Array:
    """The values under given metrics, as the events of an engine bring them.

    Args:
        scheduler: one that reads a metric at its events.
        metrics: the metric of each event, or of each epoch, which the first event of the next one finds. The last one
            stays, as it does in ``engine.state.metrics``.
        epoch_length: events in an epoch, where there is a metric for each epoch.
        num_events: how many events.
        progress: is told of each of them.

    Raises:
        ValueError: the scheduler reads no metric.
    """
    if not scheduler._reads_metric:
        raise ValueError(f"--metrics is for a schedule that reads a metric, given for {type(scheduler).__name__}")
    writer: Any = scheduler
    engine = Engine(lambda engine, batch: None)
    writer.save_history = True
    for event in range(num_events):
        at = event if epoch_length is None else event // epoch_length - 1
        if at >= 0:
            engine.state.metrics[writer.metric_name] = metrics[min(at, len(metrics) - 1)]
        writer(engine)
        progress.advance(1)
    history: Any = engine.state
    table: Array = history.param_history.to_numpy(writer.param_name)
    return table
