"""The function :func:`configure_optimizer`, which constructs an optimizer from a name and arguments in a config."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch.optim import Optimizer

from .cerebras.defaults import PAGE, REQUIRED
from .cerebras.optimizer import CerebrasOptimizer
from .cerebras.options import check_option_values
from .saved_update_rule_check import check_update_rule
from .values_in_errors import shown

# The package of each class. The table is fixed, so that a name in a config is never imported as a path.
LIBRARY = {
    **dict.fromkeys(("SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"), "torch.optim"),
    **dict.fromkeys(("Adagrad", "Adadelta", "Adafactor", "ASGD", "RMSprop", "Rprop"), "torch.optim"),
    **dict.fromkeys(("Lamb", "Lion"), "pytorch_optimizer"),
}
CEREBRAS = "cerebras."
Check = Callable[[dict[str, Any]], None]

Params = Iterable[torch.Tensor] | Iterable[tuple[str, torch.Tensor]] | Iterable[dict[str, Any]]


def configure_optimizer(optimizer_type: str | Mapping[str, Any], params: Params, **kwargs: Any) -> Optimizer:
    """Construct an optimizer by the name of its class, such as ``torch.optim.AdamW(params, **kwargs)``.

    A call of this function differs from a call of the class in three ways:

    - An argument that the optimizer does not have is always an error.
    - All other arguments are checked before ``params`` is read, so a generator can be used again after an error.
    - ``load_state_dict`` compares update rules. It raises an error for a state with ``correct_bias=False``, for a state
      with the options of another optimizer, and for the states of Adam, AdamW, Adafactor and Lamb of Cerebras. It warns
      if the state has another ``decoupled_weight_decay``. A copy of a torch optimizer does not compare update rules.

    Args:
        optimizer_type: a name in upper or lower case, or a mapping with the name as ``"type"`` and arguments. The names
            are ``"SGD"``, ``"Adam"``, ``"AdamW"``, ``"Adamax"``, ``"NAdam"``, ``"RAdam"``, ``"Adagrad"``,
            ``"Adadelta"``, ``"Adafactor"``, ``"ASGD"``, ``"RMSprop"`` and ``"Rprop"`` of torch, and ``"Lamb"`` and
            ``"Lion"`` of pytorch-optimizer, which ``pip install 'lehr[optimizers]'`` installs. All of torch's names and
            ``"Lamb"`` can have the prefix ``"cerebras."``, which selects the arguments and defaults of Cerebras. Adam,
            AdamW, Adafactor, Lamb and SGD of Cerebras are classes of lehr with Cerebras' updates. The other
            names are torch's classes, whose updates are the same as Cerebras' updates.
        params: the parameters to train. They are tensors, pairs of a name and a tensor, or a dictionary for each param
            group, with the tensors of the group under ``"params"`` and its own options. As in torch, a group may have
            other keys, such as ``"tags"``, which stay in the group. The dictionaries are not changed.
        kwargs: arguments of the optimizer by their names, such as ``lr``, ``betas`` or ``weight_decay``. An
            argument applies to each param group that has no option of the same name.

    Raises:
        TypeError: ``optimizer_type`` is neither a string nor a mapping with a string as ``"type"``; the optimizer does
            not have an argument; an argument is missing; or ``params`` has a wrong type.
        ValueError: ``optimizer_type`` is unknown; or an argument is out of its range, or is given twice.
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
        >>> optimizer = configure_optimizer({"type": "cerebras.AdamW", "correct_bias": False}, groups, lr=6e-4)
        >>> [optimizer.param_groups[0][name] for name in ("lr", "eps", "weight_decay")]
        [0.0006, 1e-06, 0.0]
        >>> configure_optimizer("SGD", groups, lr=0.1, momentun=0.9)
        Traceback (most recent call last):
        ...
        TypeError: arguments of SGD must be among 'lr', 'momentum', ..., given 'momentun'; did you mean 'momentum'?
    """
    name, given = _named(optimizer_type, kwargs)
    check: Check = lambda group: None  # noqa: E731
    if name.lower().startswith(CEREBRAS):
        name = CEREBRAS + _known(name, name[len(CEREBRAS) :], PAGE, CEREBRAS)
        optimizer_class, defaults = PAGE[name[len(CEREBRAS) :]]
        _check_names(name, given, list(defaults))
        options = {**defaults, **{key: _as_in(defaults[key], value) for key, value in given.items()}}
        missing = [key for key, value in options.items() if value is REQUIRED]
        if missing:
            raise TypeError(f"arguments of {name} must include {missing[0]!r}, given {shown(given)}")
        if not issubclass(optimizer_class, CerebrasOptimizer):  # torch's classes check few of their options
            check = partial(_check_options_of_page, defaults)
    else:
        optimizer_class, options = _class_of(name), given
        name = optimizer_class.__name__
        _check_names(name, given, _signature(optimizer_class))
    _check_values(name, optimizer_class, options, given, check)
    if isinstance(params, Iterable) and not isinstance(params, torch.Tensor | dict | str):
        # torch would write its defaults into the user's dictionaries, but a config may be used again.
        params = [dict(entry) if isinstance(entry, dict) else entry for entry in params]  # type: ignore[assignment]
    optimizer: Optimizer = optimizer_class(params, **options)
    for group in optimizer.param_groups:
        check(group)
    if not isinstance(optimizer, CerebrasOptimizer):
        optimizer.register_load_state_dict_pre_hook(check_update_rule)
    return optimizer


def _named(optimizer_type: str | Mapping[str, Any], kwargs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of the optimizer and all arguments, from ``optimizer_type`` and ``kwargs``."""
    config = {"type": optimizer_type, **kwargs}
    if isinstance(optimizer_type, Mapping):
        twice = sorted(optimizer_type.keys() & kwargs.keys())
        if twice:
            raise ValueError(f"{twice[0]} must be set once, given in optimizer_type and as an argument")
        config = {"type": None, **optimizer_type, **kwargs}
    name = config.pop("type")
    if not isinstance(name, str):
        what = "optimizer_type['type']" if isinstance(optimizer_type, Mapping) else "optimizer_type"
        raise TypeError(f"{what} must be a string, given {shown(name)}")
    return name, config


