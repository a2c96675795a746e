"""Schedules that start from the base value of each param group."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lehr.handlers.schedules import Constant, FunctionSchedule, Product, Schedule, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.description_as_data import description_of
from lehr.handlers.targets.param_groups import ParamGroups, PlaceholderOptimizer

from .late_groups import JoinedGroup, as_joined_groups, joining_groups, with_joined_groups
from .resuming.adjustment import Adjustment
from .resuming.policy import ResumeWarning, level_of_caller
from .saving import is_same_schedule

ScheduleOf = Callable[[Number], Schedule]


@dataclass(frozen=True)
class BaseValues:
    """The base value of each param group, and a function that makes the schedule from the base values.

    Args:
        values: the base values. The tuple is empty until a param group is selected.
        schedule_of: a function that makes the schedule. The function takes one base value for all groups, or a tuple
            with one base value for each group.
        is_own: whether each group's values start from the group's own base value, or are proportional to it.
    """

    values: tuple[float, ...]
    schedule_of: ScheduleOf
    is_own: bool = True

    def schedule(self, joined: Sequence[JoinedGroup] = ()) -> Schedule:
        """Return the schedule of the first groups, which existed when the scheduler was constructed.

        If there was no group at that time, the schedule starts from the value of the first group that joined later. If
        no group has joined, the schedule starts from 1.
        """
        base: Number = joined[0].value if joined else 1.0
        return self.schedule_of(one_or_all(self.values) if self.values else base)

    @property
    def reference(self) -> int:
        """The index of the first group whose base value is not 0."""
        return next((at for at, value in enumerate(self.values) if value), 0)

    def for_all_groups(self, schedule: Schedule, joined: Sequence[JoinedGroup]) -> Schedule:
        """Add a column to the schedule of the first groups for each group that joined later."""
        return with_joined_groups(schedule, len(self.values), self.reference, joined)

    def with_new_groups(
        self,
        joined: Sequence[JoinedGroup],
        target: ParamGroups,
        event_index: int,
        value_of_first: Callable[[Sequence[JoinedGroup]], Any],
    ) -> Sequence[JoinedGroup]:
        """Return all groups that joined before an event, including groups that were added since the last event.

        Args:
            joined: the groups that joined earlier.
            target: the param groups.
            event_index: the index of the event.
            value_of_first: a function that returns the value of the first groups at this event. If there are no first
                groups, the function returns the value of the first group that joined.
        """
        num_known = len(self.values) + len(joined)
        if len(target.groups()) <= num_known:
            return joined
        first = [JoinedGroup(event_index, value, value) for value in target.base_values()[:1]]
        base_value = self.values[self.reference] if self.values else first[0].value
        values = value_of_first(joined or first)
        value = values[self.reference] if isinstance(values, list) else values
        return [*joined, *joining_groups(target, num_known, event_index, base_value, value)]

    def handed_over(
        self, adjustment: Adjustment, joined: Sequence[JoinedGroup]
    ) -> tuple[Adjustment, Sequence[JoinedGroup]]:
        """Split an adjustment between the first groups and the groups that joined later.

        Returns:
            The adjustment of the first groups, and the groups that joined, each with its own saved value.
        """
        if not joined or adjustment.handover is None or not isinstance(adjustment.handover[2], tuple):
            return adjustment, joined
        begin, duration, values = adjustment.handover
        num_first, reference = len(self.values), values[self.reference] or joined[0].reference_value
        joined = [JoinedGroup(begin, value, reference) for value in values[num_first:]]
        own = one_or_all(values[: max(num_first, 1)])
        return replace(adjustment, handover=(begin, duration, own)), joined


def start_from_base_values(scheduler: Any, member: Any, schedule_of: ScheduleOf) -> None:
    """Give a scheduler the base values from which its schedule starts, unless it already has base values.

    Args:
        scheduler: the scheduler.
        member: the scheduler that gets the base values: ``scheduler`` itself, or one of the schedulers that it
            combines.
        schedule_of: a function that makes the schedule from the base values.
    """
    if member._base is not None:
        return
    member._base = BaseValues(tuple(member._target.base_values()), schedule_of)
    member._admits = member._target.selection.added in (None, "own")
    scheduler._admits = scheduler._admits or member._admits


def own_base_values(scheduler: Any) -> tuple[float, ...]:
    """Return a scheduler's base values if each group starts from its own base value; otherwise an empty tuple."""
    return scheduler._base.values if scheduler._base is not None and scheduler._base.is_own else ()


