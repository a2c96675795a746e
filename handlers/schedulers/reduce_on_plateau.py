"""Reducing a parameter when a metric stops improving."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ignite.engine import Engine

from lehr.handlers.core.copying import private_copy
from lehr.handlers.core.metric_driven import MetricDrivenScheduler
from lehr.handlers.core.metrics import MetricFeed
from lehr.handlers.schedules import Plateau, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.base import Array
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups, PlaceholderOptimizer


class ReduceOnPlateauScheduler(MetricDrivenScheduler):
    """Multiplies a parameter by a factor when a metric has not improved for more than ``patience`` events.

    Attach it to where the metric is ready: ``scheduler.attach(evaluator, Events.COMPLETED)``. At each event it reads
    the metric from ``engine.state.metrics`` and writes the parameter; :class:`~lehr.handlers.schedules.Plateau` holds
    the rule. It reduces what the param groups hold, as torch's ``ReduceLROnPlateau`` does.

    To have it after a warm-up, or as a factor of a decay, put it into a :class:`ConcatScheduler`, or its
    ``schedule`` into a :class:`~lehr.handlers.schedules.Product`, attach that to the trainer, and
    :meth:`observe` to the evaluator. It then reduces its own value, which is at first ``initial_value``.

    Args:
        optimizer: a torch optimizer, or any object with its ``param_groups``.
        param_name: name of the parameter to write.
        metric_name: name of the metric in the ``state.metrics`` of the engine whose event it is.
        mode: ``"min"`` or ``"max"``: whether a smaller or a larger metric is better.
        factor: what the value is multiplied by, at least 0 and less than 1.
        patience: how many events in a row may bring no improvement.
        threshold: by how much a metric must be better to count.
        threshold_mode: ``"rel"``, a fraction of the best metric, or ``"abs"``.
        cooldown: how many events after a reduction are not counted.
        min_value: the value is not reduced below it; a list for one value per group.
        eps: a reduction by no more than this is not made.
        save_history: whether to record what is written in ``param_history``.
        param_group_index: the only param group to write, by its index or name, or several by a predicate; None for
            all of them; see :class:`Groups`.
        trainer: the engine in whose state to record; None for the one whose event it is. By name only, as those below.
        initial_value: the value to begin with; None for what the param groups hold. A list for one value per group.
        nan_policy: what a metric that is NaN does: ``"worse"``, it counts as no improvement, as in torch; ``"ignore"``,
            it does not count at all; ``"raise"``.
        missing_policy: what a missing metric does: ``"raise"``, or ``"ignore"``, and the value stays.
        reduction: what to make of the metrics of several ranks, so that all take the same decision: ``"mean"``,
            ``"min"``, ``"max"``, that of rank 0 (``"rank0"``), or each its own (``"none"``), where they are known to be
            the same. All ranks must come to the event; a metric that is missing on one counts as missing.

    Raises:
        TypeError: an argument is of the wrong kind, or at the event the metric is no number.
        ValueError: an argument is out of its range, or there is no such parameter or group; at the event, a metric
            that is missing or NaN and, by its policy, must not be.

    Example:
        >>> ReduceOnPlateauScheduler.simulate_values(
        ...     5, param_name="weight_decay", initial_value=0.1, metric_values=[3, 2, 2, 2, 1], factor=0.5, patience=1
        ... )
        [[0, 0.1], [1, 0.1], [2, 0.1], [3, 0.05], [4, 0.05]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        metric_name: str,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_value: Number = 0.0,
        eps: float = 1e-8,
        save_history: bool = False,
        param_group_index: Selection = None,
        *,
        trainer: Engine | None = None,
        initial_value: Number | None = None,
        nan_policy: str = "worse",
        missing_policy: str = "raise",
        reduction: str = "mean",
    ) -> None:
        self._feed = MetricFeed(metric_name, reduction)
        if not isinstance(trainer, Engine | None):
            raise TypeError(f"trainer must be an ignite Engine or None, given {trainer!r}")
        self._plateau = Plateau(
            mode, factor, patience, threshold, threshold_mode, cooldown, min_value, eps, initial_value, nan_policy
        )
        self.trainer = trainer
        self.missing_policy = arguments.one_of("missing_policy", missing_policy, ("raise", "ignore"))
        super().__init__(optimizer, param_name, save_history, param_group_index, schedule=self._plateau)
        self._goes_on_from_groups = initial_value is None and not isinstance(optimizer, PlaceholderOptimizer)
        if self._goes_on_from_groups:
            self._plateau.go_on_from(self._target.read())
        elif initial_value is None:
            raise ValueError("initial_value must be given where there is no optimizer to read it from, given None")

    def __call__(self, engine: Engine | None, name: str | None = None) -> None:
        """Count the metric of this event, write the value, record it, and count the event.

        Args:
            engine: the engine that has the metric; None in a plain loop, after ``scheduler.schedule.observe(metric)``.
            name: name of the history to record under; ``param_name`` where None.
        """
        if engine is not None and not self._repeats and self._goes_on_from_groups:
            self._plateau.go_on_from(self._target.read())
        super().__call__(engine, name)
        self._goes_on_from_groups = True

    def _give_metric(self, engine: Engine) -> None:
        self.observe(engine)

    def _schedule_state(self) -> Any:
        return self._plateau.remembered()

    def _restore_schedule(self, state: Any) -> None:
        self._plateau.put_back(state)
        self._goes_on_from_groups = False  # the groups may hold the next value already

    def _recording_engine(self, engine: Engine) -> Engine:
        return engine if self.trainer is None else self.trainer

    def observe(self, engine: Engine) -> None:
        """Count the metric of an engine, without writing; for a plateau that is part of another scheduler.

        Raises:
            TypeError, ValueError: as the class says of the event.
        """
        metric = self._feed.read(engine, is_required=self.missing_policy == "raise")
        if metric is not None:
            self._plateau.observe(metric)

    def state_dict(self) -> dict[str, Any]:
        """The progress as plain data: see :class:`BaseParamScheduler`.

        Its values are those that the groups hold, once it has written them itself: another scheduler that has this one
        as a part may be what writes them.
        """
        state = super().state_dict()
        if self._goes_on_from_groups and self._event_index > 0:
            state["progress"][0]["values"] = self._target.read()
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: str | None = None) -> None:
        """Go on where the scheduler that gave the state had stopped: see :class:`BaseParamScheduler`.

        The next event goes on from the saved value, whatever the param groups hold.
        """
        begins_with_groups = self._plateau.initial_value is None
        super().load_state_dict(state_dict, resume_policy)
        self._goes_on_from_groups = begins_with_groups and self._event_index == 0

    def simulate(self, num_events: int, start: int = 0, *, metric_values: Sequence[float] | None = None) -> Array:
        """The values that the next events would write, if they brought these metrics.

        Args:
            num_events: how many events.
            start: of no effect, since the value depends on the metrics alone.
            metric_values: the metric of each event; None if they bring none.

        Returns:
            An array ``(num_events, groups)``.

        Raises:
            TypeError: a metric is not a number.
            ValueError: not as many metrics as events.
        """
        if metric_values is None:
            return super().simulate(num_events, start)
        num_events = arguments.whole_number("num_events", num_events, at_least=0)
        if len(metric_values) != num_events:
            raise ValueError(
                f"metric_values must be as many as num_events, {num_events}, given {len(metric_values)} of them"
            )
        plateau = private_copy(self._plateau)
        if self._goes_on_from_groups:
            plateau.go_on_from(self._target.read())
        table = np.empty((num_events, self._num_groups() or plateau.groups or 1))
        for event, metric in enumerate(metric_values):
            plateau.observe(metric)
            table[event] = plateau.value(event)
        return table

    @classmethod
    def simulate_values(
        cls, num_events: int, metric_values: Sequence[float] = (), **scheduler_kwargs: Any
    ) -> list[list[float]]:
        """The values that the first events would write, if they brought these metrics.

        Args:
            num_events: how many events.
            metric_values: the metric of each event.
            scheduler_kwargs: the other arguments of the class, by name, with ``initial_value``. ``optimizer``,
                ``metric_name``, ``trainer``, ``param_group_index`` and ``save_history`` are of no effect.

        Returns:
            ``[[0, value], [1, value], ...]``, with one value for each group where there are several.

        Raises:
            TypeError, ValueError: as the class and :meth:`simulate`.
        """
        return super().simulate_values(num_events, metric_values=metric_values, **scheduler_kwargs)

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> "tuple[ReduceOnPlateauScheduler, Array]":
        without = ("optimizer", "param_group_index", "save_history", "metric_name", "trainer", "metric_values")
        given = {name: value for name, value in scheduler_kwargs.items() if name not in without}
        scheduler = cls._without_optimizer(metric_name="metric", **given)
        return scheduler, scheduler.simulate(num_events, metric_values=scheduler_kwargs.get("metric_values", ()))


