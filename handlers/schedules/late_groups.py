"""The schedule :class:`JoinedGroups`, for an optimizer to which param groups were added during the run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, Value, schedule_field, with_group_axis

# A pair: the value with which a group was added, and the value of the reference group at the same event.
Joined = tuple[float, float]


def joined_pair(name: str, value: object) -> Joined:
    """Check an item of the argument ``joined`` and return it as a tuple of two floats.

    Raises:
        TypeError, ValueError: ``value`` is not a pair of finite numbers.
    """
    pair = arguments.number_or_numbers(name, value)
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise ValueError(f"{name} must be a pair of numbers, given {arguments.shown(value)}")
    return pair[0], pair[1]


@dataclass(frozen=True)
class JoinedGroups(Schedule):
    """A schedule that gives groups that were added later a multiple of the value of a reference group.

    The first groups are in the optimizer from the beginning of the run. The reference group is one of them, with the
    value f(i) at event i. If a group was added with the value v at event j, and r is f(j), the value of the added group
    is::

        value(i) = v * (f(i) / r)

    If r is 0, the added group keeps the value v.

    Args:
        schedule: the schedule of the first groups, from the beginning of the run.
        num_first: how many first groups there are.
        joined: a pair (v, r) for each group that was added later.
        reference: the index of the reference group among the first groups.

    Shapes: the result is ``(n, num_first + len(joined))``.

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of range.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> JoinedGroups(Anneal(1.0, 0.0, duration=4), num_first=1, joined=[(8.0, 0.5)])([2, 3, 4]).tolist()
        [[0.5, 8.0], [0.25, 4.0], [0.0, 0.0]]
    """

    schedule: Schedule = schedule_field()
    num_first: int = fields.whole_number()
    joined: Sequence[Joined] = fields.list_of(joined_pair, at_least=1)
    reference: int = fields.whole_number(0)

    @property
    def groups(self) -> int:
        """The number of first and added groups together."""
        return self.num_first + len(self.joined)

    @property
    def length(self) -> float | None:
        """The length of the schedule of the first groups."""
        return self.schedule.length

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the value at one event by the formula of the class docstring."""
        value = read(self.schedule, index)
        first = value[: self.num_first] if isinstance(value, list) else [value] * self.num_first
        reference = value[self.reference] if isinstance(value, list) else value
        return [*first, *(v * (reference / r) if r else v for v, r in self.joined)]

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        values = with_group_axis(self.schedule.values(indices), True)
        reference = values[:, min(self.reference, values.shape[1] - 1)]
        first = np.broadcast_to(values[:, : self.num_first], (len(values), self.num_first))
        return np.column_stack(
            [first, *(v * (reference / r) if r else np.full(len(values), v) for v, r in self.joined)]
        )
