"""Checks of the classes of torch and ignite that import neither: no object is of a class that is not imported."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from ignite.engine import Engine
    from typing_extensions import TypeIs


def loaded_types(*names: str) -> tuple[type[Any], ...]:
    """The classes with these names, without those whose modules are not imported.

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
    """The class of tensors; where torch is not imported, an empty tuple, of which nothing is an instance."""
    return getattr(sys.modules.get("torch"), "Tensor", ())


def is_tensor(value: object) -> "TypeIs[torch.Tensor]":
    """Whether a value is a tensor of torch. For many values, ask :func:`tensor_type` once.

    >>> is_tensor(0.5)
    False
    """
    return isinstance(value, tensor_type())


def is_engine(value: object) -> "TypeIs[Engine]":
    """Whether a value is an engine of ignite.

    >>> is_engine(0.5)
    False
    """
    return isinstance(value, getattr(sys.modules.get("ignite.engine"), "Engine", ()))
