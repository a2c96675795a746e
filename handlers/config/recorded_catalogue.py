"""Reads and writes the file that records all known types, so that ``lehr list`` need not import their classes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("known_types.json")


@dataclass(frozen=True)
class Argument:
    """One argument of a type.

    Args:
        name: the name of the argument.
        required: whether the argument has no default value.
        default: the default value.
    """

    name: str
    required: bool
    default: Any = None


@dataclass(frozen=True)
class KnownType:
    """One type that a config may name.

    Args:
        name: the name of the type, with the prefix of its library.
        description: one line that says how the value changes.
        arguments: the arguments except ``param_name`` and ``save_history``, which all types have.
        python_only: whether the type needs an argument that a file cannot contain, such as a function.
    """

    name: str
    description: str
    arguments: tuple[Argument, ...]
    python_only: bool = False


def recorded_types() -> dict[str, list[KnownType]]:
    """Return the recorded types, as :func:`~lehr.handlers.config.catalogue.known_types` lists them.

    Example:
        >>> next(one.description for one in recorded_types()["torch"] if one.name == "torch.StepLR")
        'Multiplies by gamma every step_size steps.'
    """
    return {
        prefix: [
            KnownType(**{**one, "arguments": tuple(Argument(**argument) for argument in one["arguments"])})
            for one in types
        ]
        for prefix, types in json.loads(FILE.read_text(encoding="utf-8")).items()
    }


def as_text(known: Mapping[str, Sequence[KnownType]]) -> str:
    """Return the text of the file that records types, with one type in each line."""
    parts = [
        f"{json.dumps(prefix)}: [\n" + ",\n".join(json.dumps(asdict(one)) for one in types) + "\n]"
        for prefix, types in known.items()
    ]
    return "{" + ",\n".join(parts) + "}\n"
