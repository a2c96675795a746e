"""Recording into an engine's history: the open column of one scheduler, and who may write under which name."""

from collections.abc import Callable
from typing import Any

from ignite.engine import Engine

from .history import ParamHistory


class Recorder:
    """Keeps one scheduler's column open from event to event, so that to record is to append to an array."""

    def __init__(self) -> None:
        self.run: Any = None  # the run of events in the history that append adds to, and their shape
        self._groups = -1
        self._type: type = float
        self.append: Callable[[Any], None] = list[Any]().append  # adds an event to it

    def appender(
        self, engine: Engine, name: str, scheduler: object, value: float | list[float], groups: int
    ) -> Callable[[Any], None]:
        """What adds such a value for so many groups to the engine's history.

        Raises:
            ValueError: another scheduler that is attached to the engine records under the name.
        """
        state: Any = engine.state  # ignite's own class declares none of what users put there
        try:
            run = state.param_history.columns[name].run
        except (AttributeError, KeyError):
            run = None
        if run is not self.run or groups != self._groups or type(value) is not self._type:
            history = claim(engine, name, scheduler)
            self.append = history.appender(name, groups, isinstance(value, list))
            self.run, self._groups, self._type = history[name].run, groups, type(value)
        return self.append


def claim(engine: Engine, name: str, scheduler: object) -> ParamHistory:
    """The engine's history, made where there is none, with the scheduler as the one that records under a name.

    Raises:
        ValueError: another scheduler that is attached to the engine records under the name.
    """
    refuse_clash(engine, name, scheduler)
    state: Any = engine.state
    history = getattr(state, "param_history", None)
    if not isinstance(history, ParamHistory):
        state.param_history = history = ParamHistory(history)
    history.recorders[name] = scheduler
    return history


def refuse_clash(engine: Engine, name: str, scheduler: object) -> None:
    """Raise if another scheduler that is attached to the engine records under the name.

    One that is attached to an evaluator, and records for this engine as its ``trainer``, counts as attached.

    Raises:
        ValueError: so it is.
    """
    history = getattr(engine.state, "param_history", None)
    other: Any = history.recorders.get(name, scheduler) if isinstance(history, ParamHistory) else scheduler
    attached = other is not scheduler and (engine.has_event_handler(other) or getattr(other, "trainer", None) is engine)
    if attached:
        raise ValueError(
            f"name must not be that of another scheduler's history, given {name!r} for {scheduler!r} "
            f"and {other!r}: attach one of them with another name"
        )


def num_events(engine: Engine | None, name: str) -> int:
    """How many events of a name there are in the engine's history."""
    history = None if engine is None else getattr(engine.state, "param_history", None)
    return history[name].num_events if isinstance(history, ParamHistory) and name in history else 0


def take_back(engine: Engine | None, name: str, events: int) -> None:
    """Take the last events of a name out of the engine's history, if there is one."""
    history = None if engine is None else getattr(engine.state, "param_history", None)
    if isinstance(history, ParamHistory) and name in history:
        history[name].take_back(events)
