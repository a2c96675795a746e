"""Checks of arguments in a config. Each check takes a name and a value, and returns the value or raises an error."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from lehr.handlers.schedules import arguments

Check = Callable[[str, Any], Any]

number = arguments.number
positive = partial(arguments.number, above=0)
not_negative = partial(arguments.number, at_least=0)
fraction = partial(arguments.number, at_least=0, at_most=1)
positive_fraction = partial(arguments.number, above=0, at_most=1)
count = partial(arguments.whole_number, at_least=0)
at_least_one = partial(arguments.whole_number, at_least=1)
numbers = arguments.number_or_numbers  # one number, or a list with one number for each param group
flag = arguments.flag


def _list_of(name: str, value: object, *, check: Check, what: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list of {what}, given {arguments.shown(value)}")
    return [check(f"{name}[{at}]", item) for at, item in enumerate(value)]


list_of_numbers = partial(_list_of, check=number, what="numbers")
milestones = partial(_list_of, check=count, what="whole numbers")


def one_of(*options: str) -> Check:
    """Return a check that a value is one of some strings."""
    return partial(arguments.one_of, options=options)


def text(name: str, value: object) -> str:
    """Check that a value is a string."""
    return arguments.instance(name, value, str, "a string")  # type: ignore[no-any-return]


def function(name: str, value: object) -> Callable[[int], float]:
    """Check that a value is a function. A file cannot contain a function, so only a config made in Python passes."""
    return arguments.function(name, value, "a function, which only a config made in Python can have")  # type: ignore[no-any-return]


def functions(name: str, value: object) -> Any:
    """Check that a value is a function, or a list with one function for each param group."""
    if isinstance(value, list | tuple):
        return [function(f"{name}[{at}]", item) for at, item in enumerate(value)]
    return function(name, value)


def unchecked(name: str, value: object) -> Any:
    """Accept any value, because the schedule checks it later."""
    return value


def without_effect(name: str, value: object) -> Any:
    """Accept any value of a key that has no effect on the schedule. The documentation has a table of these keys."""
    return value


def minus_one(name: str, value: object) -> Literal[-1]:
    """Check that the last epoch in a config is -1, the default, because a config cannot resume a run."""
    if not isinstance(value, int) or value != -1:
        raise ValueError(
            f"{name} must be -1: use seek() or load_state_dict() to resume a run, given {arguments.shown(value)}"
        )
    return -1
