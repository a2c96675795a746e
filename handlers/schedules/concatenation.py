"""One schedule after another."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, Value, common_groups, schedules_field, with_group_axis
from .duration_types import ListedEvents


@dataclass(frozen=True)
class Concatenation(Schedule):
    """Schedules one after another, each from its own event 0; the last one goes on for ever.

    With durations d_0, d_1, ... and the starts ``t_k = d_0 + ... + d_{k-1}``::

        value(i) = schedules[k](i - t_k)    for the last k with t_k <= i

    Args:
        schedules: two or more. Some may have one value for all groups, others one for each of G groups.
        durations: events of each schedule but the last, at least 0; a schedule of 0 events is skipped.

    Shapes: ``(n,)``, or ``(n, G)`` where one of the schedules has it.

    Raises:
        TypeError: a duration is not a number.
        ValueError: durations negative or not whole, or not one fewer than the schedules; schedules for
            different numbers of groups.

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
        """Checks the durations, and keeps both sequences as tuples."""
        super().__post_init__()
        if len(self.schedules) < 2 or len(self.durations) != len(self.schedules) - 1:
            raise ValueError(
                "durations must be one fewer than the schedules, which must be two or more, "
                f"given {len(self.schedules)} schedules and durations {arguments.shown(list(self.durations))}"
            )
        # Pure schedules do not change. To examine all schedules for each block would be slow, above all where
        # concatenations are nested.
        self._set(
            _starts=tuple(accumulate(self.durations, initial=0)),
            _is_pure=all(schedule.is_pure for schedule in self.schedules),
            _groups=common_groups(self.schedules),
        )

    @property
    def groups(self) -> int | None:
        """The number of groups of the schedules that have one value a group."""
        return self._groups if self._is_pure else common_groups(self.schedules)

    @property
    def is_pure(self) -> bool:
        """Whether all schedules are pure."""
        return self._is_pure

    @property
    def length(self) -> float | None:
        """The sum of all durations and of the length of the last schedule."""
        last = self.schedules[-1].length
        return None if last is None else sum(self.durations) + last

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The value of the schedule in force."""
        active = bisect_right(self._starts, index) - 1
        return read(self.schedules[active], index - self._starts[active])

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring; only the schedules in force are evaluated."""
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
        """The numbers of the schedules in force, from the first to the last one, with the positions of their events."""
        order = np.argsort(indices, kind="stable")
        ends = np.searchsorted(indices, self._starts[first + 1 : last + 1], sorter=order)
        return [(number, events) for number, events in enumerate(np.split(order, ends), first) if len(events)]
