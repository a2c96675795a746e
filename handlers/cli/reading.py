"""What stands on the command line as data: ``key=value``, and the type or file that it is for."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lehr.handlers.config.files import read_yaml
from lehr.handlers.schedules.arguments import shown

SUFFIXES = (".yaml", ".yml", ".json")


def value_of(text: str) -> Any:
    """A value as YAML has it; as JSON has it, where PyYAML is not installed.

    Raises:
        ValueError: it is not well-formed.

    Example:
        >>> [value_of(text) for text in ("0.1", "1e-3", "[30, 60]", "true", "null", "triangular2")]
        [0.1, 0.001, [30, 60], True, None, 'triangular2']
    """
    try:
        return read_yaml(text)
    except ImportError:
        return _value_of_json(text)


def _value_of_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith(("[", "{", '"')):
            raise ValueError(f"not well-formed: {error}") from error
        return text


def pairs_of(what: str, given: Iterable[str]) -> dict[str, Any]:
    """``key=value``, as often as it is given, as a mapping.

    Args:
        what: what errors call them.
        given: the texts.

    Raises:
        ValueError: one is something else, or a key is given twice.

    Example:
        >>> pairs_of("arguments", ["step_size=30", "gamma=0.5"])
        {'step_size': 30, 'gamma': 0.5}
    """
    pairs: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier() or not value.strip():
            raise ValueError(f"{what} must be key=value, such as gamma=0.5, given {shown(text)}")
        if key in pairs:
            raise ValueError(f"{what} must have each key once, given {key!r} twice")
        try:
            pairs[key] = value_of(value)
        except ValueError as error:
            raise ValueError(
                f"{key} must be a value as in YAML, given {shown(value)}, which is not well-formed"
            ) from error
    return pairs


def config_of(source: str, given: Iterable[str] = ()) -> dict[str, Any] | Path:
    """What :func:`configure_scheduler` takes, of a type and its arguments, or of a file.

    Raises:
        ValueError: an argument is no ``key=value``, or stands beside a file.
    """
    given = list(given)
    if source.lower().endswith(SUFFIXES) or os.sep in source:
        if given:
            raise ValueError(f"arguments must stand in the file, where there is one, given {shown(given[0])} beside it")
        return Path(source)
    arguments = pairs_of("arguments", given)
    if "type" in arguments:
        raise ValueError(f"type must be given once, given {source!r} and {arguments['type']!r}")
    return {"type": source, **arguments}