def read_base_values(target: ParamGroups, argument: str | None) -> tuple[float, ...]:
    """Return the base values of the param groups of a target.

    The function warns if the value of a group differs from the group's ``initial_`` entry.

    Args:
        target: the param groups.
        argument: for messages, the name of the argument that needs the base values or replaces them. If None, the base
            values belong to a config.

    Raises:
        ValueError: there is no optimizer to read from.
    """
    held, values = target.read(), target.base_values()
    if isinstance(target.optimizer, PlaceholderOptimizer):
        raise ValueError(f"{argument} needs an optimizer to read present values from, given none")
    for group, value in enumerate(held):
        if math.isnan(value):
            raise ValueError(f"{target.key!r} of each param group must be a number, given nan in param group {group}")
    for group, (present, base) in enumerate(zip(held, values, strict=True)):
        if present != base:
            initial, give = f"initial_{target.key}", "" if argument is None else f"give {argument} or "
            warnings.warn(
                f"a param group holds {target.key}={present:g} and {initial}={base:g} (group {group} of the "
                f"{len(values)} that are written): the schedule starts from {initial}, as torch's schedules do; "
                f"to start from another value, {give}change or delete the entry {initial}",
                UserWarning,
                stacklevel=level_of_caller(),
            )
            break
    return tuple(values)


def warn_of_trained_base_values(scheduler: Any) -> None:
    """Warn that a scheduler that seeks an event took its base values from an optimizer that had already trained."""
    name, values = arguments.shown(scheduler, 100), arguments.shown(one_or_all(scheduler._base.values), 100)
    warnings.warn(
        f"{name} was constructed when its optimizer had trained or was loaded, so the schedule starts from the values "
        f"that the param groups had at that time, {values}: if the run began with other values, load the scheduler's "
        f"state, give the value as an argument, or set initial_{scheduler._target.key} in the param groups",
        ResumeWarning,
        stacklevel=level_of_caller(),
    )


def has_trained(target: ParamGroups) -> bool:
    """Return whether an optimizer has trained or was loaded, so that its groups may hold values of a schedule."""
    groups = target.groups()
    if all(f"initial_{target.key}" in group for group in groups):
        return False
    # "params" is the first entry of a new group, but the last entry of a group that torch has loaded.
    was_loaded = any(next(reversed(group)) == "params" for group in groups)
    return was_loaded or bool(getattr(target.optimizer, "state", None))


