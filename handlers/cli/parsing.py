"""Parses the arguments of a command: values, ``key=value`` pairs, and the type or file of a schedule."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lehr.handlers.config.files import read_yaml
from lehr.handlers.schedules.arguments import shown

SUFFIXES = (".yaml", ".yml", ".json", ".py")


def value_of(text: str) -> Any:
    """Return the value of a text in YAML, or in JSON if PyYAML is not installed.

    Raises:
        ValueError: the text is not well-formed.

    Example:
        >>> [value_of(text) for text in ("0.1", "1e-3", "[30, 60]", "true", "null", "triangular2")]
        [0.1, 0.001, [30, 60], True, None, 'triangular2']
    """
    try:
        return read_yaml(text)
    except ImportError:
        pass
    try:
        return json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith(("[", "{", '"')):
            raise ValueError(f"not well-formed: {error}") from error
        return text


def pairs_of(name: str, given: Iterable[str]) -> dict[str, Any]:
    """Return a dictionary of the keys and values in texts such as ``key=value``.

    Args:
        name: the name of the option, for errors.
        given: the texts.

    Raises:
        ValueError: a text is not ``key=value``, or two texts have the same key.

    Example:
        >>> pairs_of("arguments", ["step_size=30", "gamma=0.5"])
        {'step_size': 30, 'gamma': 0.5}
    """
    pairs: dict[str, Any] = {}
    for text in given:
        key, _, value = text.partition("=")
        if not key.isidentifier() or not value.strip():
            raise ValueError(f"{name} must be key=value, such as gamma=0.5, given {shown(text)}")
        if key in pairs:
            raise ValueError(f"{name} must have each key once, given {key!r} twice")
        try:
            pairs[key] = value_of(value)
        except ValueError as error:
            rule = "must be a value as in YAML"
            raise ValueError(f"{key} {rule}, given {shown(value)}, which is not well-formed") from error
    return pairs


def config_of(source: str, given: Iterable[str] = ()) -> dict[str, Any] | Path:
    """Return the config for ``configure_scheduler``: a type with its arguments, or the path of a file.

    Raises:
        ValueError: an argument is not ``key=value``; there are arguments beside a file.
    """
    given = list(given)
    if source.lower().endswith(SUFFIXES) or os.sep in source:
        if given:
            raise ValueError(f"arguments must be in the file, given {shown(given[0])} beside the file")
        return Path(source)
    arguments = pairs_of("arguments", given)
    if "type" in arguments:
        raise ValueError(f"type must occur once, given {shown(source)} and {shown(arguments['type'])}")
    return {"type": source, **arguments}
