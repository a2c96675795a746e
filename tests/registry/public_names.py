"""The import paths and calls that users rely on: they may be added to the record, and are never removed or changed.

``make gallery`` records new ones: ``python tests/registry/public_names.py``.
"""

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from enum import Enum, EnumType
from pathlib import Path
from typing import Any

MODULES = (
    "lehr",
    "lehr.engine",
    "lehr.handlers",
    "lehr.handlers.config",
    "lehr.handlers.forecast",
    "lehr.handlers.plans",
    "lehr.handlers.schedules",
)
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
FILE, CALLS = GOLDEN / "public_names.txt", GOLDEN / "public_calls.json"
RECORDED = FILE.read_text().split() if FILE.exists() else []
RECORDED_CALLS = json.loads(CALLS.read_text()) if CALLS.exists() else {}

# Each parameter of a call: its name, its kind, and its default value as text; None for a parameter without one.
Call = list[list[str | None]]


def public_names() -> list[str]:
    """Every name in ``__all__`` of the public modules, after the name of its module."""
    return sorted(
        f"{path}.{name}"
        for path in MODULES
        for module in [importlib.import_module(path)]
        for name in getattr(module, "__all__", ())
        if hasattr(module, name)
    )


def public_calls() -> dict[str, Call]:
    """The parameters of each public function, class and method, by its name."""
    places = [path.rpartition(".") for path in public_names()]
    values = {"".join(place): getattr(importlib.import_module(place[0]), place[2]) for place in places}
    classes = {value for value in values.values() if inspect.isclass(value)}
    calls = {}
    for path, value in values.items():
        for name, of in _callables(value, classes - {value}):
            if (call := _call(of)) is not None:
                calls[f"{path}{name}"] = call
    return calls


def _callables(value: Any, others: set[type]) -> Iterator[tuple[str, Any]]:
    """What a user calls of a value: itself and, of a class, the methods that it has of no other public class."""
    if callable(value):
        yield "", value
    for name, of in inspect.getmembers(value, callable) if inspect.isclass(value) else ():
        owner = next((one for one in value.__mro__ if name in vars(one)), value)
        if not name.startswith("_") and owner not in others and owner.__module__.startswith("lehr."):
            yield f".{name}", of


def _call(value: Any) -> Call | None:
    if isinstance(value, EnumType):  # its signature differs between versions of Python
        return None
    if isinstance(value, Enum):  # Python 3.13 takes the signature of the enumeration for that of a member
        value = value.__call__
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # a warning, for one
        return None
    return [[one.name, one.kind.name, None if one.default is one.empty else _text(one.default)] for one in parameters]


def _text(default: object) -> str:
    """A default value as text, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(default))


def broken(before: Call, now: Call) -> list[str]:
    """What a user's call may run into, since the parameters of a call have changed."""
    if any(kind == "VAR_KEYWORD" for _, kind, _ in now) and not any(kind == "VAR_KEYWORD" for _, kind, _ in before):
        now = [one for one in now if one[1] != "VAR_KEYWORD"]
    by_name = {one[0]: one for one in now}
    lines = [f"{name} is gone" for name, _, _ in before if name not in by_name]
    lines += [f"{one[0]}: {one[1:]} is {by_name[one[0]][1:]}" for one in before if one != by_name.get(one[0], one)]
    old, new = ([name for name, kind, _ in call if kind.startswith("POSITIONAL")] for call in (before, now))
    if new[: len(old)] != old:
        lines.append(f"the order of the positional arguments is {new}")
    known = {one[0] for one in before}
    required = [one for one in now if one[0] not in known and one[2] is None and not one[1].startswith("VAR")]
    return lines + [f"{name} is new, and must be given" for name, _, _ in required]


if __name__ == "__main__":
    FILE.write_text("\n".join(sorted({*RECORDED, *public_names()})) + "\n")
    rows = sorted({**RECORDED_CALLS, **public_calls()}.items())
    CALLS.write_text("{\n" + ",\n".join(f'"{name}": {json.dumps(call)}' for name, call in rows) + "\n}\n")
