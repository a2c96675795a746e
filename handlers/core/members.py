"""The schedulers that a scheduler of several is made of."""

from collections.abc import Sequence
from copy import copy
from typing import Any

from lehr.handlers.schedules import SideBySide
from lehr.handlers.schedules.arguments import shown

from .param_scheduler import ParamScheduler
from .scheduler import BaseParamScheduler


def member_like(scheduler: BaseParamScheduler) -> BaseParamScheduler:
    """A scheduler with the same schedule and target that begins at event 0, so that the given one stays as it is."""
    if not isinstance(scheduler, ParamScheduler):
        member = copy(scheduler)
        member._go_to(0)
        return member
    groups, schedule = scheduler.param_group_index, scheduler.schedule
    return ParamScheduler(scheduler.optimizer, scheduler.param_name, param_group_index=groups, schedule=schedule)


def num_saved(member: BaseParamScheduler) -> int:
    """The number of its values in a state: one where one value serves all groups."""
    if isinstance(member, ParamScheduler) and not member.schedule.is_pure:
        return len(member.optimizer_param_groups)
    return member.schedule.groups or 1


def history_row(member: BaseParamScheduler, value: Any) -> list[float]:
    """Its value in the history: one number for each param group."""
    if isinstance(value, list):
        return value
    return [value] * member._target.history_width(value) if isinstance(member, ParamScheduler) else [float(value)]


def side_by_side(members: Sequence[BaseParamScheduler], schedulers: Sequence[BaseParamScheduler]) -> ParamScheduler:
    """Schedulers of one optimizer's groups as one scheduler with a value for each group.

    Raises:
        ValueError: they are not of one optimizer and parameter, or do not have each of its groups once.
    """
    own = [member for member in members if isinstance(member, ParamScheduler)]
    if len(own) < len(members):
        raise ValueError(f"schedulers must all be of an optimizer to be concatenated, given {shown(schedulers)}")
    first = own[0]
    if len(own) == 1:
        return first
    if any(member.optimizer is not first.optimizer for member in own):
        raise ValueError("schedulers must all have the same optimizer to be concatenated, given different ones")
    by_group = {member.param_group_index: member.schedule for member in own}
    if any(member.param_name != first.param_name for member in own):
        params = ", ".join(dict.fromkeys(member.param_name for member in own))
        raise ValueError(f"schedulers must all have the same param_name to be concatenated, given {params}")
    if len(by_group) < len(own) or set(by_group) != set(range(len(first.optimizer.param_groups))):
        raise ValueError(
            f"schedulers must have each of the {len(first.optimizer.param_groups)} param groups once to be "
            f"concatenated, given {[member.param_group_index for member in own]}"
        )
    schedule = SideBySide([by_group[index] for index in sorted(by_group)])  # type: ignore[type-var]
    return ParamScheduler(first.optimizer, first.param_name, schedule=schedule)
