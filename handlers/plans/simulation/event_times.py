"""Computes when the events of a run fire, by arithmetic alone."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from ignite.engine import Events
from torch.optim import Optimizer

from lehr.engine import OptimizerEvents
from lehr.engine.handler_inspection import filter_arguments

from .handler_discovery import AttachedHandler
from .simulated_scheduler import Integers
from .timeline import RunSettings

# A run fires events in this order between two training steps. The events of optimizers come after these.
FIRED = (
    Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED, Events.COMPLETED, Events.STARTED, Events.EPOCH_STARTED,
    Events.GET_BATCH_STARTED, Events.GET_BATCH_COMPLETED, Events.ITERATION_STARTED,
)  # fmt: skip


class Part(NamedTuple):
    """A part of a run.

    Args:
        settings: the length of the whole run.
        first: the first iteration of the part, counted from 0.
        last: the iteration after the last iteration of the part.
        steps: maps each optimizer whose steps fire events to the number of steps that it made before this part.
    """

    settings: RunSettings
    first: int
    last: int
    steps: Mapping[Optimizer, int]

    @property
    def num_positions(self) -> int:
        """The number of events that may fire between two training steps."""
        return len(FIRED) + 2 * len(self.steps)


def position_of(event: Any, optimizer_number: int) -> int:
    """Return the position of an event between two training steps. Each optimizer has positions for its own events."""
    if event in FIRED:
        return int(FIRED.index(event))
    return len(FIRED) + 2 * optimizer_number + int(event == OptimizerEvents.STEP_COMPLETED)


def has_known_filter(handler: AttachedHandler) -> bool:
    """Return whether a handler has no filter or a filter of ignite, so that arithmetic shows which events pass."""
    if handler.event_filter is None:
        return True
    given = set(filter_arguments(handler.event_filter) or ())
    return given in ({"every"}, {"once"}, {"before_", "after_"}, {"every", "before_", "after_"})


def num_calls(handler: AttachedHandler, part: Part) -> int:
    """Return how often a handler of the trainer with a known filter is called."""
    return sum(len(passed) for _, passed, _ in _calls_of(handler, part))


def times_of(handler: AttachedHandler, part: Part) -> list[tuple[int, Integers]]:
    """Return when a handler of the trainer with a known filter is called.

    Returns:
        A list of pairs. A pair has the position of the event and, for each call, the iteration of the next training
        step, counted from 0. If two optimizers fire the event, the list has a pair for each optimizer.
    """
    return [
        (position, iterations_at(np.arange(passed.start, passed.stop, passed.step, dtype=np.int64)))
        if isinstance(passed, range)
        else (position, iterations_at(np.array(passed, dtype=np.int64)))
        for position, passed, iterations_at in _calls_of(handler, part)
    ]


def _calls_of(
    handler: AttachedHandler, part: Part
) -> Iterator[tuple[int, range | list[int], Callable[[Integers], Integers]]]:
    """Yield the position of the event, the counts that pass its filter, and a function from counts to iterations."""
    given = filter_arguments(handler.event_filter) or {}
    steps = part.steps.items() if handler.event not in FIRED else [(handler.optimizer, 0)]
    for number, (optimizer, steps_before) in enumerate(steps):
        if handler.optimizer is None or handler.optimizer is optimizer:
            every = part.settings.accumulation.of(optimizer)
            counts, iterations_at = _firings(handler.event, part, every, steps_before)
            yield position_of(handler.event, number), _passing(counts, given), iterations_at


def _firings(event: Any, part: Part, every: int, steps_before: int) -> tuple[range, Callable[[Integers], Integers]]:
    """Return the counts that an event passes to its filters, and a function from counts to the next step's iteration.

    Args:
        event: the event.
        part: the part of the run.
        every: for an event of an optimizer, the iterations for each step of the optimizer.
        steps_before: the number of steps that the optimizer made before this part.
    """
    settings, first, last, _ = part
    length = settings.epoch_length
    begun = -(-last // length)  # the number of epochs that have begun
    if event == Events.STARTED:
        return range(first // length, first // length + 1), lambda counts: np.full_like(counts, first)
    if event == Events.EPOCH_STARTED:
        return range(first // length + 1, begun + 1), lambda counts: np.maximum((counts - 1) * length, first)
    if event in (Events.GET_BATCH_STARTED, Events.GET_BATCH_COMPLETED):
        return range(first, last), lambda counts: counts
    if event == Events.ITERATION_STARTED:
        return range(first + 1, last + 1), lambda counts: counts - 1
    if event == Events.ITERATION_COMPLETED:
        return range(first + 1, last + 1), lambda counts: counts
    if event == Events.EPOCH_COMPLETED:
        return range(first // length + 1, last // length + 1), lambda counts: counts * length
    if event == Events.COMPLETED:
        ends = last == settings.iterations
        return range(begun, begun + ends), lambda counts: np.full_like(counts, last)
    earlier = first // every - steps_before
    return (
        range(steps_before + 1, last // every - earlier + 1),
        lambda counts: (counts + earlier) * every - 1,
    )


def _passing(counts: range, given: Mapping[str, Any]) -> range | list[int]:
    """Return the counts that pass a filter of ignite, from the arguments of the filter."""
    if "once" in given:
        return sorted({int(count) for count in given["once"] if count in counts})
    every, low, high = int(given.get("every", 1)), counts.start, counts.stop
    begin = 0  # ignite counts every=n from the start of the run, or from after=m
    if "after_" in given:
        begin = int(given["after_"]) + 1
        low, high = max(low, begin), int(min(high, given["before_"]))
    return range(low + (begin - low) % every, high, every)
