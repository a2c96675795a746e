"""Schedules that are driven by a metric, whatever they are composed of."""

from typing import Any

from ignite.engine import Engine

from . import arguments
from .metrics import metric_of, required_metric
from .param_groups import HasParamGroups
from .param_scheduler import ParamScheduler
from .schedules import Greedy, Plateau, Reduced, Schedule
from .schedules.live import stateful_parts


class MetricScheduler(ParamScheduler):
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
        param_group_index: index of the only param group to write; None for all of them.
        every: every how many events there is a new metric: events in an epoch, where it is attached to iterations.

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
        param_group_index: int | None = None,
        every: int = 1,
    ) -> None:
        if not isinstance(metric_name, str):
            raise TypeError(f"metric_name must be a string, given {metric_name!r}")
        if not metric_name:
            raise ValueError(f"metric_name must be the name of a metric, given {metric_name!r}")
        super().__init__(optimizer, param_name, save_history, param_group_index, schedule=schedule)
        self.metric_name, self.every = metric_name, arguments.whole_number("every", every, at_least=1)
        self._driven: list[Any] = [
            part for part in stateful_parts(self._schedule) if isinstance(part, Plateau | Reduced | Greedy)
        ]
        if not self._driven:
            raise ValueError(f"schedule must have a part that is driven by a metric, given {schedule!r}")

    def __call__(self, engine: Engine | None, name: str | None = None) -> None:
        """Count the metric of this event, write the value, record it, and count the event.

        Args:
            engine: the engine that has the metric; None in a plain loop, after :meth:`observe`.
            name: name of the history to record under; ``param_name`` where None.
        """
        at_start = self._event_index == 0
        if engine is not None and self._event_index % self.every == 0 and not (at_start and self.every > 1):
            read = metric_of if at_start else required_metric
            metric = read(engine, self.metric_name)
            if metric is not None:
                self.observe(metric)
        super().__call__(engine, name)

    def observe(self, metric: float) -> None:
        """Give a metric to the parts that are driven by it, without writing.

        Raises:
            TypeError, ValueError: as those say.
        """
        for part in self._driven:
            part.observe(metric)
