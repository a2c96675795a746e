"""Converts the arguments of a schedule to events, from numbers of epochs or from texts such as ``"10%"``."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any, NoReturn

from . import arguments
from .cached_by_class import cached_by_class
from .duration_texts import has_unit
from .fields import AMBIGUOUS, EVENTS, PER_EVENT, PHASES
from .run_length import RunLength

PAIRS = (list, tuple)
NUMBERS = {float, int, bool, type(None)}  # arguments of these types cannot contain a text


def in_events(
    schedule_type: Callable[..., Any],
    given: Mapping[str, Any],
    epoch_length: object = None,
    run: RunLength | None = None,
    begin: float | str = 0,
) -> dict[str, Any]:
    """Convert the durations in the arguments of a schedule from epochs, or from texts such as ``"10%"``, to events.

    If ``epoch_length`` is given, numbers of epochs are multiplied by it, and the ``epoch_length``-th root replaces each
    factor that is applied once per event. The length of the run converts texts. The phases of a schedule are converted
    together, so that percentages with a sum of 100% fill the run exactly; see :class:`RunLength`.

    Args:
        schedule_type: the class of the schedule.
        given: the arguments of the schedule by name. An argument that is None stays None.
        epoch_length: the number of events in an epoch, at least 1, if the durations in ``given`` are epochs. If it is
            None, they are events.
        run: the length of the run. It is required if an argument is a text.
        begin: how long the run lasts before the first phase: a number of events, or a text such as ``"10%"``.

    Raises:
        TypeError, ValueError: ``epoch_length`` is not a whole number of at least 1; a duration is not a whole number of
            events; an argument cannot be converted from epochs to events; an argument is a text, but ``run`` is None or
            cannot convert the text.

    Example:
        >>> from lehr.handlers.schedules import MultiStepDecay
        >>> in_events(MultiStepDecay, {"initial_value": 1.0, "gamma": 0.1, "milestones": [1, 2.5]}, epoch_length=100)
        {'initial_value': 1.0, 'gamma': 0.1, 'milestones': [100, 250]}
        >>> in_events(MultiStepDecay, {"milestones": ["30%", 80]}, run=RunLength(total_steps=100))
        {'milestones': [30, 80]}
    """
    if epoch_length is None and NUMBERS.issuperset(map(type, given.values())):  # the usual case, checked fast
        return dict(given)
    converted = dict(given)
    if epoch_length is not None:
        length = arguments.whole_number("epoch_length", epoch_length, at_least=1)
        run = with_epoch_length(run, length)
        converted = _epochs_in_events(schedule_type, given, length)
    return _texts_in_events(schedule_type, converted, run, begin)


def has_text(value: Any) -> bool:
    """Return whether a duration, or any duration in a list of durations or of pairs, is a text.

    >>> [has_text(value) for value in (3, "10%", [1, "10%"], [("10%", 0.1)], [(1, 0.1)])]
    [False, True, True, True, False]
    """
    if type(value) is list or type(value) is tuple:
        firsts = [one[0] if type(one) in PAIRS and one else one for one in value]
        if str not in map(type, firsts):  # the usual case, checked fast
            return False
    return next(texts_of("", value), None) is not None


def texts_of(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each duration that is a text, also from a list of durations or of pairs.

    >>> list(texts_of("milestones_values", [("10%", 0.1), (5, 0.2)]))
    [('milestones_values[0]', '10%')]
    """
    if has_unit(value):
        yield name, value
    for position, one in enumerate(value) if isinstance(value, list | tuple) else ():
        first = one[0] if isinstance(one, list | tuple) and one else one
        if has_unit(first):
            yield f"{name}[{position}]", first


def durations_of(schedule_type: Any) -> Mapping[str, str]:
    """Return the names of a schedule's arguments that are durations, each with its ``unit``."""
    return _durations_of(schedule_type) if isinstance(schedule_type, type) and is_dataclass(schedule_type) else {}


@cached_by_class
def _durations_of(schedule_type: Any) -> Mapping[str, str]:
    found = {one.name: one.metadata.get("unit") for one in fields(schedule_type)}
    return {name: unit for name, unit in found.items() if unit in (EVENTS, PHASES)}


def with_epoch_length(run: RunLength | None, length: int) -> RunLength:
    """Return a copy of the length of a run, with ``epoch_length`` set to ``length``.

    Raises:
        ValueError: the run has another ``epoch_length``.
    """
    if run is None:
        return RunLength(epoch_length=length)
    if run.epoch_length not in (None, length):
        raise ValueError(f"epoch_length must be equal to run.epoch_length={run.epoch_length}, given {length}")
    return replace(run, epoch_length=length)


def checked_run(run: Any) -> RunLength | None:
    """Check the argument ``run`` of a scheduler: it must be a :class:`RunLength` or None."""
    return run if run is None else arguments.instance("run", run, RunLength, "a RunLength or None")


