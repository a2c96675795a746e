"""The types of the catalogue as they are recorded in a file, so that ``lehr list`` imports no classes."""

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
        name: its name.
        required: whether it has no default value.
        default: its default value.
    """

    name: str
    required: bool
    default: Any = None


@dataclass(frozen=True)
class KnownType:
    """One type that a config may name.

    Args:
        name: its name, with the prefix of its library.
        description: one line on what it does.
        arguments: its arguments except ``param_name`` and ``save_history``, which all types have.
        python_only: whether it needs an argument that a file cannot hold, such as a function.
    """

    name: str
    description: str
    arguments: tuple[Argument, ...]
    python_only: bool = False


def recorded_types() -> dict[str, list[KnownType]]:
    """The types by the prefix of their library, as :func:`~lehr.handlers.config.catalogue.known_types` lists them.

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
    """The text of the file that records these types, one in a line."""
    parts = [
        f"{json.dumps(prefix)}: [\n" + ",\n".join(json.dumps(asdict(one)) for one in types) + "\n]"
        for prefix, types in known.items()
    ]
    return "{" + ",\n".join(parts) + "}\n"
