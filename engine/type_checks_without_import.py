"""Functions that check for classes of torch and ignite without an import of torch or ignite.

If the module of a class is not imported, no object can be an instance of the class.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from ignite.engine import Engine
    from typing_extensions import TypeIs


def loaded_types(*names: str) -> tuple[type[Any], ...]:
    """Return the classes with these names whose modules are imported.

    Args:
        names: the names, such as ``"torch.optim.Optimizer"``.

    Example:
        >>> loaded_types("collections.OrderedDict", "not_imported.Class")
        (<class 'collections.OrderedDict'>,)
    """
    parts = [name.rpartition(".") for name in names]
    found = [getattr(sys.modules.get(module), name, None) for module, _, name in parts]
    return tuple(cls for cls in found if cls is not None)


def tensor_type() -> Any:
    """Return the class of tensors. If torch is not imported, return an empty tuple, of which nothing is an instance."""
    return getattr(sys.modules.get("torch"), "Tensor", ())


def is_tensor(value: object) -> "TypeIs[torch.Tensor]":
    """Return whether a value is a tensor of torch. For many values, call :func:`tensor_type` once instead.

    >>> is_tensor(0.5)
    False
    """
    return isinstance(value, tensor_type())


def is_engine(value: object) -> "TypeIs[Engine]":
    """Return whether a value is an engine of ignite.

    >>> is_engine(0.5)
    False
    """
    return isinstance(value, getattr(sys.modules.get("ignite.engine"), "Engine", ()))
