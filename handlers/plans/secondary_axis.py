"""Adds an axis along the top of a picture, with the epochs, tokens, samples or percent of the iterations."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lehr.handlers.schedules import RunLength, arguments
from lehr.handlers.schedules.duration_texts import EPOCHS, PERCENT, SAMPLES, TOKENS, size_of

from .plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = (EPOCHS, TOKENS, SAMPLES, PERCENT)


def unit_along_the_top(plan: Plan, unit: str | None, run: RunLength | None) -> tuple[str, float]:
    """Return the unit of the axis, and the amount of this unit in an iteration.

    Args:
        plan: the plan.
        unit: the wanted unit. If None, it is the unit of the plan's schedulers.
        run: the length of the run. If None, it is the run length of the plan's schedulers.

    Raises:
        TypeError, ValueError: ``unit`` is unknown, or the run cannot convert iterations to ``unit``.
    """
    given = plan.given_unit
    if unit is None:
        unit = given.unit if given is not None and given.unit in (TOKENS, SAMPLES) else EPOCHS
    arguments.one_of("unit", unit, UNITS)
    if unit in (EPOCHS, PERCENT):
        return unit, 1 / plan.epoch_length if unit == EPOCHS else 100 / plan.num_iterations
    known = given.run if run is None and given is not None else run
    arguments.instance("run", known, RunLength, f"a RunLength where unit is {unit!r}")
    steps = RunLength(**{**known.config(), "counts": "steps", "total_time": None})  # type: ignore[union-attr]
    each = steps.amount_of(1, unit)
    if each is None:
        raise ValueError(f"unit must be a unit that the run can convert, given {unit!r}: give the run {unit}_per_step")
    return unit, float(each)


def add_unit(panel: "Axes", plan: Plan, unit: str, each: float) -> None:
    """Add an axis of a unit at the top. An axis of epochs is added only if there are several epochs.

    Args:
        panel: the axes.
        plan: the plan.
        unit: the unit.
        each: the amount of the unit in an iteration.
    """
    if unit == EPOCHS and plan.max_epochs == 1:
        return
    size, name = size_of(each * plan.num_iterations, unit)

    def to_unit(iteration: Any) -> Any:
        return (np.asarray(iteration) - 0.5) * (each / size)

    def to_iterations(amount: Any) -> Any:
        return np.asarray(amount) / (each / size) + 0.5

    label = "% of the run" if unit == PERCENT else name.strip()
    panel.secondary_xaxis("top", functions=(to_unit, to_iterations)).set_xlabel(label, fontsize="small")
