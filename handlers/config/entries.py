"""Entries of a config: where each stands, what is in it, and errors that say so."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints


@dataclass(frozen=True)
class Entry:
    """One mapping of a config.

    Args:
        where: how to find it: the file, and the list indices and keys that lead to it.
        given: what is in it.
        from_file: whether it was read from a file, in which nothing can be called.
    """

    where: str
    given: Mapping[str, Any]
    from_file: bool

    @property
    def type(self) -> str:
        """The name of its type, with its prefix.

        Raises:
            TypeError: it is no string.
            ValueError: there is none.
        """
        if "type" not in self.given:
            keys = ", ".join(map(repr, self.given)) or "nothing"
            raise ValueError(f"{self.where}: 'type' must be given, as in {{'type': 'torch.StepLR'}}, given {keys}")
        if not isinstance(self.given["type"], str):
            raise TypeError(f"{self.where}['type'] must be a string, given {self.given['type']!r}")
        return str(self.given["type"])

    def inner(self, key: str, value: object) -> "Entry":
        """A mapping that stands in this one.

        Raises:
            TypeError: it is none.
        """
        return entry(f"{self.where}[{key!r}]", value, from_file=self.from_file)

    def only(self, *keys: str) -> "Entry":
        """The same with no more than some of its keys."""
        return Entry(self.where, {key: value for key, value in self.given.items() if key in keys}, self.from_file)

    def without(self, *keys: str) -> "Entry":
        """The same without some of its keys."""
        return Entry(self.where, {key: value for key, value in self.given.items() if key not in keys}, self.from_file)


def entry(where: str, value: object, *, from_file: bool) -> Entry:
    """A mapping with strings for keys, as an entry.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a mapping, given {value!r}")
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"{where}: keys must be strings, given {key!r}")
    return Entry(where, dict(value), from_file)


def entries(where: str, value: object, *, from_file: bool) -> list[Entry]:
    """A list of mappings, as entries.

    Raises:
        TypeError: it is something else.
        ValueError: it is empty.
    """
    if not isinstance(value, list | tuple):
        raise TypeError(f"{where} must be a list of mappings, given {value!r}")
    if not value:
        raise ValueError(f"{where} must have at least one mapping in it, given {value!r}")
    return [entry(f"{where}[{at}]", one, from_file=from_file) for at, one in enumerate(value)]


def lookup(what: str, name: str, table: Iterable[str]) -> str:
    """A name, if it stands in a table.

    Raises:
        ValueError: it does not; the error says what comes near, or all there are.

    >>> lookup("type", "StpLR", ["StepLR", "MultiStepLR"])
    Traceback (most recent call last):
    ...
    ValueError: type must be a known one, given 'StpLR'; did you mean 'StepLR' or 'MultiStepLR'?
    """
    names = list(table)
    if name in names:
        return name
    folded = {one.casefold(): one for one in names}
    last = name.rpartition(".")[2].casefold()  # an import path has the name at its end
    near = [folded[one] for one in difflib.get_close_matches(last, folded, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(sorted(names))}"
    raise ValueError(f"{what} must be a known one, given {name!r}; {hint}")


def call(builder: Callable[..., Any], given: Entry, *args: Any) -> Any:
    """Call what makes something of an entry with the entry's keys as its arguments, each checked before.

    A builder's arguments are annotated with what checks them: a function of name and value.

    Args:
        builder: a function of ``args``, and then of the keys of an entry.
        given: the entry, without its type.
        args: what comes before the keys.

    Raises:
        TypeError: a key has a value of the wrong kind.
        ValueError: a key is unknown, or missing, or its value is out of its range.
    """
    signature = inspect.signature(builder)
    names = list(signature.parameters)[len(args) :]
    hints = get_type_hints(builder, include_extras=True)
    for key in given.given:
        if key not in names:
            refuse_key(given.where, key, names)
    missing = [n for n in names if signature.parameters[n].default is inspect.Parameter.empty and n not in given.given]
    if missing:
        raise ValueError(f"{given.where}: {', '.join(map(repr, missing))} must be given, given {list(given.given)}")
    checked: dict[str, Any] = {}
    for key, value in given.given.items():
        refuse_callable(given, key, value)
        if value is None and signature.parameters[key].default is None:
            checked[key] = None
        else:
            checked[key] = located(given.where, _check_of(hints[key]), f"[{key!r}]", value)
    return located(given.where, builder, *args, **checked)


def _check_of(hint: Any) -> Callable[[str, object], Any]:
    """The function that an annotation names, be it for a value or for one that may be None."""
    if hasattr(hint, "__metadata__"):
        return hint.__metadata__[-1]  # type: ignore[no-any-return]
    return next(_check_of(one) for one in get_args(hint) if one is not type(None))


def located(where: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call something, and have its errors say where in the config they come from."""
    try:
        return function(*args, **kwargs)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        if str(error).startswith(where):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        separator = "" if str(error).startswith("[") else ": "
        raise kind(f"{where}{separator if where else ''}{error}") from error


def refuse_key(where: str, key: str, names: Iterable[str]) -> None:
    """Raise for a key that is unknown."""
    names = list(names)
    near = difflib.get_close_matches(key, names, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(f"{where}[{key!r}] is not known there{hint} (known: {', '.join(map(repr, names)) or 'none'})")


def refuse_callable(given: Entry, key: str, value: object) -> None:
    """Raise for something in a file's entry that can be called; a safe loader should not have let it in."""
    if given.from_file and callable(value):
        raise TypeError(f"{given.where}[{key!r}] must be data, given {value!r}")
