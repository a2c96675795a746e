"""Converts the notations of other tools to lehr's notation, which is a mapping with ``type`` and arguments."""

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from lehr.handlers.schedules import arguments

from .argument_validators import at_least_one, one_of
from .dialects import TYPES, keras
from .dialects.lehr import SCHEDULERS, arguments_of
from .entries import EntryType, Recognition, refuse_key
from .plain_containers import MOST_LEVELS, Failed
from .python_files import Unreadable
from .run_length_arguments import KEYS


@dataclass(frozen=True)
class Spelling:
    """How a tool writes an entry as a mapping.

    Args:
        arguments: keys whose value is a mapping of the arguments. If the entry has none of these keys, the arguments
            stand beside the type.
        ignored: keys that tell the tool how to construct the object.
    """

    arguments: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


# Each key of this table is a key under which a tool writes the name of the type.
SPELLINGS = {
    "type": Spelling(("args", "kwargs", "params")),
    "_target_": Spelling(ignored=("_partial_", "_convert_", "_recursive_")),  # Hydra uses this key
    "class_path": Spelling(("init_args", "dict_kwargs")),  # Lightning's command line uses this key
    "class": Spelling(("params", "kwargs")),
    "_component_": Spelling(),  # torchtune uses this key
    "_CLASS_": Spelling(ignored=("type",)),  # OLMo-core uses this key
    # Keras saves objects in this form.
    "class_name": Spelling(("config", "params"), keras.OF_SAVED),
}
# In configs of these dialects, the key for the type is `name`. Sections without a schedule may also have this key.
BY_NAME = ("composer", "nemo", "olmo")
LIGHTNING = ("scheduler", "interval", "frequency", "monitor", "strict", "name", "reduce_on_plateau")
# Training configs of these types do not name their type. Each key of this table is a key that shows the type.
FLAGS = {
    row.recognition.flag: f"{dialect}.{name}"
    for dialect, rows in TYPES.items()
    for name, row in rows.items()
    if row.recognition.flag
}
# In a training config of any library, these keys are about a schedule.
SCHEDULES = ("lr_scheduler", "param_scheduler", "sched", "scheduler", "schedulers")
# Keys of an entry that are not arguments of its type.
OF_ENTRIES = ("duration", "epoch_length", "lightning", "param_name", "run", "save_history", "sequential")
# The dialect of each package that an import path may begin with. The dialect "" is lehr, which also has ignite's names.
PACKAGES = {
    **{name: name for name in TYPES},
    "cstorch": "cerebras",
    "fvcore": "detectron2",
    "torchtune": "transformers",
    "llmfoundry": "composer",
    "olmo_core": "olmo",
    **dict.fromkeys(("tf", "tensorflow", "tf_keras"), "keras"),
    "ignite": "",
    "lehr": "",
}
# The type of each class that contains a whole training config.
CLASSES = dict.fromkeys(
    ("transformers.TrainingArguments", "transformers.Seq2SeqTrainingArguments"), "hf.TrainingArguments"
)
# For each dialect in this table, the other dialects whose names its configs may also use.
ALSO = {"deepspeed": ("torch",)}
# Libraries that use mmengine's schedulers. The schedulers that they add are in the table of mmengine.
# fmt: off
SCOPES = (
    "mmaction", "mmagic", "mmcls", "mmdeploy", "mmdet", "mmdet3d", "mmediting", "mmflow", "mmgen", "mmhuman3d", "mmocr",
    "mmpose", "mmpretrain", "mmrazor", "mmrotate", "mmseg", "mmselfsup", "mmtrack", "mmyolo",
)
# fmt: on


def has_name(given: Any, dialect: str | None) -> bool:
    """Return whether a mapping names its type under the key ``name``."""
    name = given.get("name")
    known = [one for one in BY_NAME if dialect in (None, one)]
    return isinstance(name, str) and any(name in TYPES[one] for one in known)


def flagged_type(keys: Collection[Any], read: Callable[[Any], Any], dialect: str | None) -> str | None:
    """Return the type that a key of a training config shows, or None if no key shows a type.

    Args:
        keys: the keys of the config.
        read: a function that returns the value of a key.
        dialect: the library of the training config, if it is known.
    """
    written = {_without_dashes(key): key for key in keys}
    found = {
        name: flag for flag, name in FLAGS.items() if flag in written and dialect in (None, name.partition(".")[0])
    }
    shown = [name for name, flag in found.items() if _shows(row_of(name).recognition, read(written[flag]), written)]
    if len(shown) > 1:
        raise ValueError(
            f"a config must be of one library, given {' and '.join(repr(found[name]) for name in shown)}, which belong "
            f"to {' and '.join(shown)}: pass dialect= to configure_scheduler"
        )
    if shown:
        return shown[0]
    for last, row in TYPES.get(dialect or "", {}).items():
        if any(key in written for key in row.recognition.shown_by):
            return f"{dialect}.{last}"
    return None


def _shows(recognition: Recognition, value: Any, written: Collection[str]) -> bool:
    """Return whether the value of a flag and the keys beside the flag fit the type of the flag."""
    return recognition.is_flag(value) and (not recognition.beside or not set(recognition.beside).isdisjoint(written))


