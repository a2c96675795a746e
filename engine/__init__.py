"""Additions to ignite's engine: events of the optimizer's steps, a history of the values, and optimizers by name."""

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
