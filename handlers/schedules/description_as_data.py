"""Descriptions of schedules as plain data. A saved state contains one to recognise the same schedule later."""

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import partial, singledispatch
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from .cached_by_class import cached_by_class
from .legacy_text import ADDRESS, read_text, same_name, same_text

# A value that JSON can hold: a dict, list, str, number, bool or None.
Description = Any
# The dataclasses that were described so far, by name. ``same_schedule`` looks up the defaults of fields in them.
CLASSES: WeakValueDictionary[str, type] = WeakValueDictionary()
RECURSIVE, MAX_DEPTH = {"repr": "..."}, 110
PLAIN = {bool, int, str, type(None)}  # values of these types describe themselves


@singledispatch
def description_of(value: Any, outer: tuple[int, ...] = ()) -> Description:
    """Describe a schedule, or a value in one of its fields, as plain data.

    A schedule, a curve or another dataclass becomes a dict. Its key ``type`` has the name of the class, and its other
    keys are the fields with ``compare=True``. An object without its own ``__repr__`` becomes a dict with only ``type``.
    Other values become ``{"function": name}``, ``{"dict": {...}}``, ``{"set": [...]}`` or ``{"repr": text}``. The names
    do not contain modules, so that code can move to another file.

    Args:
        value: the schedule or the value.
        outer: the ids of the objects that contain ``value``. An object that contains itself, or is nested more than
            110 levels deep, is described as "...".

    Example:
        >>> from lehr.handlers.schedules import Cosine, KDecay
        >>> description_of(KDecay(Cosine(), k=2))
        {'type': 'KDecay', 'curve': {'type': 'Cosine'}, 'k': 2.0}
        >>> description_of((max, np.float64(0.5)))
        [{'function': 'max'}, 0.5]
    """
    if value is None or isinstance(value, bool):
        return value
    for plain in (float, int, str):
        if isinstance(value, plain):  # also for subclasses such as np.float64
            described = plain(value)
            is_finite = not isinstance(described, float) or math.isfinite(described)
            return described if is_finite else {"repr": repr(described)}  # JSON has no infinity
    if isinstance(value, np.generic | np.ndarray):
        return description_of(value.tolist())
    if id(value) in outer or len(outer) > MAX_DEPTH:
        return RECURSIVE
    outer = (*outer, id(value))
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value, outer)
    if isinstance(value, list | tuple):
        return [_described(item, outer) for item in value]
    if isinstance(value, set | frozenset):
        return {"set": sorted((description_of(item, outer) for item in value), key=text_of)}
    if isinstance(value, Mapping):
        return {"dict": {str(key): _described(item, outer) for key, item in value.items()}}
    if isinstance(value, partial):
        given, named = description_of(value.args, outer), description_of(value.keywords, outer)["dict"]
        return {"type": "partial", "function": description_of(value.func, outer), "args": given, "keywords": named}
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if callable(value) and isinstance(name, str):
        return {"function": name}
    # Describe the object by its class alone, because its attributes may be large, change, or refer to the scheduler.
    if repr(value) == object.__repr__(value):
        return {"type": type(value).__qualname__}
    return {"repr": re.sub(ADDRESS, "", repr(value))}


def fields_of(value: Any, outer: tuple[int, ...] = ()) -> dict[str, Description]:
    """Describe a dataclass by its class and by its fields with ``compare=True``."""
    class_: Any = type(value)
    name = class_.__qualname__
    CLASSES[name] = class_
    compared = {key: _described(getattr(value, field), outer) for key, field in _compared_fields(class_)}
    return {"type": name, **compared}


def _described(value: Any, outer: tuple[int, ...]) -> Description:
    """Return ``description_of(value, outer)``, but faster for plain numbers, which most values are."""
    is_plain = type(value) in PLAIN or (type(value) is float and math.isfinite(value))
    return value if is_plain else description_of(value, outer)


@cached_by_class
def _compared_fields(class_: Any) -> list[tuple[str, str]]:
    return [(_key(field), field.name) for field in fields(class_) if field.compare]


def _key(field: Field[Any]) -> str:
    return "type_" if field.name == "type" else field.name


