"""Converts phases from events to the steps of a library, and merges the configs of all param groups into one config."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lehr.handlers.schedules import Anneal, Constant, Schedule

from .schedules_of_config import Planned
from .split_into_phases import Phase, phases_of
from .unsayable import UnsayableError, unsayable

# These arguments may be a list with one value for each param group.
PER_GROUP = ("base_lr", "base_momentum", "eta_max", "max_lr", "max_momentum")


def of_all_groups(name: str, plan: Planned, make: Callable[[list[Phase], float], Any]) -> Any:
    """Return one config for all param groups.

    Args:
        name: the parameter.
        plan: the schedules to convert, with the values of the optimizer.
        make: a function that makes the config of one group from its phases and its value before the run.

    Raises:
        UnsayableError: the library cannot express a group, or the groups differ.
    """
    total = plan.events or math.inf
    of_groups = [
        make(phases_of(plan.schedules[name], group, total), base) for group, base in enumerate(plan.bases[name])
    ]
    return _merged(name, of_groups)


def _merged(name: str, of_groups: Sequence[Any], key: str = "") -> Any:
    """Merge the configs of all groups into one config, in which an argument of ``PER_GROUP`` may be a list."""
    first = of_groups[0]
    if all(one == first for one in of_groups):
        return first
    if isinstance(first, dict) and all(isinstance(one, dict) and one.keys() == first.keys() for one in of_groups):
        return {key: _merged(name, [one[key] for one in of_groups], key) for key in first}
    if isinstance(first, list) and all(isinstance(one, list) and len(one) == len(first) for one in of_groups):
        return [_merged(name, some, key) for some in zip(*of_groups, strict=True)]
    if isinstance(first, float) and key in PER_GROUP:
        return list(of_groups)
    if isinstance(first, float) and all(math.isclose(one, first, rel_tol=1e-12) for one in of_groups):
        return first
    raise UnsayableError(f"the schedule of {name!r}, since its param groups differ in {key or 'more than a factor'}")


def steps_of(name: str, phases: Sequence[Phase]) -> tuple[list[Phase], int]:
    """Convert phases from events to steps of equal length, and return the number of events in each step.

    Raises:
        UnsayableError: the steps of two phases differ, such as epochs and iterations.
    """
    moving = [one for one in phases if not isinstance(one.schedule, Constant)]
    every = moving[0].every if moving else 1
    for one in moving:
        if one.every != every:
            raise unsayable(name, one, f"each step is {one.every} events, but a step of another phase is {every}")
    for one in phases:
        if one.begin % every:
            raise unsayable(name, one, f"it begins within a step of {every} events")
    return [
        replace(one, begin=one.begin // every, end=math.ceil(one.end / every) if math.isfinite(one.end) else math.inf,
                every=1)
        for one in phases
    ], every  # fmt: skip


def is_line(schedule: Schedule) -> bool:
    """Return whether a schedule is a straight line with an end."""
    return isinstance(schedule, Anneal) and schedule.beyond == "hold" and type(schedule.curve).__name__ == "Linear"


def without_holds(phases: Sequence[Phase], holds: Callable[[Schedule], bool]) -> list[Phase]:
    """Merge each constant phase into the phase before it, if the schedule of that phase keeps the same value anyway."""
    kept: list[Phase] = []
    for phase in phases:
        last = kept[-1] if kept else None
        if last is not None and isinstance(phase.schedule, Constant) and holds(last.schedule):
            end: Any = getattr(last.schedule, "end_value", None)
            if end == phase.schedule.value and last.end - last.begin >= getattr(last.schedule, "duration", math.inf):
                kept[-1] = replace(last, end=phase.end)
                continue
        kept.append(phase)
    return kept


def whole(name: str, phase: Phase, number: float, what: str) -> int:
    """Return a number of steps as an int, or raise an error if it is not whole."""
    if not float(number).is_integer():
        raise unsayable(name, phase, f"{what} must be a whole number of steps, given {number:g}")
    return int(number)
