"""A scheduler of any schedule with parts that a metric drives."""

from typing import Any

from ignite.engine import Engine

from lehr.handlers.core.metric_driven import MetricDrivenScheduler
from lehr.handlers.core.metrics import MetricFeed
from lehr.handlers.schedules import Greedy, Phases, Plateau, Reduced, Schedule, arguments
from lehr.handlers.schedules.stateful import stateful_parts
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups


class MetricScheduler(MetricDrivenScheduler):
    """Writes a schedule with parts that are driven by a metric, which it gives them event by event.

    At each event it reads the metric from ``engine.state.metrics``, gives it to the parts that want one, and writes
    the value. At the first event there may be no metric yet.

    Args:
        optimizer: a torch optimizer, or any object with its ``param_groups``.
        param_name: name of the parameter to write.
        metric_name: name of the metric in the ``state.metrics`` of the engine whose event it is.
        schedule: a schedule with a :class:`~lehr.handlers.schedules.Plateau` or
            :class:`~lehr.handlers.schedules.Greedy` in it.
        save_history: whether to record what is written in ``engine.state.param_history``.
        param_group_index: the only param group to write, by its index or name, or several by a predicate; None for
            all of them; see :class:`Groups`.
        every: every how many events there is a new metric: events in an epoch, where it is attached to iterations.
        reduction: what to make of the metrics of several ranks: ``"mean"``, ``"min"``, ``"max"``, that of rank 0
            (``"rank0"``), or each its own (``"none"``). One that is saved unread is that of the rank which saves: give
            one that is reduced already, as ignite's are, where a resume between the two must not differ.

    Raises:
        TypeError: an argument is of the wrong kind, or at the event the metric is no number.
        ValueError: no part of the schedule is driven by a metric; there is no such parameter or group; at an event
            other than the first, there is no such metric.

    Example:
        >>> import torch
        >>> from ignite.engine import Engine, Events
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: engine.state.metrics.update(loss=1.0))
        >>> scheduler = MetricScheduler(optimizer, "lr", "loss", Plateau(factor=0.5, patience=1, initial_value=0.1))
        >>> handle = scheduler.attach(trainer)
        >>> _ = trainer.run([None] * 4)
        >>> optimizer.param_groups[0]["lr"]
        0.05
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        metric_name: str,
        schedule: Schedule,
        save_history: bool = False,
        param_group_index: Selection = None,
        every: int = 1,
        reduction: str = "mean",
    ) -> None:
        self._feed = MetricFeed(metric_name, reduction)
        if not metric_name:
            raise ValueError(f"metric_name must be the name of a metric, given {metric_name!r}")
        super().__init__(optimizer, param_name, save_history, param_group_index, schedule=schedule)
        self.every = arguments.whole_number("every", every, at_least=1)
        self._driven = driven_parts(self._schedule)
        if not self._driven:
            raise ValueError(f"schedule must have a part that is driven by a metric, given {schedule!r}")

    def _reads_metric_at(self, index: int) -> bool:
        return index % self.every == 0 and (index > 0 or self.every == 1)

    def _give_metric(self, engine: Engine) -> None:
        metric = self._feed.read(engine, is_required=self._event_index > 0)
        if metric is not None:
            self.observe(metric)

    def _schedule_state(self) -> list[dict[str, Any]]:
        return [part.state_dict() for part in self._driven]

    def _restore_schedule(self, state: list[dict[str, Any]]) -> None:
        for part, its_state in zip(self._driven, state, strict=True):
            part.load_state_dict(its_state)

    def observe(self, metric: float) -> None:
        """Give a metric to the parts that are driven by it, without writing.

        Raises:
            TypeError, ValueError: as those say.
        """
        for part in self._driven:
            part.observe(metric)


def driven_parts(schedule: Schedule | None) -> list[Any]:
    """The parts of a schedule that a metric drives."""
    return [
        part
        for part in stateful_parts(schedule)
        if isinstance(part, Plateau | Reduced | Greedy) or (isinstance(part, Phases) and part.flat is not None)
    ]
