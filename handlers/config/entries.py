"""Entries of a config, the tables of types that entries name, and errors that give the path in the config."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from lehr.handlers.schedules.arguments import shown

from .argument_validators import Check, at_least_one, numbers, one_of

# Each argument has a check, or a pair of a check and a default value. The value None is legal if it is the default
# value.
Arguments = Mapping[str, Check | tuple[Check, Any]]


@dataclass(frozen=True)
class Entry:
    """One mapping of a config.

    Args:
        where: the path to the mapping, for errors, such as ``config['schedulers'][1]``.
        type: the name of the type, with the prefix of its library; empty for a list of schedulers.
        values: the other keys of the mapping and their values.
    """

    where: str
    type: str
    values: Mapping[str, Any]

    def without(self, *keys: str) -> "Entry":
        """Return a copy of the entry without some of its keys."""
        return Entry(self.where, self.type, {key: value for key, value in self.values.items() if key not in keys})


@dataclass(frozen=True)
class Recognition:
    """Rules that find the type of a training config if the config does not name the type.

    Such a config also has keys about other parts of training, which are not arguments of the type. Its keys may have
    dashes.

    Args:
        flag: the key by which the config is recognised, such as ``lr_scheduler_type``. If empty, there is no such key.
        is_flag: a function that returns whether a value of ``flag`` shows that the config is of this type.
        shown_by: if the dialect is known, one of these keys is enough to recognise the config.
        words: words in the names of keys about the schedule. If a key contains one of these words and is not an
            argument, it is an error.
        all_keys: whether all keys of such a config are arguments.
        foreign: a mapping from keys about the schedule that are not arguments to advice, which the error shows.
        section: the key of the section of this type in a training config. If empty, there is no such section.
        beside: if there is a ``section``, the paths of keys that a config of this library has beside the section. If
            there is a ``flag``, keys of which at least one must stand beside the flag.
        parts: for each argument that is a mapping, the keys of the mapping that are used. Other keys are ignored.
    """

    flag: str = ""
    is_flag: Callable[[Any], bool] = lambda value: True
    shown_by: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    all_keys: bool = False
    foreign: Mapping[str, str] = field(default_factory=dict)
    section: str = ""
    beside: tuple[str, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class EntryType:
    """One type that an entry may name, which is a row in the table of its library.

    Args:
        description: one line that says how the value changes.
        arguments: the check and the default value of each argument.
        build: a function that makes the result, usually an ``EntrySchedule``, from a context and an object. The
            attributes of the object are the checked arguments and ``where``, which is the path to the entry.
        around: a mapping from arguments to paths of keys. If an entry leaves out the argument, the mappings around the
            entry give the argument under one of these keys.
        recognition: how the type is recognised in a training config that names no type.
    """

    description: str
    arguments: Arguments
    build: Callable[..., Any]
    around: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recognition: Recognition = Recognition()


def in_interval(context: Any, entry: Entry) -> tuple[Any, Entry]:
    """Apply Lightning's interval and frequency to the context, and remove the key ``lightning`` from the entry."""
    if "lightning" not in entry.values:
        return context, entry
    given = read_entry(f"{entry.where}['lightning']", entry.values["lightning"], typed=False)
    interval = one_of("step", "epoch")(f"{given.where}['interval']", given.values.get("interval", "epoch"))
    frequency = at_least_one(f"{given.where}['frequency']", given.values.get("frequency", 1))
    events = frequency if interval == "step" else frequency * context.every
    return context.stepping(events), entry.without("lightning")


def build(entry_type: EntryType, entry: Entry, context: Any) -> Any:
    """Check the values of an entry, fill in the default values and build the result.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a key is unknown or missing; a value is out of its range; a list does not have one value for each
            group.
    """
    where, values, arguments = entry.where, entry.values, entry_type.arguments
    checked: dict[str, Any] = {key: one[1] for key, one in arguments.items() if isinstance(one, tuple)}
    for key in values:
        if key not in arguments:
            refuse_key(where, key, arguments)
    refuse_missing(entry, [key for key in arguments if key not in checked and key not in values])
    for key, value in values.items():
        argument = arguments[key]
        check = argument[0] if isinstance(argument, tuple) else argument
        if value is not None or key not in checked or checked[key] is not None:
            checked[key] = located(where, check, f"[{key!r}]", value)
        if check is numbers and type(checked[key]) is tuple:
            groups = len(context.optimizer.param_groups)
            if len(checked[key]) != groups:
                raise ValueError(
                    f"{where}[{key!r}] must have values for {groups} param groups, given {len(checked[key])}"
                )
    return located(where, entry_type.build, context, SimpleNamespace(where=where, **checked))


