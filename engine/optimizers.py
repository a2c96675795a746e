"""Makes an optimizer from its name and arguments, as a config has them."""

import difflib
import importlib
import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from .error_text import shown

# The package of each class. A fixed table: a name in a config never becomes the path of an import.
LIBRARY = {
    **dict.fromkeys(("SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"), "torch.optim"),
    **dict.fromkeys(("Adagrad", "Adadelta", "Adafactor", "ASGD", "RMSprop", "Rprop"), "torch.optim"),
    **dict.fromkeys(("Lamb", "Lion"), "pytorch_optimizer"),
}
_BY_LOWER_CASE = {name.lower(): name for name in LIBRARY}

Params = Iterable[torch.Tensor] | Iterable[tuple[str, torch.Tensor]] | Iterable[dict[str, Any]]


def configure_optimizer(optimizer_type: str, params: Params, **kwargs: Any) -> Optimizer:
    """The optimizer with this name, such as ``torch.optim.AdamW(params, **kwargs)``.

    It differs from a call of the class in two ways. An argument that the optimizer does not know is always an error.
    And ``params`` is read after all other arguments are checked: after such an error, you can use a generator again.

    Args:
        optimizer_type: ``"SGD"``, ``"Adam"``, ``"AdamW"``, ``"Adamax"``, ``"NAdam"``, ``"RAdam"``, ``"Adagrad"``,
            ``"Adadelta"``, ``"Adafactor"``, ``"ASGD"``, ``"RMSprop"`` or ``"Rprop"`` of torch; ``"Lamb"`` or
            ``"Lion"`` of pytorch-optimizer, which ``pip install 'lehr[optimizers]'`` installs. In upper or lower case.
        params: what to train: tensors, pairs of a name and a tensor, or a dictionary for each param group, with its
            tensors under ``"params"`` and its own options. A group may have further keys, such as ``"tags"``, which
            stay in the group, as in torch. The dictionaries are not changed.
        kwargs: arguments of the optimizer by their names, such as ``lr``, ``betas`` or ``weight_decay``. They apply to
            each param group without an option of its own.

    Raises:
        TypeError: ``optimizer_type`` is not a string; the optimizer does not know an argument; ``params`` has a wrong
            type.
        ValueError: ``optimizer_type`` is unknown, or an argument is out of its range.
        ImportError: the package of the optimizer is not installed.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(4, 2)
        >>> optimizer = configure_optimizer("adamw", model.parameters(), lr=0.1, betas=(0.8, 0.99))
        >>> type(optimizer).__name__, optimizer.param_groups[0]["betas"]
        ('AdamW', (0.8, 0.99))
        >>> groups = [{"params": [model.weight]}, {"params": [model.bias], "weight_decay": 0.0, "tags": ["bias"]}]
        >>> optimizer = configure_optimizer("SGD", groups, lr=0.1, weight_decay=0.01)
        >>> [(group["weight_decay"], group.get("tags")) for group in optimizer.param_groups]
        [(0.01, None), (0.0, ['bias'])]
        >>> configure_optimizer("SGD", groups, lr=0.1, momentun=0.9)
        Traceback (most recent call last):
        ...
        TypeError: arguments of SGD must be among 'lr', 'momentum', ..., given 'momentun'; did you mean 'momentum'?
    """
    optimizer_class = _class_of(optimizer_type)
    _check_names(optimizer_class, kwargs)
    _check_values(optimizer_class, kwargs)
    if isinstance(params, Iterable) and not isinstance(params, torch.Tensor | dict | str):
        # torch writes its defaults into the dictionaries that it is given, but a config may be used again.
        params = [dict(entry) if isinstance(entry, dict) else entry for entry in params]  # type: ignore[assignment]
    optimizer: Optimizer = optimizer_class(params, **kwargs)
    return optimizer


def _class_of(optimizer_type: str) -> type[Any]:
    """The class with this name."""
    if not isinstance(optimizer_type, str):
        raise TypeError(f"optimizer_type must be a string, given {shown(optimizer_type)}")
    name = _BY_LOWER_CASE.get(optimizer_type.lower())
    if name is None:
        near = difflib.get_close_matches(optimizer_type.lower(), _BY_LOWER_CASE, n=1)
        hint = f"; did you mean {_BY_LOWER_CASE[near[0]]!r}?" if near else ""
        raise ValueError(
            f"optimizer_type must be one of {', '.join(map(repr, LIBRARY))}, given {shown(optimizer_type)}{hint}"
        )
    try:
        optimizer_class: type[Any] = getattr(importlib.import_module(LIBRARY[name]), name)
    except ImportError as error:
        raise ImportError(
            f"optimizer_type {shown(name)} needs pytorch-optimizer, which is not installed: "
            f"pip install 'lehr[optimizers]'"
        ) from error
    except AttributeError as error:  # Adafactor came with torch 2.5
        raise ImportError(f"optimizer_type {shown(name)} needs a later version of {LIBRARY[name]}") from error
    return optimizer_class


def _check_names(optimizer_class: type[Any], kwargs: dict[str, Any]) -> None:
    """Check that the class names all arguments. Some classes take any, and store options that nothing reads."""
    parameters = list(inspect.signature(optimizer_class).parameters.values())[1:]
    names = [parameter.name for parameter in parameters if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    for given in kwargs:
        if given not in names:
            near = difflib.get_close_matches(given, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(map(repr, names))
            raise TypeError(
                f"arguments of {optimizer_class.__name__} must be among {known}, given {shown(given)}{hint}"
            )


def _check_values(optimizer_class: type[Any], kwargs: dict[str, Any]) -> None:
    """Make an optimizer of a throw-away parameter, since some classes read ``params`` before they check the others."""
    try:
        optimizer_class([torch.nn.Parameter(torch.zeros(1))], **kwargs)
    except Exception as error:  # pytorch-optimizer raises its own errors, few of which show the value
        raised = TypeError if isinstance(error, TypeError) else ValueError
        name = optimizer_class.__name__
        raise raised(
            f"arguments of {name} must be such as it takes, given {shown(kwargs)}: {str(error)[:200]}"
        ) from error
