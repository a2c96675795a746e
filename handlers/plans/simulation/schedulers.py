"""The schedulers of a simulated run, their schedules, and the values recorded where they write."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from ignite.engine import Engine

from lehr.handlers.core.inspection import Location, Locations, labels_of, locations_of, members_of, type_name_of
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import Schedule
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.named_phases import NamedPhase, phases_of

from .handlers import AttachedHandler


@dataclass(eq=False)
class SimulatedScheduler:
    """A scheduler in a simulated run.

    Args:
        original: the scheduler of the real run.
        copy: its copy, which the simulated run calls.
        handlers: the handlers that call it.
        locations: where the copy writes, by the names of its histories.
        events_before: how many of its events came before the simulated run starts.
        repeated_events: how many of those events a resumed run fires again.
        last_events: how many of those events came at the very end, perhaps after the checkpoint.
        event_iterations: for each event of the simulated run, the iteration of the next training step, from 0.
        observed_iterations: the same for each metric that a handler passes to it.
    """

    original: BaseParamScheduler
    copy: BaseParamScheduler
    handlers: list[AttachedHandler]
    locations: Locations
    events_before: int = 0
    repeated_events: int = 0
    last_events: int = 0
    event_iterations: "array[int]" = field(default_factory=lambda: array("q"))
    observed_iterations: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def first_event(self) -> int:
        """The index of its first event in the simulated run."""
        return self.copy.event_index - len(self.event_iterations)

    @property
    def writing_handlers(self) -> list[AttachedHandler]:
        """The handlers that make it write."""
        return [handler for handler in self.handlers if handler.writes]

    @cached_property
    def description(self) -> str:
        """Its type, its parameter and its events in words."""
        events = " | ".join(dict.fromkeys(handler.event_text for handler in self.handlers))
        return f"{type_name_of(self.original)} of {self.original.param_name!r} on {events}"


@dataclass(frozen=True, eq=False)
class WrittenSchedule:
    """A schedule that a simulated run has written, and the values in effect.

    Args:
        name: its name in the plan.
        scheduler: the scheduler.
        schedule: the schedule of the scheduler, or of one of the schedulers that a ``ParamGroupScheduler`` combines.
        location: the first location that it writes.
        columns: the columns of ``table`` that it writes.
        table: ``(iterations, groups)``: the values in effect under the name.
        before: ``(groups)``: the values before the run, for the columns of ``table``.
    """

    name: str
    scheduler: SimulatedScheduler
    schedule: Schedule
    location: Location
    columns: list[int]
    table: Array
    before: Array

    @cached_property
    def values(self) -> Array:
        """The values in effect at each iteration: ``(iterations, groups of this schedule)``."""
        return self.table[:, self.columns]

    @cached_property
    def event_iterations(self) -> "np.ndarray[Any, np.dtype[np.int_]]":
        """For each event, the iteration of the next training step, from 0."""
        return np.array(self.scheduler.event_iterations, dtype=int)

    @cached_property
    def event_values(self) -> Array:
        """The values in effect after each event: ``(events, groups of this schedule)``."""
        return self.values[self.event_iterations[self.event_iterations < len(self.values)]]

    @property
    def num_events(self) -> int:
        """The number of its events in the whole run."""
        return self.scheduler.first_event + len(self.event_iterations)

    @cached_property
    def phases(self) -> tuple[NamedPhase, ...]:
        """The phases of the schedule: the first event and the name of each."""
        return phases_of(self.schedule)

    @property
    def description(self) -> str:
        """Its name, its scheduler and its events in words."""
        return f"{self.name!r}: {self.scheduler.description}"


class RecordedValues:
    """The values at all locations of one name, iteration by iteration."""

    def __init__(self) -> None:
        self.locations: list[Location] = []
        self.writers: list[tuple[SimulatedScheduler, list[int]]] = []  # with the columns that each of them writes
        self._values, self._before = array("d"), array("d")
        self._widths: list[int] = []  # the number of values at each iteration, where it can change

    def add(self, scheduler: SimulatedScheduler, locations: Sequence[Location]) -> None:
        """Add the locations of a scheduler, without those that another scheduler of this name writes too."""
        known, columns = self._columns(), []
        for location in locations:
            columns.append(known.get(location.identity, len(self.locations)))
            if location.identity not in known:
                self.locations.append(location)
        if (scheduler, columns) not in self.writers:  # it may be attached twice
            self.writers.append((scheduler, columns))

    def _columns(self) -> dict[tuple[int, str, int | None], int]:
        return {location.identity: column for column, location in enumerate(self.locations)}

    def written_schedules(self, name: str, engine: Engine, table: Array) -> Iterator[WrittenSchedule]:
        """The schedules that were written here; a ``ParamGroupScheduler`` has one for each of its schedulers."""
        known = self._columns()
        for scheduler, _ in self.writers:
            for member in members_of(scheduler.copy):
                locations = locations_of(member, engine).get(member.param_name, [])
                columns = [known[location.identity] for location in locations if location.identity in known]
                if columns and max(columns) < table.shape[1]:  # a list in an attribute may be empty
                    location = self.locations[columns[0]]
                    before = np.array(self._before)
                    yield WrittenSchedule(name, scheduler, member.schedule, location, columns, table, before)

    def reader(self) -> Callable[[], None]:
        """A function that records the values of one iteration; the values of now are those before the run."""
        extend, locations = self._values.extend, self.locations
        self._before = array("d", [value for location in locations for value in location.read()])
        if all(location.is_in_optimizer and location.item is None for location in locations):
            # The usual case; a dry run spends most of its time here.
            entries = [(location.holder, location.key) for location in locations]
            return lambda: extend([group[key] for group, key in entries])

        def read() -> None:
            row = [value for location in locations for value in location.read()]
            extend(row)
            self._widths.append(len(row))

        return read

    def table(self, start: int, iterations: int) -> Array:
        """The values ``(iterations, groups)``; NaN before ``start``, and where a location holds no number."""
        groups = max(self._widths, default=len(self.locations))
        table, values = np.full((iterations, groups), np.nan), np.array(self._values)
        if not self._widths:
            recorded = len(values) // max(groups, 1)
            table[start : start + recorded] = values.reshape(-1, groups)
        else:
            is_recorded = np.arange(groups) < np.array(self._widths)[:, np.newaxis]
            table[start : start + len(self._widths)][is_recorded] = values
        return table

    def labels(self, groups: int) -> tuple[str, ...]:
        """The names of the param groups, with the number of the optimizer if there are several."""
        labels = labels_of(self.locations)
        return (*labels, *[""] * (groups - len(labels)))
