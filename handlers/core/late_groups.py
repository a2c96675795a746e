"""Param groups that you add in mid-run and that continue from their own values: they join the scheduler."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.late_groups import JoinedGroups
from lehr.handlers.targets.param_groups import ParamGroups
from lehr.handlers.targets.target import Value

from .simulation.private_copies import private_copy


class JoinedGroup(NamedTuple):
    """A param group that joined in mid-run. Its value at event i is ``value * (f(i) / reference_value)``.

    In this formula, f(i) is the value of the reference group, the first group whose base value is not 0.

    Args:
        event_index: the index of the event before which the group joined.
        value: the group's ``initial_`` entry. If the group has no such entry, its value when it joined.
        reference_value: the value f(j) of the reference group at event j = ``event_index``. If the group has an
            ``initial_`` entry, or if f(j) is 0, the base value of the reference group.
    """

    event_index: int
    value: float
    reference_value: float


def with_joined_groups(schedule: Schedule, num_first: int, reference: int, joined: Sequence[JoinedGroup]) -> Schedule:
    """Add a column to a schedule for each group that joined."""
    if not joined:
        return schedule
    pairs = [(group.value, group.reference_value) for group in joined]
    return JoinedGroups(schedule, num_first, pairs, reference)


def joining_groups(
    target: ParamGroups, first: int, event_index: int, base_value: float, reference_value: float
) -> list[JoinedGroup]:
    """Return the groups of a target that join before an event.

    Args:
        target: the target.
        first: the index of the first joining group among the groups to which the target writes.
        event_index: the index of the event.
        base_value: the base value of the reference group.
        reference_value: the value of the reference group at this event.
    """
    joining = []
    groups, held, bases = target.groups(), target.read(), target.base_values()
    for at in range(first, len(groups)):
        if f"initial_{target.key}" in groups[at]:
            joining.append(JoinedGroup(event_index, bases[at], base_value))
        else:
            joining.append(JoinedGroup(event_index, held[at], reference_value or base_value))
    return joining


def joined_groups(scheduler: Any) -> Sequence[JoinedGroup]:
    """Return the groups that have joined a scheduler, and the groups that join it at its next event."""
    if not scheduler._admits or scheduler._base is None:
        return ()

    def value_of_first(joined: Sequence[JoinedGroup]) -> Value:
        schedule = private_copy(scheduler._schedule_of_first(joined))
        return scheduler._value_of(schedule, scheduler._event_index)  # type: ignore[no-any-return]

    joined: Sequence[JoinedGroup] = scheduler._base.with_new_groups(
        scheduler._joined, scheduler._target, scheduler._event_index, value_of_first
    )
    return joined


def as_joined_groups(name: str, saved: Any) -> list[JoinedGroup]:
    """Check the entry of a saved state that describes the groups that joined.

    Raises:
        TypeError, ValueError: an entry is not a list of an event index and two numbers.
    """
    joined = []
    for at, entry in enumerate(arguments.listed(name, saved)):
        values = arguments.list_of(f"{name}[{at}]", entry, arguments.number)
        if len(values) != 3:
            raise ValueError(
                f"{name}[{at}] must be [event_index, value, reference_value], given {arguments.shown(entry)}"
            )
        event_index = arguments.whole_number(f"{name}[{at}][0]", values[0], at_least=0)
        joined.append(JoinedGroup(event_index, values[1], values[2]))
    return joined
