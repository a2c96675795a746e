"""Functions that take back events of a scheduler that the engine fires again."""

from typing import Any

from lehr.engine.history_recorder import remove_last_events


def take_back_events(scheduler: Any, engine: Any, events: int, name: str | None) -> None:
    """Take back the last events of a scheduler, because the engine fires them again. Keep the metrics of the events."""
    scheduler._go_to(scheduler._event_index - events)
    scheduler._repeats = events
    forget_recorded(scheduler, engine, events, name)


def forget_recorded(scheduler: Any, engine: Any, events: int, name: str | None) -> None:
    """Remove the last events of a scheduler from its history, if it has one.

    ``name`` is the argument that ``attach`` got.
    """
    for history_name in scheduler._history_names(name) if scheduler.save_history else []:
        remove_last_events(scheduler._recording_engine(engine), history_name, events)


def take_repeat(scheduler: Any) -> bool:
    """Return whether the next event is a repeated event, which has no new metric. Count down the repeated events."""
    is_repeated: bool = scheduler._repeats > 0
    scheduler._repeats -= is_repeated
    return is_repeated
