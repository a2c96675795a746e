"""An optimizer by its name, as a config has it."""

import difflib
import importlib
import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

# Where each name is taken from. A fixed table: a name in a config never becomes the path of an import.
LIBRARY = {
    "SGD": "torch.optim",
    "Adam": "torch.optim",
    "AdamW": "torch.optim",
    "Adamax": "torch.optim",
    "NAdam": "torch.optim",
    "RAdam": "torch.optim",
    "Adagrad": "torch.optim",
    "Adadelta": "torch.optim",
    "Adafactor": "torch.optim",
    "ASGD": "torch.optim",
    "RMSprop": "torch.optim",
    "Rprop": "torch.optim",
    "Lamb": "pytorch_optimizer",
    "Lion": "pytorch_optimizer",
}
_BY_LOWER_CASE = {name.lower(): name for name in LIBRARY}

Params = Iterable[torch.Tensor] | Iterable[tuple[str, torch.Tensor]] | Iterable[dict[str, Any]]


def configure_optimizer(optimizer_type: str, params: Params, **kwargs: Any) -> Optimizer:
    """The optimizer of this name for these parameters, as a config asks for it.

    It is ``torch.optim.AdamW(params, **kwargs)`` and so on, with two differences: an argument that the optimizer does
    not take is an error wherever the class itself would swallow it, and nothing is read from ``params`` before all
    other arguments are found to be good. A generator is whole after such an error, and can be given again.

    Args:
        optimizer_type: ``"SGD"``, ``"Adam"``, ``"AdamW"``, ``"Adamax"``, ``"NAdam"``, ``"RAdam"``, ``"Adagrad"``,
            ``"Adadelta"``, ``"Adafactor"``, ``"ASGD"``, ``"RMSprop"`` or ``"Rprop"`` for torch's; ``"Lamb"`` or
            ``"Lion"`` for those of pytorch-optimizer, which ``pip install 'lehr[optimizers]'`` brings. In upper or
            lower case.
        params: what is trained: tensors, pairs of a name and a tensor, or a dictionary for each param group, with its
            tensors under ``"params"`` and options of its own. A group may have any other keys, such as ``"tags"``: as
            in torch, they are kept as they are. The dictionaries themselves are not written to.
        kwargs: arguments of the optimizer by their names, such as ``lr``, ``betas`` or ``weight_decay``. Each param
            group without an option of its own has these.

    Raises:
        TypeError: ``optimizer_type`` is no string; the optimizer has no such argument, or ``params`` are of a wrong
            kind.
        ValueError: no such optimizer, or a value that it refuses.
        ImportError: its library is not installed.

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
    kind = _named(optimizer_type)
    _refuse_unknown(kind, kwargs)
    _refuse_as_it_does(kind, kwargs)
    if isinstance(params, Iterable) and not isinstance(params, torch.Tensor | dict | str):
        # torch writes its defaults into the dictionaries that it is given; a config may serve again.
        params = [dict(entry) if isinstance(entry, dict) else entry for entry in params]  # type: ignore[assignment]
    optimizer: Optimizer = kind(params, **kwargs)
    return optimizer


def _refuse_as_it_does(kind: type[Any], kwargs: dict[str, Any]) -> None:
    """Raise what the class raises for a parameter of ours: some look at their arguments after they read ``params``."""
    try:
        kind([torch.nn.Parameter(torch.zeros(1))], **kwargs)
    except Exception as error:  # pytorch-optimizer has errors of its own, and few say what was given
        wrong = TypeError if isinstance(error, TypeError) else ValueError
        raise wrong(f"arguments of {kind.__name__} must be such as it takes, given {kwargs!r}: {error}") from error


def _named(optimizer_type: str) -> type[Any]:
    """The class of this name."""
    if not isinstance(optimizer_type, str):
        raise TypeError(f"optimizer_type must be a string, given {optimizer_type!r}")
    name = _BY_LOWER_CASE.get(optimizer_type.lower())
    if name is None:
        near = difflib.get_close_matches(optimizer_type.lower(), _BY_LOWER_CASE, n=1)
        raise ValueError(
            f"optimizer_type must be one of {', '.join(map(repr, LIBRARY))}, given {optimizer_type!r}"
            + (f"; did you mean {_BY_LOWER_CASE[near[0]]!r}?" if near else "")
        )
    try:
        kind: type[Any] = getattr(importlib.import_module(LIBRARY[name]), name)
    except ImportError as error:
        raise ImportError(
            f"optimizer_type {name!r} needs pytorch-optimizer, which is not installed: pip install 'lehr[optimizers]'"
        ) from error
    except AttributeError as error:  # Adafactor came with torch 2.5
        raise ImportError(f"optimizer_type {name!r} needs a later version of {LIBRARY[name]}") from error
    return kind


def _refuse_unknown(kind: type[Any], kwargs: dict[str, Any]) -> None:
    """Raise if the class names no such arguments; some take any, and make options of them that nothing reads."""
    parameters = list(inspect.signature(kind).parameters.values())[1:]
    names = [parameter.name for parameter in parameters if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    for given in kwargs:
        if given not in names:
            near = difflib.get_close_matches(given, names, n=1)
            raise TypeError(
                f"arguments of {kind.__name__} must be among {', '.join(map(repr, names))}, given {given!r}"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
