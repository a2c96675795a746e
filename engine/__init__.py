"""What training needs beside its schedules: optimizers by name, their state in advance, and a history of the values."""

from .history import HistoryColumn, ParamHistory
from .optimizers import configure_optimizer
from .preinitialize import preinitialize

__all__ = ["HistoryColumn", "ParamHistory", "configure_optimizer", "preinitialize"]
