"""Reads the schedule of each parameter and the length of the run from a config, without a real optimizer."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config import run_length_arguments
from lehr.handlers.config.configure import configure_scheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler_introspection import members_of, metric_name_of, reads_metric, target_of
from lehr.handlers.schedules import RunLength, Schedule
from lehr.handlers.targets.param_groups import ParamGroups

MOMENTUM = 0.9  # the momentum if there is no optimizer


@dataclass(frozen=True)
class Planned:
    """The schedules of a config, with the values of the optimizer from which they start.

    Args:
        schedules: a mapping from the name of each parameter to its schedule.
        bases: a mapping from the name of each parameter to its value in each param group before the run.
        config: the config as one mapping, with the length of the run in it.
        run: the length of the run.
        metric: the name of the metric that a schedule reads, and the number of events between two metrics. If None, no
            schedule reads a metric.
    """

    schedules: Mapping[str, Schedule]
    bases: Mapping[str, tuple[float, ...]]
    config: Mapping[str, Any]
    run: RunLength
    metric: tuple[str, int] | None

    @property
    def events(self) -> int | None:
        """The number of iterations in the run, or of epochs if iterations are unknown, or None if both are unknown."""
        return self.run.steps or self.run.max_epochs


def stand_in(optimizer: Any, param_name: str, factor: float = 1.0) -> Any:
    """Return an object with the param groups of an optimizer, but without tensors, in place of the optimizer.

    Args:
        optimizer: an optimizer. If None, the learning rate is 1.
        param_name: the parameter.
        factor: the factor by which the values of ``param_name`` are multiplied.
    """
    if optimizer is None:
        groups, defaults = [{"params": [], "lr": 1.0, "momentum": MOMENTUM}], {}
        groups[0].setdefault(param_name, 1.0)
    else:
        groups = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
        defaults = dict(getattr(optimizer, "defaults", {}))
    for mapping in (*groups, defaults):
        for key in (param_name, f"initial_{param_name}"):
            if isinstance(mapping.get(key), int | float):
                mapping[key] = mapping[key] * factor
    return SimpleNamespace(param_groups=[{"params": [], **group} for group in groups], defaults=defaults)


def planned(optimizer: Any, config: Any, **options: Any) -> Planned:
    """Return the schedules that a config makes for an optimizer.

    Raises:
        TypeError, ValueError: see :func:`configure_scheduler`; a scheduler does not schedule one parameter in all param
            groups.
    """
    scheduler = configure_scheduler(optimizer, config, **options)
    whole = scheduler.config()
    run = run_length_arguments.checked("", {"epoch_length": whole.get("epoch_length"), **whole.get("run", {})})
    schedules, bases, metric = {}, {}, None
    for member in members_of(scheduler):
        target = target_of(member)
        if not isinstance(member, ParamScheduler) or not isinstance(target, ParamGroups):
            raise ValueError(f"the config must schedule parameters of param groups, given a {type(member).__name__}")
        if member.param_group_index is not None or member.param_name in schedules:
            raise ValueError(f"one schedule of {member.param_name!r} must be for all param groups, given some of them")
        schedules[member.param_name] = member.schedule
        bases[member.param_name] = tuple(target.base_values())
        if reads_metric(member):
            metric = str(metric_name_of(member)), int(getattr(member, "every", 1))
    return Planned(schedules, bases, whole, run, metric)
