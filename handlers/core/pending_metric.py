"""A metric that is still to be read, which ignite does not save with its engines."""

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from ignite.engine import Engine

from lehr.handlers.schedules import arguments

from .metrics import as_number, metric_of, required_metric


def no_engine() -> None:
    """There has been none yet."""


class PendingMetric:
    """The part of a scheduler that reads a metric at its events, and saves the one that its next event is to read."""

    metric_name: str
    reduction: str
    _engine: Callable[[], Engine | None] = staticmethod(no_engine)
    _saved_metric: float | None = None
    _may_be_missing = False  # in a rehearsal that was given no values of it

    def _metric_at(self, engine: Engine, required: bool) -> float | None:
        """The metric of an event; where a resumed run has none yet, the one that was saved, which it is given back.

        Raises:
            TypeError: it is no number, on several ranks.
            ValueError: it is required, and missing.
        """
        self._engine = weakref.ref(engine)
        if self._saved_metric is not None:
            engine.state.metrics.setdefault(self.metric_name, self._saved_metric)
            self._saved_metric = None
        metric = metric_of(engine, self.metric_name, self.reduction)
        if metric is None and required and not self._may_be_missing:
            metric = required_metric(engine, self.metric_name, self.reduction)
        return metric

    def _metric_state(self) -> dict[str, Any]:
        engine = self._engine()
        metric = self._saved_metric if engine is None else metric_of(engine, self.metric_name)
        try:
            return {"metric": [] if metric is None else [as_number(metric)]}
        except TypeError:  # the event that is to read it says so
            return {"metric": []}

    @staticmethod
    def _metric_in(state_dict: object) -> float | None:
        """The metric in a saved state, if there is one.

        Raises:
            TypeError: it is none.
        """
        saved = state_dict.get("metric", []) if isinstance(state_dict, Mapping) else []
        if not isinstance(saved, list) or len(saved) > 1 or not all(type(metric) is float for metric in saved):
            raise TypeError(f"metric must be a list of one float or none, given {arguments.shown(saved)}")
        return saved[0] if saved else None
