"""Counts how often an event has fired, from the state of an engine alone, so also after a resume in a new process."""

from typing import Any

from ignite.engine import Engine, Events, EventsList

from .handler_inspection import filter_arguments

COMPLETIONS = ("ITERATION_COMPLETED", "EPOCH_COMPLETED", "STEP_COMPLETED")
BY_ITERATION = (Events.ITERATION_STARTED, Events.ITERATION_COMPLETED)


def times_fired(engine: Engine, event: Any, optimizer_steps: int | None = None) -> int | None:
    """How often an event has fired and passed its filter, up to where the engine is; None if nothing tells.

    The count is a formula for ignite's own filters, so it takes the same time at any iteration.

    Args:
        engine: an engine between two iterations.
        event: an event, a list of events, or the name of an event.
        optimizer_steps: how many steps the optimizer has made, for the events of those steps.

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
    """Whether an event, or one in a list of events, is the start or end of an epoch."""
    return any(one in (Events.EPOCH_STARTED, Events.EPOCH_COMPLETED) for one in each_of(event))


def is_completion(event: Any) -> bool:
    """Whether an event, or one in a list of events, comes after a training step: what is written then is late."""
    return any(getattr(one, "name", one) in COMPLETIONS for one in each_of(event))


def is_by_iteration(event: Any) -> bool:
    """Whether an event, or one in a list of events, is the start or end of an iteration."""
    return any(one in BY_ITERATION for one in each_of(event))


def begins_late(event: Any) -> bool:
    """Whether the filter of an event lets only later ones pass, as after another scheduler."""
    given = [filter_arguments(one.filter) or {} for one in each_of(event) if getattr(one, "filter", None)]
    return any("once" in one or one.get("after_", 0) > 0 for one in given)


def has_whole_epochs(engine: Engine) -> bool:
    """Whether all epochs so far had their full length. A run that was stopped within one counts the rest as another."""
    state = engine.state
    return state.epoch_length is not None and state.epoch == state.iteration // state.epoch_length


def repeated_epoch_starts(engine: Engine, event: Any) -> int:
    """How many starts of the current epoch ignite fires a second time, after a resume within that epoch."""
    begun = _epochs_begun(engine)
    if begun is None or engine.state.epoch != begun - 1:
        return 0
    filters = [getattr(one, "filter", None) for one in each_of(event) if one == Events.EPOCH_STARTED]
    return sum(1 for event_filter in filters if event_filter is None or event_filter(engine, begun))


def is_repeated_epoch_start(engine: Engine) -> bool:
    """Whether the engine starts an epoch that had started before the run was resumed."""
    state = engine.state
    begun_before = state.epoch_length is not None and state.iteration > (state.epoch - 1) * state.epoch_length
    return begun_before and engine.last_event_name == Events.EPOCH_STARTED


def is_between_epochs(engine: Engine) -> bool:
    """Whether the last iteration of an epoch was the last one."""
    state = engine.state
    return state.iteration > 0 and state.epoch_length is not None and state.iteration % state.epoch_length == 0


def fired_at_end(engine: Engine, event: Any, only: Any = None) -> int:
    """How many completions of the last iteration or epoch have fired.

    A checkpoint that was saved at such an event may precede them, and then ignite does not fire them again.

    Args:
        engine: an engine between two iterations.
        event: an event, or a list of events.
        only: ``ITERATION_COMPLETED`` or ``EPOCH_COMPLETED`` to count only these; None to count both.
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
    """The events in a list of events, or the one event."""
    return list(event) if isinstance(event, EventsList) else [event]


def _fired(engine: Engine, event: Any, optimizer_steps: int | None) -> int | None:
    """How often an event has fired, before any filter."""
    state = engine.state
    if event in BY_ITERATION:
        return int(state.iteration)
    if event == Events.EPOCH_STARTED:
        return _epochs_begun(engine)
    if event == Events.GET_BATCH_STARTED:
        # Without data, ignite fires none; where the data have no length, one more at their first end. A filter of it
        # counts from 0.
        is_known = hasattr(state.dataloader, "__len__") and getattr(event, "filter", None) is None
        return int(state.iteration) if is_known else None
    if event == Events.EPOCH_COMPLETED:
        return None if state.epoch_length is None else state.iteration // state.epoch_length
    return optimizer_steps


def _epochs_begun(engine: Engine) -> int | None:
    state = engine.state
    return None if state.epoch_length is None else -(-state.iteration // state.epoch_length)


def _passed(event_filter: Any, fired: int) -> int | None:
    """How many of the first ``fired`` events pass a filter; None for a filter that is not one of ignite's own."""
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
