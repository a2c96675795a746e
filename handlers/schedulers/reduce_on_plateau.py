"""Schedulers that reduce a parameter, or the learning rate, when a metric stops improving."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from lehr.engine.type_checks_without_import import is_engine
from lehr.handlers.core.base_values import read_base_values
from lehr.handlers.core.metrics.metric_driven_scheduler import MetricDrivenScheduler
from lehr.handlers.core.metrics.metric_feed import MetricFeed
from lehr.handlers.core.resuming.policy import ResumePolicy
from lehr.handlers.core.simulation.private_copies import private_copy
from lehr.handlers.schedules import Plateau, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.base import Array
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups, PlaceholderOptimizer

from .plateau_typed_dicts import LRPlateauArguments, LRPlateauOptions, PlateauArguments

if TYPE_CHECKING:
    from ignite.engine import Engine
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


class ReduceOnPlateauScheduler(MetricDrivenScheduler):
    """Multiplies a parameter by a factor when a metric has not improved for more than ``patience`` events.

    Attach the scheduler to the event at which the metric is ready: ``scheduler.attach(evaluator, Events.COMPLETED)``.
    At each event, the scheduler reads the metric from ``engine.state.metrics``, and writes the parameter if its value
    changes. After ``patience`` events in a row without an improvement, one more event without an improvement reduces
    the present value of each param group, as in torch's ``ReduceLROnPlateau``.
    :class:`~lehr.handlers.schedules.Plateau` defines what an improvement is. A reduction is::

        value = max(value * factor, min_value)    if this is less than the present value by more than eps

    To reduce a value after a warm-up, put this scheduler into a :class:`ConcatScheduler`. To reduce the values of a
    decay, put the ``schedule`` of this scheduler into a :class:`~lehr.handlers.schedules.Product`. In both cases,
    attach the ConcatScheduler, or the scheduler of the product, to the trainer, and attach :meth:`observe` to the
    evaluator. This scheduler then reduces a value of its own, which starts at ``initial_value``, instead of the present
    value.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        metric_name: name of the metric in the ``state.metrics`` of the engine that fires the event.
        mode: ``"min"`` if a smaller metric is better, or ``"max"`` if a larger metric is better.
        factor: the factor of each reduction, at least 0 and less than 1.
        patience: the number of events in a row without an improvement that cause no reduction yet.
        threshold: how much better than the best metric a metric must be to count as an improvement.
        threshold_mode: ``"rel"`` if ``threshold`` is a fraction of the best metric, or ``"abs"`` if it is a difference.
        cooldown: the number of events after a reduction whose metrics cannot cause another reduction.
        min_value: the lower bound of the value; a number, or a list with one per param group.
        eps: a reduction by ``eps`` or less is skipped.
        save_history: whether to record the written values in ``param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        trainer: the engine whose state records the values. If None, the engine that fires the event records them.
            ``trainer`` and the arguments below are keyword-only.
        initial_value: the first value; a number, or a list with one per param group. None means each group's present
            value.
        nan_policy: the effect of a NaN metric. With ``"worse"``, NaN counts as no improvement, as in torch. With
            ``"ignore"``, the event does not count. With ``"raise"``, NaN raises an error.
        missing_policy: the effect of a missing metric: ``"raise"`` raises an error, and ``"ignore"`` keeps the value.
        reduction: how to combine the metrics of several ranks: ``"mean"``, ``"min"``, ``"max"``, ``"rank0"`` (the
            metric of rank 0) or ``"none"`` (each rank uses its own metric, if all are equal). All ranks must reach the
            event. If one rank has no metric, the metric counts as missing on all ranks.
        relative: whether ``initial_value`` and ``min_value`` are factors of each group's base value; see
            :class:`ParamScheduler`.
        begin: the index of the first metric that counts, starting from 0; for example 5 after a warm-up of 5 epochs.

    Raises:
        TypeError: an argument has the wrong type; at an event, the metric is not a number.
        ValueError: an argument is out of range; the parameter or the param group does not exist; at an event, the
            metric is missing or NaN and the policy is ``"raise"``.

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
        trainer: "Engine | None" = None,
        initial_value: Number | None = None,
        nan_policy: str = "worse",
        missing_policy: str = "raise",
        reduction: str = "mean",
        relative: bool = False,
        begin: int = 0,
    ) -> None:
        self._feed = MetricFeed(metric_name, reduction)
        if trainer is not None and not is_engine(trainer):
            raise TypeError(f"trainer must be an ignite Engine or None, given {arguments.shown(trainer)}")
        if arguments.flag("relative", relative):
            target = ParamGroups(optimizer, param_name, param_group_index)
            base = np.asarray(read_base_values(target, "relative"))
            min_value = (base * np.asarray(arguments.number_or_numbers("min_value", min_value))).tolist()
            initial = 1.0 if initial_value is None else arguments.number_or_numbers("initial_value", initial_value)
            initial_value = None if initial_value is None else (base * np.asarray(initial)).tolist()
        self._plateau = Plateau(
            mode,
            factor,
            patience,
            threshold,
            threshold_mode,
            cooldown,
            min_value,
            eps,
            initial_value,
            nan_policy,
            begin,
        )
        self.trainer = trainer
        self.missing_policy = arguments.one_of("missing_policy", missing_policy, ("raise", "ignore"))
        super().__init__(optimizer, param_name, save_history, param_group_index, schedule=self._plateau)
        self._written: list[float] | None = None  # the values at the last event with a metric
        self._target.refuse_groups_to_come(type(self).__name__)
        self._admits = initial_value is None and self._target.selection.added in (None, "own")
        self._goes_on_from_groups = initial_value is None and not isinstance(optimizer, PlaceholderOptimizer)
        if self._goes_on_from_groups:
            self._plateau.go_on_from(self._target.read())
        elif initial_value is None:
            raise ValueError("initial_value must be given without an optimizer, given None")

    def __call__(self, engine: "Engine | None", name: str | None = None, amount: int = 1) -> None:
        """Observe the metric of this event, write and record the value, and count the event.

        Args:
            engine: the engine that has the metric, or None in a plain loop, where you call
                ``scheduler.observe(metric)`` first.
            name: the name of the history. If None, it is ``param_name``.
            amount: the amount that the event adds to ``event_index``; see :class:`BaseParamScheduler`.
        """
        if self._goes_on_from_groups and engine is not None and not self._repeats:
            present = self._target.read()
            if present != self._plateau.present_values:
                self._plateau.go_on_from(present)
        MetricDrivenScheduler.__call__(self, engine, name, amount)
        self._goes_on_from_groups = True

    def _admit_groups(self) -> bool:
        """Let a new param group start from its own value, reduced as much as the values of the other groups so far.

        Return whether there is a new group.
        """
        if not self._admits or len(self.optimizer.param_groups) == self._num_groups_seen:
            return False
        values, present = self._plateau.state_dict()["values"], self._target.read()
        self._num_groups_seen = len(self.optimizer.param_groups)
        if is_new := 0 < len(values) < len(present):
            ratio = values[0] / present[0] if present[0] else 1.0
            self._plateau.go_on_from([*values, *(value * ratio for value in present[len(values) :])])
        return is_new

    def _give_metric(self, engine: "Engine") -> bool:
        self.observe(engine)
        before, self._written = self._written, self._plateau.present_values
        # Without a reduction, the param groups still have the values that the last event checked and wrote.
        writes_other = self._schedule is not self._plateau or self._asks_get_param
        return before is not self._written or writes_other or self._save_history

    def _schedule_state(self) -> Any:
        return self._plateau.remembered()

    def _restore_schedule(self, state: Any) -> None:
        self._plateau.put_back(state)
        self._goes_on_from_groups, self._written = False, None  # the groups may have the next value

    def _recording_engine(self, engine: "Engine") -> "Engine":
        return engine if self.trainer is None else self.trainer

    def observe(self, engine: "Engine | float") -> None:
        """Observe a metric without writing a value, in a plain loop or if another scheduler contains this one.

        Args:
            engine: the engine that has the metric, or the metric itself.

        Raises:
            TypeError, ValueError: the same errors as at an event; see the class.
        """
        if not is_engine(engine):
            if self._goes_on_from_groups and not self._repeats:
                self._plateau.go_on_from(self._target.read())
            self._plateau.observe(engine)
            return
        metric = self._feed.read(engine, self.missing_policy == "raise")
        if metric is not None:
            self._plateau.observe(metric)

    def state_dict(self) -> dict[str, Any]:
        """Return the progress as plain data; see :class:`BaseParamScheduler`.

        The state contains the present values of the param groups only if this scheduler has written a value itself. If
        not, another scheduler that contains this scheduler may have written the present values.
        """
        state = super().state_dict()
        if self._goes_on_from_groups and self._event_index > 0:
            state["progress"][0]["values"] = self._target.read()
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: ResumePolicy | None = None) -> None:
        """Load the state of a scheduler; see :meth:`BaseParamScheduler.load_state_dict`.

        The next event starts from the saved values and ignores the present values of the param groups.

        Args:
            state_dict: the state that :meth:`state_dict` returned.
            resume_policy: as in :meth:`BaseParamScheduler.load_state_dict`.

        Raises:
            TypeError, ValueError: see :meth:`BaseParamScheduler.load_state_dict`. If this error is raised, nothing is
                loaded.
        """
        begins_with_groups = self._plateau.initial_value is None
        super().load_state_dict(state_dict, resume_policy)
        self._goes_on_from_groups = begins_with_groups and self._event_index == 0
        self._num_groups_seen = -1

    def simulate(self, num_events: int, start: int = 0, *, metric_values: Sequence[float] | None = None) -> Array:
        """Return the values that the next events would write, given a metric for each event.

        Args:
            num_events: the number of events.
            start: the first event; it has no effect, since the values depend only on the metrics.
            metric_values: the metric of each event, or None if there are no metrics.

        Shapes: the array is ``(num_events, groups)``.

        Raises:
            TypeError: a metric is not a number.
            ValueError: the number of metrics is not ``num_events``.
        """
        if metric_values is None:
            return super().simulate(num_events, start)
        num_events = arguments.whole_number("num_events", num_events, at_least=0)
        if len(metric_values) != num_events:
            raise ValueError(f"metric_values must have num_events={num_events} items, given {len(metric_values)}")
        plateau = private_copy(self._plateau)
        if self._goes_on_from_groups:
            plateau.go_on_from(self._target.read())
        table = np.empty((num_events, self._num_groups() or plateau.groups or 1))
        for event, metric in enumerate(metric_values):
            plateau.observe(metric)
            table[event] = plateau.value(event)
        return table

    @classmethod
    def simulate_values(  # type: ignore[override]
        cls, num_events: int, metric_values: Sequence[float] = (), **scheduler_kwargs: Unpack[PlateauArguments]
    ) -> list[list[float]]:
        """Return the values that the first events would write, given a metric for each event.

        Args:
            num_events: the number of events.
            metric_values: the metric of each event.
            scheduler_kwargs: the other arguments of the class, by name; ``initial_value`` is required. ``optimizer``,
                ``metric_name``, ``trainer``, ``param_group_index`` and ``save_history`` have no effect.

        Shapes: a list of ``num_events`` rows, each with the event index and a value, or with a value for each group.

        Returns:
            ``[[0, value], [1, value], ...]``, with one value per param group if there are several groups.

        Raises:
            TypeError, ValueError: see the constructor and :meth:`simulate`.
        """
        return cls._simulated_rows(num_events, {"metric_values": metric_values, **scheduler_kwargs})

    @classmethod
    def plot_values(  # type: ignore[override]
        cls,
        num_events: int,
        ax: "Axes | None" = None,
        metric_values: Sequence[float] = (),
        **scheduler_kwargs: Unpack[PlateauArguments],
    ) -> "list[Line2D]":
        """Draw the values of :meth:`simulate_values`; see :meth:`BaseParamScheduler.plot_values`.

        Args:
            num_events: the number of events, at least 0.
            ax: the axes to draw into. If None, the current axes of pyplot are used.
            metric_values: the metric of each event.
            scheduler_kwargs: as in :meth:`simulate_values`.

        Raises:
            TypeError, ValueError: see :meth:`simulate_values`.
        """
        return cls._plotted(num_events, ax, {"metric_values": metric_values, **scheduler_kwargs})

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> "tuple[ReduceOnPlateauScheduler, Array]":
        without = ("optimizer", "param_group_index", "save_history", "metric_name", "trainer", "metric_values")
        given = {name: value for name, value in scheduler_kwargs.items() if name not in without}
        scheduler = cls._without_optimizer(metric_name="metric", **given)
        return scheduler, scheduler.simulate(num_events, metric_values=scheduler_kwargs.get("metric_values", ()))


