"""Those who write for a scheduler of several: one for each of its members, which stay as they are."""

from copy import copy

from .base import BaseParamScheduler
from .param_groups import Value
from .param_scheduler import ParamScheduler


def writer_like(scheduler: BaseParamScheduler) -> BaseParamScheduler:
    """One on the same schedule, at the same place, that begins at event 0."""
    if not isinstance(scheduler, ParamScheduler):
        writer = copy(scheduler)
        writer._go_to(0)
        return writer
    return ParamScheduler(
        scheduler.optimizer,
        scheduler.param_name,
        param_group_index=scheduler.param_group_index,
        schedule=scheduler.schedule,
    )


def num_saved(writer: BaseParamScheduler) -> int:
    """How many values of it are saved: one where one serves all groups."""
    if isinstance(writer, ParamScheduler) and not writer.schedule.ahead:
        return len(writer.optimizer_param_groups)
    return writer.schedule.groups or 1


def row_of(writer: BaseParamScheduler, value: Value) -> list[float]:
    """What is recorded of its value: one number for each param group."""
    if not isinstance(writer, ParamScheduler):
        return value if isinstance(value, list) else [float(value)]
    groups = writer.optimizer_param_groups
    return writer._slot.fitted(value, groups) if isinstance(value, list) else [value] * len(groups)
