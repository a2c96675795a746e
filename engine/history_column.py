"""The class :class:`HistoryColumn`: the recorded values of one name, event by event."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .history_state import is_list_of, require, text_of, values_of
from .values_in_errors import shown

MOST_PRINTED = 100  # a repr shows at most this number of events
MOST_GROUPS, MOST_EVENTS = 2**20, 2**53
VALUES_AT_ONCE = 4096  # an iterator reads this number of values at once


@dataclass(slots=True)
class Section:
    """Consecutive events whose values have the same shape. A saved state calls a section a run.

    The class is not a named tuple, because attributes of a named tuple are slower to read.

    Args:
        first_event: the position of the section's first event among the events that are kept.
        first_value: the position of the section's first value in the array of all values.
        groups: the number of values of an event. It is 0 if an event is a bare number, such as a batch size.
        stored: the number of stored values of an event: ``groups``, or 1 if all groups have the same value.
    """

    first_event: int
    first_value: int
    groups: int
    stored: int
    origin: int = field(init=False)  # the position that the values of event 0 would have if all events had this shape

    def __post_init__(self) -> None:
        self.origin = self.first_value - self.first_event * self.stored


NO_EVENTS = Section(0, 0, 0, 1)


class HistoryColumn(Sequence[Any]):
    """The recorded values of one name. For each event, the sequence has a list with a value for each param group.

    If there are no param groups, because the name is a batch size or an attribute of ``engine.state``, an event is a
    number instead of a list.

    All values are stored in one array, with 8 bytes for each value. If all groups of an event have the same value, this
    value is stored once.

    With ``max_events``, the column keeps at most this number of events. When one more event comes, the column drops
    every second event. From then on, it keeps only every second event. The kept events are evenly spaced and include
    the first event. :attr:`event_indices` returns their indices.

    Args:
        rows: the first events.
        max_events: the largest number of events to keep, at least 2. If None, all events are kept.

    Raises:
        TypeError: ``max_events`` is not an int or None.
        ValueError: ``max_events`` is less than 2, or a row has no values.

    Example:
        >>> column = HistoryColumn([[0.1], [0.05]])
        >>> column.append([0.025])
        >>> column[-1], len(column), column == [[0.1], [0.05], [0.025]]
        ([0.025], 3, True)
        >>> few = HistoryColumn([[float(event)] for event in range(1000)], max_events=4)
        >>> few, few.event_indices.tolist(), few.num_events
        ([[0.0], [256.0], [512.0], [768.0]], [0, 256, 512, 768], 1000)
    """

    def __init__(self, rows: Iterable[float | Sequence[float]] = (), max_events: int | None = None) -> None:
        if max_events is not None and (isinstance(max_events, bool) or not isinstance(max_events, int)):
            raise TypeError(f"max_events must be an int or None, given {shown(max_events)}")
        if max_events is not None and max_events < 2:
            raise ValueError(f"max_events must be at least 2, given {shown(max_events)}")
        self.max_events = max_events
        self.stride: int = 1  # the number of events from one kept event to the next
        self._values = array("d")
        self._sections: list[Section] = []
        self.section: Section | None = None  # the last section, which is read at each event
        # The first number says how many events to leave out before the next event is kept. The second number says how
        # many more events to keep before every second event is dropped. A list is faster to read than two attributes.
        self._countdown = [0, self._room()]
        for row in rows:
            self.append(row)

    def append(self, row: float | Sequence[float]) -> None:
        """Add one event.

        Args:
            row: a list with a value for each group, or a number if there are no groups.

        Raises:
            TypeError, ValueError: a value is not a number, or ``row`` is empty.
        """
        if not isinstance(row, Iterable):
            self.appender(groups=0, per_group=False)(float(row))
            return
        values = [float(value) for value in row]
        if not values:
            raise ValueError("an event must have a value for at least one group, given none")
        self.appender(len(values), per_group=True)(values)

    def appender(self, groups: int, per_group: bool) -> Callable[[Any], None]:
        """Open a section for events of ``groups`` groups, and return the function that adds one event.

        If ``per_group`` is True, the function takes a list with a value for each group. Otherwise, it takes a float,
        which is the value of all groups, or the event itself if ``groups`` is 0. The function is valid while the
        attribute ``section`` stays the same object.
        """
        stored, last = groups if per_group else 1, self.section
        if last is None or (last.groups, last.stored) != (groups, stored):
            if last is not None and last.first_event == len(self):
                self._sections.pop()  # remove the last section, which has no events
            self.section = Section(len(self), len(self._values), groups, stored)
            self._sections.append(self.section)
        add = self._values.extend if per_group else self._values.append
        return add if self.max_events is None and self.stride == 1 else self._thinned(add)

    def _thinned(self, add: Callable[[Any], None]) -> Callable[[Any], None]:
        countdown = self._countdown

        def add_or_skip(value: Any) -> None:
            if countdown[0]:
                countdown[0] -= 1
                return
            add(value)
            if countdown[1]:
                countdown[:] = self.stride - 1, countdown[1] - 1
            else:
                self._halve(len(self) * self.stride - self.stride + 1)

        return add_or_skip

    def _halve(self, num_events: int) -> None:
        """Drop every second kept event. ``num_events`` is the number of all recorded events."""
        values, sections = array("d"), list[Section]()
        kept = 0
        for section, part in self._parts():
            rows = _rows(section, part)[section.first_event % 2 :: 2]
            if len(rows):
                sections.append(Section(kept, len(values), section.groups, section.stored))
                values.frombytes(rows.tobytes())
                kept += len(rows)
        self._values[:], self._sections[:], self.section = values, sections, sections[-1]
        self.stride *= 2
        self._count_down(num_events)

    def _count_down(self, num_events: int) -> None:
        """Set the countdown. ``num_events`` is the number of all recorded events."""
        self._countdown[:] = len(self) * self.stride - num_events, self._room()

    def _room(self) -> int:
        """Return how many more events are kept before every second event is dropped, or -1 if no events are dropped."""
        return -1 if self.max_events is None else self.max_events - len(self)

    @property
    def num_events(self) -> int:
        """The number of events that were recorded, including the dropped events."""
        return len(self) * self.stride - self._countdown[0]

    @property
    def num_groups(self) -> int:
        """The number of columns of :meth:`to_numpy`: the largest number of groups of an event, at least 1."""
        return max((section.groups or 1 for section in self._sections), default=1)

    @property
    def event_indices(self) -> NDArray[np.int64]:
        """The indices of the kept events, counted from 0.

        Shapes: the result is ``(events,)``.
        """
        return np.arange(len(self)) * self.stride

    def take_back(self, num_events: int) -> None:
        """Remove the last ``num_events`` events, or all events if there are fewer."""
        left = max(self.num_events - num_events, 0)
        kept = -(-left // self.stride)
        while self._sections and self._sections[-1].first_event >= kept:
            del self._values[self._sections.pop().first_value :]
        self.section = last = self._sections[-1] if self._sections else None
        if last is not None:
            del self._values[last.first_value + (kept - last.first_event) * last.stored :]
        self._count_down(left)

    def to_numpy(self) -> NDArray[np.float64]:
        """Return the values as an array.

        Shapes: the result is ``(events, groups)``. If an event has fewer groups than another event, its missing values
        are NaN.
        """
        table = np.full((len(self), self.num_groups), np.nan)
        self.fill(table, 0)
        return table

    def fill(self, table: NDArray[np.float64], first: int) -> None:
        """Write the values of kept events to an array, one row for each event.

        Args:
            table: the array, which must have at most as many rows as there are kept events from ``first`` on.
            first: the position of the first event among the kept events, counted from 0.

        Shapes: ``table`` is ``(events, groups)``.
        """
        row = 0
        for section, part in self._parts(first, first + len(table)):
            rows = _rows(section, part)
            table[row : row + len(rows), : section.groups or 1] = rows
            row += len(rows)

    def _parts(self, first: int = 0, end: int | None = None) -> "Iterator[tuple[Section, array[float]]]":
        """Yield the sections of the kept events from ``first`` to ``end``, each with a copy of these events' values."""
        end, stride = len(self) if end is None else end, self.stride
        at = self._section_of(first) if first < end else 0
        while first < end:
            section, is_last = self._sections[at], at + 1 == len(self._sections)
            stop = end if is_last else min(end, self._sections[at + 1].first_event)
            begin = section.origin + first * section.stored
            part = self._values[begin : begin + (stop - first) * section.stored]
            if len(part) != (stop - first) * section.stored or self.stride != stride:
                raise IndexError(f"events were removed while events up to {end} were read, given {len(self)} events")
            yield section, part
            first, at = stop, at + 1

    def _earlier(self, index: int) -> tuple[int, Section]:
        """Return the position and the section of the kept event at an index, which may be negative.

        Raises:
            IndexError: there is no event at this index.
        """
        kept = len(self)
        event = index + kept if index < 0 else index
        if not 0 <= event < kept:
            raise IndexError(f"index must be within the {kept} events of the history, given {index}")
        return event, self._sections[self._section_of(event)]

    def _section_of(self, event: int) -> int:
        return bisect_right(self._sections, event, key=attrgetter("first_event")) - 1

    def _ends(self) -> list[int]:
        """Return the position after the last value of each section."""
        return [*(section.first_value for section in self._sections[1:]), len(self._values)] if self._sections else []

    def state_dict(self) -> dict[str, Any]:
        """Return the column as plain data: a text with all values, and ints."""
        skipped = self.stride - 1 - self._countdown[0] if len(self) else 0
        runs = [[one.first_event, one.first_value, one.groups, one.stored] for one in self._sections]
        return {"values": text_of(self._values), "runs": runs, "stride": self.stride, "left_out": skipped}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Any], max_events: int | None = None) -> "HistoryColumn":
        """Return the column of a saved state. If it has more than ``max_events`` events, drop every second event.

        Args:
            state_dict: the result of :meth:`state_dict`.
            max_events: the largest number of events to keep. If None, all events are kept.

        Raises:
            ValueError: ``state_dict`` is not the state of a column.
        """
        column = cls(max_events=max_events)
        require(isinstance(state_dict, Mapping), f"the state must be a mapping, given one {type(state_dict).__name__}")
        names = set(state_dict) - {"stride", "left_out"}
        require(names == {"values", "runs"}, f"the state must have values and runs, given {len(names)} names")
        stride, skipped = state_dict.get("stride", 1), state_dict.get("left_out", 0)
        require(
            type(stride) is int and type(skipped) is int and 0 <= skipped < stride <= MOST_EVENTS,
            "stride must be an int above left_out",
        )
        runs = state_dict["runs"]
        column._values = values_of(state_dict["values"])
        require(
            isinstance(runs, list | tuple) and all(is_list_of(int, run) and len(run) == 4 for run in runs),
            "runs must be four ints each",
        )
        column._sections.extend(Section(*run) for run in runs)
        column.section = column._sections[-1] if column._sections else None
        column._check_sections()
        kept = len(column)
        require(kept * stride <= MOST_EVENTS, f"events must be at most 2**53, given {kept} * {stride}")
        column.stride = stride
        num_events = (kept - 1) * stride + 1 + skipped if kept else 0
        column._count_down(num_events)
        while max_events is not None and len(column) > max_events:
            column._halve(num_events)
        return column

    def _check_sections(self) -> None:
        """Check that the sections follow one another and contain all values."""
        events = values = 0
        for section, end in zip(self._sections, self._ends(), strict=True):
            require(
                (section.first_event, section.first_value) == (events, values)
                and 0 <= section.groups <= MOST_GROUPS
                and section.stored in (1, section.groups or 1)
                and end >= values
                and (end - values) % section.stored == 0,
                "runs must follow one another and contain whole events",
            )
            events, values = events + (end - values) // section.stored, end
        require(values == len(self._values), f"runs must contain all values, given {len(self._values)} without")

    def __len__(self) -> int:
        last = self.section
        return 0 if last is None else last.first_event + (len(self._values) - last.first_value) // last.stored

    def __getitem__(self, index: int | slice) -> Any:
        if type(index) is slice:  # faster than isinstance
            return [self[event] for event in range(*index.indices(len(self)))]
        values, section = self._values, self.section or NO_EVENTS
        while True:
            groups, stored = section.groups, section.stored
            at = index * stored + (len(values) if index < 0 else section.origin)
            if section.first_value <= at < len(values):
                if groups == 1:
                    return [values[at]]
                if stored > 1:
                    return values[at : at + stored].tolist()
                return [values[at]] * groups if groups else values[at]
            index, section = self._earlier(index)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._blocks(len(self)))

    def _blocks(self, kept: int) -> Iterator[list[Any]]:
        """Yield the first ``kept`` events in lists of many events, which is faster than reading them one by one."""
        size = max(VALUES_AT_ONCE // self.num_groups, 1)
        for first in range(0, kept, size):
            for section, part in self._parts(first, min(first + size, kept)):
                groups, stored, flat = section.groups, section.stored, part.tolist()
                if stored > 1:
                    yield [flat[at : at + stored] for at in range(0, len(flat), stored)]
                else:
                    yield [[value] * groups for value in flat] if groups else flat

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self[:]) if len(self) <= MOST_PRINTED else f"<{len(self)} events, from {self[0]} to {self[-1]}>"


def _rows(section: Section, part: "array[float]") -> NDArray[np.float64]:
    """Return values of a section as an array ``(events, stored)``."""
    return np.asarray(part).reshape(-1, section.stored)
