"""Arguments as an entry of a config has them."""

from typing import Any


def shortest(value: float) -> int | float:
    """A number without a fraction as an int."""
    return int(value) if float(value).is_integer() else value


def unless(name: str, value: Any, default: Any) -> dict[str, Any]:
    """An argument, left out where it has its default value."""
    return {} if value == default else {name: value}
