"""Finds the library of entries whose types have no prefix, which is the library with these types and arguments."""

from collections.abc import Iterator, Mapping
from typing import Any

from lehr.handlers.schedules import arguments

from .dialects import TYPES
from .dialects.lehr import SCHEDULERS
from .entries_of_other_tools import plain

# Keys that any entry may have.
OF_ALL = ("duration", "lightning", "metric_name", "param_name", "save_history", "sequential", "type")


def plain_config(where: str, config: Any, dialect: str | None) -> Any:
    """Return a config as plain data, in which each type has the prefix of its library; see :func:`plain`."""
    made = plain(where, config, dialect)
    found = None if dialect is not None else recognised_dialect(where, made)
    return made if found is None else plain(where, made, found)


def recognised_dialect(where: str, config: Any) -> str | None:
    """Return the library that has all types without a prefix and their arguments, or None if there is no such library.

    If no library has all the arguments, but exactly one library has all the types and an argument of each, return that
    library, because its error names the unknown argument.

    Args:
        where: the path to the config, for errors.
        config: a plain config.

    Raises:
        ValueError: several libraries have all types with their arguments.
    """
    unknown = list(_entries_without_prefix(config))
    found = [dialect for dialect in TYPES if unknown and all(_fits(dialect, entry) for entry in unknown)]
    if not found:
        named = [one for one in TYPES if unknown and all(_shares_arguments(one, entry) for entry in unknown)]
        return named[0] if len(named) == 1 else None
    if len(found) > 1:  # values may decide: times are strings in one library, and numbers in another
        found = [one for one in found if all(_accepts(one, entry) for entry in unknown)] or found
    if len(found) > 1:
        names = list(dict.fromkeys(entry["type"] for entry in unknown))
        raise ValueError(
            f"{where}: {arguments.shown_names(names)} may belong to {' or '.join(found)}: pass dialect={found[0]!r} to "
            f"configure_scheduler, or write {f'{found[0]}.{names[0]}'!r}"
        )
    return found[0]


def _entries_without_prefix(config: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of other libraries whose types have no prefix, at any depth."""
    if isinstance(config, list | tuple):
        for one in config:
            yield from _entries_without_prefix(one)
    elif isinstance(config, Mapping):
        name = config.get("type")
        if isinstance(name, str) and "." not in name and name not in SCHEDULERS:
            yield config
        for key in ("schedulers", "scheduler"):
            yield from _entries_without_prefix(config.get(key))


def _accepts(dialect: str, entry: Mapping[str, Any]) -> bool:
    """Return whether the values of an entry pass the checks of a library."""
    row = TYPES[dialect][entry["type"]].arguments
    try:
        for key, check in row.items():
            if entry.get(key) is not None:
                (check[0] if isinstance(check, tuple) else check)(key, entry[key])
    except (TypeError, ValueError):
        return False
    return True


def _shares_arguments(dialect: str, entry: Mapping[str, Any]) -> bool:
    """Return whether a library has the type of an entry and at least one of its arguments."""
    row = TYPES[dialect].get(entry["type"])
    return row is not None and not row.arguments.keys().isdisjoint(entry)


def _fits(dialect: str, entry: Mapping[str, Any]) -> bool:
    """Return whether a library has the type of an entry, and the type accepts its arguments and requires no others."""
    row = TYPES[dialect].get(entry["type"])
    if row is None:
        return False
    required = {key for key, one in row.arguments.items() if not isinstance(one, tuple)}
    return required <= set(entry) <= {*row.arguments, *OF_ALL}
