"""``PhaseScheduler``, which begins the next phase when a call, an event or a metric asks for it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lehr.handlers.core.metrics.metric_feed import MetricFeed
from lehr.handlers.core.metrics.phased_scheduler import PhasedScheduler
from lehr.handlers.schedules import Phases, Plateau, RunLength, Schedule, arguments
from lehr.handlers.schedules.durations_to_events import resolved
from lehr.handlers.schedules.value_reduced_on_plateau import checked_metric
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups

if TYPE_CHECKING:
    from ignite.engine import Engine


class PhaseScheduler(PhasedScheduler):
    """Writes the values of one phase after another. You decide during training when the next phase begins.

    - By a call: after ``scheduler.next_phase()``, the next event is the first event of the next phase.
    - By an event: ``trainer.add_event_handler(Events.EPOCH_COMPLETED(once=8), scheduler.next_phase)``.
    - By a metric: with ``flat=Plateau(patience=3)``, attach :meth:`observe` to the event at which the metric is ready:
      ``evaluator.add_event_handler(Events.COMPLETED, scheduler.observe)``. When the metric has stopped improving, the
      next phase begins.

    If you put this scheduler into another scheduler, such as a :class:`ConcatScheduler`, the next phase begins at the
    next event of the other scheduler.

    For the formula see :class:`~lehr.handlers.schedules.Phases`. The state contains the events at which the phases
    began.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        phases: two or more schedules, one for each phase.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        relative: whether the values of a phase are factors of the last value of the phase before it. This does not
            concern the first phase.
        end: the event at which the last phase ends, however late this phase begins. If None, the last phase keeps its
            own length.
        starts: the events at which the second phase, the third phase and so on begin by themselves.
        flat: a :class:`~lehr.handlers.schedules.Plateau`. Its rule decides when a metric has stopped improving, which
            begins the next phase.
        metric_name: name of the metric in the ``state.metrics`` of the engine that :meth:`observe` is attached to.
        reduction: how to combine the metrics of several ranks: ``"mean"``, ``"min"``, ``"max"``, ``"rank0"`` (the
            metric of rank 0) or ``"none"`` (each rank uses its own).
        relative_to_base: whether the values are factors of each group's base value, which other schedulers call
            ``relative``; see :class:`ParamScheduler`.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range; the parameter or the param group does not exist.

    Source: Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training
    Strategies", 2024, https://arxiv.org/abs/2404.06395 (a decay that may begin at any event of the stable phase).

    Example:
        >>> import torch
        >>> from lehr.handlers.schedules import Anneal, Constant
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> decay = Anneal(1.0, 0.0, duration=10)
        >>> scheduler = PhaseScheduler(optimizer, "lr", [Constant(0.5), decay], end=6)
        >>> for event in range(7):
        ...     if event == 2:
        ...         scheduler.next_phase()
        ...     scheduler(None)
        ...     print(event, optimizer.param_groups[0]["lr"])
        0 0.5
        1 0.5
        2 0.5
        3 0.375
        4 0.25
        5 0.125
        6 0.0
        >>> PhaseScheduler.simulate_values(4, param_name="lr", phases=[Constant(0.5), decay], starts=[1], end=3)
        [[0, 0.5], [1, 0.5], [2, 0.25], [3, 0.0]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        phases: Sequence[Schedule],
        save_history: bool = False,
        param_group_index: Selection = None,
        *,
        relative: bool = True,
        end: int | str | None = None,
        starts: Sequence[int | str] = (),
        flat: Plateau | None = None,
        metric_name: str = "loss",
        reduction: str = "mean",
        relative_to_base: bool = False,
        run: RunLength | None = None,
    ) -> None:
        arguments.flag("relative_to_base", relative_to_base)
        self._feed = MetricFeed(metric_name, reduction)
        self._phases = resolved(Phases(phases, relative, end, starts, flat), run)
        super().__init__(
            optimizer,
            param_name,
            save_history,
            param_group_index,
            schedule=self._phases,
            relative=relative_to_base,
            run=run,
        )

    @property
    def phase(self) -> int:
        """The index of the phase to which the next event belongs."""
        return self._phases.phase

    def next_phase(self, engine: "Engine | None" = None) -> None:
        """Begin the next phase at the next event.

        Args:
            engine: the engine that fires the event, or None if you call the method yourself. If the engine is in a
                resumed run that starts the same epoch a second time, the call has no effect.

        Raises:
            ValueError: there is no next phase.
        """
        from lehr.engine.times_fired import is_repeated_epoch_start

        if engine is None or not is_repeated_epoch_start(engine):
            self._follow_count()
            self._phases.begin_next()

    def observe(self, engine: "Engine") -> None:
        """Read the metric of an engine, and begin the next phase if the metric has stopped improving.

        Args:
            engine: the engine that has the metric.

        Raises:
            TypeError: the metric is not a number.
            ValueError: the metric is missing, or ``flat`` is None.
        """
        metric = checked_metric(self._feed.read(engine))
        self._follow_count()
        self._phases.observe(metric)

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> Any:
        without = ("metric_name", "reduction")
        return super()._simulated(num_events, {k: v for k, v in scheduler_kwargs.items() if k not in without})