def row_of(name: str) -> EntryType:
    """Return the ``EntryType`` of a type of another library, such as ``torch.StepLR``."""
    prefix, _, last = name.rpartition(".")
    return TYPES[prefix][last]


def _without_dashes(key: Any) -> str:
    """Return a key as the name of an argument, such as ``lr_decay_style`` for ``--lr-decay-style``."""
    return str(key).removeprefix("--").replace("-", "_")


def plain(where: str, value: Any, dialect: str | None, levels: int = MOST_LEVELS) -> Any:
    """Return a config as dicts and lists. Each entry has the key ``type``, whose value has the prefix of its library.

    Args:
        where: the path to the value, for errors.
        value: a config, or a value in a config.
        dialect: the library to which names without a prefix belong. If None, they belong to lehr.
        levels: the number of levels of mappings and lists that the value may have.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: the config is nested too deeply; an entry names its type twice; an interpolation is not resolved.
    """
    if isinstance(value, str) and "${" in value:
        raise ValueError(
            f"{where} must be a value, given the interpolation {arguments.shown(value)}: pass the config as an object "
            "of OmegaConf, which resolves it, or write the value"
        )
    if isinstance(value, Unreadable):
        raise ValueError(f"{where} must be data, since a Python file is not executed, given {value!r}")
    if isinstance(value, Failed):
        raise ValueError(f"{where}: {value}")
    if not isinstance(value, dict | list | tuple):
        return value
    if not levels:
        raise ValueError(f"{where} must be nested at most {MOST_LEVELS} deep, given more")
    if isinstance(value, dict):
        return _plain_mapping(where, value, dialect, levels)
    made = [plain(f"{where}[{at}]", item, dialect, levels - 1) for at, item in enumerate(value)]
    return tuple(made) if isinstance(value, tuple) else made


def _plain_mapping(where: str, given: dict[Any, Any], dialect: str | None, levels: int) -> dict[Any, Any]:
    spelled = [key for key in SPELLINGS if key in given]
    if not spelled and has_name(given, dialect):
        spelled = ["name"]
    if "_CLASS_" in spelled:  # an entry of OLMo-core may have `type` beside `_CLASS_`
        spelled = ["_CLASS_"]
    if len(spelled) > 1:
        raise ValueError(f"{where} must name its type once, given {' and '.join(map(repr, spelled))}")
    if spelled:
        return _entry(where, spelled[0], given, dialect, levels)
    if len(given) == 1:
        [(name, inner)] = given.items()
        if isinstance(name, str) and is_known(name, dialect) and (inner is None or isinstance(inner, dict)):
            return _entry(f"{where}[{arguments.shown(name)}]", "type", {**(inner or {}), "type": name}, dialect, levels)
    flagged = flagged_type(given, given.get, dialect)
    if flagged is not None:
        values = _about_schedule(where, flagged, given)
        return _entry(where, "type", {**values, "type": flagged}, dialect, levels)
    if isinstance(given.get("scheduler"), dict) and set(given) <= set(LIGHTNING):
        return _lightning(where, given, dialect, levels)
    return {key: plain(f"{where}[{arguments.shown(key)}]", item, dialect, levels - 1) for key, item in given.items()}


def _entry(where: str, key: str, given: dict[Any, Any], dialect: str | None, levels: int) -> dict[Any, Any]:
    spelling, values = SPELLINGS.get(key, Spelling()), dict(given)
    written = values.pop(key)
    if key == "class_name" and isinstance(written, str):
        written = keras.saved_name(written, values.get("module"))
    name = type_name(f"{where}[{key!r}]", written, dialect)
    if isinstance(written, str) and written in CLASSES:
        values = _about_schedule(where, name, values)
    for ignored in spelling.ignored:
        values.pop(ignored, None)
    for inner in spelling.arguments:
        if isinstance(values.get(inner), dict):
            more = values.pop(inner)
            if twice := sorted(map(str, set(more) & set(values))):
                raise ValueError(f"{where}[{inner!r}][{twice[0]!r}] must occur once, given also beside {inner!r}")
            values |= more
    if values.get("optimizer", "") is None or isinstance(values.get("optimizer"), str):
        values.pop("optimizer")  # the optimizer is an argument of configure_scheduler
    if name.startswith("torch.") and isinstance(values.get("verbose"), bool | str):
        values.pop("verbose")  # torch 2.7 removed this argument
    if "monitor" in values and _takes(name, "metric_name") and not _takes(name, "monitor"):
        values.setdefault("metric_name", values.pop("monitor"))
    return {
        "type": name,
        **{k: plain(f"{where}[{arguments.shown(k)}]", item, dialect, levels - 1) for k, item in values.items()},
    }


