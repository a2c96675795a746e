"""Copies of users' functions to simulate with, so that what they change in themselves is changed in a copy."""

import copy
from collections.abc import Iterable
from functools import partial
from types import MethodType
from typing import Any, TypeVar

import torch
from ignite.engine import Engine
from torch.utils.data import DataLoader

T = TypeVar("T")

# What a function reads of a training, and is too large, or too alive, to be copied with it.
SHARED = (Engine, torch.optim.Optimizer, torch.nn.Module, torch.Tensor, DataLoader)


def private_copy(thing: T) -> T:
    """A deep copy of a schedule that shares engines, optimizers, modules, tensors and data loaders with it.

    Raises:
        TypeError: something in it cannot be copied, such as a generator or a lock.
    """
    try:
        return copy.deepcopy(thing, {id(shared): shared for shared in _shared_in(thing)})
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{thing!r} cannot be simulated, since it cannot be copied: {error}") from error


def _shared_in(thing: object) -> Iterable[object]:
    """The shared things that can be reached."""
    seen: dict[int, object] = {}
    waiting = [thing]
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen:
            seen[id(thing)] = thing
            if not isinstance(thing, SHARED):
                waiting.extend(_parts_of(thing))
    return [thing for thing in seen.values() if isinstance(thing, SHARED)]


def _parts_of(thing: Any) -> Iterable[object]:
    if isinstance(thing, dict):
        return [*thing, *thing.values()]
    if isinstance(thing, list | tuple | set | frozenset):
        return thing
    if isinstance(thing, MethodType):
        return [thing.__self__]
    if isinstance(thing, partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    if isinstance(thing, type) or hasattr(thing, "__code__"):
        return []  # classes and functions are not copied either
    return list(getattr(thing, "__dict__", {}).values())
