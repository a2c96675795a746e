"""Functions with which configs and the command read a scheduler's members, target, metric and labels."""

from collections.abc import Sequence

from lehr.handlers.targets.target import Target

from .scheduler import BaseParamScheduler


def members_of(scheduler: BaseParamScheduler) -> Sequence[BaseParamScheduler]:
    """Return the schedulers that a ``ParamGroupScheduler`` combines, or a list with the scheduler itself."""
    members: Sequence[BaseParamScheduler] = vars(scheduler).get("_members", [scheduler])
    return members


def metric_name_of(scheduler: BaseParamScheduler) -> str | None:
    """Return the name of the metric that drives a scheduler; None if no metric drives it."""
    return getattr(scheduler, "metric_name", None)


def reads_metric(scheduler: BaseParamScheduler) -> bool:
    """Return whether a scheduler reads a metric at each of its events."""
    return scheduler._reads_metric


def target_of(scheduler: BaseParamScheduler) -> Target:
    """Return the target that a scheduler writes to."""
    return scheduler._target


def column_labels(scheduler: BaseParamScheduler) -> list[str] | None:
    """Return the label of each column of a scheduler's values; None if the parameter and its groups label them."""
    return scheduler._labels()
