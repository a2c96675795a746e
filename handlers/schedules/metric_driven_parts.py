"""The function :func:`metric_parts`, which finds those schedules inside a schedule that depend on metrics."""

from itertools import accumulate
from typing import Any, NamedTuple

from .base import Schedule
from .concatenation import Concatenation
from .stateful import StatefulSchedule
from .window import Window


class MetricPart(NamedTuple):
    """A schedule whose values depend on metrics, inside another schedule.

    Args:
        schedule: the schedule that depends on metrics.
        first_event: the event index of the outer schedule at which the inner schedule begins.
    """

    schedule: StatefulSchedule
    first_event: int

    @property
    def progress(self) -> dict[str, Any]:
        """The items of the schedule's state that metrics change."""
        return {key: value for key, value in self.schedule.state_dict().items() if key != "event_index"}

    @property
    def decisions(self) -> dict[str, Any]:
        """The items of the schedule's state that show what metrics have caused, such as reduced values."""
        return {key: value for key, value in self.progress.items() if key in ("values", "ratios", "starts", "saved")}


def metric_parts(schedule: Schedule | None, first_event: int = 0) -> list[MetricPart]:
    """Return those schedules inside a schedule, or the schedule itself, whose values depend on metrics.

    Args:
        schedule: the schedule. If it is None, the result is an empty list.
        first_event: the event at which ``schedule`` begins.

    Example:
        >>> from lehr.handlers.schedules import Constant, Plateau
        >>> warmup, plateau = Constant(0.1), Plateau(patience=3)
        >>> (part,) = metric_parts(Concatenation([warmup, plateau], [50]))
        >>> part.schedule is plateau, part.first_event
        (True, 50)
    """
    if schedule is None:
        return []
    parts, starts = schedule.parts, [0] * len(schedule.parts)
    if isinstance(schedule, Concatenation):
        starts = list(accumulate(schedule.durations, initial=0))
    elif isinstance(schedule, Window):
        starts = [schedule.begin]
    found = [
        inner for part, start in zip(parts, starts, strict=True) for inner in metric_parts(part, first_event + start)
    ]
    is_driven = isinstance(schedule, StatefulSchedule) and schedule.is_metric_driven
    return [MetricPart(schedule, first_event), *found] if is_driven else found  # type: ignore[arg-type]
