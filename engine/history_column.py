"""The values that were written under one name, event by event."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .error_text import shown

MOST_PRINTED = 100  # events that a repr shows
MOST_GROUPS, MOST_EVENTS = 2**20, 2**53


class Section(NamedTuple):
    """Successive events of one shape. States call it a run.

    Args:
        first_event: the position of its first event among the events that are kept.
        first_value: the position of its first value in the array of all values.
        groups: values of an event; 0 if an event is a bare number, of an engine's attribute or a batch size.
        stored: numbers in the array for each event: ``groups``, or 1 if all groups have the same value.
    """

    first_event: int
    first_value: int
    groups: int
    stored: int


class HistoryColumn(Sequence[Any]):
    """The recorded values under one name: a sequence with a list of group values for each event.

    Where there are no param groups, as for an attribute of ``engine.state`` or a batch size, an event is a bare number.

    All values are in one array, with 8 bytes for each. A value that is the same for all groups of an event is stored
    once.

    With ``max_events``, the column keeps at most so many events. When there is one more, it drops every second event,
    and from then on keeps every second event only. The events that it keeps are evenly spaced and include the first
    one; :attr:`event_indices` has their indices.

    Args:
        rows: the first events.
        max_events: how many events to keep at most, at least 2; None for all.

    Raises:
        TypeError: ``max_events`` is not an int or None.
        ValueError: ``max_events`` is less than 2; a row has no values.

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
        self.stride: int = 1  # events from one that is kept to the next
        self._skipped = 0  # events after the last one that is kept
        self._values = array("d")
        self._sections: list[Section] = []
        self.section: Section | None = None  # the last one; an attribute, since it is read at each event
        for row in rows:
            self.append(row)

    def append(self, row: float | Sequence[float]) -> None:
        """Add one event: a list with a value for each group, or a bare number."""
        if not isinstance(row, Iterable):
            self.appender(groups=0, per_group=False)(float(row))
            return
        values = [float(value) for value in row]
        if not values:
            raise ValueError("an event must have a value for at least one group, given none")
        self.appender(len(values), per_group=True)(values)

    def appender(self, groups: int, per_group: bool) -> Callable[[Any], None]:
        """Open a section for events of so many groups, and return the function that adds one event.

        The function takes a list with a value for each group if ``per_group``; otherwise a float, which is the value of
        all groups, or a bare number if ``groups`` is 0. It is valid while :attr:`section` stays the same object.
        """
        stored, last = groups if per_group else 1, self.section
        if last is None or last[2:] != (groups, stored):
            if last is not None and last.first_event == len(self):
                self._sections.pop()  # it has no events
            self.section = Section(len(self), len(self._values), groups, stored)
            self._sections.append(self.section)
        add = self._values.extend if per_group else self._values.append
        return add if self.max_events is None and self.stride == 1 else self._thinned(add)

    def _thinned(self, add: Callable[[Any], None]) -> Callable[[Any], None]:
        def add_or_skip(value: Any) -> None:
            kept = len(self)
            if kept and self._skipped < self.stride - 1:
                self._skipped += 1
                return
            add(value)
            self._skipped = 0
            if kept == self.max_events:
                self._halve()

        return add_or_skip

    def _halve(self) -> None:
        """Drop every second event."""
        num_events, values = self.num_events, array("d")
        sections: list[Section] = []
        kept = 0
        for section, rows in self._rows():
            rows = rows[section.first_event % 2 :: 2]
            if len(rows):
                sections.append(Section(kept, len(values), section.groups, section.stored))
                values.frombytes(rows.tobytes())
                kept += len(rows)
        self._values[:], self._sections[:], self.section = values, sections, sections[-1]
        self.stride *= 2
        self._skipped = num_events - 1 - (len(self) - 1) * self.stride

    @property
    def num_events(self) -> int:
        """How many events were recorded, including those that were dropped."""
        return (len(self) - 1) * self.stride + 1 + self._skipped if len(self) else 0

    @property
    def event_indices(self) -> NDArray[np.int64]:
        """The indices of the events that are kept, counted from 0: ``(events,)``."""
        return np.arange(len(self)) * self.stride

    def take_back(self, num_events: int) -> None:
        """Remove the last events, or all if there are fewer."""
        left = max(self.num_events - num_events, 0)
        kept = -(-left // self.stride)
        while self._sections and self._sections[-1].first_event >= kept:
            del self._values[self._sections.pop().first_value :]
        self.section = last = self._sections[-1] if self._sections else None
        if last is not None:
            del self._values[last.first_value + (kept - last.first_event) * last.stored :]
        self._skipped = left - 1 - (kept - 1) * self.stride if kept else 0

    def to_numpy(self) -> NDArray[np.float64]:
        """The values as an array ``(events, groups)``; NaN where an event has fewer groups than another."""
        table = np.full((len(self), max((section.groups or 1 for section in self._sections), default=1)), np.nan)
        for section, rows in self._rows():
            table[section.first_event :][: len(rows), : section.groups or 1] = rows
        return table

    def _rows(self) -> Iterator[tuple[Section, NDArray[np.float64]]]:
        """Each section with a copy of its values, ``(events, stored)``."""
        for section, end in zip(self._sections, self._ends(), strict=True):
            yield section, np.asarray(self._values[section.first_value : end]).reshape(-1, section.stored)

    def _ends(self) -> list[int]:
        """The position after the last value of each section."""
        return [*(section.first_value for section in self._sections[1:]), len(self._values)] if self._sections else []

    def state_dict(self) -> dict[str, Any]:
        """The column as plain data."""
        thinned = {"stride": self.stride, "left_out": self._skipped} if self.stride > 1 else {}
        return {"values": self._values.tolist(), "runs": [list(section) for section in self._sections], **thinned}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Any], max_events: int | None = None) -> "HistoryColumn":
        """The column with this state, thinned if it has more than ``max_events`` events.

        Raises:
            ValueError: ``state_dict`` is not the state of a column.
        """
        column = cls(max_events=max_events)
        _require(isinstance(state_dict, Mapping), f"it must be a mapping, given one {type(state_dict).__name__}")
        names = set(state_dict) - {"stride", "left_out"}
        _require(names == {"values", "runs"}, f"it must have values and runs, given {len(names)} names")
        stride, skipped = state_dict.get("stride", 1), state_dict.get("left_out", 0)
        _require(
            type(stride) is int and type(skipped) is int and 0 <= skipped < stride <= MOST_EVENTS,
            "stride must be an int above left_out",
        )
        values, runs = state_dict["values"], state_dict["runs"]
        _require(_is_list_of(float, values), "values must be floats")
        _require(
            isinstance(runs, list | tuple) and all(_is_list_of(int, run) and len(run) == 4 for run in runs),
            "runs must be four ints each",
        )
        column._values.extend(values)
        column._sections.extend(Section(*run) for run in runs)
        column.section = column._sections[-1] if column._sections else None
        column._check_sections()
        _require(len(column) * stride <= MOST_EVENTS, f"events must be at most 2**53, given {len(column)} * {stride}")
        column.stride, column._skipped = stride, skipped
        while max_events is not None and len(column) > max_events:
            column._halve()
        return column

    def _check_sections(self) -> None:
        """Check that the sections follow one another and contain all values."""
        events = values = 0
        for section, end in zip(self._sections, self._ends(), strict=True):
            _require(
                section[:2] == (events, values)
                and 0 <= section.groups <= MOST_GROUPS
                and section.stored in (1, section.groups or 1)
                and end >= values
                and (end - values) % section.stored == 0,
                "runs must follow one another and contain whole events",
            )
            events, values = events + (end - values) // section.stored, end
        _require(values == len(self._values), f"runs must contain all values, given {len(self._values)} without")

    def __len__(self) -> int:
        last = self.section
        return 0 if last is None else last.first_event + (len(self._values) - last.first_value) // last.stored

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[event] for event in range(*index.indices(len(self)))]
        event = index + len(self) if index < 0 else index
        if not 0 <= event < len(self):
            raise IndexError(f"event {index} of a history of {len(self)} events")
        section = self._sections[bisect_right(self._sections, event, key=attrgetter("first_event")) - 1]
        first = section.first_value + (event - section.first_event) * section.stored
        values = self._values[first : first + section.stored].tolist()
        return values * (section.groups // section.stored) if section.groups else values[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[event] for event in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self[:]) if len(self) <= MOST_PRINTED else f"<{len(self)} events, from {self[0]} to {self[-1]}>"


def _is_list_of(kind: type, values: Any) -> bool:
    return isinstance(values, list | tuple) and all(type(value) is kind for value in values)


def _require(condition: bool, rule: str) -> None:
    """Raise if the state of a column breaks a rule."""
    if not condition:
        raise ValueError(f"not the state of a history column: {rule}")