class ReduceLROnPlateauScheduler(ReduceOnPlateauScheduler):
    """Multiplies the learning rate by a factor when a metric has not improved for more than ``patience`` events.

    It is :class:`ReduceOnPlateauScheduler` for ``"lr"``, with the arguments of ignite's class of this name and of
    torch's ``ReduceLROnPlateau``. Attach it to where the metric is ready:
    ``evaluator.add_event_handler(Events.COMPLETED, scheduler)``.

    Args:
        optimizer: a torch optimizer, or any object with its ``param_groups``.
        metric_name: name of the metric in the ``state.metrics`` of the engine whose event it is.
        trainer: the engine in whose state to record; None for the one whose event it is.
        save_history: whether to record what is written in ``param_history``.
        param_group_index: the only param group to write, by its index or name, or several by a predicate; None for
            all of them; see :class:`Groups`.
        scheduler_kwargs: ``mode``, ``factor``, ``patience``, ``threshold``, ``threshold_mode``, ``cooldown``,
            ``min_lr`` (a list for one value per group) and ``eps``, as in torch; ``nan_policy``, ``missing_policy``
            and ``reduction`` as in :class:`ReduceOnPlateauScheduler`.

    Raises:
        TypeError: an argument is of the wrong kind; ``min_lr`` is a list where there is but one group.
        ValueError: an argument is out of its range; at the event, there is no such metric.

    Deviations from ignite 0.5.5: ``min_lr`` holds; without ``trainer`` the history is that of the engine whose event
    it is, where ignite records nothing; the state is plain data.

    Example:
        >>> ReduceLROnPlateauScheduler.simulate_values(
        ...     5, metric_values=[3, 2, 2, 2, 1], init_lr=0.1, factor=0.5, patience=1, min_lr=0.08
        ... )
        [[0, 0.1], [1, 0.1], [2, 0.1], [3, 0.08], [4, 0.08]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        metric_name: str,
        trainer: Engine | None = None,
        save_history: bool = False,
        param_group_index: Selection = None,
        **scheduler_kwargs: Any,
    ) -> None:
        if scheduler_kwargs.pop("verbose", False):
            warnings.warn("verbose=True prints nothing here: save_history=True records the values", stacklevel=2)
        min_value = scheduler_kwargs.pop("min_lr", 0.0)
        if param_group_index is not None and isinstance(min_value, Sequence):
            raise TypeError(f"min_lr must be a number where param_group_index is given, given {min_value!r}")
        super().__init__(
            optimizer,
            "lr",
            metric_name,
            min_value=min_value,
            trainer=trainer,
            save_history=save_history,
            param_group_index=param_group_index,
            **scheduler_kwargs,
        )

    @classmethod
    def simulate_values(
        cls,
        num_events: int,
        metric_values: Sequence[float] = (),
        init_lr: Number | None = None,
        **scheduler_kwargs: Any,
    ) -> list[list[float]]:
        """The learning rates that the first events would write, if they brought these metrics.

        Args:
            num_events: how many events.
            metric_values: the metric of each event.
            init_lr: the learning rate to begin with.
            scheduler_kwargs: the other arguments of the class, by name, as in
                :meth:`ReduceOnPlateauScheduler.simulate_values`.

        Returns:
            ``[[0, value], [1, value], ...]``, with one value for each group where there are several.

        Raises:
            TypeError, ValueError: as the class and :meth:`simulate`.
        """
        return super().simulate_values(num_events, metric_values, init_lr=init_lr, **scheduler_kwargs)

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> "tuple[ReduceOnPlateauScheduler, Array]":
        given = {"initial_value" if name == "init_lr" else name: value for name, value in scheduler_kwargs.items()}
        return super()._simulated(num_events, given)
