"""Metrics that schedules are driven by, from where ignite's evaluators put them."""

from ignite.engine import Engine


def as_number(metric: object) -> float:
    """A metric as a float.

    Raises:
        TypeError: it is no number.
    """
    try:
        return float(metric)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"the metric must be a number, given {metric!r}") from error


def metric_of(engine: Engine, metric_name: str) -> float | None:
    """The value of a metric in ``engine.state.metrics``; None where it is missing.

    Args:
        engine: usually the evaluator.
        metric_name: the name that the metric was attached with.
    """
    metric: float | None = (getattr(engine.state, "metrics", None) or {}).get(metric_name)
    return metric


def required_metric(engine: Engine, metric_name: str) -> float:
    """The value of a metric that must be there.

    Raises:
        ValueError: it is missing, or None.
    """
    metric = metric_of(engine, metric_name)
    if metric is None:
        metrics = getattr(engine.state, "metrics", None) or {}
        raise ValueError(
            f"metric_name must be one of the metrics of the engine whose event it is, {sorted(metrics)}, "
            f"given {metric_name!r}"
        )
    return metric
