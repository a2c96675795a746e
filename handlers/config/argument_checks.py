"""The kinds of values that a config may have, each a function of name and value that gives the value or raises."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from lehr.handlers.schedules import arguments


def number(name: str, value: object) -> float:
    """A finite number."""
    return arguments.number(name, value)


def positive(name: str, value: object) -> float:
    """A number above 0."""
    return arguments.number(name, value, above=0)


def not_negative(name: str, value: object) -> float:
    """A number of at least 0."""
    return arguments.number(name, value, at_least=0)


def fraction(name: str, value: object) -> float:
    """A number from 0 to 1."""
    return arguments.number(name, value, at_least=0, at_most=1)


def count(name: str, value: object) -> int:
    """A whole number of at least 0."""
    return arguments.whole_number(name, value, at_least=0)


def at_least_one(name: str, value: object) -> int:
    """A whole number of at least 1."""
    return arguments.whole_number(name, value, at_least=1)


def numbers(name: str, value: object) -> arguments.Number:
    """A number, or a list with one for each param group."""
    return arguments.number_or_numbers(name, value)


def list_of_numbers(name: str, value: object) -> list[float]:
    """A list of numbers, possibly none."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list of numbers, given {value!r}")
    return [arguments.number(f"{name}[{at}]", one) for at, one in enumerate(value)]


def milestones(name: str, value: object) -> list[int]:
    """A list of whole numbers of at least 0, in any order."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list of whole numbers, given {value!r}")
    return [arguments.whole_number(f"{name}[{at}]", one, at_least=0) for at, one in enumerate(value)]


def flag(name: str, value: object) -> bool:
    """True or False."""
    return arguments.flag(name, value)


def text(name: str, value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, given {value!r}")
    return value


def function(name: str, value: object) -> Callable[[int], float]:
    """A function, which only a mapping made in Python can have."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} must be a function, which only a config made in Python can have, given {value!r}")
    return value


def functions(name: str, value: object) -> Any:
    """A function, or a list with one for each param group."""
    if isinstance(value, list | tuple):
        return [function(f"{name}[{at}]", one) for at, one in enumerate(value)]
    return function(name, value)


def anything(name: str, value: object) -> Any:
    """Whatever it is: for what is looked into elsewhere."""
    return value


def begins_anew(name: str, value: object) -> Literal[-1]:
    """-1: where to go on from is for ``seek`` or ``load_state_dict`` to say, not for a config."""
    if not isinstance(value, int) or value != -1:
        raise ValueError(f"{name} must be -1: use seek() or load_state_dict() to go on elsewhere, given {value!r}")
    return -1


Real = Annotated[float, number]
Positive = Annotated[float, positive]
NotNegative = Annotated[float, not_negative]
Fraction = Annotated[float, fraction]
Count = Annotated[int, count]
AtLeastOne = Annotated[int, at_least_one]
Numbers = Annotated[arguments.Number, numbers]
ListOfNumbers = Annotated[list[float], list_of_numbers]
Milestones = Annotated[list[int], milestones]
Flag = Annotated[bool, flag]
Text = Annotated[str, text]
Function = Annotated[Any, function]
Functions = Annotated[Any, functions]
Anything = Annotated[Any, anything]
LastStep = Annotated[int, begins_anew]
