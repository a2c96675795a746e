"""Those who write for a scheduler of several: one for each of its members, which stay as they are."""

from collections.abc import Sequence
from copy import copy

from lehr.handlers.schedules import SideBySide
from lehr.handlers.targets.param_groups import Value

from .param_scheduler import ParamScheduler
from .scheduler import BaseParamScheduler


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
    if isinstance(writer, ParamScheduler) and not writer.schedule.is_pure:
        return len(writer.optimizer_param_groups)
    return writer.schedule.groups or 1


def row_of(writer: BaseParamScheduler, value: Value) -> list[float]:
    """What is recorded of its value: one number for each param group."""
    if not isinstance(writer, ParamScheduler):
        return value if isinstance(value, list) else [float(value)]
    groups = writer.optimizer_param_groups
    return writer._slot.fitted(value, groups) if isinstance(value, list) else [value] * len(groups)


def side_by_side(writers: Sequence[BaseParamScheduler], schedulers: Sequence[BaseParamScheduler]) -> ParamScheduler:
    """Writers of one optimizer's groups as one scheduler with a value for each; errors name the members they are of.

    Raises:
        ValueError: they are not of one optimizer and parameter, or do not have each of its groups once.
    """
    own = [writer for writer in writers if isinstance(writer, ParamScheduler)]
    if len(own) < len(writers):
        raise ValueError(f"schedulers must all be of an optimizer to be concatenated, given {schedulers!r}")
    first = own[0]
    if len(own) == 1:
        return first
    if any(writer.optimizer is not first.optimizer for writer in own):
        raise ValueError("schedulers must all have the same optimizer to be concatenated, given different ones")
    by_group = {writer.param_group_index: writer.schedule for writer in own}
    if any(writer.param_name != first.param_name for writer in own):
        params = ", ".join(dict.fromkeys(writer.param_name for writer in own))
        raise ValueError(f"schedulers must all have the same param_name to be concatenated, given {params}")
    if len(by_group) < len(own) or set(by_group) != set(range(len(first.optimizer.param_groups))):
        raise ValueError(
            f"schedulers must have each of the {len(first.optimizer.param_groups)} param groups once to be "
            f"concatenated, given {[writer.param_group_index for writer in own]}"
        )
    schedule = SideBySide([by_group[index] for index in sorted(by_group)])  # type: ignore[type-var]
    return ParamScheduler(first.optimizer, first.param_name, schedule=schedule)
