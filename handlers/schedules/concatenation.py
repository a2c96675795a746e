"""The schedule :class:`Concatenation`, which puts several schedules one after another."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, Value, common_groups, schedules_field, with_group_axis
from .duration_annotations import ListedEvents


@dataclass(frozen=True)
class Concatenation(Schedule):
    """Puts several schedules one after another. Each begins with its event 0, and the last has no end.

    With the durations d_0, d_1, ..., schedule k begins at event ``t_k = d_0 + ... + d_{k-1}``. The value is::

        value(i) = schedules[k](i - t_k)    for the last k with t_k <= i

    Args:
        schedules: two or more schedules. Each has one value for all groups, or one value for each of G groups.
        durations: the number of events of each schedule except the last, at least 0. A schedule with 0 events is
            skipped.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if one of the schedules has values for G groups.

    Raises:
        TypeError: a duration is not a number.
        ValueError: a duration is negative or not whole; there is not exactly one duration less than there are
            schedules; the schedules have values for different numbers of groups.

    Example:
        >>> from lehr.handlers.schedules import LinearCyclical, CosineAnnealing
        >>> warmup = LinearCyclical(0.0, 1.0, cycle_size=2, monotonic=True)
        >>> Concatenation([warmup, CosineAnnealing(1.0, 0.0, cycle_size=4)], [2])(np.arange(6)).round(4).tolist()
        [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464]
    """

    schedules: Sequence[Schedule] = schedules_field(at_least=0)
    durations: ListedEvents = fields.list_of(partial(arguments.whole_number, at_least=0), unit=fields.PHASES)

    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _is_pure: bool = field(init=False, repr=False, compare=False)
    _groups: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the durations, and convert both lists to tuples."""
        super().__post_init__()
        if len(self.schedules) < 2 or len(self.durations) != len(self.schedules) - 1:
            raise ValueError(
                "durations must have one item fewer than schedules, which must have at least two items, "
                f"given {len(self.schedules)} schedules and durations {arguments.shown(list(self.durations))}"
            )
        # These attributes are stored, because it would be slow to compute them for each block of events, above all in
        # nested concatenations. They stay valid, because pure schedules do not change.
        self._set(
            _starts=tuple(accumulate(self.durations, initial=0)),
            _is_pure=all(schedule.is_pure for schedule in self.schedules),
            _groups=common_groups(self.schedules),
        )

    @property
    def groups(self) -> int | None:
        """The number of groups for which the schedules have values, or None if all groups have the same value."""
        return self._groups if self._is_pure else common_groups(self.schedules)

    @property
    def is_pure(self) -> bool:
        """Whether all schedules are pure."""
        return self._is_pure

    @property
    def length(self) -> float | None:
        """The sum of all durations and the length of the last schedule, or None if the last schedule has no end."""
        last = self.schedules[-1].length
        return None if last is None else sum(self.durations) + last

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the value of the schedule that is active at the event."""
        active = bisect_right(self._starts, index) - 1
        return read(self.schedules[active], index - self._starts[active])

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring. Schedules that are not active are not evaluated."""
        first, last = (
            bisect_right(self._starts, float(bound)) - 1
            for bound in (indices.min(initial=np.inf), indices.max(initial=0.0))
        )
        in_force = [(first, slice(None))] if first == last else self._in_force(indices, first, last)
        parts = [
            (events, np.asarray(self.schedules[number].values(indices[events] - self._starts[number])))
            for number, events in in_force
        ]
        columns = [(self.groups,)] if self.groups else [part.shape[1:] for _, part in parts]
        values = np.empty((len(indices), *max(columns, key=len, default=())))
        for events, part in parts:
            values[events] = with_group_axis(part, values.ndim == 2)
        return values

    def _in_force(self, indices: Array, first: int, last: int) -> list[tuple[int, Any]]:
        """Return the index of each active schedule, with the positions of its events in ``indices``."""
        order = np.argsort(indices, kind="stable")
        ends = np.searchsorted(indices, self._starts[first + 1 : last + 1], sorter=order)
        return [(number, events) for number, events in enumerate(np.split(order, ends), first) if len(events)]
