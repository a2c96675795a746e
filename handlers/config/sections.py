"""Finds the schedulers in a whole training config, and the length of its run."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from lehr.handlers.schedules import RunLength, arguments

from . import run_length_arguments
from .dialects import TYPES
from .entries_of_other_tools import LIGHTNING, SPELLINGS, flagged_type, has_name, is_known, plain
from .run_length_arguments import UNKNOWN

MOST_LEVELS, MOST_SECTIONS = 20, 100
# A training file has the numbers of a `RunLength` in a mapping with one of these names, or beside mmcv's `lr_config`.
RUN_OF_FILE = {
    "train_cfg": {"max_epochs": "max_epochs", "max_iters": "total_steps"},
    "runner": {"max_epochs": "max_epochs", "max_iters": "total_steps"},
}
BESIDE_LR_CONFIG = {"total_epochs": "max_epochs", "total_iters": "total_steps"}

# Sections with these keys have schedules, but these schedules do not change the optimizer.
OTHER_SECTIONS = ("sparsity",)

# The types that sections without a key for the type may have. Each item is the prefix, the name and the row of a type.
SECTIONS = [
    (prefix, name, row) for prefix, rows in TYPES.items() for name, row in rows.items() if row.recognition.section
]


def find_section(where: str, config: Any, section: str | None, dialect: str | None) -> tuple[str, Any, list[Any]]:
    """Return the path to a config's schedulers, the value at this path, and the mappings around the value.

    The innermost mapping comes first.

    Args:
        where: the path to the config, for errors.
        config: an entry, a list of entries, or a mapping that contains entries at any depth.
        section: keys and indices, separated by dots, that lead to the schedulers; None to search for entries.
        dialect: the library to which names without a prefix belong.

    Raises:
        TypeError: ``section`` is not a string.
        ValueError: there is no section with this name; or several sections have schedulers and ``section`` is None.
    """
    if section is not None:
        if not isinstance(section, str):
            raise TypeError(f"section must be a string, given {arguments.shown(section)}")
        return _at_path(where, config, section, dialect)
    if (
        not isinstance(config, dict)
        or (({*SPELLINGS, "schedulers"} - {"_CLASS_"}) & {*config.keys()} and not _is_optimizer(config))
        or _is_entry(config, dialect)
    ):
        return where, config, []
    found = list(islice(_entries_in(where, config, "", dialect, [], MOST_LEVELS), MOST_SECTIONS + 1))
    if len(found) > 1:
        count = len(found) if len(found) <= MOST_SECTIONS else f"more than {MOST_SECTIONS}"
        raise ValueError(
            f"{where} has schedulers in {count} sections: set section= to one of "
            f"{arguments.shown_names(one[0] for one in found)}"
        )
    return (found[0][1], found[0][2], found[0][3]) if found else (where, config, [])


def run_of_file(config: Any) -> RunLength:
    """Return the length of the run from a config of mmengine or mmcv. For any other config, the length is unknown."""
    if not isinstance(config, dict):
        return UNKNOWN
    places = [(config.get(name), keys) for name, keys in RUN_OF_FILE.items()]
    if isinstance(config.get("lr_config"), dict):
        places.append((config, BESIDE_LR_CONFIG))
    for mapping, keys in places:
        values = {key: mapping.get(name) for name, key in keys.items()} if isinstance(mapping, dict) else {}
        given = {key: value for key, value in values.items() if type(value) is int and value > 0}
        if given:
            return run_length_arguments.checked("", given)
    return UNKNOWN


def _at_path(where: str, config: Any, section: str, dialect: str | None) -> tuple[str, Any, list[Any]]:
    around: list[Any] = []
    for key in section.split("."):
        around = [config, *around]
        if isinstance(config, dict) and key in list(config.keys()):
            where, config = f"{where}[{key!r}]", config[key]
        elif isinstance(config, list | tuple) and key.isdecimal() and int(key) < len(config):
            where, config = f"{where}[{key}]", config[int(key)]
        else:
            known = arguments.shown_names(map(str, config.keys())) if isinstance(config, dict) else "no keys"
            raise ValueError(
                f"section must lead to a part of {where}, which has {known}, given {arguments.shown(section)}"
            )
    return where, _of_section(section.rpartition(".")[2], config, around, dialect), around


def _of_section(key: str, value: Any, around: list[Any], dialect: str | None) -> Any:
    """Return a section as an entry with its type, if the key of the section and the keys beside it show the type.

    Return any other section unchanged.
    """
    keys = list(value.keys()) if isinstance(value, dict) else []
    for prefix, name, row in SECTIONS:
        is_shown = dialect == prefix or all(
            _value_at(one, path) is not None for one in around[:1] for path in row.recognition.beside
        )
        if (
            key == row.recognition.section
            and isinstance(value, dict)
            and is_shown
            and around
            and not {*SPELLINGS} & {*keys}
        ):
            # Keys of the section that are not about the schedule are left out.
            taken = [
                one
                for one in keys
                if row.recognition.all_keys or one in row.arguments or "warmup" in one or "lr" in one
            ]
            return {"type": f"{prefix}.{name}", **{one: value[one] for one in taken}}
    return value


def completed(config: Any, around: list[Any]) -> Any:
    """Add to the entries of a plain config the arguments that the mappings around the config give.

    Args:
        config: an entry, or a list of entries.
        around: the mappings around the config, the innermost first.
    """
    if isinstance(config, list | tuple):
        return type(config)(completed(one, around) for one in config)
    prefix, _, name = str(config.get("type")).rpartition(".") if isinstance(config, Mapping) else ("", "", "")
    if name not in TYPES.get(prefix, {}):
        return config
    row, made = TYPES[prefix][name], dict(config)
    for argument, paths in row.around.items():
        places = [(mapping, path) for mapping in around for path in paths]
        found = (plain(path, _value_at(mapping, path), None) for mapping, path in places)
        given = next((value for value in found if value is not None), None)
        if made.get(argument) is None and given is not None:
            made[argument] = given
    return made


def _value_at(mapping: Any, path: str) -> Any:
    for key in path.split("."):
        mapping = mapping.get(key) if isinstance(mapping, dict) else None
    return mapping


def _is_optimizer(config: dict[Any, Any]) -> bool:
    """Return whether a mapping is an optimizer of Keras or optax whose learning rate is a schedule."""
    of_optax = str(config.get("_target_")).startswith("optax.")
    values = config if of_optax else config.get("config") if "class_name" in config else None
    return isinstance(values, dict) and any(isinstance(values.get(key), dict) for key in ("learning_rate", "lr"))


def _is_entry(value: Any, dialect: str | None) -> bool:
    """Return whether a value is an entry with a known type, in any notation."""
    if not isinstance(value, dict):
        return False
    keys = list(value.keys())
    named = [value.get(key) for key in SPELLINGS if key in keys]
    if named and is_known(named[0], dialect):
        return True
    if not named and has_name(value, dialect):
        return True
    if len(keys) == 1 and is_known(keys[0], dialect):
        inner = value.get(keys[0])
        return inner is None or isinstance(inner, dict)
    if flagged_type(keys, value.get, dialect) is not None:
        return True
    return "scheduler" in keys and set(keys) <= set(LIGHTNING) and _is_entry(value.get("scheduler"), dialect)


def _entries_in(
    where: str, value: Any, path: str, dialect: str | None, around: list[Any], levels: int
) -> Iterator[tuple[str, str, Any, list[Any]]]:
    """Yield the section, the path, the value and the mappings around it of each outermost entry or list of entries."""
    value = _of_section(path.rpartition(".")[2], value, around, dialect)
    if not isinstance(value, dict | list | tuple):
        return
    keys: Any = list(value) if isinstance(value, dict) else range(len(value))
    is_list = not isinstance(value, dict) and bool(keys) and all(_is_entry(one, dialect) for one in value)
    if is_list or _is_entry(value, dialect):
        yield path, where, value, around
    elif levels:
        for key in keys:
            if key in OTHER_SECTIONS:
                continue
            inner = f"{path}.{key}" if path else str(key)
            place = f"{where}[{arguments.shown(key)}]"
            yield from _entries_in(place, value[key], inner, dialect, [value, *around], levels - 1)