def read_entry(where: str, value: object, *, typed: bool = True) -> Entry:
    """Read a mapping as an entry.

    Args:
        where: the path to the mapping.
        value: the mapping.
        typed: whether the mapping must have a type.

    Raises:
        TypeError: ``value`` is not a mapping with strings as keys, or its type is not a string.
        ValueError: the type is missing.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a mapping, given {shown(value)}")
    values = dict(value)
    for key in values:
        if not isinstance(key, str):
            raise TypeError(f"{where}: keys must be strings, given {shown(key)}")
    if typed and "type" not in values:
        keys = ", ".join(map(shown, list(values)[:10])) or "nothing"
        raise ValueError(f"{where}: 'type' must be present, as in {{'type': 'torch.StepLR'}}, given {keys}")
    name = values.pop("type", "")
    if not isinstance(name, str):
        raise TypeError(f"{where}['type'] must be a string, given {shown(name)}")
    return Entry(where, name, values)


def nonempty_list(where: str, value: object) -> list[Any]:
    """Check that a value is a list or a tuple that is not empty, and return it as a list.

    Raises:
        TypeError: ``value`` is not a list.
        ValueError: the list is empty.
    """
    if not isinstance(value, list | tuple):
        raise TypeError(f"{where} must be a list of mappings, given {shown(value)}")
    if not value:
        raise ValueError(f"{where} must have at least one mapping in it, given {shown(value)}")
    return list(value)


def read_entries(where: str, value: object) -> list[Entry]:
    """Read a list of mappings as entries.

    Raises:
        TypeError: ``value`` is not a list of mappings.
        ValueError: the list is empty, or a type is missing.
    """
    return [read_entry(f"{where}[{at}]", one) for at, one in enumerate(nonempty_list(where, value))]


def lookup(what: str, name: str, names: Iterable[str]) -> str:
    """Return a name if it is one of the known names.

    Raises:
        ValueError: the name is unknown. The error lists similar names, or all names.

    >>> lookup("type", "StpLR", ["StepLR", "MultiStepLR"])
    Traceback (most recent call last):
    ...
    ValueError: type must be a known name, given 'StpLR'; did you mean 'StepLR' or 'MultiStepLR'?
    """
    names = list(names)
    if name in names:
        return name
    folded = {one.casefold(): one for one in names}
    last = name.rpartition(".")[2].casefold()  # the name may be an import path, which ends with the name of the type
    near = [folded[one] for one in difflib.get_close_matches(last, folded, n=3, cutoff=0.6)]
    hint = (
        f"did you mean {' or '.join(map(repr, near))}?" if near else f"the known names are {', '.join(sorted(names))}"
    )
    raise ValueError(f"{what} must be a known name, given {shown(name)}; {hint}")


def located(where: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function. If it raises an error, put the path in the config in front of the error text."""
    try:
        return function(*args, **kwargs)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        if str(error).startswith(where):
            raise
        error_type = TypeError if isinstance(error, TypeError) else ValueError
        separator = "" if str(error).startswith("[") else ": "
        raise error_type(f"{where}{separator}{error}") from error


def refuse_key(where: str, key: str, names: Iterable[str]) -> None:
    """Raise an error for an unknown key. The error suggests similar names and lists all names."""
    names = list(names)
    near = difflib.get_close_matches(key, names, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(f"{where}[{shown(key)}] is not known{hint} (known: {', '.join(map(repr, names)) or 'none'})")


def refuse_missing(entry: Entry, missing: list[str]) -> None:
    """Raise an error that names the missing arguments, if any."""
    if missing:
        raise ValueError(
            f"{entry.where}: {', '.join(map(repr, missing))} must be present, given {shown(list(entry.values))}"
        )