class ReduceLROnPlateauScheduler(ReduceOnPlateauScheduler):
    """Multiplies the learning rate by a factor when a metric has not improved for more than ``patience`` events.

    This is :class:`ReduceOnPlateauScheduler` for ``"lr"``, with the arguments of ignite's class of the same name and of
    torch's ``ReduceLROnPlateau``. Attach the scheduler to the event at which the metric is ready:
    ``evaluator.add_event_handler(Events.COMPLETED, scheduler)``. A reduction is::

        lr = max(lr * factor, min_lr)    if this is less than the present lr by more than eps

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        metric_name: name of the metric in the ``state.metrics`` of the engine that fires the event.
        trainer: the engine whose state records the values. If None, the engine that fires the event records them.
        save_history: whether to record the written values in ``param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        scheduler_kwargs: ``mode``, ``factor``, ``patience``, ``threshold``, ``threshold_mode``, ``cooldown``,
            ``min_lr`` (a number, or a list with one per param group) and ``eps``, as in torch; ``nan_policy``,
            ``missing_policy``, ``reduction`` and ``begin`` as in :class:`ReduceOnPlateauScheduler`.

    Raises:
        TypeError: an argument has the wrong type; ``min_lr`` is a list although ``param_group_index`` is given.
        ValueError: an argument is out of range; at an event, the metric is missing.

    Deviations from ignite 0.5.5: ``min_lr`` has an effect; without ``trainer``, the engine that fires the event records
    the values, whereas ignite records nothing; the state is plain data.

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
        trainer: "Engine | None" = None,
        save_history: bool = False,
        param_group_index: Selection = None,
        **scheduler_kwargs: Unpack[LRPlateauOptions],
    ) -> None:
        options: dict[str, Any] = {**scheduler_kwargs}
        if options.pop("verbose", False):
            warnings.warn("verbose=True has no effect; to record the values, pass save_history=True", stacklevel=2)
        if "min_value" in options:
            given = arguments.shown(options["min_value"])
            raise TypeError(f"min_value must be left out, since min_lr is the lower bound of this class, given {given}")
        min_value = arguments.number_or_numbers("min_lr", options.pop("min_lr", 0.0))
        if param_group_index is not None and isinstance(min_value, Sequence):
            raise TypeError(
                f"min_lr must be a number if param_group_index is given, given {arguments.shown(min_value)}"
            )
        try:
            super().__init__(
                optimizer,
                "lr",
                metric_name,
                min_value=min_value,
                trainer=trainer,
                save_history=save_history,
                param_group_index=param_group_index,
                **options,
            )
        except ValueError as error:
            raise ValueError(str(error).replace("min_value", "min_lr")) from error

    @classmethod
    def simulate_values(  # type: ignore[override]
        cls,
        num_events: int,
        metric_values: Sequence[float] = (),
        init_lr: Number | None = None,
        **scheduler_kwargs: Unpack[LRPlateauArguments],
    ) -> list[list[float]]:
        """Return the learning rates that the first events would write, given a metric for each event.

        Args:
            num_events: the number of events.
            metric_values: the metric of each event.
            init_lr: the first learning rate.
            scheduler_kwargs: the other arguments of the class, by name, as in
                :meth:`ReduceOnPlateauScheduler.simulate_values`.

        Shapes: a list of ``num_events`` rows, each with the event index and a value, or with a value for each group.

        Returns:
            ``[[0, value], [1, value], ...]``, with one value per param group if there are several groups.

        Raises:
            TypeError, ValueError: see the constructor and :meth:`simulate`.
        """
        given = {"metric_values": metric_values, "init_lr": init_lr, **scheduler_kwargs}
        return cls._simulated_rows(num_events, given)

    @classmethod
    def plot_values(  # type: ignore[override]
        cls,
        num_events: int,
        ax: "Axes | None" = None,
        metric_values: Sequence[float] = (),
        init_lr: Number | None = None,
        **scheduler_kwargs: Unpack[LRPlateauArguments],
    ) -> "list[Line2D]":
        """Draw the values of :meth:`simulate_values`; see :meth:`BaseParamScheduler.plot_values`.

        Args:
            num_events: the number of events, at least 0.
            ax: the axes to draw into. If None, the current axes of pyplot are used.
            metric_values: the metric of each event.
            init_lr: the first learning rate; a number, or a list with one per param group.
            scheduler_kwargs: as in :meth:`simulate_values`.

        Raises:
            TypeError, ValueError: see :meth:`simulate_values`.
        """
        given = {"metric_values": metric_values, "init_lr": init_lr, **scheduler_kwargs}
        return cls._plotted(num_events, ax, given)

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> "tuple[ReduceOnPlateauScheduler, Array]":
        given = {"initial_value" if name == "init_lr" else name: value for name, value in scheduler_kwargs.items()}
        return super()._simulated(num_events, given)
