"""Lists all types that a config may name, with the description and the arguments of each type."""

import inspect
from collections.abc import Iterable

from .argument_validators import function, functions
from .dialects import TYPES
from .dialects.lehr import OPTIONS as OPTIONS
from .dialects.lehr import REQUIRED, SCHEDULERS, arguments_of, class_of
from .entries import EntryType
from .recorded_catalogue import Argument, KnownType

# The list does not show these arguments, because all types take them, they have no effect, or they are not data.
HIDDEN = ("optimizer", "save_history", "trainer", "verbose", "initialize", "last_epoch", "last_step")


def known_types() -> dict[str, list[KnownType]]:
    """Return a mapping from the prefix of each library to its types, sorted by name. The prefix of lehr is ``""``.

    ``make gallery`` writes the mapping to the file that ``lehr list`` reads; see :func:`recorded_types`.

    Example:
        >>> known = known_types()
        >>> [prefix for prefix in known if prefix.startswith("torch")]
        ['torch', 'torchtitan']
        >>> step = next(one for one in known["torch"] if one.name == "torch.StepLR")
        >>> step.description, [argument.name for argument in step.arguments]
        ('Multiplies by gamma every step_size steps.', ['step_size', 'gamma'])
    """
    found = {"": [_of_lehr(name) for name in sorted(SCHEDULERS)]}
    for prefix, types in sorted(TYPES.items()):
        found[prefix] = [_of_library(f"{prefix}.{name}", types[name]) for name in sorted(types)]
    return found


def _of_lehr(name: str) -> KnownType:
    defaults = arguments_of(name)
    arguments = [
        Argument(key, default is REQUIRED, None if default is REQUIRED else default)
        for key, default in defaults.items()
        if key not in HIDDEN and not (key == "param_name" and "optimizer" in defaults)
    ]
    description = (inspect.getdoc(class_of(name)) or "").partition("\n")[0].replace("``", "")
    return KnownType(name, description, _required_first(arguments), SCHEDULERS[name].python_only)


def _of_library(name: str, row: EntryType) -> KnownType:
    arguments = [
        Argument(key, False, one[1]) if isinstance(one, tuple) else Argument(key, True)
        for key, one in row.arguments.items()
        if key not in HIDDEN
    ]
    python_only = any(one in (function, functions) for one in row.arguments.values())
    return KnownType(name, row.description, _required_first(arguments), python_only)


def _required_first(arguments: Iterable[Argument]) -> tuple[Argument, ...]:
    return tuple(sorted(arguments, key=lambda argument: not argument.required))
