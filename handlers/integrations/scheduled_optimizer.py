"""What the callbacks have in common: the schedulers of one optimizer, their history, and the metric that they read."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from lehr.engine.history import ParamHistory
from lehr.engine.optimizer_events import wrapped_optimizer
from lehr.handlers.core.inspection import members_of, metric_name_of
from lehr.handlers.core.metrics import reduced_metric
from lehr.handlers.core.resume_policy import ResumeWarning
from lehr.handlers.core.without_engine import AnyScheduler, metric_driven_parts
from lehr.handlers.schedules import arguments

from .torch_scheduler import TorchAdapter, as_torch_scheduler

Make = Callable[[Optimizer], AnyScheduler | Sequence[AnyScheduler]]


class ScheduledOptimizer:
    """An optimizer, and the schedulers that a function makes for it; the optimizer gets their first values at once.

    Args:
        make: a function that takes the optimizer and returns one or several schedulers of it.
        optimizer: an optimizer of torch, or a wrapper with one as its attribute ``optimizer``.
        metric_name: the name of the metric that drives the schedulers; None for the name that they were made with.

    Raises:
        TypeError, ValueError: as :func:`as_torch_scheduler`; the schedulers are those of another optimizer; a metric is
            named, but drives none of them; a metric drives them, but has no name, or two.
    """

    def __init__(self, make: Make, optimizer: Any, metric_name: str | None = None) -> None:
        self.optimizer: Optimizer = wrapped_optimizer(optimizer)
        _restore_initial_lr(self.optimizer)
        self.history = ParamHistory()
        self.adapter: TorchAdapter = as_torch_scheduler(make(self.optimizer), history=self.history)  # type: ignore[assignment]
        self.adapter.warns_without_metric = False
        if self.adapter.optimizer is not self.optimizer:
            raise ValueError(
                "make must return schedulers of the optimizer that it is given, given those of another one"
            )
        driven = [one for one in members_of(self.adapter.scheduler) if metric_driven_parts(one)]  # type: ignore[arg-type]
        self._reduction: str = getattr(driven[0], "reduction", "mean") if driven else "none"
        self.metric_name = _checked_metric_name(driven, metric_name)

    def step(self) -> None:
        """Write the values of the next step, after a step of the optimizer."""
        self.adapter.step()

    def warn_if_begun(self, steps: int) -> None:
        """Warn where a run has trained before, and its checkpoint has no state of these schedulers."""
        if steps:
            warnings.warn(
                f"the checkpoint has no state of SchedulerCallback: the schedules start at event 0, the run at step "
                f"{steps}",
                ResumeWarning,
                stacklevel=2,
            )

    def observe(self, metric: float) -> None:
        """Let the next step of the optimizer train with a metric: the mean of all ranks, or as ``reduction`` says."""
        value = reduced_metric(metric, self._reduction)
        assert value is not None  # each rank has read it
        self.adapter.revise(value)

    def state_dict(self) -> dict[str, Any]:
        """The state of the schedulers and the history, as plain data."""
        return {"scheduler": self.adapter.state_dict(), "history": self.history.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises:
            TypeError, ValueError: this is not such a state.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != {"scheduler", "history"}:
            raise ValueError(f"not the state of a SchedulerCallback: {arguments.shown(state_dict)}")
        self.adapter.load_state_dict(state_dict["scheduler"])
        self.history.load_state_dict(state_dict["history"])


def _restore_initial_lr(optimizer: Optimizer) -> None:
    """Put the base value of each learning rate back, over which another scheduler or a former run has written."""
    for group in optimizer.param_groups:
        if (initial := group.get("initial_lr")) is None:
            continue
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(initial)
        else:
            group["lr"] = float(initial)


def _checked_metric_name(driven: Sequence[Any], metric_name: str | None) -> str | None:
    if not isinstance(metric_name, str | None):
        raise TypeError(f"metric_name must be a string or None, given {arguments.shown(metric_name)}")
    if not driven and metric_name is not None:
        raise ValueError(f"metric_name must be None where no metric drives a scheduler, given {metric_name!r}")
    if not driven or metric_name is not None:
        return metric_name
    names = {name for one in driven if (name := metric_name_of(one)) is not None}
    if len(names) != 1:
        raise ValueError(f"metric_name must be given where the schedulers name {arguments.shown(sorted(names))}")
    return names.pop()


def chosen_metric(metrics: Mapping[str, Any], name: str) -> float:
    """The metric of this name.

    Raises:
        ValueError: there is none; the error lists those that there are.
    """
    if name not in metrics:
        raise ValueError(
            f"metric_name must be one of {arguments.shown(sorted(metrics))}, given {arguments.shown(name)}"
        )
    return float(metrics[name])
