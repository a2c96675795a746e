"""Functions for the members of a ``ParamGroupScheduler``, which are the schedulers that it combines."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

from lehr.handlers.schedules import SideBySide
from lehr.handlers.schedules.arguments import listed, shown

from .base_values import as_base_values, kept_in
from .late_groups import as_joined_groups
from .param_scheduler import ParamScheduler
from .resuming.adjustment import Adjustment
from .scheduler import BaseParamScheduler


def member_like(scheduler: BaseParamScheduler) -> BaseParamScheduler:
    """Return a copy of a scheduler at event 0. The copy has the same schedule and the same target."""
    if not isinstance(scheduler, ParamScheduler):
        member = copy(scheduler)
        member._go_to(0)
        return member
    groups, schedule = scheduler.param_group_index, scheduler.schedule
    member = ParamScheduler(scheduler.optimizer, scheduler.param_name, param_group_index=groups, schedule=schedule)
    kept_in(member, scheduler)
    return member


def num_saved(member: BaseParamScheduler) -> int:
    """Return how many values of a member a state contains. The number is 1 if all groups have the same value."""
    if isinstance(member, ParamScheduler) and not member.schedule.is_pure:
        return len(member.optimizer_param_groups)
    return member.schedule.groups or 1


def groups_state(member: BaseParamScheduler) -> dict[str, Any]:
    """Return the entries of a member's state that are about param groups."""
    if isinstance(member, ParamScheduler):
        return member._groups_state()
    return {"param_groups": 0, "base_values": None, "joined": []}


def take_base_values_of(scheduler: Any, state: Mapping[str, Any]) -> Callable[[], None]:
    """Give the members of a scheduler the base values of a checked state.

    Returns:
        A function that undoes the change.

    Raises:
        TypeError, ValueError: the state has no valid base values. If this error is raised, nothing changes.
    """
    undo: list[Callable[[], None]] = [
        partial(scheduler._follow, scheduler._schedule),
        partial(setattr, scheduler, "_planned", scheduler._planned),
    ]

    def take_back() -> None:
        for function in reversed(undo):
            function()

    members = scheduler._members
    try:
        for member, its_state in zip(members, states_of_members(state, members), strict=True):
            undo.append(member._take_base_values(its_state))
    except BaseException:
        take_back()
        raise
    planned: list[Any] = [
        member._planned if isinstance(member, ParamScheduler) else member.schedule for member in members
    ]
    # Without new base values, the schedule remains the same object, so that it is not described again.
    if any(one is not before for one, before in zip(planned, scheduler._planned.schedules, strict=True)):
        scheduler._planned = SideBySide(planned)
    return take_back


def states_of_members(state: Mapping[str, Any], members: Sequence[BaseParamScheduler]) -> list[dict[str, Any]]:
    """Return, for each member of a scheduler, the entries of the saved state that are about its param groups.

    Raises:
        TypeError, ValueError: the state has entries for another number of schedulers.
    """
    for key in ("base_values", "joined"):
        if len(listed(key, state[key])) != len(members):
            raise ValueError(
                f"{key} must have an entry for each of {len(members)} schedulers, given {shown(state[key])}"
            )
    saved = state["schedule"].get("schedules") if isinstance(state["schedule"], dict) else None
    schedules = saved if isinstance(saved, list) and len(saved) == len(members) else [None] * len(members)
    widths = [
        _width(member, base_values, joined)
        for member, base_values, joined in zip(members, state["base_values"], state["joined"], strict=True)
    ]
    values = state["value"] if isinstance(state["value"], list) and len(state["value"]) == sum(widths) else None
    states = []
    for at, end in enumerate(accumulate(widths)):
        value = None if values is None else values[end - widths[at] : end]
        states.append(
            {
                "base_values": state["base_values"][at],
                "joined": state["joined"][at],
                "schedule": schedules[at],
                "value": value[0] if value is not None and widths[at] == 1 else value,
            }
        )
    return states


def split_adjustment(adjustment: Adjustment, members: Sequence[BaseParamScheduler]) -> list[Adjustment]:
    """Return an adjustment for each member, with the member's own handover values and cool-down end value.

    Raises:
        ValueError: the adjustment has values for another number of schedulers or groups.
    """
    own, widths = [adjustment] * len(members), [member.schedule.groups or 1 for member in members]
    if adjustment.handover is not None:
        begin, duration, values = adjustment.handover
        if not isinstance(values, tuple) or len(values) != sum(widths):
            raise ValueError(f"handover must have {sum(widths)} values, given {shown(values)}")
        parts = [values[end - width : end] for width, end in zip(widths, accumulate(widths), strict=True)]
        own = [
            replace(adjustment, handover=(begin, duration, part[0] if member.schedule.groups is None else part))
            for member, part in zip(members, parts, strict=True)
        ]
    if adjustment.cooldown is not None:
        begin, duration, ends, curve = adjustment.cooldown
        if not isinstance(ends, tuple) or len(ends) != len(members):
            raise ValueError(f"cooldown must have {len(members)} end values, given {shown(ends)}")
        own = [replace(one, cooldown=(begin, duration, end, curve)) for one, end in zip(own, ends, strict=True)]
    return own


def _width(member: BaseParamScheduler, base_values: Any, joined: Any) -> int:
    """Return how many values of a member a saved state contains."""
    saved = as_base_values("base_values", base_values)
    if not isinstance(member, ParamScheduler) or member._base is None or saved is None:
        return num_saved(member)
    base, groups = replace(member._base, values=saved), as_joined_groups("joined", joined)
    schedule = base.for_all_groups(base.schedule(groups), groups)
    return len(saved) + len(groups) if not schedule.is_pure else schedule.groups or 1


def history_row(member: BaseParamScheduler, value: Any) -> list[float]:
    """Return the numbers that the history records for a member, one for each param group."""
    if isinstance(member, ParamScheduler) and member._target.float_groups() is None:
        value = member._target.as_held(value)
    if isinstance(value, list):
        return value
    return [value] * member._target.history_width(value) if isinstance(member, ParamScheduler) else [float(value)]


def side_by_side(members: Sequence[BaseParamScheduler], schedulers: Sequence[BaseParamScheduler]) -> ParamScheduler:
    """Combine schedulers of one optimizer's groups into one scheduler with a value for each group.

    Raises:
        ValueError: the schedulers have different optimizers or parameters; or a param group has no scheduler, or has
            several schedulers.
    """
    own = [member for member in members if isinstance(member, ParamScheduler)]
    if len(own) < len(members):
        raise ValueError(f"schedulers must all write to an optimizer to be concatenated, given {shown(schedulers)}")
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
