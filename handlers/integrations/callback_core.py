"""The class ``ScheduledOptimizer``, which each callback uses to schedule an optimizer and to record the values."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from lehr.engine.history import ParamHistory
from lehr.engine.optimizer_events import wrapped_optimizer
from lehr.handlers.core.for_other_trainers import AnyScheduler, metric_driven_parts, written_params
from lehr.handlers.core.for_plans_and_cli import members_of, metric_name_of
from lehr.handlers.core.metrics.metric_feed import reduced_metric
from lehr.handlers.core.resuming.policy import ResumeWarning
from lehr.handlers.plans import check_plan
from lehr.handlers.schedules import arguments

from .torch_scheduler import TorchAdapter, as_torch_scheduler
from .trainer_run_length import RunArguments

ABOUT_LENGTH = ("end-not-reached", "repeats", "unit-mismatch")  # codes of findings about the length of a schedule
Make = Callable[[Optimizer], AnyScheduler | Sequence[AnyScheduler]]


class ScheduledOptimizer:
    """An optimizer, and the schedulers that a function makes for it.

    The constructor writes the first values of the schedulers to the optimizer. Each param group keeps its previous
    values under ``initial_lr``, ``initial_momentum`` and so on. Every later run with this optimizer, or with its saved
    state, starts the schedules from these initial values.

    Args:
        make: a function that takes the optimizer and returns one or several schedulers of it.
        optimizer: an optimizer of torch, or a wrapper with one as its attribute ``optimizer``.
        metric_name: the name of the metric that drives the schedulers. If None, the schedulers name the metric.
        run: the length of the run. A schedule that is longer or shorter than the run causes a warning. If None, there
            is no such warning.

    Raises:
        TypeError, ValueError: see :func:`as_torch_scheduler`; the schedulers write to another optimizer;
            ``metric_name`` is a string, but no metric drives a scheduler; ``metric_name`` is None, and the schedulers
            that a metric drives name no metric, or several metrics.
    """

    def __init__(
        self, make: Make, optimizer: Any, metric_name: str | None = None, run: RunArguments | None = None
    ) -> None:
        self.optimizer: Optimizer = wrapped_optimizer(optimizer)
        _restore_initial_values(self.optimizer)
        before = [_copy_of_values(group) for group in self.optimizer.param_groups]
        self.history = ParamHistory()
        made = make(self.optimizer)
        if run is not None:
            _warn_of_length(made, run)
        self.adapter: TorchAdapter = as_torch_scheduler(made, history=self.history)  # type: ignore[assignment]
        self.adapter.warns_without_metric = False
        if self.adapter.optimizer is not self.optimizer:
            raise ValueError(
                "make must return schedulers of the optimizer that it receives, given schedulers of another optimizer"
            )
        _leave_initial_values(self.adapter.scheduler, self.optimizer, before)
        driven = [one for one in members_of(self.adapter.scheduler) if metric_driven_parts(one)]  # type: ignore[arg-type]
        self._reduction: str = getattr(driven[0], "reduction", "mean") if driven else "none"
        self.metric_name = _checked_metric_name(driven, metric_name)

    def step(self) -> None:
        """Write the values of the next step. Call this method after each step of the optimizer."""
        self.adapter.step()

    def warn_if_begun(self, steps: int) -> None:
        """Warn that a checkpoint has no state of the schedulers, unless it was saved before the first step."""
        if steps:
            warnings.warn(
                f"the checkpoint has no state of SchedulerCallback, so the schedules start at event 0, but the run "
                f"starts at step {steps}",
                ResumeWarning,
                stacklevel=2,
            )

    def observe(self, metric: float) -> None:
        """Pass a metric to the schedulers, and write the values of the next step again.

        The ``reduction`` of the schedulers combines the metrics of all ranks.
        """
        value = reduced_metric(metric, self._reduction)
        assert value is not None  # each rank has a metric
        self.adapter.revise(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedulers and the history, as plain data."""
        return {"scheduler": self.adapter.state_dict(), "history": self.history.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a saved state.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a ``SchedulerCallback``.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != {"scheduler", "history"}:
            given = arguments.shown(state_dict)
            raise ValueError(f"state_dict must be the state of a SchedulerCallback, given {given}")
        self.adapter.load_state_dict(state_dict["scheduler"])
        self.history.load_state_dict(state_dict["history"])


def _warn_of_length(schedulers: Any, run: RunArguments) -> None:
    for finding in check_plan(schedulers, **run):
        if finding.code in ABOUT_LENGTH and finding.severity != "info":
            warnings.warn(arguments.shortened(str(finding)), stacklevel=4)


def _restore_initial_values(optimizer: Optimizer) -> None:
    """Set ``lr`` back to ``initial_lr``, and so on, because a former run may have changed the values."""
    for group in optimizer.param_groups:
        for key in [key for key in group if f"initial_{key}" in group]:
            initial = group[f"initial_{key}"]
            if isinstance(group[key], torch.Tensor):
                group[key].fill_(float(initial))
            else:
                group[key] = float(initial) if isinstance(initial, torch.Tensor) else initial


def _leave_initial_values(scheduler: AnyScheduler, optimizer: Optimizer, before: Sequence[Mapping[str, Any]]) -> None:
    """Add ``initial_lr``, ``initial_momentum`` and so on to the param groups, for each key that the scheduler writes.

    torch's schedulers do the same for ``lr``. The optimizer saves these initial values in its state.
    """
    for key in {name.partition("[")[0] for name in written_params(scheduler)}:
        for group, values in zip(optimizer.param_groups, before, strict=True):
            if key in values:
                group.setdefault(f"initial_{key}", values[key])


def _copy_of_values(group: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in group.items() if key != "params"}
    return {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in values.items()}


def _checked_metric_name(driven: Sequence[Any], metric_name: str | None) -> str | None:
    if not isinstance(metric_name, str | None):
        raise TypeError(f"metric_name must be a string or None, given {arguments.shown(metric_name)}")
    if not driven and metric_name is not None:
        raise ValueError(f"metric_name must be None if no metric drives a scheduler, given {metric_name!r}")
    if not driven or metric_name is not None:
        return metric_name
    names = {name for one in driven if (name := metric_name_of(one)) is not None}
    if len(names) != 1:
        raise ValueError(
            "metric_name must be a string unless the schedulers name exactly one metric, given schedulers that name "
            f"{arguments.shown(sorted(names))}"
        )
    return names.pop()


def chosen_metric(metrics: Mapping[str, Any], name: str) -> float:
    """Return the metric with a name.

    Raises:
        ValueError: no metric has this name. The error lists the names of all metrics.
    """
    if name not in metrics:
        raise ValueError(
            f"metric_name must be one of {arguments.shown(sorted(metrics))}, given {arguments.shown(name)}"
        )
    return float(metrics[name])
