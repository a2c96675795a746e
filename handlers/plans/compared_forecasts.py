"""Compares the forecasts of the loss in two plans, at the end of each plan."""

from collections.abc import Iterator

from .plan import Plan, PlanColumn


def are_forecasts(a: Plan, b: Plan, name: str) -> bool:
    """Return whether both plans have a forecast under a name."""
    return all(name in plan and plan.columns[name].band is not None for plan in (a, b))


def forecast_lines(a: Plan, b: Plan) -> Iterator[str]:
    """Yield a text for each forecast that both plans have, about how it differs at the end of the plans."""
    for name in a:
        if are_forecasts(a, b, name):
            one, other = a.columns[name], b.columns[name]
            first, second = one.values[-1, 0], other.values[-1, 0]
            much = f"{abs(second / first - 1):.2%} {'lower' if second < first else 'higher'}"
            yield (
                f"{name}, forecast at the end: {_with_band(one)} and {_with_band(other)}; the second is "
                f"{'the same' if first == second else much}{', and the bands overlap' if _overlap(one, other) else ''}"
            )


def _with_band(column: PlanColumn) -> str:
    low, high = _band(column)
    return f"{column.values[-1, 0]:.5g} ({low:.5g} to {high:.5g})"


def _band(column: PlanColumn) -> tuple[float, float]:
    low, high = (column.values[:, 0],) * 2 if column.band is None else column.band
    return float(low[-1]), float(high[-1])


def _overlap(one: PlanColumn, other: PlanColumn) -> bool:
    (low, high), (other_low, other_high) = _band(one), _band(other)
    return low <= other_high and other_low <= high
