"""torch's own schedulers as handlers."""

import warnings
from typing import Any, Self

from ignite.engine import Engine
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.core.metric_driven import MetricDrivenScheduler
from lehr.handlers.core.metrics import MetricFeed, as_number
from lehr.handlers.schedules import Shift

from .steps import TorchSteps


class LRScheduler(MetricDrivenScheduler):
    """Calls a scheduler of ``torch.optim.lr_scheduler``, of any kind, at the events of an engine.

    At event i it writes what torch's own loop has in effect at step i, when the scheduler is constructed and then
    stepped once after each optimizer step. It calls the scheduler's public ``step()``, at each event but the first.
    What others write to the learning rate in between does not reach the scheduler, so it may follow a warm-up.

    A ``ReduceLROnPlateau`` is given a metric at each event but the first: that of the events before. To act as soon
    as an evaluator is done, take :class:`ReduceLROnPlateauScheduler`.

    Args:
        lr_scheduler: the torch scheduler. It is moved along by the events; do not call its ``step()`` yourself.
        save_history: whether to record the written values in ``engine.state.param_history``.
        use_legacy: begin with the value after the first step, for events that come after the optimizer's step, such
            as ``Events.ITERATION_COMPLETED``.
        metric_name: the metric of ``engine.state.metrics`` that a ``ReduceLROnPlateau`` is given. By name only.
        reduction: how to combine the metrics of several ranks: ``"mean"``, ``"min"``, ``"max"``, ``"rank0"`` (the
            metric of rank 0) or ``"none"`` (each rank uses its own). By name only.

    Raises:
        TypeError: ``lr_scheduler`` is no scheduler of torch.
        ValueError: at the event, there is no such metric.

    Where a scheduler of your own reads something by way of a closure, a simulation reads it there too.

    Deviations from ignite 0.5.5: the values are torch's, where ignite's are wrong for seven of torch's schedulers;
    ``SequentialLR``, ``ChainedScheduler`` and ``ReduceLROnPlateau`` can be wrapped; a tensor stays the same tensor.

    To seek takes as many steps of the torch scheduler as there are from where it is, or from its beginning if that
    lies before; so does loading a state of another configuration, or of a scheduler that holds what is no plain data,
    such as a function. All other loading takes the same time at any index.

    Example:
        >>> import torch
        >>> from torch.optim.lr_scheduler import ExponentialLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = LRScheduler(ExponentialLR(optimizer, gamma=0.5))
        >>> scheduler.simulate(4)[:, 0].tolist()
        [0.1, 0.05, 0.025, 0.0125]
        >>> for _ in range(3):
        ...     scheduler(None)
        ...     print(optimizer.param_groups[0]["lr"])
        0.1
        0.05
        0.025
    """

    def __init__(
        self,
        lr_scheduler: TorchLRScheduler,
        save_history: bool = False,
        use_legacy: bool = False,
        *,
        metric_name: str = "loss",
        reduction: str = "mean",
    ) -> None:
        if not isinstance(lr_scheduler, TorchLRScheduler):
            raise TypeError(f"lr_scheduler must be a scheduler of torch.optim.lr_scheduler, given {lr_scheduler!r}")
        self._feed = MetricFeed(metric_name, reduction)
        if use_legacy:
            warnings.warn(
                "use_legacy=True leaves out the first value: attach the scheduler to Events.ITERATION_COMPLETED, so "
                "that the first iteration trains with what the optimizer has",
                stacklevel=2,
            )
        self._steps, self._legacy = TorchSteps(lr_scheduler), use_legacy
        schedule = Shift(self._steps, by=1) if use_legacy else self._steps
        super().__init__(lr_scheduler.optimizer, "lr", save_history, schedule=schedule)
        self.lr_scheduler = lr_scheduler
        self._reads_metric = self._steps.takes_metric

    def _reads_metric_at(self, index: int) -> bool:
        return index > 0 or self._legacy

    def _give_metric(self, engine: Engine) -> None:
        self.observe(engine)

    def _schedule_state(self) -> Any:
        return self._steps.remembered() if self._reads_metric else None

    def _restore_schedule(self, state: Any) -> None:
        if state is not None:
            self._steps.put_back(state)

    def observe(self, engine: Engine) -> None:
        """Give a ``ReduceLROnPlateau`` the metric of an engine, without writing: for one in another scheduler.

        Raises:
            TypeError: the metric is no number.
            ValueError: there is no such metric.
        """
        metric = self._feed.read(engine)
        if metric is not None:
            self._steps.observe(as_number(metric))

    @classmethod
    def simulate_values(
        cls, num_events: int, lr_scheduler: TorchLRScheduler | None = None, **scheduler_kwargs: Any
    ) -> list[list[float]]:
        """The learning rates that the first events would write; neither scheduler nor optimizer is touched.

        Args:
            num_events: the number of events.
            lr_scheduler: the torch scheduler.
            scheduler_kwargs: the other arguments of the constructor, by name.

        Returns:
            ``[[0, value_0, ..., value_G-1], ...]``, a value for each of the G param groups.

        Raises:
            TypeError, ValueError: as the constructor and :meth:`simulate`.
        """
        return super().simulate_values(num_events, lr_scheduler=lr_scheduler, **scheduler_kwargs)

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        # The torch scheduler brings its optimizer, to which neither making nor simulating a scheduler writes.
        return cls(**scheduler_kwargs)
