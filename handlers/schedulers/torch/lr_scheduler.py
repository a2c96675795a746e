"""The handler ``LRScheduler``, which runs any torch scheduler at the events of an engine."""

import warnings
from collections.abc import Mapping
from math import isfinite
from typing import Any, Self

from ignite.engine import Engine
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.core.metrics.metric_driven_scheduler import MetricDrivenScheduler
from lehr.handlers.core.metrics.metric_feed import MetricFeed
from lehr.handlers.core.resuming.policy import ResumePolicy
from lehr.handlers.schedules import Shift, arguments
from lehr.handlers.schedules.arguments import shown
from lehr.handlers.schedules.legacy_text import same_name
from lehr.handlers.schedules.value_reduced_on_plateau import checked_metric
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import ParamGroups

from .inspection import schedulers_in
from .late_groups import numbers_of
from .torch_schedule import TorchSteps


class LRScheduler(MetricDrivenScheduler):
    """Runs any scheduler of ``torch.optim.lr_scheduler`` at the events of an engine.

    A plain torch loop calls ``scheduler.step()`` after each optimizer step. At event i, counting from 0, this handler
    writes the learning rate with which optimizer step i of such a loop trains. It steps the torch scheduler at each
    event except the first. The torch scheduler does not see learning rates that other code writes, so you can put a
    warm-up before it.

    For most of torch's own classes, the handler calls ``get_lr()`` instead of the slower ``step()``, and sets the
    attributes that ``step()`` would set, such as ``last_epoch``. For your own class, even if it is derived from
    torch's, the handler calls ``step()``.

    At each event except the first, a ``ReduceLROnPlateau`` receives the latest metric. To reduce the learning rate as
    soon as an evaluator is done, use :class:`ReduceLROnPlateauScheduler` instead.

    Args:
        lr_scheduler: the torch scheduler. Do not call ``step()`` of this torch scheduler yourself.
        save_history: whether to record the written values in ``engine.state.param_history``.
        use_legacy: whether to skip the value before the first step of the torch scheduler. Set it to True for events
            after the optimizer's step, such as ``Events.ITERATION_COMPLETED``.
        metric_name: the name, in ``engine.state.metrics``, of the metric for a ``ReduceLROnPlateau``. Keyword only.
        reduction: how to combine the metrics of several ranks: ``"mean"``, ``"min"``, ``"max"``, ``"rank0"`` (the
            metric of rank 0) or ``"none"`` (each rank uses its own). Keyword only.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`. The
            torch scheduler computes the values of all groups. With ``Groups(added="ignore")``, groups that you add
            later are not written. With ``added="refuse"``, a group that you add later raises an error. Keyword only.

    Raises:
        TypeError: ``lr_scheduler`` is not a torch scheduler.
        ValueError: a learning rate is not a finite number; the param group does not exist; at an event, the metric is
            missing, or a param group was added although ``lr_lambda`` has a function for each group.

    If you add a param group before event j, the group keeps its own learning rate, ``own``, at event j. After event j,
    the formula of the torch scheduler gives the learning rate of the group. If this formula is the initial learning
    rate times a factor ``f(i)``, the group has ``own * f(i) / f(j)`` at event i, or ``initial_lr * f(i)`` if you add
    the group with an ``initial_lr``.

    If your own torch scheduler reads variables of a closure, a simulation reads these variables, too.

    Deviations from ignite 0.5.5: the values equal torch's for all torch schedulers, whereas ignite's values are wrong
    for seven of them; ``SequentialLR``, ``ChainedScheduler`` and ``ReduceLROnPlateau`` work; a learning rate that is a
    tensor stays the same tensor.

    If you seek forward, the torch scheduler takes steps from its present step. If you seek back, it goes back to an
    earlier state and takes steps from there. If you load a state, it takes all steps from the beginning in two cases:
    the configuration differs, or the torch scheduler contains something that is not plain data, such as a function. In
    other cases, loading takes equally long at any index.

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
        param_group_index: Selection = None,
    ) -> None:
        if not isinstance(lr_scheduler, TorchLRScheduler):
            raise TypeError(
                f"lr_scheduler must be a scheduler of torch.optim.lr_scheduler, given {shown(lr_scheduler)}"
            )
        self._feed = MetricFeed(metric_name, reduction)
        if arguments.flag("use_legacy", use_legacy):
            warnings.warn(
                "use_legacy=True skips the first value. Attach the scheduler to Events.ITERATION_COMPLETED, so "
                "that the first iteration trains with the learning rate of the optimizer",
                stacklevel=2,
            )
        self.lr_scheduler = lr_scheduler
        target = ParamGroups(lr_scheduler.optimizer, "lr", param_group_index)
        target.refuse_groups_to_come(type(self).__name__)
        self._steps, self._legacy = TorchSteps(lr_scheduler, target), use_legacy
        schedule = Shift(self._steps, by=1) if use_legacy else self._steps
        self._write_to(target, "lr", save_history, schedule)
        self._reads_metric = self._steps.takes_metric

    def _distinct_values(self) -> list[Any]:
        schedulers, written = schedulers_in(self.lr_scheduler), set(map(id, self._target.groups()))
        groups = enumerate(self.lr_scheduler.optimizer.param_groups)
        return [numbers_of(schedulers, at, group) for at, group in groups if id(group) in written]

    def _read(self, index: int) -> Any:
        """Return the value at an event, with fewer checks than for other schedules, since the values are floats."""
        legal = self._target.legal
        if self._schedule is not self._steps or legal is None or self._asks_get_param:
            return super()._read(index)
        value = self._steps.value(index)
        if type(value) is float:
            is_legal = legal[1] <= value <= legal[2]  # False for NaN and infinity
        else:
            is_legal = isfinite(sum(value)) and legal[1] <= min(value) and max(value) <= legal[2]  # type: ignore[arg-type]
        # The base class raises an error or warns. It reads the value again, which takes no step.
        return value if is_legal else super()._read(index)

    def _reads_metric_at(self, index: int) -> bool:
        return index > 0 or self._legacy

    def _give_metric(self, engine: Engine) -> bool:
        self.observe(engine)
        return True

    def _schedule_state(self) -> Any:
        return self._steps.remembered() if self._reads_metric else None

    def _restore_schedule(self, state: Any) -> None:
        if state is not None:
            self._steps.put_back(state)

    def observe(self, engine: Engine) -> None:
        """Pass the metric of an engine to a ``ReduceLROnPlateau``, without writing a value.

        Args:
            engine: the engine that has the metric.

        Raises:
            TypeError: the metric is not a number.
            ValueError: the metric is missing.
        """
        metric = self._feed.read(engine)
        if metric is not None:
            self._steps.observe(checked_metric(metric))

    def _check_state(self, state: Mapping[str, Any]) -> None:
        super()._check_state(state)
        match state.get("progress"):
            case [{"configuration": str(saved)}]:
                name, own = (text.partition("(")[0] for text in (saved, self._steps.configuration))
                if not same_name(name, own):
                    raise ValueError(
                        f"state_dict must be the state of a scheduler of torch's {own}, given {arguments.shown(name)}; "
                        "to set only the event index, call seek(event_index)"
                    )

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: ResumePolicy | None = None) -> None:
        """Load the state of a scheduler; see :meth:`BaseParamScheduler.load_state_dict`.

        Args:
            state_dict: the state that :meth:`state_dict` returned.
            resume_policy: as in :meth:`BaseParamScheduler.load_state_dict`.

        Raises:
            TypeError, ValueError: see :meth:`BaseParamScheduler.load_state_dict`. If this error is raised, nothing is
                loaded.
        """
        known = state_dict.get("param_groups") if isinstance(state_dict, Mapping) else None
        with self._steps.expecting_added_groups(known):
            super().load_state_dict(state_dict, resume_policy)

    @classmethod
    def simulate_values(  # type: ignore[override]
        cls,
        num_events: int,
        lr_scheduler: TorchLRScheduler | None = None,
        save_history: bool = False,
        use_legacy: bool = False,
        *,
        metric_name: str = "loss",
        reduction: str = "mean",
        param_group_index: Selection = None,
    ) -> list[list[float]]:
        """Return the learning rates that the first events would write, without changing the scheduler or the optimizer.

        Args:
            num_events: the number of events.
            lr_scheduler: the torch scheduler.
            save_history: has no effect.
            use_legacy: whether to skip the value before the first step of the torch scheduler.
            metric_name: the name of the metric for a ``ReduceLROnPlateau``.
            reduction: as in the constructor.
            param_group_index: has no effect.

        Shapes: a list of ``num_events`` rows, each with the event index and a value, or with a value for each group.

        Returns:
            ``[[0, value_0, ..., value_G-1], ...]``: one value for each of the G param groups.

        Raises:
            TypeError, ValueError: see the constructor and :meth:`simulate`.
        """
        given = {"lr_scheduler": lr_scheduler, "use_legacy": use_legacy, "metric_name": metric_name}
        return cls._simulated_rows(num_events, {**given, "reduction": reduction})

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        # The torch scheduler brings its optimizer. A constructor and a simulation write nothing to it.
        return cls(**scheduler_kwargs)
