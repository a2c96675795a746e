"""Compares the values that a run logged with a plan, and explains the differences."""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.arguments import shown, shown_names
from lehr.handlers.schedules.base import Array

from .audit_result import Audit, Compared, LoggedDifference
from .logs.log import FROM_0, Log, LogColumn, given_rounding, rounding_of
from .logs.read_log import read_log
from .plan import Plan, counted
from .relation_words import in_log
from .relations_to_plan import find_relations
from .series_relations import Points, equal, planned_at


def audit_log(
    log: "Log | str | PathLike[str]",
    plan: "Plan | ArrayLike",
    *,
    name: str | None = None,
    column: str | None = None,
    group: int | None = None,
    first_step: int | None = None,
    epoch_length: int | None = None,
    tolerance: float | None = None,
    others: "Mapping[str, Plan | ArrayLike] | None" = None,
) -> Audit:
    """Compare the values that a run logged with a plan, and search for explanations of the differences.

    The function compares the value at each logged step with the planned value of the event of this step.
    :func:`~lehr.handlers.plans.read_log` lists how each logger counts steps. Two values are equal if their difference
    is at most the rounding of the log. The rounding is the rounding of float64 (a relative 1e-9), of float32 or of six
    digits. A coarser rounding is assumed only if at least 10 values show it.

    An explanation is given only if it fits all logged values for which the plan has a value. These explanations are
    tried:

    - All values are a few steps early or late.
    - The schedule moves faster or slower, by a factor of 2 to 64 or by the number of iterations in an epoch.
    - All values are multiplied by a number.
    - The values are as planned up to a step. From this step on they are early, late, constant or multiplied, or the
      plan begins again.

    Args:
        log: a log, or the path of a file that :func:`~lehr.handlers.plans.read_log` reads.
        plan: a plan from :func:`dry_run`, or the planned values. Planned values after the end of the run help to
            explain a difference.
        name: the name of the parameter in the plan. If None, it is ``"lr"``, or the only name of the plan.
        column: the heading of the values in the log. If None, it is searched for by ``name``.
        group: the index of the param group in the plan. None means all groups if the log has a column for each group,
            and otherwise group 0.
        first_step: the step number that the log has for the first event. If None, the logger counts as it usually does.
        epoch_length: iterations of an epoch. If None, it is the epoch length of the plan.
        tolerance: the relative difference up to which values are equal, at least 0. If None, the rounding of the log
            decides.
        others: a mapping from texts to other plans that the run may have followed. If a plan fits, the explanation is
            "matches exactly", followed by its text.

    Shapes: planned values are ``(events,)`` or ``(events, groups)``.

    Returns:
        An :class:`~lehr.handlers.plans.Audit`, which is a sequence of :class:`~lehr.handlers.plans.LoggedDifference`.
        An audit is false if the log is as planned. You can ``print`` an audit, or draw it with its method ``plot``.

    Raises:
        TypeError: ``plan`` is neither a plan nor an array of planned values.
        ValueError: an argument is out of its range; the plan has no logged step; or the file is not well-formed.
        OSError: the file cannot be read.
        ImportError: an event file of TensorBoard is given, and ``tensorboard`` is not installed.

    Example:
        >>> from lehr.handlers.plans import Log
        >>> planned = np.cos(np.pi * np.arange(1001) / 2000)
        >>> steps = np.arange(0, 500, 50)
        >>> print(audit_log(Log({"lr": (steps, planned[2 * steps])}), planned))  # called twice a step
        lr: from step 50 on (0.987688 logged, 0.996917 planned), at 9 of 10 points; ratio up to 4.861, at step 450
          matches exactly if the schedule moves 2 times in each step (called 2 times, or by each of 2 processes)
        (steps count from 0)
    """
    length = plan.epoch_length if epoch_length is None and isinstance(plan, Plan) else epoch_length
    if length is not None:
        length = arguments.whole_number("epoch_length", length, at_least=1)
    if tolerance is not None:
        tolerance = arguments.number("tolerance", tolerance, at_least=0)
    name, table = _planned("plan", plan, name)
    if group is not None and arguments.whole_number("group", group, at_least=0) >= table.shape[1]:
        raise ValueError(f"group must be less than {table.shape[1]}, the number of groups in the plan, given {group}")
    if not isinstance(log, Log):
        log = read_log(log, name=name, column=column, epoch_length=length)
    elif column is not None:
        if column not in log.columns:
            raise ValueError(f"column must be among {shown_names(log.columns)}, given {shown(column)}")
        log = replace(log, columns={column: log.columns[column]})
    groups = _groups_of(log, table.shape[1], group)
    counting = log.counting or FROM_0
    if counting.unit == "epochs" and length is None:
        raise ValueError(f"epoch_length must be set, since {log.source} counts epochs, given none")
    scale = (length or 1) if counting.unit == "epochs" else 1
    firsts = dict(counting.first_steps)
    if first_step is not None:
        first_step = arguments.whole_number("first_step", first_step, at_least=0)
        firsts = {first_step: f"{counting.unit} count from {first_step}"}
    tried = {first: [*_compare(log, table, groups, first, scale, tolerance)] for first in firsts}
    first = min(tried, key=lambda one: sum(int(column.differing.sum()) for column in tried[one]))
    compared, notes = tried[first], list(log.notes)
    missing = sum(len(log.columns[one.column].steps) - len(one.steps) for one in compared)
    if not any(len(one.steps) for one in compared):
        steps = [int(step) for one in log.columns.values() for step in one.steps[[0, -1]]]
        rule = f"must cover a step of {log.source}, whose steps are {min(steps)} to {max(steps)}"
        raise ValueError(f"plan {rule}, given {len(table)} events")
    if missing:
        notes.append(f"{counted(missing, 'point')} outside of the {counted(len(table), 'event')} of the plan left out")
    other_tables = {words: _planned(words, other, name)[1] for words, other in (others or {}).items()}
    differences = [
        _difference(one, first, scale, length, {words: other[:, at] for words, other in other_tables.items()})
        for one, at in zip(compared, groups.values(), strict=True)
        if one.differing.any()
    ]
    return Audit(compared, differences, firsts[first], notes)


