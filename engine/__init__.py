"""What a training engine gives its schedulers: a history of the values they wrote."""

from .history import HistoryColumn, ParamHistory

__all__ = ["HistoryColumn", "ParamHistory"]
