"""Functions that compute from the engine's state how often an event has fired, so they work after a resume."""

from typing import Any

from ignite.engine import Engine, Events, EventsList

from .handler_inspection import filter_arguments

COMPLETIONS = ("ITERATION_COMPLETED", "EPOCH_COMPLETED", "STEP_COMPLETED")
BY_ITERATION = (Events.ITERATION_STARTED, Events.ITERATION_COMPLETED)


def times_fired(engine: Engine, event: Any, optimizer_steps: int | None = None) -> int | None:
    """Return the number of times that an event has fired and passed its filter, or None if the count is unknown.

    For ignite's own filters, the count is a formula, so it takes the same time at any iteration.

    Args:
        engine: an engine between two iterations.
        event: an event, a list of events, or the name of an event.
        optimizer_steps: the number of steps that the optimizer has made, for :class:`.OptimizerEvents`.

    Example:
        >>> engine = Engine(lambda engine, batch: None)
        >>> engine.load_state_dict({"iteration": 250, "epoch_length": 100, "max_epochs": 5})
        >>> times_fired(engine, Events.ITERATION_STARTED(every=20)), times_fired(engine, Events.EPOCH_STARTED)
        (12, 3)
        >>> times_fired(engine, Events.ITERATION_STARTED(event_filter=lambda engine, event: event in (7, 77)))
    """
    total = 0
    for one in each_of(event):
        fired = _fired(engine, one, optimizer_steps)
        passed = None if fired is None else _passed(getattr(one, "filter", None), fired)
        if passed is None:
            return None
        total += passed
    return total


def is_epoch_event(event: Any) -> bool:
    """Return whether an event, or at least one event of a list, is the start or end of an epoch."""
    return any(one in (Events.EPOCH_STARTED, Events.EPOCH_COMPLETED) for one in each_of(event))


def is_completion(event: Any) -> bool:
    """Return whether an event, or at least one event of a list, follows a training step.

    A value that is written at such an event is too late for the step.
    """
    return any(getattr(one, "name", one) in COMPLETIONS for one in each_of(event))


def is_by_iteration(event: Any) -> bool:
    """Return whether an event, or at least one event of a list, is the start or end of an iteration."""
    return any(one in BY_ITERATION for one in each_of(event))


def begins_late(event: Any) -> bool:
    """Return whether the filter of an event skips the first events, so that another scheduler may run at them."""
    given = [filter_arguments(one.filter) or {} for one in each_of(event) if getattr(one, "filter", None)]
    return any("once" in one or one.get("after_", 0) > 0 for one in given)


def has_whole_epochs(engine: Engine) -> bool:
    """Return whether all epochs so far had their full length.

    If a run is stopped within an epoch, ignite later counts the rest of the epoch as a further epoch.
    """
    state = engine.state
    return state.epoch_length is not None and state.epoch == state.iteration // state.epoch_length


def repeated_epoch_starts(engine: Engine, event: Any) -> int:
    """Return how many times ignite fires ``event`` again for the current epoch, after a resume within this epoch."""
    begun = _epochs_begun(engine)
    if begun is None or engine.state.epoch != begun - 1:
        return 0
    filters = [getattr(one, "filter", None) for one in each_of(event) if one == Events.EPOCH_STARTED]
    return sum(1 for event_filter in filters if event_filter is None or event_filter(engine, begun))


def is_repeated_epoch_start(engine: Engine) -> bool:
    """Return whether the engine is starting an epoch that has already started before the run was resumed."""
    state = engine.state
    begun_before = state.epoch_length is not None and state.iteration > (state.epoch - 1) * state.epoch_length
    return begun_before and engine.last_event_name == Events.EPOCH_STARTED


def is_between_epochs(engine: Engine) -> bool:
    """Return whether the engine has just made the last iteration of an epoch."""
    state = engine.state
    return state.iteration > 0 and state.epoch_length is not None and state.iteration % state.epoch_length == 0


def fired_at_end(engine: Engine, event: Any, only: Any = None) -> int:
    """Return how many ``ITERATION_COMPLETED`` and ``EPOCH_COMPLETED`` events of the last iteration have fired.

    If a checkpoint was saved at one of these events, before the scheduler was called, ignite does not fire the event
    again after a resume.

    Args:
        engine: an engine between two iterations.
        event: an event, or a list of events.
        only: ``ITERATION_COMPLETED`` or ``EPOCH_COMPLETED`` to count only this event. If None, both events are counted.
    """
    between_epochs, total = is_between_epochs(engine), 0
    for one in each_of(event):
        if only is not None and one != only:
            continue
        fired = _fired(engine, one, None)
        if fired and (one == Events.ITERATION_COMPLETED or (one == Events.EPOCH_COMPLETED and between_epochs)):
            event_filter = getattr(one, "filter", None)
            passed, before = _passed(event_filter, fired), _passed(event_filter, fired - 1)
            total += 0 if passed is None or before is None else passed - before
    return total


def each_of(event: Any) -> list[Any]:
    """Return the events of a list of events, or a list with the event itself."""
    return list(event) if isinstance(event, EventsList) else [event]


def _fired(engine: Engine, event: Any, optimizer_steps: int | None) -> int | None:
    """Return the number of times that an event has fired, including the times that its filter refused."""
    state = engine.state
    if event in BY_ITERATION:
        return int(state.iteration)
    if event == Events.EPOCH_STARTED:
        return _epochs_begun(engine)
    if event == Events.GET_BATCH_STARTED:
        # If the run has no data, ignite does not fire this event. If the data has no length, ignite fires this event
        # once too often when the data first ends. A filter of this event counts from 0.
        is_known = hasattr(state.dataloader, "__len__") and getattr(event, "filter", None) is None
        return int(state.iteration) if is_known else None
    if event == Events.EPOCH_COMPLETED:
        return None if state.epoch_length is None else state.iteration // state.epoch_length
    return optimizer_steps


def _epochs_begun(engine: Engine) -> int | None:
    state = engine.state
    return None if state.epoch_length is None else -(-state.iteration // state.epoch_length)


def _passed(event_filter: Any, fired: int) -> int | None:
    """Return how many of the first ``fired`` events pass a filter, or None if the filter is a user's function."""
    if event_filter is None:
        return fired
    given = filter_arguments(event_filter)
    if given is None:
        return None
    if "once" in given:
        return sum(1 for event in set(given["once"]) if event <= fired)
    if {"after_", "before_"} <= set(given):
        fired = int(max(0, min(fired, given["before_"] - 1) - given["after_"]))
        return -(-fired // given["every"]) if "every" in given else fired
    return int(fired // given["every"]) if "every" in given else None
