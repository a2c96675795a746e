"""Searches for the arguments of a schedule class that give the lowest forecast loss."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lehr.handlers.schedules.arguments import number, shown, shown_names, whole_number
from lehr.handlers.schedules.base import Schedule
from lehr.handlers.schedules.duration_texts import quantity
from lehr.handlers.schedules.fields import EVENTS, PHASES

if TYPE_CHECKING:
    from .loss_forecast import LossForecast

S = TypeVar("S", bound=Schedule)

COUNTS = (EVENTS, PHASES)  # arguments in these units are numbers of events
Bounds = tuple[float | str, float | str]
TRIED = 13  # values of an argument to try in each round
ROUNDS = 6  # each round searches a third of the previous range, around the best value so far


def best_schedule(
    forecast: "LossForecast",
    schedule_class: type[S],
    num_events: int,
    search: Mapping[str, Bounds],
    fixed: Mapping[str, Any],
    extrapolate: bool,
) -> S:
    """Return the schedule with the lowest forecast loss; see :meth:`.LossForecast.best`."""
    if not (isinstance(schedule_class, type) and issubclass(schedule_class, Schedule)):
        raise TypeError(f"schedule_class must be a class of schedules, given {shown(schedule_class)}")
    length = whole_number("num_events", num_events, at_least=2)
    units = {one.name: one.metadata.get("unit") for one in dataclasses.fields(schedule_class) if one.init}
    if not isinstance(search, Mapping) or not search:
        raise TypeError(f"search must be a mapping of arguments to their bounds, given {shown(search)}")
    unknown = [name for name in (*search, *fixed) if name not in units]
    if unknown:
        raise TypeError(f"{schedule_class.__name__} has no argument {shown(unknown[0])}; it has {shown_names(units)}")
    twice = [name for name in search if name in fixed]
    if twice:
        raise ValueError(f"search must have other arguments than the fixed ones, given {shown(twice[0])} in both")
    for name, value in fixed.items():
        if units[name] in COUNTS:
            number(name, value)
    bounds = {name: _bounds(name, pair, length if units[name] in COUNTS else None) for name, pair in search.items()}
    missing = _missing(schedule_class, {*search, *fixed})
    warmup = int(np.median([run.warmup for run in forecast.runs]))
    errors: list[Exception] = []

    def tried(values: Mapping[str, float]) -> tuple[float, S | None]:
        given = {name: round(value) if units[name] in COUNTS else value for name, value in values.items()}
        try:
            schedule = schedule_class(**given, **fixed, **_filled(missing, {**given, **fixed}, units, length, warmup))
            if schedule.length is not None and schedule.length > length:
                raise ValueError(
                    f"num_events must be at least {schedule.length:.0f}, the length of {shown(schedule, 80)}, given "
                    f"{length}"
                )
            return forecast.final(schedule, length, extrapolate=extrapolate), schedule
        except ValueError as error:
            errors.append(error)
            return np.inf, None

    best = _narrowed(bounds, tried)
    if best is None:
        raise ValueError(f"no schedule within search can be forecast; the first error: {errors[0]}") from errors[0]
    return best


def _narrowed(
    bounds: Mapping[str, tuple[float, float]], tried: Callable[[Mapping[str, float]], tuple[float, S | None]]
) -> S | None:
    """Minimize over one argument after another, in ranges that become narrower around the best values so far."""
    best: tuple[float, S | None] = np.inf, None
    at = {name: (low + high) / 2 for name, (low, high) in bounds.items()}
    for narrowing in range(ROUNDS):
        for name, (low, high) in bounds.items():
            half = (high - low) / 2 / 3**narrowing
            begin = float(np.clip(at[name] - half, low, high))
            for value in np.linspace(begin, min(begin + 2 * half, high), TRIED).tolist():
                found = tried({**at, name: value})
                if found[0] < best[0]:
                    best, at = found, {**at, name: value}
    return best[1]


def _bounds(name: str, pair: Any, length: int | None) -> tuple[float, float]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise TypeError(f"search[{name!r}] must be a pair of the lowest and the highest value, given {shown(pair)}")
    low, high = (_value(f"search[{name!r}][{at}]", one, length) for at, one in enumerate(pair))
    if low > high:
        raise ValueError(f"search[{name!r}] must be the lowest and the highest value, given {shown(pair)}")
    return low, high


def _value(name: str, value: Any, length: int | None) -> float:
    if not isinstance(value, str):
        return number(name, value)
    if length is None and value.endswith("%"):
        raise ValueError(f"{name} must be a number, since only events may be in percent, given {shown(value)}")
    try:
        read = quantity(name, value)
    except ValueError:
        read = None
    if read is None or not value.endswith("%") or read.amount > 100:
        raise ValueError(f"{name} must be a number or a percentage of the run such as '5%', given {shown(value)}")
    return float(read.amount * (length or 0) / 100)


def _missing(schedule_class: type[Schedule], given: set[str]) -> list[str]:
    """Return the required arguments of a class that are numbers of events and that were not given."""
    wanted = (one for one in dataclasses.fields(schedule_class) if one.init and one.name not in given)
    required = (one for one in wanted if one.default is one.default_factory is dataclasses.MISSING)
    return [one.name for one in required if one.metadata.get("unit") in COUNTS]


def _filled(
    missing: list[str], given: Mapping[str, Any], units: Mapping[str, Any], length: int, warmup: int
) -> dict[str, int]:
    """Fill in missing numbers of events. A warm-up is as long as in the runs, and one phase takes the other events."""
    filled = {name: warmup for name in missing if "warmup" in name}
    rest = [name for name in missing if name not in filled]
    used = sum(value for name, value in {**given, **filled}.items() if units[name] in COUNTS)
    if len(rest) == 1:
        filled[rest[0]] = int(length - used)
    return filled
