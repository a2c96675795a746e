"""``MetricScheduler``, which passes a metric to a schedule and writes the values of the schedule."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lehr.handlers.core.metrics.metric_driven_scheduler import MetricDrivenScheduler
from lehr.handlers.core.metrics.metric_feed import MetricFeed
from lehr.handlers.schedules import RunLength, Schedule, arguments
from lehr.handlers.schedules.metric_driven_parts import metric_parts
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups

if TYPE_CHECKING:
    from ignite.engine import Engine


class MetricScheduler(MetricDrivenScheduler):
    """Writes a schedule that depends on a metric.

    At each event, the scheduler reads the metric from ``engine.state.metrics``, passes the metric to the schedule and
    writes the schedule's value. The metric may be missing at the first event.

    At an event at the end of an epoch, such as ``EPOCH_COMPLETED`` or the ``COMPLETED`` of an evaluator, the scheduler
    writes its first value only after the first epoch. The first epoch then trains with the value that the optimizer
    has, even if the schedule begins with a warm-up. To write the first value before the first epoch, attach the
    scheduler to ``Events.EPOCH_STARTED(once=1)`` of the trainer, too. After the first epoch, the scheduler then writes
    the second value, which depends on the metric of this epoch, as in torch and timm.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        metric_name: name of the metric in the ``state.metrics`` of the engine that fires the event.
        schedule: a schedule that contains a :class:`~lehr.handlers.schedules.Plateau`, a
            :class:`~lehr.handlers.schedules.Greedy`, or another stateful schedule whose ``is_metric_driven`` is True.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        every: the number of events from one metric to the next. If events are iterations and each epoch has one metric,
            give the number of iterations per epoch.
        reduction: how to combine the metrics of several ranks: ``"mean"``, ``"min"``, ``"max"``, ``"rank0"`` (the
            metric of rank 0) or ``"none"`` (each rank uses its own metric). A checkpoint that is saved between the
            metric and the next event contains the metric of one rank only. To resume from this checkpoint, use a metric
            that is equal on all ranks, as ignite's metrics are.
        relative: whether the values of the schedule are factors of each group's base value; see
            :class:`ParamScheduler`. Keyword only.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: an argument has the wrong type; at an event, the metric is not a number.
        ValueError: the schedule does not depend on a metric; the parameter or the param group does not exist; the
            metric is missing at an event after the first.

    Example:
        >>> import torch
        >>> from ignite.engine import Engine
        >>> from lehr.handlers.schedules import Plateau
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
        *,
        relative: bool = False,
        run: RunLength | None = None,
    ) -> None:
        self._feed = MetricFeed(metric_name, reduction)
        if not metric_name:
            raise ValueError(f"metric_name must be the name of a metric, given {metric_name!r}")
        super().__init__(
            optimizer, param_name, save_history, param_group_index, schedule=schedule, relative=relative, run=run
        )
        self.every = arguments.whole_number("every", every, at_least=1)
        if not self._metric_parts:
            raise ValueError(f"schedule must depend on a metric, given {arguments.shown(schedule)}")

    def _follow(self, schedule: Schedule | None) -> None:
        super()._follow(schedule)
        self._metric_parts: list[Any] = [part.schedule for part in metric_parts(schedule)]
        self._undo = list(map(_undo_of, self._metric_parts))

    def _reads_metric_at(self, index: int) -> bool:
        return index % self.every == 0 and (index > 0 or self.every == 1)

    def _give_metric(self, engine: "Engine") -> bool:
        metric = self._feed.read(engine, is_required=self._event_index > 0)
        if metric is not None:
            self.observe(metric)
        return True

    def _schedule_state(self) -> list[Any]:
        states = []
        for take, _ in self._undo:
            states.append(take())  # for one state, a comprehension takes twice as long
        return states

    def _restore_schedule(self, state: list[Any]) -> None:
        for (_, restore), its_state in zip(self._undo, state, strict=True):
            restore(its_state)

    def observe(self, metric: float) -> None:
        """Pass a metric to the schedule, without writing a value.

        Args:
            metric: the metric, a number.

        Raises:
            TypeError, ValueError: the schedule refuses the metric.
        """
        for part in self._metric_parts:
            part.observe(metric)


def _undo_of(part: Any) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Return a function that copies the state of a stateful schedule, and a function that restores the state.

    ``remembered`` is faster than ``state_dict``, but lacks the items that the ``state_dict`` of a subclass may add to
    the state.
    """
    for cls in type(part).__mro__:
        if "remembered" in vars(cls):
            return part.remembered, part.put_back
        if "state_dict" in vars(cls):
            break
    return part.state_dict, part.load_state_dict
