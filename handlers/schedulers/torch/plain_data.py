"""Python objects as plain data, which ``torch.load(weights_only=True)`` and JSON keep, and back again."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from lehr.handlers.schedules.arguments import shown

PLAIN = (bool, int, float, str, type(None))
LARGEST = 10**4000  # of an int that is read: JSON cannot write many more digits
# How the containers that torch's schedulers keep are made again from a list of their items.
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
    """Numbers, strings and None as they are; a container or tensor as a dictionary that says what it was.

    A number of NumPy's comes back as Python's.

    Raises:
        TypeError: there is something else in it, such as a function.

    >>> to_plain({"milestones": Counter({30: 1})})
    {'dict': [['milestones', {'Counter': [[30, 1]]}]]}
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, torch.Tensor):
        return {"tensor": [str(value.dtype).removeprefix("torch."), value.tolist()]}
    if isinstance(value, deque) and value.maxlen is not None:
        raise TypeError(f"not plain data: {value!r}, which has a maximal length")
    kind: type[Any]
    for name, (kind, _) in CONTAINERS.items():
        if type(value) is kind and isinstance(value, dict):
            return {name: [[to_plain(key), to_plain(item)] for key, item in value.items()]}
        if type(value) is kind:
            return {name: [to_plain(item) for item in value]}
    raise TypeError(f"not plain data: {value!r}")


def is_plain(value: Any) -> bool:
    """Whether :func:`to_plain` takes it."""
    try:
        to_plain(value)
    except TypeError:
        return False
    return True


def from_plain(data: Any) -> Any:
    """What :func:`to_plain` was given.

    Raises:
        ValueError: it is not what :func:`to_plain` returns.

    >>> from_plain({"dict": [["milestones", {"Counter": [[30, 1]]}]]})
    {'milestones': Counter({30: 1})}
    """
    if type(data) is int and abs(data) > LARGEST:
        raise ValueError(f"not plain data that was saved: {shown(data)}")
    if type(data) in PLAIN:
        return data
    try:
        ((name, items),) = data.items()
        if name == "tensor":
            return torch.tensor(items[1], dtype=getattr(torch, items[0]))
        kind, make = CONTAINERS[name]
        if issubclass(kind, dict):
            return make([(from_plain(key), from_plain(value)) for key, value in items])
        return make([from_plain(item) for item in items])
    except (AttributeError, TypeError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise ValueError(f"not plain data that was saved: {shown(data)}") from error
