"""Functions that find a parameter by its name, such as ``"lr"`` or ``"betas[0]"``, in param groups."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from lehr.engine.type_checks_without_import import is_tensor
from lehr.handlers.schedules import arguments

from .group_selection import Group


def find_entry(param_name: str, groups: list[Group]) -> tuple[str, int | None]:
    """Return the key of a parameter's entry in all groups, and the parameter's index if the entry is a tuple.

    For example, return ``("lr", None)`` for ``"lr"``, and ``("betas", 0)`` for ``"betas[0]"``.

    Raises:
        ValueError: a group has no number of this name.
    """
    if {type(group.get(param_name)) for group in groups} == {float}:  # the usual case, which is fast to check
        return param_name, None
    for name in (param_name, "betas[0]") if param_name == "momentum" else (param_name,):
        entries = [_entry_of(name, group) for group in groups]
        if entries and entries[0] is not None and None not in entries:
            return entries[0]
    known = [_numbers_in(group) for group in groups]
    names = [name for name in (known[0] if known else ()) if all(name in others for others in known)]
    near = difflib.get_close_matches(param_name, names, n=1)
    raise ValueError(
        f"param_name must be one of {arguments.shown_names(sorted(names)) or '(the optimizer has none)'}, "
        f"given {arguments.shown(param_name, 100)}"
        + (f"; did you mean {arguments.shown(near[0])}?" if near else _no_number(param_name, groups))
    )


def _no_number(param_name: str, groups: list[Group]) -> str:
    """Return the end of an error text if the entry of this name is not a number in a group; otherwise ``""``."""
    for at, group in enumerate(groups):
        if param_name in group and param_name != "params" and not _is_number(group[param_name]):
            given = arguments.shown(group[param_name])[:100]
            return (
                "; its value must be a float or a floating-point tensor of one number, "
                f"given {given} in param group {at}"
            )
    return ""


def _entry_of(name: str, group: Group) -> tuple[str, int | None] | None:
    """Return the entry and the index of a numeric parameter in one group; None if the group has no such parameter."""
    if name in group and _is_number(group[name]):
        return name, None
    key = name.rpartition("[")[0]
    for item, number in enumerate(_items(key, group.get(key))):
        if name == f"{key}[{item}]" and _is_number(number):
            return key, item
    return None


def _numbers_in(group: Group) -> list[str]:
    """Return the names of a group's numeric parameters."""
    names = []
    for key, value in group.items():
        if _is_number(value):
            names.append(key)
        names += [f"{key}[{item}]" for item, number in enumerate(_items(key, value)) if _is_number(number)]
    return names


def _items(key: str, value: object) -> Sequence[Any]:
    """Return the items of an entry that is a tuple, such as ``betas``; an empty tuple for any other entry."""
    return value if isinstance(value, tuple | list) and key != "params" else ()


def _is_number(value: object) -> bool:
    if is_tensor(value):
        return value.is_floating_point() and value.numel() == 1
    return isinstance(value, arguments.REAL) and not isinstance(value, bool)


def numbers_of(groups: Iterable[Group], key: str, item: int | None) -> list[Any]:
    """Return the number or tensor that each group holds in an entry, or in an item of this entry.

    Raises:
        ValueError: a group does not have the entry.
    """
    try:
        if item is None:
            return [group[key] for group in groups]
        return [group[key][item] for group in groups]
    except KeyError as missing:
        raise ValueError(f"every param group must have {missing}, given a group without it") from None