def text_of(description: Description) -> str:
    """Turn a description into a short text for reprs, warnings and errors.

    Example:
        >>> from lehr.handlers.schedules import Anneal, FunctionSchedule
        >>> text_of(description_of(Anneal(0.1, 0.0, duration=20)))
        "Anneal(start_value=0.1, end_value=0.0, duration=20.0, curve=Linear(), beyond='hold')"
        >>> text_of(description_of(FunctionSchedule(partial(pow, abs))))
        'FunctionSchedule(function=partial(pow, abs))'
    """
    match description:
        case list():
            return f"({', '.join(map(text_of, description))}{',' * (len(description) == 1)})"
        case {"type": "TorchSteps", "configuration": text}:
            return str(text)
        case {"type": "partial", "function": function, "args": given, "keywords": named}:
            return _call("partial", [function, *given], named)
        case {"type": name, **attributes}:
            return _call(str(name), [], {"type" if key == "type_" else str(key): attributes[key] for key in attributes})
        case {"get_param": name, "schedule": schedule}:
            return str(name) if schedule is None else f"{name} over {text_of(schedule)}"
        case {"function": text} | {"repr": text}:
            return str(text)
        case {"dict": items}:
            return f"{{{', '.join(f'{key}: {text_of(item)}' for key, item in items.items())}}}"
        case {"set": items}:
            return f"{{{', '.join(map(text_of, items))}}}"
    return repr(description)


def same_schedule(saved: Description, own: Description) -> bool:
    """Return whether a saved description describes the present schedule.

    If ``saved`` lacks a field that ``own`` has, a later version has added the field, so it must have its default.
    Numbers are compared by value. Functions and classes are compared by name. For an object that is not a dataclass,
    such as a torch scheduler, only the attributes in both descriptions are compared, because attributes differ between
    versions.

    Args:
        saved: a saved description, or the text that lehr saved before version 0.2.
        own: the description of the present schedule, from :func:`description_of`, or its text.

    Example:
        >>> from lehr.handlers.schedules import FunctionSchedule, Linear, Power
        >>> same_schedule({"type": "Power"}, description_of(Power(0.5)))
        True
        >>> same_schedule({"type": "Power"}, description_of(Power(2.0)))
        False
        >>> same_schedule("FunctionSchedule(function=builtins.abs)", description_of(FunctionSchedule(abs)))
        True
    """
    if repr(saved) == repr(own):  # the usual case, which is fast to check
        return True
    if isinstance(saved, str):
        read, own_read = read_text(saved), read_text(own) if isinstance(own, str) else own
        if read is None or own_read is None:
            return same_text(saved, own if isinstance(own, str) else text_of(own))
        saved, own = read, own_read
    return _same(saved, own)


def _same(saved: Description, own: Description) -> bool:
    saved, own = _read(saved), _read(own)
    match saved, own:
        case {"type": str(name)}, {"type": str(own_name)}:
            same_fields = all(_same_field(key, saved, own) for key in {**saved, **own} if key != "type")
            return same_name(name, own_name) and same_fields
        case {"function": str(name)}, {"function": str(own_name)}:
            return same_name(name, own_name)
        case {"get_param": str(name), "schedule": schedule}, {"get_param": str(own_name), "schedule": own_schedule}:
            return same_name(name, own_name) and _same(schedule, own_schedule)
        case dict(), dict():
            return saved.keys() == own.keys() and all(_same(saved[key], own[key]) for key in own)
        case list(), list():
            return len(saved) == len(own) and all(map(_same, saved, own))
    return isinstance(saved, bool) == isinstance(own, bool) and bool(saved == own or (saved != saved and own != own))


def _same_field(key: str, saved: dict[str, Description], own: dict[str, Description]) -> bool:
    if key in saved and key in own:
        return _same(saved[key], own[key])
    class_ = CLASSES.get(own["type"])
    if class_ is None:
        return True
    field = next((field for field in fields(class_) if _key(field) == key), None)
    if key not in own or field is None:
        return False
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return default is not MISSING and _same(description_of(default), own[key])


def _read(description: Description) -> Description:
    """If a description is the text of a call or a name, return the description of this call or name instead."""
    match description:
        case {"type": "TorchSteps", "configuration": str(text)} | {"repr": str(text)}:
            read = read_text(text)
            return {"repr": text} if read is None else read
        case {"get_param": name, "schedule": None}:
            return {"function": name}
    return description


def _call(name: str, given: list[Description], named: Mapping[str, Description]) -> str:
    return f"{name}({', '.join([*map(text_of, given), *(f'{key}={text_of(item)}' for key, item in named.items())])})"
