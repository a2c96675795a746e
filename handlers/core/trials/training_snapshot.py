"""``Snapshot``: copies the state of models, optimizers, loaders and generators, and restores it in place."""

import copy
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.utils import manual_seed
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, Sampler

from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules.arguments import shown

SCALERS = (torch.amp.GradScaler,)
RANDOM = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
# All attributes of these objects are saved, with the contents of their lists and dictionaries.
SAVED_WHOLE = (torch.nn.Module, Optimizer, *SCALERS)
OF_DATA = (Sampler, DataLoader)  # their attributes are saved, but not the data in their lists
WITH_STATE = (torch.optim.lr_scheduler.LRScheduler, BaseParamScheduler)
FOUND = (*SAVED_WHOLE, *OF_DATA, *RANDOM, *WITH_STATE, Dataset)
CONTAINERS = (dict, list, deque, set)


class Snapshot:
    """A copy of the state of objects, and of the random state of the process, that can be restored any number of times.

    Restoring works in place: tensors, dictionaries, lists and objects stay the same objects, and get their former
    contents. The copies of tensors are in the memory of the CPU.

    Args:
        things: models, optimizers, schedulers, loaders, samplers and generators. Other objects are not saved.

    Example:
        >>> layer = torch.nn.Linear(1, 1)
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        >>> weight, snapshot = layer.weight.item(), Snapshot(layer, optimizer)
        >>> layer(torch.ones(1)).backward()
        >>> optimizer.step()
        >>> snapshot.restore()
        >>> layer.weight.item() == weight, layer.weight.grad
        (True, None)
    """

    def __init__(self, *things: object) -> None:
        self._seen: dict[int, Any] = {}
        self._contents: list[tuple[Any, Any]] = []
        self._tensors: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._grads: list[tuple[torch.Tensor, torch.Tensor | None]] = []
        self._arrays: list[tuple[Any, Any]] = []
        self._setters: list[Callable[[], object]] = []
        self._generators: list[Any] = []
        self._samplers: list[Any] = []
        self._loaders: list[Any] = []
        for thing in things:
            self.add(thing)
        python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
        self._setters += [partial(random.setstate, python), partial(np.random.set_state, numpy)]
        self._setters.append(partial(torch.set_rng_state, cpu))
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            self._setters.append(partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))

    def add(self, thing: Any) -> None:
        """Save an object and the objects in its attributes, each once."""
        if id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing
        if isinstance(thing, torch.Tensor):
            self._add_tensor(thing)
        elif isinstance(thing, np.ndarray):
            self._arrays.append((thing, thing.copy()))
        elif isinstance(thing, CONTAINERS):
            self.save_contents(thing)
            for part in list(thing.values()) if isinstance(thing, dict) else list(thing):
                self.add(part)
        elif isinstance(thing, tuple):
            for part in thing:
                self.add(part)
        elif isinstance(thing, RANDOM):
            self._generators.append(thing)
            self._setters.append(_random_setter(thing))
        elif isinstance(thing, WITH_STATE):
            self._add_state(thing)
        elif isinstance(thing, SAVED_WHOLE):
            self._add_whole(thing)
        elif isinstance(thing, OF_DATA):
            self._add_of_data(thing)
        elif isinstance(thing, Dataset):  # the data itself is not saved
            self.save_contents(vars(thing))

    def _add_whole(self, thing: Any) -> None:
        self.add(vars(thing))
        if isinstance(thing, torch.nn.Module):
            for tensor in chain(thing.parameters(), thing.buffers()):  # they are not in vars() of a scripted module
                self.add(tensor)

    def _add_of_data(self, thing: Any) -> None:
        (self._samplers if isinstance(thing, Sampler) else self._loaders).append(thing)
        self.save_contents(vars(thing))
        for part in list(vars(thing).values()):
            self.save_contents(part) if isinstance(part, CONTAINERS) else self.add(part)

    def save_contents(self, container: Any) -> None:
        """Save which objects are in a dictionary, list or set, but not the state of these objects."""
        self._contents.append((container, list(container.items() if isinstance(container, dict) else container)))

    def save_setters(self, setters: Iterable[Callable[[], object]]) -> None:
        """Add functions that :meth:`restore` calls."""
        self._setters += setters

    def save_state(self, thing: Any) -> None:
        """Save an object. If it has none of the known types, save its ``state_dict``."""
        if isinstance(thing, FOUND) and not isinstance(thing, Dataset):
            self.add(thing)
        elif id(thing) not in self._seen:
            self._add_state(thing)

    def _add_state(self, thing: Any) -> None:
        """Save an object's ``state_dict``. It is loaded only after a change, because loading may have other effects."""
        self._seen[id(thing)] = thing
        state = copy.deepcopy(thing.state_dict())
        history = getattr(thing, "history", None) if isinstance(thing, BaseParamScheduler) else None
        recorded = None if history is None else copy.deepcopy(history.state_dict())

        def load() -> None:
            if not _same(thing.state_dict(), state):
                thing.load_state_dict(copy.deepcopy(state))
            if history is not None and history.state_dict() != recorded:
                history.load_state_dict(copy.deepcopy(recorded))

        self._setters.insert(0, load)  # first, because loading a state may change other objects that are restored

    def _add_tensor(self, tensor: torch.Tensor) -> None:
        if is_lazy(tensor):
            raise ValueError(
                f"trainer must have a model whose parameters all have a shape, given {shown(tensor)}: call the model "
                f"with a batch first"
            )
        if tensor.layout is torch.strided and any(
            size > 1 and stride == 0 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
        ):
            return  # nothing can be copied into an expanded tensor
        self._tensors.append((tensor, tensor.detach().to("cpu", copy=True)))
        if tensor.is_leaf:
            self._grads.append((tensor, tensor.grad))
            if tensor.grad is not None:
                self.add(tensor.grad)

    def restore(self) -> None:
        """Restore the saved state of all objects."""
        for set_state in self._setters:
            set_state()
        for container, contents in self._contents:
            container.clear()
            if isinstance(container, dict):
                for key, value in contents:  # Counter.update() would count the items
                    container[key] = value
            else:
                (container.update if isinstance(container, set) else container.extend)(contents)
        with torch.no_grad():
            for tensor, numbers in self._tensors:
                tensor.copy_(numbers)
        for array, numbers in self._arrays:
            np.copyto(array, numbers)
        for tensor, grad in self._grads:
            tensor.grad = grad

    def begin_anew(self, seed: int) -> None:
        """Restore all objects, remove all gradients, and seed the process and all saved generators and samplers."""
        self.restore()
        for tensor, _ in self._grads:
            tensor.grad = None
        manual_seed(seed + idist.get_rank())
        for generator in self._generators:
            if isinstance(generator, torch.Generator):
                generator.manual_seed(seed)
            elif isinstance(generator, random.Random):
                generator.seed(seed)
            else:
                bits = _bits_of(generator)
                bits.state = type(bits)(seed).state
        for sampler in self._samplers:
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(seed)
        for loader in self._loaders:
            loader._iterator = None  # persistent workers have their own random states, so start new workers


def _random_setter(generator: Any) -> Callable[[], object]:
    if isinstance(generator, torch.Generator):
        return partial(generator.set_state, generator.get_state())
    if isinstance(generator, random.Random):
        return partial(generator.setstate, generator.getstate())
    bits = _bits_of(generator)
    return partial(setattr, bits, "state", copy.deepcopy(bits.state))


def _bits_of(generator: Any) -> Any:
    """Return the bit generator of a NumPy ``Generator`` or ``RandomState``."""
    return generator.bit_generator if isinstance(generator, np.random.Generator) else generator._bit_generator


def _same(one: Any, other: Any) -> bool:
    """Return whether two states are equal. Tensors and arrays are equal if their numbers are equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
