"""What an engine gives schedulers: events of real steps, a history of the values, optimizers by name."""

from .history import ParamHistory
from .history_column import HistoryColumn
from .optimizer_events import OptimizerEvents
from .optimizer_from_config import configure_optimizer
from .preinitialize import preinitialize, state_names_to_sparsify

__all__ = [
    "HistoryColumn",
    "OptimizerEvents",
    "ParamHistory",
    "configure_optimizer",
    "preinitialize",
    "state_names_to_sparsify",
]
