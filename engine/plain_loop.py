"""What stands for an engine in a plain loop, where a scheduler records in a history of its own."""

from types import SimpleNamespace

from .error_text import shown
from .history import ParamHistory


class PlainLoop:
    """The state of a training loop without an engine.

    Args:
        history: the history in which the schedulers of the loop record.

    Raises:
        TypeError: ``history`` is not a :class:`ParamHistory`.
    """

    def __init__(self, history: ParamHistory) -> None:
        if not isinstance(history, ParamHistory):
            raise TypeError(f"history must be a ParamHistory or None, given {shown(history)}")
        self.state: SimpleNamespace = SimpleNamespace(param_history=history)

    def has_event_handler(self, scheduler: object) -> bool:
        """Whether a scheduler records in this history."""
        return getattr(scheduler, "history", None) is self.state.param_history
