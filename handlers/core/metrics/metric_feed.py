"""Reads a metric of an engine, and combines the metrics of several ranks."""

import weakref
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.value_reduced_on_plateau import checked_metric

if TYPE_CHECKING:
    from ignite.engine import Engine

REDUCTIONS = ("mean", "min", "max", "rank0", "none")


def reduced_metric(metric: float | None, reduction: str) -> float | None:
    """Combine a metric over all ranks. Return None if the metric is missing on a rank.

    Args:
        metric: the metric of this rank; None if it is missing.
        reduction: how to combine the metrics of several ranks: ``"mean"``, ``"min"``, ``"max"``, ``"rank0"`` (the
            metric of rank 0) or ``"none"`` (each rank uses its own). Except with ``"none"``, all ranks must call this
            function. If ``reduction`` is ``"none"`` or there is only one rank, the metric is returned unchanged.

    Raises:
        TypeError: the metric of one of several ranks is not a number. All ranks raise this error.
    """
    return metric if reduction == "none" or _is_alone() else _reduced(metric, reduction)[0]


def _present(engine: "Engine", metric_name: str) -> Any:
    """Return the value of a metric on this rank; None if it is missing."""
    try:
        return engine.state.metrics.get(metric_name)
    except AttributeError:  # the state may have no metrics
        return None


def _is_alone() -> bool:
    """Return whether this is the only process.

    The number of processes may change at any event. ignite's ``get_world_size`` asks each of its backends, and takes
    longer than everything else in an event. Therefore, this function first asks torch's backend.
    """
    is_initialized = _only_backend()
    return (is_initialized is not None and not is_initialized()) or _distributed().get_world_size() == 1


@cache
def _only_backend() -> Callable[[], bool] | None:
    """Return a function that returns whether torch's process group exists; None if there are other backends, too."""
    idist = _distributed()
    if idist.has_xla_support or idist.has_hvd_support or not idist.has_native_dist_support:
        return None
    import torch

    return torch.distributed.is_initialized


@cache
def _distributed() -> Any:
    """Import and return ``ignite.distributed``, which is needed only in a run."""
    import ignite.distributed as idist

    return idist


def _reduced(metric: object, reduction: str) -> tuple[float | None, list[int]]:
    """Combine the values in the order of the ranks, so that the result is bit-identical on each rank."""
    import torch

    status, value = 0.0, 0.0
    if metric is None:
        status = 1.0
    else:
        try:
            value = checked_metric(metric)
        except TypeError:  # raise the error later, because the other ranks wait in all_gather
            status = 2.0
    mine = torch.tensor([[status, value]], dtype=torch.float64)
    gathered: Any = _distributed().all_gather(mine)
    table = gathered.cpu()[:1] if reduction == "rank0" else gathered.cpu()
    found = table[:, 0].tolist()
    if 2.0 in found:
        ranks = [rank for rank, status in enumerate(found) if status == 2]
        raise TypeError(
            f"the metric must be a number on every rank, but it is not on ranks {arguments.shown(ranks, 100)}, "
            f"given {arguments.shown(metric)} on this rank"
        )
    if 1.0 in found:
        return None, [rank for rank, status in enumerate(found) if status == 1]
    values = table[:, 1]
    if reduction != "mean" or bool((values == values[0]).all()):  # equal values stay bit-identical
        return float(values.max() if reduction == "max" else values.min()), []
    return float(sum(values.tolist()) / len(values)), []  # Python adds in the same order on every processor


class MetricFeed:
    """Reads a metric of an engine, and saves the value that the next event will read.

    ignite does not save ``engine.state.metrics``. So the state of a scheduler contains the metric for its next event,
    and the resumed run puts it back into ``engine.state.metrics``.

    Args:
        name: the name of the metric in ``engine.state.metrics``.
        reduction: how to combine the metrics of several ranks; see :func:`reduced_metric`.

    Raises:
        TypeError: ``name`` is not a string.
        ValueError: ``reduction`` is not one of :data:`REDUCTIONS`.
    """

    def __init__(self, name: object, reduction: object) -> None:
        if not isinstance(name, str):
            raise TypeError(f"metric_name must be a string, given {arguments.shown(name)}")
        self.name, self.reduction = name, arguments.one_of("reduction", reduction, REDUCTIONS)
        self.may_be_missing = False  # True in a dry run without values of the metric
        self._engine: Callable[[], Engine | None] = no_engine
        self._saved: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_engine": no_engine}  # a reference to an engine cannot be copied

    def follow(self, engine: "Engine") -> None:
        """Remember the engine whose metric :meth:`state` saves."""
        self._engine = weakref.ref(engine)

    def read(self, engine: "Engine", is_required: bool = True) -> float | None:
        """Return the metric of an event; None if it is missing and not required.

        Raises:
            TypeError: with several ranks, the metric is not a number.
            ValueError: the metric is required, but it is missing on a rank.
        """
        if self._engine() is not engine:
            self.follow(engine)
        if self._saved is not None:
            engine.state.metrics.setdefault(self.name, self._saved)
            self._saved = None
        metric: float | None = _present(engine, self.name)
        ranks: list[int] = []
        if self.reduction != "none" and not _is_alone():
            metric, ranks = _reduced(metric, self.reduction)
        if metric is None and is_required and not self.may_be_missing:
            raise ValueError(
                f"metric_name must be one of the metrics of the engine that fires the event, "
                f"{_present_metrics(engine, ranks)}, given {arguments.shown(self.name)}"
                f"{_missing_where(engine, self.name, ranks)}"
            )
        return metric

    def state(self) -> list[Any]:
        """Return a list with the metric that the next event will read; empty if there is none."""
        engine = self._engine()
        metric = None if engine is None else _present(engine, self.name)
        metric = self._saved if metric is None else metric
        try:
            return [] if metric is None else [arguments.saved_float(checked_metric(metric))]
        except TypeError:  # the next event raises the error
            return []

    def load(self, saved: list[float]) -> None:
        """Load a list that :meth:`state` returned."""
        self._saved = saved[0] if saved else None


def _present_metrics(engine: "Engine", ranks: list[int]) -> str:
    """Return the names of an engine's metrics that have a value, for the error about a missing metric."""
    if ranks and _distributed().get_rank() not in ranks:  # the metric exists on this rank
        return "on every rank"
    metrics = getattr(engine.state, "metrics", None) or {}
    return arguments.shown(sorted(str(name) for name, value in metrics.items() if value is not None))


def _missing_where(engine: "Engine", name: str, ranks: list[int]) -> str:
    """Return a text that says on which ranks a metric is missing, and whether it is None on this rank."""
    is_none = name in (getattr(engine.state, "metrics", None) or {}) and (
        not ranks or _distributed().get_rank() in ranks
    )
    where = f"; it is missing on rank {arguments.shown_text(', '.join(map(str, ranks)), 100)}" if ranks else ""
    return f"{', which is None' if is_none else ''}{where}"


def no_engine() -> None:
    """Return None, like a weak reference to a deleted engine."""


def saved_metric(state_dict: object) -> list[float]:
    """Check the entry ``metric`` of a saved state, and return it.

    Raises:
        TypeError: the entry is not a list with at most one float.
    """
    saved = state_dict.get("metric", []) if isinstance(state_dict, Mapping) else []
    metrics: list[Any] = list(map(arguments.loaded_float, saved)) if isinstance(saved, list) else [None]
    if len(metrics) > 1 or not all(type(metric) is float for metric in metrics):
        raise TypeError(f"metric must be a list with at most one float, given {arguments.shown(saved)}")
    return metrics
