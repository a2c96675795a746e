"""Dataclass fields for schedules. Each field checks its argument when the schedule is constructed.

The metadata of a field also contain ``unit`` and ``groups``. The unit says how to convert the argument from epochs to
events. ``groups`` is a function that returns the number of param groups for which the argument has values.
"""

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from . import arguments
from .cached_by_class import cached_by_class

# The units of arguments:
# - EVENTS: a number of events, a list of such numbers, or a list of pairs that begin with such a number;
# - PHASES: the same, for phases that follow one another in the order of the fields;
# - PER_EVENT: a factor that is applied at each event;
# - AMBIGUOUS: an argument that cannot be converted from epochs to events.
EVENTS, PHASES, PER_EVENT, AMBIGUOUS = "events", "phases", "per event", "ambiguous"
Check = Callable[[str, Any], Any]
Groups = Callable[[Any], int | None]
MAX_DEPTH, MAX_PARTS = 50, 100_000  # limits for schedules that contain schedules, and curves that contain curves
PLAIN = arguments.PLAIN
# A field that checks its argument: its name, its ``check``, whether its default is None, and its ``groups``.
CheckedField = tuple[str, Check, bool, Groups | None]
REQUIRED: Any = dataclasses.MISSING


def argument(
    check: Check,
    default: Any = REQUIRED,
    *,
    unit: str | None = None,
    groups: Groups | None = None,
) -> Any:
    """Declare a field that replaces its argument with ``check(name, argument)``. A default of None is not checked."""
    return dataclasses.field(default=default, metadata={"check": check, "unit": unit, "groups": groups})


def value(default: Any = REQUIRED) -> Any:
    """Declare a field for a value of the hyper-parameter: a float, or a list of floats, one for each param group."""
    return argument(arguments.number_or_numbers, default, groups=arguments.groups_of)


def duration(default: Any = REQUIRED, *, unit: str = EVENTS, **bounds: Any) -> Any:
    """Declare a field for a number of events: 0, or at least 1 and within the bounds of :func:`.arguments.number`."""
    return argument(partial(arguments.duration, **bounds), default, unit=unit)


def number(default: Any = REQUIRED, *, unit: str | None = None, **bounds: Any) -> Any:
    """Declare a field for a finite number within the bounds of :func:`.arguments.number`."""
    return argument(partial(arguments.number, **bounds), default, unit=unit)


def whole_number(default: Any = REQUIRED, *, at_least: int = 0, unit: str | None = None) -> Any:
    """Declare a field for a whole number."""
    return argument(partial(arguments.whole_number, at_least=at_least), default, unit=unit)


def rising(default: Any = REQUIRED) -> Any:
    """Declare a field for a list of event indices in rising order. An index may be repeated."""
    return argument(arguments.rising, default, unit=EVENTS)


def flag(default: bool) -> Any:
    """Declare a field for True or False."""
    return argument(arguments.flag, default)


def one_of(options: Iterable[str], default: str) -> Any:
    """Declare a field for one of the strings in ``options``."""
    return argument(partial(arguments.one_of, options=tuple(options)), default)


def function(rule: str, default: Any = REQUIRED, *, unit: str | None = None) -> Any:
    """Declare a field for a user's function. The error for other arguments says that they must be ``rule``."""
    return argument(partial(arguments.function, rule=rule), default, unit=unit)


def instance(wanted: type, rule: str, default: Any = REQUIRED, *, groups: Groups | None = None) -> Any:
    """Declare a field for an instance of a class. The error for other arguments says that they must be ``rule``."""
    return argument(partial(arguments.instance, wanted=wanted, rule=rule), default, groups=groups)


def list_of(
    check: Check, default: Any = REQUIRED, *, at_least: int = 0, unit: str | None = None, groups: Groups | None = None
) -> Any:
    """Declare a field for a list of ``at_least`` items or more. ``check(name, item)`` replaces each item."""
    return argument(partial(arguments.list_of, check=check, at_least=at_least), default, unit=unit, groups=groups)


def check(owner: Any) -> None:
    """Check the arguments of a dataclass with these fields, and replace each argument with the result of its check.

    Raises:
        TypeError, ValueError: a check raises an error, or two arguments have values for different numbers of param
            groups.
    """
    counts = {}
    for name, check_argument, is_optional, groups in _checked_fields(owner.__class__):
        given = getattr(owner, name, None)
        if given is None and is_optional:
            continue
        checked = check_argument(name, given)
        if checked is not given:
            object.__setattr__(owner, name, checked)
        if type(checked) not in PLAIN:
            _refuse_depth(name, checked)
        if groups is not None and (count := groups(checked)) is not None:
            counts[name] = count
    if len(counts) > 1:
        arguments.same_groups(counts)


def _refuse_depth(name: str, value: Any) -> None:
    """Raise an error for a composition of schedules that is too deep or too large to be evaluated, copied or saved.

    A few schedules may form a composition with millions of schedules, because a schedule may contain another schedule
    several times.
    """
    level, count = _dataclasses_in([value]), 0
    for _ in range(MAX_DEPTH):
        level = [part for one in level for part in _dataclasses_in(getattr(one, "__dict__", {}).values())]
        if not level:
            return
        count += len(level)
        if count > MAX_PARTS:
            raise ValueError(f"{name} must contain at most {MAX_PARTS} schedules and curves, given more")
    raise ValueError(f"{name} must be nested at most {MAX_DEPTH} deep, given more")


def _dataclasses_in(values: Iterable[Any]) -> list[Any]:
    """Return the dataclasses, such as schedules, among the values and among the items of tuples in them."""
    found: list[Any] = []
    for value in values:
        if type(value) not in PLAIN:
            found += value if type(value) is tuple else (value,)
    return [one for one in found if hasattr(type(one), "__dataclass_fields__")]


def groups_of(owner: Any) -> int | None:
    """Return the number of param groups for which a dataclass has values, or None if all groups share one value."""
    for name, groups in _fields_with_groups(owner.__class__):
        count = groups(getattr(owner, name))
        if count is not None:
            return count
    return None


@cached_by_class
def names_of(owner: Any) -> list[str]:
    """Return the names of the fields of a dataclass."""
    return [field.name for field in dataclasses.fields(owner)]


@cached_by_class
def _checked_fields(owner: Any) -> list[CheckedField]:
    return [
        (field.name, field.metadata["check"], field.default is None, field.metadata["groups"])
        for field in dataclasses.fields(owner)
        if "check" in field.metadata
    ]


@cached_by_class
def _fields_with_groups(owner: Any) -> list[tuple[str, Groups]]:
    return [(name, groups) for name, _, _, groups in _checked_fields(owner) if groups is not None]
