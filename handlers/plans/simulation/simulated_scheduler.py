"""The schedulers of a simulated run with their copies and schedules, and the records of the values that they write."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from ignite.engine import Engine
from numpy.typing import NDArray

from lehr.handlers.core.clocks.clock import Clock
from lehr.handlers.core.for_plans_and_cli import Location, Locations, labels_of, locations_of, members_of, type_name_of
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import Schedule
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.named_phases import NamedPhase, phases_of

from .handler_discovery import AttachedHandler

Integers = NDArray[np.int64]


@dataclass(eq=False)
class SimulatedScheduler:
    """A scheduler in a simulated run.

    Args:
        original: the scheduler of the real run.
        copy: the copy of the scheduler, which the simulated run calls.
        handlers: the handlers that call the scheduler.
        locations: the locations that the copy writes, by the names of its histories.
        events_before: the number of the scheduler's events before the simulated run starts.
        repeated_events: the number of events before the simulated run that a resumed run fires again.
        last_events: the number of events at the very end of the earlier run that may have fired after its checkpoint.
        event_iterations: for each event of the simulated run, the iteration of the next training step, from 0.
        observed_iterations: for each metric that a handler passes to the scheduler, the iteration of the next training
            step, from 0.
        event_indices: the event index that a clock has counted before each event.
    """

    original: BaseParamScheduler
    copy: BaseParamScheduler
    handlers: list[AttachedHandler]
    locations: Locations
    events_before: int = 0
    repeated_events: int = 0
    last_events: int = 0
    event_iterations: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    observed_iterations: "array[int]" = field(default_factory=lambda: array("q"))
    event_indices: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def clock(self) -> Clock | None:
        """The clock in the real run, or None if the scheduler counts events."""
        return next((handler.clocked.clock for handler in self.handlers if handler.clocked is not None), None)

    @property
    def first_event(self) -> int:
        """The index of the scheduler's first event in the simulated run."""
        if self.clock is not None:
            return self.event_indices[0] if self.event_indices else self.copy.event_index
        return self.copy.event_index - len(self.event_iterations)

    def index_of(self, position: int) -> int:
        """Return the event index of an event of the simulated run. Its ``position`` in the run counts from 0."""
        return self.first_event + position if self.clock is None else self.event_indices[position]

    def position(self, event_index: float) -> int:
        """Return the position in the simulated run, from 0, of the first event with at least this event index."""
        if self.clock is not None:
            return int(np.searchsorted(np.array(self.event_indices), event_index))
        return int(np.ceil(event_index)) - self.first_event

    @property
    def writing_handlers(self) -> list[AttachedHandler]:
        """The handlers that make the scheduler write."""
        return [handler for handler in self.handlers if handler.writes]

    @cached_property
    def description(self) -> str:
        """A text with the type, the parameter and the events of the scheduler."""
        named = [handler for handler in self.handlers if handler.clocked is None or handler.writes]
        events = " | ".join(dict.fromkeys(handler.event_text for handler in named))
        return f"{type_name_of(self.original)} of {self.original.param_name!r} on {events}"


@dataclass(frozen=True, eq=False)
class WrittenSchedule:
    """A schedule that a simulated run has written, with the values at each iteration.

    Args:
        name: the name of the values in the plan.
        scheduler: the scheduler.
        schedule: the schedule of the scheduler, or of one of the schedulers that a ``ParamGroupScheduler`` combines.
        location: the first location that the schedule writes.
        columns: the columns of ``table`` that the schedule writes.
        table: ``(iterations, groups)``: the values under the name, at each iteration.
        before: ``(groups)``: the values before the run, for the columns of ``table``.
        distinct: the groups whose values may differ from the values of all earlier groups.
    """

    name: str
    scheduler: SimulatedScheduler
    schedule: Schedule
    location: Location
    columns: list[int]
    table: Array
    before: Array
    distinct: list[int]

    @cached_property
    def values(self) -> Array:
        """The values at each iteration: ``(iterations, groups of this schedule)``."""
        first, last = self.columns[0], self.columns[-1]
        follow = self.columns == list(range(first, last + 1))
        return self.table[:, first : last + 1] if follow else self.table[:, self.columns]  # a slice makes no copy

    @property
    def event_iterations(self) -> Integers:
        """The iteration of the next training step, for each event, counted from 0."""
        return self.scheduler.event_iterations

    @cached_property
    def event_values(self) -> Array:
        """The values after each event: ``(events, groups of this schedule)``."""
        iterations = self.event_iterations[: np.searchsorted(self.event_iterations, len(self.values))]
        first = int(iterations[0]) if len(iterations) else 0
        if np.array_equal(iterations, np.arange(first, first + len(iterations))):
            return self.values[first : first + len(iterations)]
        return self.values[iterations]

    @property
    def num_events(self) -> int:
        """The number of the schedule's events in the whole run, or the count of its clock."""
        if self.scheduler.clock is not None:
            return self.scheduler.copy.event_index
        return self.scheduler.first_event + len(self.event_iterations)

    @cached_property
    def phases(self) -> tuple[NamedPhase, ...]:
        """The phases of the schedule: the first event and the name of each."""
        return phases_of(self.schedule)

    @property
    def description(self) -> str:
        """A text with the name, the scheduler and its events."""
        return f"{self.name!r}: {self.scheduler.description}"


