"""Computes all events of a scheduler at once, if its values follow from its event index alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from lehr.handlers.core.for_plans_and_cli import members_of
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.core.simulation.all_events_at_once import can_write_at_once, end_at, values_at_once
from lehr.handlers.core.simulation.private_copies import reachable_from
from lehr.handlers.schedules.base import Array

from .event_times import Part, has_known_filter, position_of, times_of
from .handler_discovery import AttachedHandler
from .simulated_scheduler import Integers, RecordedValues, SimulatedScheduler
from .timeline import Timeline

Identity = tuple[int, str, int | None]


def computable(
    schedulers: Sequence[SimulatedScheduler],
    recorded: Iterable[RecordedValues],
    handlers: Sequence[AttachedHandler],
    trainer: Engine,
    engine: Engine,
) -> list[SimulatedScheduler]:
    """Return the schedulers whose values follow from arithmetic alone, and which no other code can read or write.

    Args:
        schedulers: all schedulers of the run.
        recorded: the values that are recorded under each name.
        handlers: all handlers of the run.
        trainer: the engine of the real run.
        engine: the empty engine of the simulated run.
    """
    found = [one for one in schedulers if _is_computable(one, trainer, engine)]
    seen = set() if all(map(has_known_filter, handlers)) else {id(engine.state)}  # a user's filter gets the engine
    stepped, waiting = set[int](), [one for one in schedulers if one not in found]
    while waiting:
        one = waiting.pop()
        stepped.add(id(one))
        seen |= _seen_by(one.copy)
        together = {location.identity for named in one.locations.values() for location in named}
        for values in recorded:  # an attribute of an engine may be a list, whose numbers are recorded together
            if any(one is writer for writer, _ in values.writers) and not all(
                location.is_in_optimizer for location in values.locations
            ):
                together |= {location.identity for location in values.locations}
        waiting += [other for other in found if id(other) not in stepped and _is_touched(other, together, seen)]
        found = [other for other in found if other not in waiting]
    return found


def _is_computable(scheduler: SimulatedScheduler, trainer: Engine, engine: Engine) -> bool:
    locations = [location for named in scheduler.locations.values() for location in named]
    resumes_at_start = engine.state.iteration > 0 and any(
        handler.event == Events.STARTED for handler in scheduler.handlers
    )
    return (
        bool(locations)
        and not resumes_at_start
        and scheduler.clock is None
        and all(one.writes and one.engine is trainer and has_known_filter(one) for one in scheduler.handlers)
        and can_write_at_once(scheduler.copy)
        and all(len(location.read()) == 1 for location in locations)
        and (len({location.identity for location in locations}) == len(locations) or _has_one_value(scheduler.copy))
    )


def _has_one_value(scheduler: BaseParamScheduler) -> bool:
    """Return whether each schedule has one value for all groups, so that groups may share a tensor."""
    return all(member.schedule.groups is None for member in members_of(scheduler))


def _seen_by(scheduler: BaseParamScheduler) -> set[int]:
    """Return the ids of the objects that a scheduler may read at its events, besides its own locations."""
    members = members_of(scheduler)
    is_own = all(type(one).__module__.startswith("lehr.") for one in [scheduler, *members])
    seen = {id(one) for one in members if one is not scheduler}
    for thing in reachable_from([scheduler.schedule, *(one.schedule for one in members)] if is_own else scheduler):
        seen.add(id(thing))
        if isinstance(thing, Engine):
            seen.add(id(thing.state))
        elif isinstance(thing, DataLoader):
            seen.add(id(thing.batch_sampler))
        elif isinstance(thing, Optimizer):
            seen |= set(map(id, thing.param_groups))
    return seen


def is_seen(engine: Engine, scheduler: SimulatedScheduler) -> bool:
    """Return whether a scheduler may look at an engine at its events."""
    return id(engine) in _seen_by(scheduler.copy)


def _is_touched(scheduler: SimulatedScheduler, identities: set[Identity], seen: set[int]) -> bool:
    locations = [location for named in scheduler.locations.values() for location in named]
    return id(scheduler.copy) in seen or any(
        location.identity in identities or id(location.owner) in seen or id(location.holder) in seen
        for location in locations
    )


class ComputedScheduler:
    """A scheduler whose events in a part of a run are computed at once.

    Args:
        scheduler: the scheduler.
        part: the part of the run.
        order_of: the position of each handler among all handlers of the run.
    """

    def __init__(self, scheduler: SimulatedScheduler, part: Part, order_of: Mapping[AttachedHandler, int]) -> None:
        self.scheduler, self.values = scheduler, dict[Identity, Array]()
        self._calls = [
            (position * len(order_of) + order_of[handler], iterations)
            for handler in scheduler.handlers
            for position, iterations in times_of(handler, part)
        ]
        self._moments = part.num_positions * len(order_of)
        self.num_events = sum(len(iterations) for _, iterations in self._calls)

    @cached_property
    def moments(self) -> Integers:
        """A number for each event, which is larger than the numbers of all earlier events of the run."""
        moments = [iterations * self._moments + order for order, iterations in self._calls]
        return moments[0] if len(moments) == 1 else np.sort(np.concatenate(moments or [np.empty(0, dtype=np.int64)]))

    @cached_property
    def iterations(self) -> Integers:
        """The iteration of the next training step, for each event."""
        return self._calls[0][1] if len(self._calls) == 1 else self.moments // self._moments

    @property
    def is_at_each_iteration(self) -> bool:
        """Whether the scheduler writes once before each training step of a whole run."""
        iterations, count = self.iterations, self.num_events
        if count and (iterations[0] != 0 or iterations[-1] != count - 1):
            return False
        return bool((iterations[1:] > iterations[:-1]).all())  # n rising numbers from 0 to n - 1 have no gaps

    @property
    def last_moment(self) -> int:
        """The moment of the scheduler's last event, or -1 if it has no event."""
        if not self.num_events:
            return -1
        if len(self._calls) > 1:
            return int(self.moments[-1])
        return int(self.iterations[-1]) * self._moments + self._calls[0][0]  # no array of all moments is needed

    def start(self, engine: Engine) -> None:
        """Compute the values of all events.

        Raises:
            Exception: a scheduler raises an error at an event.
        """
        self.first_event = self.scheduler.copy.event_index
        locations = [location for named in self.scheduler.locations.values() for location in named]
        self.before = {location.identity: location.read()[0] for location in locations}
        self.values = dict.fromkeys(self.before, np.empty(0))
        if self.num_events:
            written = values_at_once(self.scheduler.copy, engine, self.num_events)
            self.values |= {location.identity: values for location, values in written}

    def stop_before(self, moment: int) -> None:
        """Remove the events at a moment and after it."""
        self.num_events = int(np.searchsorted(self.moments, moment))
        self.moments, self.iterations = self.moments[: self.num_events], self.iterations[: self.num_events]
        short = {id(values): values[: self.num_events] for values in self.values.values()}
        self.values = {identity: short[id(values)] for identity, values in self.values.items()}


