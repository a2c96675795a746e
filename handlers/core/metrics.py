"""The metric that drives a schedule: read from an engine, and the same on every rank."""

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine

from lehr.handlers.schedules import arguments

REDUCTIONS = ("mean", "min", "max", "rank0", "none")


def as_number(metric: object) -> float:
    """A metric as a float.

    Raises:
        TypeError: it is no number.
    """
    try:
        return float(metric)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(f"the metric must be a number, given {metric!r}") from error


def metric_of(engine: Engine, metric_name: str, reduction: str = "none") -> float | None:
    """The value of a metric in ``engine.state.metrics``; None where it is missing.

    Args:
        engine: usually the evaluator.
        metric_name: the name that the metric was attached with.
        reduction: what to make of the values of several ranks, which must all ask for it then: ``"mean"``, ``"min"``,
            ``"max"``, that of rank 0 (``"rank0"``), or each its own (``"none"``). With ``"none"``, or one rank, the
            metric comes as it is.

    Raises:
        TypeError: it is no number on one of several ranks. All of them raise it.
    """
    metric: Any = (getattr(engine.state, "metrics", None) or {}).get(metric_name)
    return metric if reduction == "none" or idist.get_world_size() == 1 else _reduced(metric, reduction)


def _reduced(metric: object, reduction: str) -> float | None:
    """One value for all ranks: from all values in the order of ranks, so that it is bit for bit the same on each."""
    status, value = 0.0, 0.0
    if metric is None:
        status = 1.0
    else:
        try:
            value = as_number(metric)
        except TypeError:  # the others are waiting
            status = 2.0
    mine = torch.tensor([[status, value]], dtype=torch.float64)
    gathered: Any = idist.all_gather(mine)
    table = gathered.cpu()[:1] if reduction == "rank0" else gathered.cpu()
    if bool((table[:, 0] == 2).any()):
        ranks = [rank for rank, (found, _) in enumerate(table.tolist()) if found == 2]
        raise TypeError(f"the metric must be a number on every rank, which it is not on {ranks}, given {metric!r} here")
    if bool((table[:, 0] == 1).any()):
        return None
    values = table[:, 1]
    if reduction != "mean" or bool((values == values[0]).all()):  # one value for all stays as it is
        return float(values.max() if reduction == "max" else values.min())
    return float(sum(values.tolist()) / len(values))  # in one order everywhere, whatever the processor


class MetricFeed:
    """A metric of an engine, by its name, with the value that the next event is still to read.

    ignite does not save ``engine.state.metrics``. So a scheduler that reads a metric at its next event saves the
    present value, and gives it back to the engine of the resumed run.

    Args:
        name: the name of the metric in ``engine.state.metrics``.
        reduction: what becomes of the values of several ranks; see :func:`metric_of`.

    Raises:
        TypeError: ``name`` is not a string.
        ValueError: ``reduction`` is not one of :data:`REDUCTIONS`.
    """

    def __init__(self, name: object, reduction: object) -> None:
        if not isinstance(name, str):
            raise TypeError(f"metric_name must be a string, given {name!r}")
        self.name, self.reduction = name, arguments.one_of("reduction", reduction, REDUCTIONS)
        self.may_be_missing = False  # in a dry run that was given no values of the metric
        self._engine: Callable[[], Engine | None] = no_engine
        self._saved: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_engine": no_engine}  # a reference to an engine cannot be copied

    def follow(self, engine: Engine) -> None:
        """Remember the engine, whose metric is saved in the state."""
        if self._engine() is not engine:
            self._engine = weakref.ref(engine)

    def read(self, engine: Engine, is_required: bool = True) -> float | None:
        """The metric of an event; None where it is missing and may be.

        Raises:
            TypeError: it is not a number, on several ranks.
            ValueError: it is required and missing, on a rank.
        """
        self.follow(engine)
        if self._saved is not None:
            engine.state.metrics.setdefault(self.name, self._saved)
            self._saved = None
        metric = metric_of(engine, self.name, self.reduction)
        if metric is None and is_required and not self.may_be_missing:
            metrics = getattr(engine.state, "metrics", None) or {}
            raise ValueError(
                f"metric_name must be one of the metrics of the engine whose event it is, {sorted(metrics)}, "
                f"given {self.name!r}"
            )
        return metric

    def state(self) -> list[float]:
        """The metric that the next event is to read, in a list, which is empty without one."""
        engine = self._engine()
        metric = self._saved if engine is None else metric_of(engine, self.name)
        try:
            return [] if metric is None else [as_number(metric)]
        except TypeError:  # the event that reads it raises this
            return []

    def load(self, saved: list[float]) -> None:
        """Go on from the metric in a state."""
        self._saved = saved[0] if saved else None


def no_engine() -> None:
    """The engine of a feed that has not read yet."""


def saved_metric(state_dict: object) -> list[float]:
    """The entry ``metric`` of a saved state, checked.

    Raises:
        TypeError: it is not a list of one float or none.
    """
    saved = state_dict.get("metric", []) if isinstance(state_dict, Mapping) else []
    if not isinstance(saved, list) or len(saved) > 1 or not all(type(metric) is float for metric in saved):
        raise TypeError(f"metric must be a list of one float or none, given {arguments.shown(saved)}")
    return saved
