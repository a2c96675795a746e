"""Converts the arguments of a schedule from epochs to events."""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from . import arguments
from .fields import AMBIGUOUS, EVENTS


def in_events(schedule_type: Callable[..., Any], given: Mapping[str, Any], epoch_length: object) -> dict[str, Any]:
    """Converts arguments of a schedule from epochs to events.

    A number of events is multiplied by ``epoch_length``. A factor that is applied at each event becomes its
    ``epoch_length``-th root.

    Args:
        schedule_type: the class of the schedule.
        given: its arguments by name; None stays None.
        epoch_length: events in an epoch, at least 1.

    Raises:
        TypeError, ValueError: ``epoch_length`` is no whole number of at least 1; a duration is no whole number of
            events; an argument has another meaning when time is counted in epochs.

    Example:
        >>> from lehr.handlers.schedules import MultiStepDecay
        >>> in_events(MultiStepDecay, {"initial_value": 1.0, "gamma": 0.1, "milestones": [1, 2.5]}, epoch_length=100)
        {'initial_value': 1.0, 'gamma': 0.1, 'milestones': [100, 250]}
    """
    length = arguments.whole_number("epoch_length", epoch_length, at_least=1)
    if hasattr(schedule_type, "in_events"):  # with its own conversion
        return dict(schedule_type.in_events(given, length))
    if not is_dataclass(schedule_type):
        raise ValueError("epoch_length must be left out where a function is given, which it cannot be applied to")
    units = {one.name: one.metadata.get("unit") for one in fields(schedule_type)}
    converted = dict(given)
    for name, value in given.items():
        unit = units.get(name)
        if value is None or unit is None:
            continue
        if unit == AMBIGUOUS:
            raise ValueError(f"epoch_length must be left out where {name} is given, which it cannot be applied to")
        converted[name] = _multiplied(name, value, length) if unit == EVENTS else _root(name, value, length)
    return converted


def duration_in_events(name: str, value: object, epoch_length: int) -> float:
    """Converts one duration to events, which must be a whole number of them.

    >>> duration_in_events("end", 0.3, 7)
    Traceback (most recent call last):
    ...
    ValueError: end must be a whole number of events, given 0.3 epochs of 7 events
    """
    epochs = arguments.number(name, value)
    events = epochs * epoch_length
    if events > arguments.MAX_EVENT_INDEX:
        given = f"{arguments.shown(value)} epochs with epoch_length {epoch_length}"
        raise ValueError(f"{name} must be at most {arguments.MAX_EVENT_INDEX} events, given {given}")
    if not math.isclose(events, round(events), rel_tol=1e-9, abs_tol=1e-9):
        raise ValueError(
            f"{name} must be a whole number of events, given {arguments.shown(value)} epochs of {epoch_length} events"
        )
    return round(events)


def _multiplied(name: str, value: Any, length: int) -> Any:
    if not isinstance(value, list | tuple):
        return duration_in_events(name, value, length)
    if value and isinstance(value[0], list | tuple):  # pairs; the schedule refuses other items
        return [
            (duration_in_events(f"{name}[{position}]", item[0], length), *item[1:])
            if isinstance(item, list | tuple) and item
            else item
            for position, item in enumerate(value)
        ]
    return [duration_in_events(f"{name}[{position}]", item, length) for position, item in enumerate(value)]


def _root(name: str, value: object, length: int) -> float:
    return float(arguments.number(name, value, at_least=0) ** (1 / length))
