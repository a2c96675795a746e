"""Records the values of schedulers in an engine's history. Only one scheduler may record under each name."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .history import ParamHistory
from .values_in_errors import shown

if TYPE_CHECKING:
    from ignite.engine import Engine


class Recorder:
    """Records the values of one scheduler. Usually, the recorder only appends a value to an array."""

    section: Any = None  # the section of the column that ``append`` extends
    append: Callable[[Any], Any] = id  # a placeholder that is never called
    value_type: type = float  # the type of the values that ``append`` takes: float, or list
    groups = -1  # the number of groups in a row that ``append`` takes

    def appender(
        self, engine: "Engine", name: str, scheduler: object, value: float | list[float], groups: int
    ) -> Callable[[Any], None]:
        """Return a function that appends values of the same type as ``value`` to the history of an engine.

        Args:
            engine: the engine.
            name: the name of the column.
            scheduler: the scheduler whose values are recorded.
            value: one value for all param groups, or a list with one value for each param group.
            groups: the number of param groups.

        Raises:
            ValueError: another scheduler that is attached to the engine records under this name.
        """
        state: Any = engine.state
        try:
            section = state.param_history.columns[name].section
        except (AttributeError, KeyError):
            section = None
        if section is not self.section or groups != self.groups or type(value) is not self.value_type:
            history = claim_name(engine, name, scheduler)
            self.append = history.appender(name, groups, isinstance(value, list))
            self.section, self.groups, self.value_type = history[name].section, groups, type(value)
        return self.append


def claim_name(engine: "Engine", name: str, scheduler: object) -> ParamHistory:
    """Let a scheduler record under a name in an engine's history, and return the history.

    If the engine has no history, the function creates a history.

    Raises:
        ValueError: another scheduler that is attached to the engine records under this name.
    """
    check_name_is_free(engine, name, scheduler)
    state: Any = engine.state
    history = getattr(state, "param_history", None)
    if not isinstance(history, ParamHistory):
        state.param_history = history = ParamHistory(history)
    history.recorders[name] = scheduler
    return history


def check_name_is_free(engine: "Engine", name: str, scheduler: object) -> None:
    """Check that no other scheduler of an engine records under this name.

    A scheduler that is attached to an evaluator counts as a scheduler of this engine if its ``trainer`` is this engine.

    Raises:
        ValueError: another scheduler records under this name.
    """
    history = _history_of(engine)
    other: Any = scheduler if history is None else history.recorders.get(name, scheduler)
    if other is not scheduler and (engine.has_event_handler(other) or getattr(other, "trainer", None) is engine):
        raise ValueError(
            f"name must not be that of another scheduler's history, given {shown(name)} for {shown(scheduler)} "
            f"and {shown(other)}; attach one of these schedulers with another name"
        )


def num_recorded(engine: "Engine | None", name: str) -> int:
    """Return how many events the history of an engine contains under a name."""
    history = _history_of(engine)
    return history[name].num_events if history is not None and name in history else 0


def remove_last_events(engine: "Engine | None", name: str, num_events: int) -> None:
    """Remove the last events under a name from the history of an engine, if the engine has a history."""
    history = _history_of(engine)
    if history is not None and name in history:
        history[name].take_back(num_events)


def _history_of(engine: "Engine | None") -> ParamHistory | None:
    history = None if engine is None else getattr(engine.state, "param_history", None)
    return history if isinstance(history, ParamHistory) else None