def _planned(argument: str, plan: Any, name: str | None) -> tuple[str, Array]:
    """Return the name of the planned parameter, and its values ``(events, groups)``."""
    if isinstance(plan, Plan):
        if name is None:
            name = "lr" if "lr" in plan or len(plan) != 1 else next(iter(plan))
        if name not in plan:
            raise ValueError(f"name must be among {shown_names(plan)}, given {shown(name)}")
        return name, plan[name]
    try:
        table = np.asarray(plan, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{argument} must be a Plan or an array of planned values, given {shown(plan)}") from error
    if table.ndim not in (1, 2) or not table.size:
        raise TypeError(f"{argument} must have at least one event, and one or two axes, given the shape {table.shape}")
    return name or "lr", table.reshape(len(table), -1)


def _groups_of(log: Log, num_groups: int, group: int | None) -> dict[str, int]:
    """Return the group of the plan for each column of a log."""
    names = [name for name, column in log.columns.items() if len(column.steps)]
    if not names:
        raise ValueError(f"{log.source} must have at least one value, given none")
    if group is not None or num_groups == 1:
        return dict.fromkeys(names, group or 0)
    if len(names) not in (1, num_groups):
        rule = f"must be one of {shown_names(names)}, or group must be an index, for a plan of {num_groups} groups"
        raise ValueError(f"column {rule}, given neither")
    return {name: at for at, name in enumerate(names)}


def _compare(
    log: Log, table: Array, groups: Mapping[str, int], first: int, scale: int, tolerance: float | None
) -> "list[Compared]":
    compared = []
    for name, group in groups.items():
        column: LogColumn = log.columns[name]
        rounding = rounding_of(column.values, log.decimals)
        if tolerance is not None:
            rounding = given_rounding(tolerance, column.values)
        points = Points((column.steps - first) * scale, column.values, rounding.errors(column.values))
        expected, inside = planned_at(table[:, group], points.events)
        inside &= ~np.isnan(expected)
        points, expected = points.part(inside), expected[inside]
        differing = ~equal(points, expected)
        compared.append(Compared(name, column.steps[inside], points, expected, table[:, group], differing, rounding))
    return compared


def _difference(
    one: Compared, first_step: int, scale: int, epoch_length: int | None, others: Mapping[str, Array]
) -> LoggedDifference:
    at = np.flatnonzero(one.differing)
    logged, planned = one.points.values[at], one.expected[at]
    low, high = np.sort(np.abs(np.stack([logged, planned])), axis=0)
    ratios = np.divide(high, low, out=np.full(len(at), np.inf), where=(low > 0) & (logged * planned > 0))
    most = int(np.argmax(ratios))
    explanations = []
    if scale == 1:
        found = find_relations(one.points, one.planned, epoch_length)
        explanations += [in_log(relation, first_step, epoch_length) for relation in found]
    for words, other in others.items():
        expected, inside = planned_at(other, one.points.events)
        if inside.all() and equal(one.points, expected).all():
            explanations.append(f"matches exactly {words}")
    return LoggedDifference(
        one.column,
        int(one.steps[at[0]]),
        (float(logged[0]), float(planned[0])),
        len(at),
        len(one.steps),
        float(ratios[most]),
        int(one.steps[at[most]]),
        tuple(explanations),
    )
