"""Metrics that schedules are driven by: from where ignite's evaluators put them, and the same on every rank."""

from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine

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


def required_metric(engine: Engine, metric_name: str, reduction: str = "none") -> float:
    """The value of a metric that must be there: see :func:`metric_of`.

    Raises:
        ValueError: it is missing, or None, on a rank.
    """
    metric = metric_of(engine, metric_name, reduction)
    if metric is None:
        metrics = getattr(engine.state, "metrics", None) or {}
        raise ValueError(
            f"metric_name must be one of the metrics of the engine whose event it is, {sorted(metrics)}, "
            f"given {metric_name!r}"
        )
    return metric
