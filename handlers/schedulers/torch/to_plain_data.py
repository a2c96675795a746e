"""Converts Python objects to plain data and back. JSON and ``torch.load(weights_only=True)`` can read plain data."""

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from lehr.handlers.schedules.arguments import shown

PLAIN = (bool, int, float, str, type(None))
LARGEST = 10**4000  # larger ints are refused, since Python writes no int of more than 4300 digits as text
# The types of containers in torch's schedulers, each with a function that makes a container from a list of items.
CONTAINERS: dict[str, tuple[type, Callable[[list[Any]], Any]]] = {
    "list": (list, list),
    "tuple": (tuple, tuple),
    "set": (set, set),
    "deque": (deque, deque),
    "dict": (dict, dict),
    "Counter": (Counter, lambda items: Counter(dict(items))),
    "OrderedDict": (OrderedDict, OrderedDict),
}


def to_plain(value: Any) -> Any:
    """Convert a value to plain data. A container or tensor becomes a dictionary that names its type.

    Finite numbers, strings and None stay as they are. Infinity and NaN, which JSON does not have, become a dictionary
    with a text such as ``"inf"``. A NumPy number becomes a Python number.

    Raises:
        TypeError: the value contains something else, such as a function.

    >>> to_plain({"milestones": Counter({30: 1})})
    {'dict': [['milestones', {'Counter': [[30, 1]]}]]}
    >>> to_plain(float("inf"))
    {'float': 'inf'}
    """
    if type(value) is float and not math.isfinite(value):
        return {"float": str(value)}
    if type(value) in PLAIN:
        return value
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, torch.Tensor):
        is_finite = bool(value.isfinite().all())
        numbers = value.tolist()
        return {"tensor": [str(value.dtype).removeprefix("torch."), numbers if is_finite else to_plain(numbers)]}
    if isinstance(value, deque) and value.maxlen is not None:
        raise TypeError(f"a deque must have no maxlen to become plain data, given {shown(value)}")
    kind: type[Any]
    for name, (kind, _) in CONTAINERS.items():
        if type(value) is kind and isinstance(value, dict):
            return {name: [[to_plain(key), to_plain(item)] for key, item in value.items()]}
        if type(value) is kind:
            return {name: [to_plain(item) for item in value]}
    raise TypeError(f"a value must be plain data, a container or a tensor, given {shown(value)}")


def is_plain(value: Any) -> bool:
    """Return whether :func:`to_plain` can convert a value."""
    try:
        to_plain(value)
    except (TypeError, RecursionError):  # from a list that is deeply nested, or contains itself
        return False
    return True


def from_plain(data: Any) -> Any:
    """Convert plain data from :func:`to_plain` back to a value.

    Raises:
        ValueError: the data does not come from :func:`to_plain`.

    >>> from_plain({"dict": [["milestones", {"Counter": [[30, 1]]}]]})
    {'milestones': Counter({30: 1})}
    """
    if type(data) is int and abs(data) > LARGEST:
        raise ValueError(f"the plain data of a state must come from to_plain(), given {shown(data)}")
    if type(data) in PLAIN:
        return data
    try:
        ((name, items),) = data.items()
        if name == "float":
            return float(items)
        if name == "tensor":
            numbers = from_plain(items[1]) if isinstance(items[1], dict) else items[1]
            return torch.tensor(numbers, dtype=getattr(torch, items[0]))
        kind, make = CONTAINERS[name]
        if issubclass(kind, dict):
            return make([(from_plain(key), from_plain(value)) for key, value in items])
        return make([from_plain(item) for item in items])
    except (AttributeError, TypeError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise ValueError(f"the plain data of a state must come from to_plain(), given {shown(data)}") from error