class RecordedValues:
    """Records the values of all locations that have the same name, iteration by iteration."""

    def __init__(self) -> None:
        self.locations: list[Location] = []
        self.writers: list[tuple[SimulatedScheduler, list[int]]] = []  # with the columns that each scheduler writes
        self.columns: dict[int, Array] = {}  # the computed columns, each with a value for each iteration
        self._values, self._before = array("d"), array("d")
        self._widths: list[int] = []  # the number of values at each iteration, if it can change

    def add(self, scheduler: SimulatedScheduler, locations: Sequence[Location]) -> None:
        """Add the locations of a scheduler, except those that another scheduler writes under this name."""
        known, columns = self._columns(), []
        for location in locations:
            columns.append(known.get(location.identity, len(self.locations)))
            if location.identity not in known:
                self.locations.append(location)
        if (scheduler, columns) not in self.writers:  # a scheduler may be attached twice
            self.writers.append((scheduler, columns))

    def _columns(self) -> dict[tuple[int, str, int | None], int]:
        return {location.identity: column for column, location in enumerate(self.locations)}

    def written_schedules(self, name: str, engine: Engine, table: Array) -> Iterator[WrittenSchedule]:
        """Yield the schedules that were written under this name. A ``ParamGroupScheduler`` has several schedules."""
        known = self._columns()
        for scheduler, _ in self.writers:
            for member in members_of(scheduler.copy):
                locations = locations_of(member, engine).get(member.param_name, [])
                columns = [known[location.identity] for location in locations if location.identity in known]
                if columns and max(columns) < table.shape[1]:  # a list in an attribute may be empty
                    location = self.locations[columns[0]]
                    before, equal = np.array(self._before), list(map(self.first_equal, columns))
                    distinct = [at for at, column in enumerate(equal) if column not in equal[:at]]
                    yield WrittenSchedule(name, scheduler, member.schedule, location, columns, table, before, distinct)

    def first_equal(self, column: int) -> int:
        """Return the first column that is known to have the same values as ``column``."""
        values = self.columns.get(column)
        return column if values is None else next(at for at, its in self.columns.items() if its is values)

    def read_before(self) -> None:
        """Record the values before the run."""
        self._before = array("d", [value for location in self.locations for value in location.read()])

    def reader(self, stepped: Container[int]) -> Callable[[], None] | None:
        """Return a function that records the values of one iteration, or None if all values are computed.

        Args:
            stepped: the ids of the schedulers whose events are fired one by one.
        """
        columns = {column for scheduler, columns in self.writers if id(scheduler) in stepped for column in columns}
        extend, locations = self._values.extend, [self.locations[column] for column in sorted(columns)]
        if not locations:
            return None
        if all(location.is_in_optimizer and location.item is None for location in locations):
            # Most runs take this branch, and a dry run spends most of its time in this function.
            entries = [(location.holder, location.key) for location in locations]
            return lambda: extend([group[key] for group, key in entries])

        def read() -> None:
            row = [value for location in locations for value in location.read()]
            extend(row)
            self._widths.append(len(row))

        return read

    def table(self, start: int, iterations: int, repeats: Sequence[int]) -> Array:
        """Return the values ``(iterations, groups)``, with NaN before ``start`` and where a location has no number.

        If all groups have equal values, the values are in memory only once, and the array is read-only.

        Args:
            start: the first iteration of the run.
            iterations: the number of iterations of the whole run.
            repeats: the number of iterations for which each recorded row is valid.
        """
        stepped = [column for column in range(len(self.locations)) if column not in self.columns]
        width = max(self._widths, default=len(stepped))
        if not self.columns:  # a list in an attribute may have any number of values
            stepped = list(range(width))
        elif len(self.locations) == 1:
            return self.columns[0].reshape(-1, 1)
        elif not stepped and len({id(values) for values in self.columns.values()}) == 1:
            return np.broadcast_to(self.columns[0][:, np.newaxis], (iterations, len(self.columns)))
        table = np.empty((iterations, len(self.columns) + width))
        if stepped:
            table[:, stepped] = np.nan
            rows = np.repeat(self._rows(width), repeats, axis=0)
            table[start : start + len(rows), stepped] = rows
        sharing: dict[int, list[int]] = defaultdict(list)
        for column, values in self.columns.items():
            sharing[id(values)].append(column)
        for columns in sharing.values():
            follow = columns[-1] - columns[0] == len(columns) - 1
            where = slice(columns[0], columns[-1] + 1) if follow else columns  # a slice is faster
            table[:, where] = self.columns[columns[0]][:, np.newaxis]
        return table

    def _rows(self, width: int) -> Array:
        """Return the recorded values, one row for each time that they were recorded."""
        values = np.array(self._values)
        if not self._widths:
            return values.reshape(-1, max(width, 1))
        rows = np.full((len(self._widths), width), np.nan)
        rows[np.arange(width) < np.array(self._widths)[:, np.newaxis]] = values
        return rows

    def labels(self, groups: int) -> tuple[str, ...]:
        """Return the names of the param groups, with the number of the optimizer if there are several optimizers."""
        labels = labels_of(self.locations)
        return (*labels, *[""] * (groups - len(labels)))
