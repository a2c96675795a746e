"""One schedule after another."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from . import arguments
from .base import Array, Schedule, Value, checked_schedules, common_groups
from .durations import events


@dataclass(frozen=True)
class Concatenation(Schedule):
    """Schedules one after another, each from its own event 0; the last one goes on for ever.

    With durations d_0, d_1, ... and the starts ``t_k = d_0 + ... + d_{k-1}``::

        value(i) = schedules[k](i - t_k)    for the last k with t_k <= i

    Args:
        schedules: two or more. Some may have one value for all groups, others one for each of G groups.
        durations: events of each schedule but the last, at least 0; a schedule of 0 events is passed over.

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

    schedules: Sequence[Schedule]
    durations: Sequence[int] = events()

    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _ahead: bool = field(init=False, repr=False, compare=False)
    _groups: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the durations, and keep both sequences as tuples."""
        self._set(
            schedules=checked_schedules("schedules", self.schedules),
            durations=tuple(
                arguments.whole_number(f"durations[{at}]", duration, at_least=0)
                for at, duration in enumerate(arguments.listed("durations", self.durations))
            ),
        )
        if len(self.schedules) < 2 or len(self.durations) != len(self.schedules) - 1:
            raise ValueError(
                "durations must be one fewer than the schedules, which must be two or more, "
                f"given {len(self.schedules)} schedules and durations {list(self.durations)}"
            )
        # What may be asked ahead of time is a pure function, and stays what it is. To ask it all of this for each block
        # would take time in proportion to the schedules, and much more of it where they are nested.
        self._set(
            _starts=tuple(accumulate(self.durations, initial=0)),
            _ahead=all(schedule.ahead for schedule in self.schedules),
            _groups=common_groups(self.schedules),
        )

    @property
    def groups(self) -> int | None:
        """Those of the schedules that have one value a group."""
        return self._groups if self._ahead else common_groups(self.schedules)

    @property
    def ahead(self) -> bool:
        """Whether all of the schedules may be asked ahead of time."""
        return self._ahead

    @property
    def length(self) -> float | None:
        """All durations, and the length of the last schedule."""
        last = self.schedules[-1].length
        return None if last is None else sum(self.durations) + last

    def from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """The value of the schedule in force."""
        active = bisect_right(self._starts, index) - 1
        return read(self.schedules[active], index - self._starts[active])

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring; only the schedules in force are evaluated."""
        first, last = (
            bisect_right(self._starts, float(bound)) - 1
            for bound in (indices.min(initial=np.inf), indices.max(initial=0.0))
        )
        pieces = [(first, slice(None))] if first == last else self._pieces(indices, first, last)
        parts = [
            (where, np.asarray(self.schedules[at].values(indices[where] - self._starts[at]))) for at, where in pieces
        ]
        groups = self.groups
        columns = [(groups,)] if groups else [part.shape[1:] for _, part in parts]
        values = np.empty((len(indices), *max(columns, key=len, default=())))
        for where, part in parts:
            values[where] = part if part.ndim == values.ndim else part[:, None]
        return values

    def _pieces(self, indices: Array, first: int, last: int) -> list[tuple[int, Any]]:
        """The schedules from the first to the last one that are in force at some of these events, and at which."""
        order = np.argsort(indices, kind="stable")
        ends = np.searchsorted(indices, self._starts[first + 1 : last + 1], sorter=order)
        return [(first + at, where) for at, where in enumerate(np.split(order, ends)) if len(where)]
