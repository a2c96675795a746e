"""Functions that convert a history to plain data and back. The values of a column become one text."""

import binascii
import sys
from array import array
from collections.abc import Mapping
from typing import Any

from .values_in_errors import shown

VERSION = 1  # the version of the state of a history; states of version 0 have no entry "version"
COLUMN = ("values", "runs", "stride", "left_out")  # the entries of the state of a column


def text_of(values: "array[float]") -> str:
    """Return float64 values as a text: the base 64 of their bytes, with the least significant byte first.

    ``torch.load(weights_only=True)``, JSON and distributed checkpoints accept the text as plain data. The text has
    10.7 characters for each value, and contains every bit, even of infinities and NaNs.

    >>> text_of(array("d", [1.0, 0.1]))
    'AAAAAAAA8D+amZmZmZm5Pw=='
    """
    return binascii.b2a_base64(_in_order(values[:]).tobytes(), newline=False).decode("ascii")


def values_of(saved: Any) -> "array[float]":
    """Return the float64 values of a text, or of a list, which older versions saved.

    Raises:
        ValueError: ``saved`` is neither a text of :func:`text_of` nor a list of floats.

    >>> values_of("AAAAAAAA8D+amZmZmZm5Pw==")
    array('d', [1.0, 0.1])
    """
    if not isinstance(saved, str):
        require(is_list_of(float, saved), "values must be a text or floats")
        return array("d", saved)
    try:
        data = binascii.a2b_base64(saved, strict_mode=True)
    except ValueError:  # binascii.Error is a ValueError; a text that is not ASCII raises a ValueError, too
        data = b"no"
    require(len(data) % 8 == 0, "the text of values must be the base 64 of doubles")
    values = array("d")
    values.frombytes(data)
    return _in_order(values)


def _in_order(values: "array[float]") -> "array[float]":
    if sys.byteorder == "big":
        values.byteswap()
    return values


def state_of_columns(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the state of a history, from the states of its columns.

    The names of the columns are values and not keys, because a distributed checkpoint loads only keys that the new
    history already has.
    """
    rows = [[name, *(state[entry] for entry in COLUMN)] for name, state in columns.items()]
    return {"version": VERSION, "columns": rows}


def columns_of_state(state: Any) -> dict[str, Any]:
    """Return the state of each column by its name. The state of the history may come from an earlier version.

    Raises:
        TypeError: ``state`` is not a mapping, or a name is not a string.
        ValueError: ``state`` is not the state of a history, or a later version saved it.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state_dict must be a mapping, given one {type(state).__name__}")
    if isinstance(state.get("version", {}), Mapping):  # version 0 saved the state of each column under its name
        columns = list(state.items())
    else:
        version, rows = state["version"], state.get("columns")
        if type(version) is not int or not 1 <= version <= VERSION:
            raise ValueError(
                f"the version of the state of a history must be {VERSION} or less, given {shown(version)}; "
                "a later version of lehr saved this state"
            )
        is_whole = set(state) == {"version", "columns"} and isinstance(rows, list | tuple)
        if not is_whole or not all(isinstance(row, list | tuple) and len(row) == 1 + len(COLUMN) for row in rows):  # type: ignore[union-attr]
            raise ValueError(f"not the state of a history: columns must be lists of a name, {', '.join(COLUMN)}")
        columns = [(row[0], dict(zip(COLUMN, row[1:], strict=True))) for row in rows]  # type: ignore[union-attr]
    for name, _ in columns:
        if not isinstance(name, str):
            raise TypeError(f"not the state of a history: names must be strings, given one {type(name).__name__}")
    by_name = dict(columns)
    if len(by_name) < len(columns):
        raise ValueError(f"not the state of a history: names must differ, given {len(columns)} columns")
    return by_name


def is_list_of(item_type: type, values: Any) -> bool:
    """Return whether an object is a list or tuple of objects whose class is exactly ``item_type``."""
    return isinstance(values, list | tuple) and all(type(value) is item_type for value in values)


def require(condition: bool, rule: str) -> None:
    """Raise an error that shows ``rule`` if ``condition`` is False."""
    if not condition:
        raise ValueError(f"not the state of a history column: {rule}")
