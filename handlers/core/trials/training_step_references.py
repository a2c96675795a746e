"""Finds the objects that the training step of an engine refers to, and the variables of the user's own code."""

import gc
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lehr.engine.handler_inspection import names_in, references_of

from .training_snapshot import CONTAINERS, FOUND, Snapshot

MOST_OBJECTS, MOST_PARTS = 20_000, 1000  # the largest numbers of objects in a search, and in one list or dictionary
MOST_NUMBERS = 1_000_000  # a larger tensor or array outside of a model is not copied
# Modules of classes whose objects hold no model or optimizer of a user.
NOT_SEARCHED = ("torch", "numpy", "logging", "threading", "matplotlib", "tqdm", "builtins", "lehr", "ignite")


class Search:
    """Finds the objects in the closures and globals of functions, and in the attributes of other objects.

    Attributes:
        found: the models, optimizers, schedulers, loaders, samplers and random generators.

    Example:
        >>> layer = torch.nn.Linear(1, 1)
        >>> Search(lambda engine, batch: layer(batch)).found
        [Linear(in_features=1, out_features=1, bias=True)]
    """

    def __init__(self, *roots: object) -> None:
        self._seen: dict[int, tuple[Any, bool]] = {}  # objects, and whether the user's own code refers to them
        own = {_package_of(root) for root in roots}
        waiting = deque((root, False) for root in roots)
        while waiting and len(self._seen) < MOST_OBJECTS:
            thing, is_own = waiting.popleft()
            if id(thing) in self._seen:
                continue
            if not isinstance(thing, (*CONTAINERS, tuple, torch.Tensor, np.ndarray)):
                is_own = _is_own(_package_of(thing), own)
            self._seen[id(thing)] = thing, is_own
            waiting.extend((part, is_own) for part in _parts_of(thing))
        self.found: list[Any] = [thing for thing, _ in self._seen.values() if isinstance(thing, FOUND)]

    def save_variables(self, snapshot: Snapshot) -> None:
        """Save the variables, attributes, lists, dictionaries, tensors and arrays of the user's own code in a snapshot.

        Attributes of models and other found objects are not saved here, nor are tensors or arrays of more than
        1,000,000 numbers.
        """
        for thing, is_own in list(self._seen.values()):
            if not is_own or isinstance(thing, FOUND):
                continue
            if isinstance(thing, FunctionType):
                snapshot.save_setters(_setters_of(thing))
            elif isinstance(thing, CONTAINERS):
                snapshot.save_contents(thing)
            elif isinstance(thing, torch.Tensor | np.ndarray):
                if np.prod(thing.shape) <= MOST_NUMBERS:
                    snapshot.add(thing)
            elif hasattr(thing, "__dict__") and not isinstance(thing, type):
                snapshot.save_contents(vars(thing))


def _package_of(thing: Any) -> str:
    """Return the package of the code of a function or object."""
    while isinstance(thing, partial | MethodType):
        thing = thing.func if isinstance(thing, partial) else thing.__func__
    owner = thing if isinstance(thing, FunctionType | type) else type(thing)
    return str(getattr(owner, "__module__", None) or "__main__").partition(".")[0]


def _is_own(package: str, of_roots: set[str]) -> bool:
    """Return whether a package is the user's own, because it contains the training step or is not installed."""
    if package in NOT_SEARCHED or package in sys.stdlib_module_names:
        return package == "__main__"
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return package in of_roots or "site-packages" not in file


def _parts_of(thing: Any) -> Iterable[Any]:
    if isinstance(thing, FunctionType | MethodType | partial):
        own = [thing.__self__] if isinstance(thing, MethodType) else []
        return [*own, *references_of(thing)]
    if isinstance(thing, Mapping):
        return list(thing.values()) if len(thing) <= MOST_PARTS else []
    if isinstance(thing, list | tuple | set):
        return thing if len(thing) <= MOST_PARTS else []
    if isinstance(thing, DataLoader | Sampler | Dataset):
        return list(vars(thing).values())
    is_searched = hasattr(thing, "__dict__") and not isinstance(thing, (type, *FOUND))
    return list(vars(thing).values()) if is_searched and _package_of(thing) not in NOT_SEARCHED else []


def _setters_of(function: FunctionType) -> Iterator[Callable[[], object]]:
    """Yield functions that set the variables in a function's closure and globals to their present values."""
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # the cell is empty
            yield partial(setattr, cell, "cell_contents", cell.cell_contents)
    variables = function.__globals__
    for name in names_in(function.__code__):
        if name in variables:
            yield partial(variables.__setitem__, name, variables[name])


def modules_with(parameters: Iterable[torch.Tensor]) -> list[torch.nn.Module]:
    """Return all existing modules that contain one of these parameters, directly or in a submodule."""
    wanted = set(map(id, parameters))
    found = []
    for module in gc.get_objects():
        if issubclass(type(module), torch.nn.Module):
            with suppress(AttributeError):  # the module is not constructed yet
                found += [] if wanted.isdisjoint(map(id, module.parameters())) else [module]
    return found