def _known(given: str, name: str, names: Iterable[str], prefix: str = "") -> str:
    """Return the name among ``names`` that differs from ``name`` at most in case, or raise an error."""
    by_lower_case = {one.lower(): one for one in names}
    if name.lower() in by_lower_case:
        return by_lower_case[name.lower()]
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    hint = f"; did you mean {prefix + by_lower_case[near[0]]!r}?" if near else ""
    known = ", ".join(repr(prefix + one) for one in names)
    raise ValueError(f"optimizer_type must be one of {known}, given {shown(given)}{hint}")


def _class_of(name: str) -> type[Any]:
    name = _known(name, name, LIBRARY)
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


def _signature(optimizer_class: type[Any]) -> list[str]:
    """Return the names of a class's arguments, without ``**kwargs``, which would accept any other name."""
    parameters = list(inspect.signature(optimizer_class).parameters.values())[1:]
    return [parameter.name for parameter in parameters if parameter.kind is not inspect.Parameter.VAR_KEYWORD]


def _check_names(name: str, given: dict[str, Any], names: list[str]) -> None:
    for key in given:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1) if isinstance(key, str) else []
            hint = f"; did you mean {near[0]!r}?" if near else ""
            hint = f"; {CEREBRAS + name!r} has it" if key in PAGE.get(name, (None, {}))[1] else hint
            known = ", ".join(map(repr, names))
            raise TypeError(f"arguments of {name} must be among {known}, given {shown(key)}{hint}")


def _check_options_of_page(defaults: dict[str, Any], options: dict[str, Any]) -> None:
    """Check that each option has the type of its default."""
    pairs = [name for name, default in defaults.items() if isinstance(default, tuple)]
    check_option_values(options, defaults, pairs, [name for name, default in defaults.items() if default is None])


def _check_values(
    name: str, optimizer_class: type[Any], options: dict[str, Any], given: dict[str, Any], check: Check
) -> None:
    """Check the values by constructing the optimizer for a temporary parameter.

    The optimizer of the user's ``params`` is not constructed yet, because some classes read ``params`` before they
    check their other arguments.
    """
    try:
        check(options)
        optimizer_class([torch.nn.Parameter(torch.zeros(1))], **options)
    except Exception as error:  # pytorch-optimizer has its own error classes, and few of its errors show the value
        raised = TypeError if isinstance(error, TypeError) else ValueError
        raise raised(
            f"arguments of {name} must have values that {name} accepts, given {shown(given)}: {str(error)[:200]}"
        ) from error


def _as_in(default: Any, value: Any) -> Any:
    """Convert a list to a tuple if the default is a tuple, because a config file has no tuples."""
    return tuple(value) if isinstance(default, tuple) and isinstance(value, list) else value