class ComputedRun:
    """The part of a simulated run that is computed without firing events.

    Args:
        schedulers: the schedulers whose events are computed.
        handlers: all handlers of the run.
        engine: the empty engine that represents the trainer.
        part: the part of the run.
    """

    def __init__(
        self,
        schedulers: Sequence[SimulatedScheduler],
        handlers: Sequence[AttachedHandler],
        engine: Engine,
        part: Part,
    ) -> None:
        self._engine, self._part = engine, part
        self._order_of = {handler: order for order, handler in enumerate(handlers)}
        self._computed = [ComputedScheduler(one, part, self._order_of) for one in schedulers]
        for one in self._computed:
            one.start(engine)

    def moment(self, timeline: Timeline) -> int:
        """Return the present moment of a timeline: a number that grows with each call of a handler."""
        position, handlers, calling = self._part.num_positions, len(self._order_of), timeline.calling
        if calling is None:  # the timeline is at a training step
            return (timeline.iteration + 1) * position * handlers
        optimizer = getattr(timeline.engine.state, "optimizer", None)
        number = list(timeline.steps).index(optimizer) if optimizer in timeline.steps else 0
        at = position_of(timeline.engine.last_event_name, number)
        return (timeline.iteration * position + at) * handlers + self._order_of[calling]

    def end(self, moment: int | None, recorded: Iterable[RecordedValues], stop: int) -> None:
        """Move all schedulers to the end of the run, and give the values at each iteration to ``recorded``.

        Args:
            moment: the moment at which an error ended the run, or None if there was no error.
            recorded: the values that are recorded under each name.
            stop: the iteration after the last iteration with a training step.
        """
        if moment is not None:
            for one in self._computed:
                one.stop_before(moment)
        for one in self._computed:
            one.scheduler.event_iterations = one.iterations
        for one in sorted(self._computed, key=lambda one: one.last_moment):
            end_at(one.scheduler.copy, self._engine, one.first_event, one.num_events)
        columns = self._columns(stop)
        for values in recorded:
            found = [columns.get(location.identity) for location in values.locations]
            values.columns = {at: column for at, column in enumerate(found) if column is not None}

    def _columns(self, stop: int) -> dict[Identity, Array]:
        """Return the values of each location at each iteration. Locations with equal values share an array."""
        writers: dict[Identity, list[ComputedScheduler]] = defaultdict(list)
        for one in self._computed:
            for identity in one.values:
                writers[identity].append(one)
        known: dict[Any, Array] = {}
        columns = {}
        for identity, of_it in writers.items():
            before, values = of_it[0].before[identity], [one.values[identity] for one in of_it]
            key = before, *map(id, values)
            if key not in known:
                known[key] = self._in_effect(of_it, values, before, stop)
            columns[identity] = known[key]
        return columns

    def _in_effect(
        self, writers: Sequence[ComputedScheduler], written: Sequence[Array], before: float, stop: int
    ) -> Array:
        """Return the values of a location at each iteration. The location may have several writers."""
        first, total = self._part.first, self._part.settings.iterations
        iterations, values = writers[0].iterations, written[0]
        if len(writers) > 1:
            in_time = np.argsort(np.concatenate([one.moments for one in writers]))
            iterations = np.concatenate([one.iterations for one in writers])[in_time]
            values = np.concatenate(written)[in_time]
        if len(values) == total == stop and len(writers) == 1 and writers[0].is_at_each_iteration:
            return values
        column = np.full(total, np.nan)
        bounds = np.append(np.minimum(iterations, stop), stop)
        column[first : bounds[0]] = before
        column[bounds[0] : stop] = np.repeat(values, np.diff(bounds))
        return column
