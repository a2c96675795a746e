"""Additions to ignite's engine: events of the optimizer's steps, a history of the values, and optimizers by name."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers see
    from .history import ParamHistory
    from .history_column import HistoryColumn
    from .optimizer_events import OptimizerEvents
    from .optimizer_from_config import configure_optimizer
    from .preinitialized_state import preinitialize, state_names_to_sparsify
else:  # if type checkers saw ``__getattr__``, they would accept misspelt names
    from lehr.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        globals(),
        {
            "history": ("ParamHistory",),
            "history_column": ("HistoryColumn",),
            "optimizer_events": ("OptimizerEvents",),
            "optimizer_from_config": ("configure_optimizer",),
            "preinitialized_state": ("preinitialize", "state_names_to_sparsify"),
        },
        brings_history=True,
    )

__all__ = [
    "HistoryColumn",
    "OptimizerEvents",
    "ParamHistory",
    "configure_optimizer",
    "preinitialize",
    "state_names_to_sparsify",
]
