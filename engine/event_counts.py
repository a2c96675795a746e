"""How often an event has fired, as the state of an engine tells: also of one that was loaded in a new process."""

from typing import Any

from ignite.engine import Engine, Events, EventsList

from .event_handlers import filter_arguments

BY_ITERATION = (Events.ITERATION_STARTED, Events.ITERATION_COMPLETED)


def times_fired(engine: Engine, event: Any, optimizer_steps: int | None = None) -> int | None:
    """How often an event has passed its filter in a run that stands where the engine does; None if it cannot be told.

    It takes the same time wherever that is: what ignite's own filters let through is counted by formula.

    Args:
        engine: an engine that is between two iterations.
        event: an event, a list of events, or its name.
        optimizer_steps: how many steps the optimizer has made, for those events.

    Example:
        >>> engine = Engine(lambda engine, batch: None)
        >>> engine.load_state_dict({"iteration": 250, "epoch_length": 100, "max_epochs": 5})
        >>> times_fired(engine, Events.ITERATION_STARTED(every=20)), times_fired(engine, Events.EPOCH_STARTED)
        (12, 3)
        >>> times_fired(engine, Events.ITERATION_STARTED(event_filter=lambda engine, event: event in (7, 77)))
    """
    if isinstance(event, EventsList):
        counts = [times_fired(engine, one, optimizer_steps) for one in event]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None
    occurred = _occurred(engine, event, optimizer_steps)
    return None if occurred is None else _let_through(getattr(event, "filter", None), occurred)


def counts_epochs(event: Any) -> bool:
    """Whether it is an event of epochs, or a list with one in it."""
    if isinstance(event, EventsList):
        return any(map(counts_epochs, event))
    return event in (Events.EPOCH_STARTED, Events.EPOCH_COMPLETED)


def epochs_are_whole(engine: Engine) -> bool:
    """Whether all epochs were as long as planned: a run that was stopped within one calls the rest another epoch."""
    state = engine.state
    return state.epoch_length is not None and state.epoch == state.iteration // state.epoch_length


def fires_again(engine: Engine, event: Any) -> int:
    """How many events of the epoch's start ignite will fire a second time, as it does where it resumes within one."""
    if isinstance(event, EventsList):
        return sum(fires_again(engine, one) for one in event)
    begun = _epochs_begun(engine)
    if event != Events.EPOCH_STARTED or begun is None or engine.state.epoch != begun - 1:
        return 0
    event_filter = getattr(event, "filter", None)
    return 1 if event_filter is None or event_filter(engine, begun) else 0


def begins_again(engine: Engine) -> bool:
    """Whether the epoch that starts now was begun before, in a run that was resumed within it."""
    state = engine.state
    begun_before = state.epoch_length is not None and state.iteration > (state.epoch - 1) * state.epoch_length
    return begun_before and engine.last_event_name == Events.EPOCH_STARTED


def fired_last(engine: Engine, event: Any) -> int:
    """How many events at the end of an iteration or epoch have fired where the engine stands, and not before.

    A checkpoint that was saved at such an end may have come before them, and then ignite does not fire them again.
    """
    if isinstance(event, EventsList):
        return sum(fired_last(engine, one) for one in event)
    state, occurred = engine.state, _occurred(engine, event, None)
    between_epochs = state.epoch_length is not None and state.iteration % state.epoch_length == 0
    if not occurred or not (
        event == Events.ITERATION_COMPLETED or (event == Events.EPOCH_COMPLETED and between_epochs)
    ):
        return 0
    event_filter = getattr(event, "filter", None)
    through, before = _let_through(event_filter, occurred), _let_through(event_filter, occurred - 1)
    return 0 if through is None or before is None else through - before


def _occurred(engine: Engine, event: Any, optimizer_steps: int | None) -> int | None:
    state = engine.state
    if event in BY_ITERATION:
        return int(state.iteration)
    if event == Events.EPOCH_STARTED:
        return _epochs_begun(engine)
    if event == Events.EPOCH_COMPLETED:
        return None if state.epoch_length is None else state.iteration // state.epoch_length
    return optimizer_steps


def _epochs_begun(engine: Engine) -> int | None:
    state = engine.state
    return None if state.epoch_length is None else -(-state.iteration // state.epoch_length)


def _let_through(event_filter: Any, occurred: int) -> int | None:
    """How many of the first so many events a filter lets through; None where it is not one of ignite's own."""
    if event_filter is None:
        return occurred
    given = filter_arguments(event_filter)
    if given is None:
        return None
    try:
        if "once" in given:
            return sum(1 for event in set(given["once"]) if event <= occurred)
        if "after_" in given:
            occurred = int(max(0, min(occurred, given["before_"] - 1) - given["after_"]))
            return -(-occurred // given["every"]) if "every" in given else occurred
        return int(occurred // given["every"])
    except KeyError:
        return None
