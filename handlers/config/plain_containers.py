"""Converts configs made of any mappings and lists, such as those of OmegaConf and mmengine, to dicts and lists."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from lehr.handlers.schedules import arguments

MOST_LEVELS = 50
MOST_VALUES = 1_000_000  # a config may contain this many values
SIMPLE = (str, int, float, bool, type(None), bytes)


class Failed:
    """Replaces a value that its container failed to return, and keeps the text of the error."""

    def __init__(self, error: Exception) -> None:
        text = str(error).partition("\n")[0] or type(error).__name__
        self.text = arguments.shown_text(text)

    def __repr__(self) -> str:
        return self.text


def is_container(value: object) -> bool:
    """Return whether a value can be read as a mapping or as a list."""
    return _is_mapping(value) or _is_sequence(value)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping) or (
        not isinstance(value, type) and hasattr(type(value), "__getitem__") and _has_keys(value)
    )


def _has_keys(value: Any) -> bool:
    try:
        return callable(getattr(value, "keys", None))  # mmengine's Config forwards `keys` to the mapping inside it
    except Exception:
        return False


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def as_containers(where: str, value: Any) -> Any:
    """Return a copy of a config in which each mapping is a dict, and each sequence except tuples is a list.

    If a container raises an error for a value, such as an interpolation to a missing key, the value becomes a
    :class:`Failed`.

    Args:
        where: the path to the config, for errors.
        value: the config.

    Raises:
        ValueError: the config is nested too deeply, or has too many values.

    >>> from types import MappingProxyType
    >>> as_containers("config", MappingProxyType({"milestones": range(3)}))
    {'milestones': [0, 1, 2]}
    """
    made = _Reader(where).read(value, MOST_LEVELS)
    if is_container(made):
        arguments.within_limits(where, made)
    return made


class _Reader:
    """Reads each container once, and counts the values that it has read."""

    def __init__(self, where: str) -> None:
        self.where, self.count = where, 0
        self.read_before: dict[int, tuple[Any, Any]] = {}  # from the id of a container to the container and its copy

    def read(self, value: Any, levels: int) -> Any:
        if isinstance(value, SIMPLE) or not is_container(value):
            return value
        if id(value) in self.read_before:
            return self.read_before[id(value)][1]
        if not levels:
            raise ValueError(f"{self.where} must be nested at most {MOST_LEVELS} deep, given more")
        made: Any
        try:
            items = list(islice(value.keys() if _is_mapping(value) else value, MOST_VALUES + 1 - self.count))
        except Exception as error:  # OmegaConf raises its own errors
            return Failed(error)
        self.count += len(items)
        if self.count > MOST_VALUES:
            raise ValueError(f"{self.where} must have at most {MOST_VALUES} values in it, given more")
        if _is_mapping(value):
            made = {key: self.item(value, key, levels - 1) for key in items}
        else:
            made = [self.read(item, levels - 1) for item in items]
            made = tuple(made) if isinstance(value, tuple) else made
        self.read_before[id(value)] = value, made
        return made

    def item(self, value: Any, key: Any, levels: int) -> Any:
        """Return the value of a key, or a :class:`Failed` if the container raises an error."""
        try:
            item = value[key]
        except Exception as error:
            return Failed(error)
        return self.read(item, levels)
