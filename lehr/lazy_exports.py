"""Public names that are imported when they are first used."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_exports(
    package: dict[str, Any], names: Mapping[str, Sequence[str]], brings_history: bool = False
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package that imports its public names when they are first used.

    The package also imports a submodule when the submodule is first used as an attribute. No submodule may have the
    name of a public object, because the import of the submodule would replace the object in the package.

    Args:
        package: the ``globals()`` of the package.
        names: a mapping from the name of each submodule, relative to the package, to its public names.
        brings_history: whether the import of a public name may also import ``ParamHistory``. If it does, this function
            imports torch and registers ``ParamHistory`` with ``torch.load``.
    """
    submodules = {module.partition(".")[0] for module in names}
    modules = {name: module for module, some in names.items() for name in some}

    def get(name: str) -> Any:
        if name in submodules:
            return import_module(f".{name}", package["__name__"])  # the import adds the submodule to the package
        if name not in modules:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}", name=name)
        value = getattr(import_module(f".{modules[name]}", package["__name__"]), name)
        if brings_history and "lehr.engine.history" in sys.modules:
            import_module("lehr.engine.history_safe_globals")
        package[name] = value
        return value

    def names_of() -> list[str]:
        return sorted({*package, *modules, *submodules})

    return get, names_of