def as_events(name: str, duration: Any, run: RunLength | None) -> Any:
    """Convert a duration to events if it is a text. Return any other duration unchanged.

    >>> as_events("num_events", "10%", RunLength(total_steps=200)), as_events("num_events", 7, None)
    (20, 7)
    """
    if not has_unit(duration):
        return duration
    if run is None:
        refuse_without_run(name, duration)
    return run.events_of(duration, name)


def resolved(schedule: Any, run: Any) -> Any:
    """Check the argument ``run``, and convert the texts of a schedule to events. Return other objects unchanged."""
    known = checked_run(run)
    return schedule.in_run(known) if hasattr(schedule, "in_run") else schedule


def refuse_without_run(name: str, text: str) -> NoReturn:
    """Raise the error for a duration that is a text if no ``run`` is given."""
    raise ValueError(
        f"{name} must be a number of events if no run is given, given {arguments.shown(text)}; "
        "pass run=RunLength(...), such as RunLength(max_epochs=10, epoch_length=500)"
    )


def duration_in_events(name: str, value: object, epoch_length: int) -> float:
    """Convert one duration from epochs to a whole number of events.

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


def _epochs_in_events(schedule_type: Callable[..., Any], given: Mapping[str, Any], length: int) -> dict[str, Any]:
    """Convert each number of epochs in the arguments to events. Leave texts unchanged."""
    if hasattr(schedule_type, "in_events"):  # the class has its own conversion
        return dict(schedule_type.in_events(given, length))
    if not is_dataclass(schedule_type):
        raise ValueError("epoch_length must be left out if a function is given, since functions cannot be converted")
    units = {one.name: one.metadata.get("unit") for one in fields(schedule_type)}
    converted = dict(given)
    for name, value in given.items():
        unit = units.get(name)
        if value is None or unit is None:
            continue
        if unit == AMBIGUOUS:
            raise ValueError(f"epoch_length must be left out if {name} is given, since it cannot be converted")
        if unit == PER_EVENT:
            converted[name] = _root(name, value, length)
        else:
            converted[name] = _each(name, value, lambda named, one: duration_in_events(named, one, length), texts=False)
    return converted


def _texts_in_events(
    schedule_type: Callable[..., Any], given: dict[str, Any], run: RunLength | None, begin: float | str
) -> dict[str, Any]:
    units = durations_of(schedule_type)
    textual = [name for name in units if type(given.get(name)) not in NUMBERS and has_text(given[name])]
    if not textual:
        return given
    if run is None:
        refuse_without_run(*next(texts_of(textual[0], given[textual[0]])))
    converted = dict(given)
    for name in textual:
        if units[name] == EVENTS:
            before = begin if isinstance(given[name], list | tuple) else 0  # a list has event indices
            converted[name] = _each(name, given[name], partial(_event_after, run, before), texts=True)
    phases = {name: given[name] for name in units if units[name] == PHASES and given.get(name) is not None}
    if any(name in textual for name in phases):
        converted |= _phases_in_events(phases, run, begin)
    return converted


def _event_after(run: RunLength, begin: float | str, name: str, text: str) -> int:
    return run.events_of_phases([begin, text], ["begin", name])[1]


def _phases_in_events(phases: dict[str, Any], run: RunLength, begin: float | str) -> dict[str, Any]:
    """Convert the durations of phases to events. Round the events at which the phases begin, not their durations."""
    names, durations = ["begin"], [begin]
    for name, value in phases.items():
        listed = isinstance(value, list | tuple)
        names += [f"{name}[{position}]" for position in range(len(value))] if listed else [name]
        durations += list(value) if listed else [value]
    events = run.events_of_phases(durations, names)[1:]
    converted: dict[str, Any] = {}
    for name, value in phases.items():
        count = len(value) if isinstance(value, list | tuple) else 1
        own, events = events[:count], events[count:]
        converted[name] = own if isinstance(value, list | tuple) else own[0]
    return converted


def _each(name: str, value: Any, convert: Callable[[str, Any], Any], *, texts: bool) -> Any:
    """Convert a duration, or the durations in a list of durations or of pairs.

    Args:
        name: the name of the argument.
        value: the duration, the list of durations, or the list of pairs that begin with a duration.
        convert: a function of the name and the value of a duration.
        texts: if True, only texts are converted. If False, only numbers are converted.
    """
    if not isinstance(value, list | tuple):
        return convert(name, value) if has_unit(value) == texts else value
    if value and isinstance(value[0], list | tuple):  # a list of pairs, in which the schedule refuses other items
        return [
            (convert(f"{name}[{position}]", item[0]), *item[1:])
            if isinstance(item, list | tuple) and item and has_unit(item[0]) == texts
            else item
            for position, item in enumerate(value)
        ]
    return [
        convert(f"{name}[{position}]", item) if has_unit(item) == texts else item for position, item in enumerate(value)
    ]


def _root(name: str, value: object, length: int) -> float:
    return float(arguments.number(name, value, at_least=0) ** (1 / length))
