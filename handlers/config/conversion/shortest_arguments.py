"""Shortens the arguments of an entry of a config. Whole numbers become ints, and default values are left out."""

from typing import Any


def shortest(value: float) -> int | float:
    """Return a number as an int if it has no fraction."""
    return int(value) if float(value).is_integer() else value


def unless(name: str, value: Any, default: Any) -> dict[str, Any]:
    """Return a mapping of one argument, or an empty mapping if the value is the default value."""
    return {} if value == default else {name: value}
