"""The class :class:`PlainLoop`, which replaces an engine when a scheduler records in a plain training loop."""

from types import SimpleNamespace

from .history import ParamHistory
from .values_in_errors import shown


class PlainLoop:
    """A substitute for an engine in a plain training loop, with a history as ``state.param_history``.

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
        """Return whether a scheduler records in the history of this loop."""
        return getattr(scheduler, "history", None) is self.state.param_history