def _about_schedule(where: str, name: str, given: dict[Any, Any]) -> dict[Any, Any]:
    """Return the keys of a training config that are about the schedule.

    Raises:
        ValueError: a key occurs twice, belongs to another library, or is nearly the name of an argument.
    """
    row = row_of(name)
    if row.recognition.all_keys:
        return given
    values: dict[Any, Any] = {}
    for key, value in given.items():
        own = _without_dashes(key)
        if own in values:
            raise ValueError(f"{where}[{arguments.shown(key)}] must occur once, given with dashes and without")
        if own in row.arguments or own in OF_ENTRIES:
            values[own] = _counting(f"{where}[{arguments.shown(key)}]", value, row.recognition.parts.get(own))
        elif value is not None and own in row.recognition.foreign:
            raise ValueError(f"{where}[{arguments.shown(key)}] is not known to {name}: {row.recognition.foreign[own]}")
        elif value is not None and _is_about_schedule(own, value, row):
            refuse_key(where, str(key), row.arguments)
    if "run" in values and not (isinstance(values["run"], dict) and set(values["run"].keys()) <= set(KEYS)):
        del values["run"]  # in this config, `run` is the name of the run, or a key of a logger
    return values


def _counting(where: str, value: Any, keys: tuple[str, ...] | None) -> Any:
    """Return a mapping with only some of its keys. Return any other value unchanged.

    Raises:
        ValueError: a key of the mapping is nearly one of these keys, and is probably misspelt.
    """
    if keys is None or not isinstance(value, dict):
        return value
    for key in value:
        if key not in keys and difflib.get_close_matches(str(key), keys, n=1, cutoff=0.9):
            refuse_key(where, str(key), keys)
    return {key: value[key] for key in keys if key in value}


def _is_about_schedule(key: str, value: Any, row: EntryType) -> bool:
    """Return whether a key is probably a misspelt or unknown argument."""
    off = value == 0 if isinstance(value, int | float) else value == "" if isinstance(value, str) else False
    if not off and (key in SCHEDULES or any(f"_{word}_" in f"_{key}_" for word in row.recognition.words)):
        return True
    return bool(difflib.get_close_matches(key, row.arguments, n=1, cutoff=0.9))


def _lightning(where: str, given: dict[Any, Any], dialect: str | None, levels: int) -> dict[Any, Any]:
    """Return the entry inside Lightning's mapping, with the interval and the frequency of its steps."""
    made: dict[Any, Any] = plain(f"{where}['scheduler']", given["scheduler"], dialect, levels - 1)
    if "type" not in made:
        raise ValueError(f"{where}['scheduler'] must name its type, given {arguments.shown(list(made))}")
    monitor = given.get("monitor")
    if monitor is not None and _takes(made["type"], "metric_name"):
        made.setdefault("metric_name", monitor)
    steps = {
        "interval": one_of("step", "epoch")(f"{where}['interval']", given.get("interval", "epoch")),
        "frequency": at_least_one(f"{where}['frequency']", given.get("frequency", 1)),
    }
    return made if steps == {"interval": "epoch", "frequency": 1} else {**made, "lightning": steps}


def _takes(name: str, argument: str) -> bool:
    prefix, _, last = name.rpartition(".")
    if prefix in TYPES and last in TYPES[prefix]:
        return argument in TYPES[prefix][last].arguments
    return name in SCHEDULERS and argument in arguments_of(name)


def type_name(where: str, value: Any, dialect: str | None) -> Any:
    """Return the name of a type with the prefix of its library, from a name, an import path, a class or a function.

    An unknown name is returned unchanged.

    >>> type_name("config['type']", "torch.optim.lr_scheduler.StepLR", None), type_name("", "LinearLR", "mmengine")
    ('torch.StepLR', 'mmengine.LinearLR')
    >>> type_name("", "mmdet.LinearLR", None), type_name("", "ignite.handlers.PiecewiseLinear", None)
    ('mmengine.LinearLR', 'PiecewiseLinear')
    """
    name = value
    if not isinstance(value, str) and callable(value):
        try:
            name = f"{value.__module__}.{value.__qualname__}"
        except Exception:  # the object is not a class or a function, or only imitates one
            name = None
    if not isinstance(name, str):
        raise TypeError(f"{where} must be a string or a class, given {arguments.shown(value)}")
    package, _, _ = name.partition(".")
    last = name.rpartition(".")[2]
    if package == name:
        known = [one for one in (dialect or "", *ALSO.get(dialect or "", ())) if name in TYPES.get(one, {})]
        return f"{known[0]}.{name}" if known else name
    if name in CLASSES:
        return CLASSES[name]
    for prefix in [PACKAGES[package]] if package in PACKAGES else []:
        if last in (TYPES[prefix] if prefix else SCHEDULERS):
            return f"{prefix}.{last}".lstrip(".")
    if package in SCOPES and last in TYPES["mmengine"]:
        return f"mmengine.{last}"
    return name


def is_known(name: Any, dialect: str | None) -> bool:
    """Return whether a name, with or without the prefix of its library, is the name of a type."""
    try:
        full = type_name("", name, dialect)
    except TypeError:
        return False
    prefix, _, last = full.rpartition(".")
    if prefix:
        return last in TYPES.get(prefix, {})
    return full in SCHEDULERS or any(full in types for types in TYPES.values())