def one_or_all(values: Sequence[float]) -> Number:
    """Return one number if all groups have the same value, otherwise the value of each group."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def relative_to_groups(
    target: ParamGroups, schedule: Schedule | Callable[[int], Any] | None, type_name: str
) -> BaseValues:
    """Return base values for a schedule or a function whose values are factors of the base values.

    Args:
        target: the param groups.
        schedule: a schedule or a function that returns the factors; None if ``get_param`` returns the values.
        type_name: the name of the scheduler's class, for the error.

    Raises:
        TypeError: there is no schedule.
    """
    if schedule is None:
        raise TypeError(
            f"relative must be False if get_param is overridden, given True for {type_name}: "
            "multiply the values in get_param"
        )
    factors = schedule if isinstance(schedule, Schedule) else FunctionSchedule(schedule)
    return BaseValues(read_base_values(target, "relative"), partial(multiple_of, factors))


def multiple_of(schedule: Schedule, base: Number) -> Schedule:
    """Return the base values times the factors of a schedule."""
    return Product([Constant(base), schedule])


def independent_of_base(schedule: Schedule, base: Number) -> Schedule:
    """Return the schedule itself, which does not depend on the base values."""
    return schedule


def combined(
    schedulers: Sequence[Any], combine: Callable[[list[Schedule], Number], Schedule], own: Sequence[float] = ()
) -> tuple[Schedule, BaseValues | None]:
    """Combine the schedules of schedulers that write to the same param groups.

    Args:
        schedulers: the schedulers.
        combine: a function that combines the schedules of the schedulers, given the base values.
        own: the base values from which the combination itself starts; empty if there are none.

    Returns:
        The combined schedule, and its base values. If no scheduler has base values, the second item is None.
    """
    bases = [scheduler._base for scheduler in schedulers if scheduler._base is not None]
    values = tuple(own) or next((base.values for base in bases), ())
    schedule = combine([scheduler.schedule for scheduler in schedulers], one_or_all(values) if values else 1.0)
    if not (bases or own):
        return schedule, None
    makers = [_schedule_maker(scheduler) for scheduler in schedulers]
    return schedule, BaseValues(values, partial(_combined, combine, makers), any(base.is_own for base in bases))


def kept_in(member: Any, scheduler: Any) -> None:
    """Give ``member``, which is a copy of a scheduler, the base values and the joined groups of this scheduler."""
    if scheduler._base is not None:
        member._base = replace(scheduler._base, schedule_of=_schedule_maker(scheduler))
        member._admits, member._joined = scheduler._admits, list(scheduler._joined)


def _combined(
    combine: Callable[[list[Schedule], Number], Schedule], makers: list[ScheduleOf], base: Number
) -> Schedule:
    return combine([schedule_of(base) for schedule_of in makers], base)


def _schedule_maker(scheduler: Any) -> ScheduleOf:
    if scheduler._base is None:
        return partial(independent_of_base, scheduler.schedule)
    return partial(_adjusted, scheduler._base.schedule_of, scheduler._adjustment)


def _adjusted(schedule_of: ScheduleOf, adjustment: Any, base: Number) -> Schedule:
    return adjustment.applied_to(schedule_of(base))  # type: ignore[no-any-return]


def take_base_values(scheduler: Any, state: Mapping[str, Any]) -> Callable[[], None]:
    """Give a scheduler the base values of a checked state, and the groups that joined the saved run.

    Returns:
        A function that undoes the change.

    Raises:
        TypeError, ValueError: the state has no valid base values.
    """
    if scheduler._base is None:
        return lambda: None
    kept = "_base", "_joined", "_num_groups_seen", "_planned"
    before, followed = [getattr(scheduler, name) for name in kept], scheduler._first_schedule

    def take_back() -> None:
        for name, value in zip(kept, before, strict=True):
            setattr(scheduler, name, value)
        scheduler._follow(followed)

    saved = as_base_values("base_values", state["base_values"])
    joined: Sequence[JoinedGroup] = as_joined_groups("joined", state["joined"])
    if saved is not None:
        base, joined = resumed_base_values(
            scheduler._base, saved, joined, state["schedule"], state["value"], scheduler._target
        )
        if base is not scheduler._base or joined or scheduler._joined:
            planned = _schedule_of_saved(base, joined, saved)
            try:
                for name, value in zip(kept, (base, joined, -1, planned), strict=True):
                    setattr(scheduler, name, value)
                scheduler._follow(planned)
            except BaseException:
                take_back()
                raise
    return take_back


def _schedule_of_saved(base: BaseValues, joined: Sequence[JoinedGroup], saved: tuple[float, ...]) -> Schedule | None:
    try:
        return base.schedule(joined)
    except Exception as error:
        given = arguments.shown(saved)
        raise ValueError(
            arguments.shortened(f"base_values must be values from which the schedule can start, given {given}: {error}")
        ) from error


def resumed_base_values(
    base: BaseValues,
    saved: tuple[float, ...],
    joined: Sequence[JoinedGroup],
    schedule: Any,
    last: Any,
    target: ParamGroups,
) -> tuple[BaseValues, Sequence[JoinedGroup]]:
    """Return the base values with which a scheduler resumes, and the groups that joined the saved run.

    If the base values in the code differ from the saved base values, the schedule counts as changed. In this case, the
    scheduler warns and follows its resume policy. There is one exception. If the optimizer was loaded before the
    scheduler was constructed, the groups hold the last values of the saved run. In this case, the scheduler takes the
    saved base values and does not warn.

    Args:
        base: the base values in the code, which may include groups that joined the saved run.
        saved: the saved base values.
        joined: the groups that joined the saved run.
        schedule: the saved description of the schedule.
        last: the value of the last saved event: one number for all groups, or a list with one number for each group.
        target: the param groups.
    """
    own = replace(base, values=base.values[: len(saved)])
    if own.values == saved or len(own.values) < len(saved):
        return (base if own.values == base.values else own), joined
    there = replace(base, values=saved)
    held, known = target.read(), len(saved) + len(joined)  # a group may have been added since the last saved event
    last = list(last)[:known] if isinstance(last, list | tuple) else [last] * known
    was_loaded_first = (
        last[0] is not None
        and len(last) == known
        and held[: len(saved)] == list(own.values)
        and held[:known] == target.as_held([*last, *held[known:]])[:known]
    )
    if was_loaded_first and schedule is not None and is_same_schedule(schedule, description_of(there.schedule(joined))):
        return there, joined
    before, now = there.values[there.reference], own.values[own.reference]
    return own, [
        JoinedGroup(group.event_index, group.value * (before / group.reference_value), now)
        if group.reference_value
        else group
        for group in joined
    ]


def as_base_values(name: str, saved: Any) -> tuple[float, ...] | None:
    """Check the base values in a saved state.

    Raises:
        TypeError, ValueError: the saved base values are not numbers.
    """
    if saved is None:
        return None
    return arguments.list_of(name, saved, arguments.number)
