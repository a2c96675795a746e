"""Copies for simulations, which leave the original objects as they are."""

import copy
from collections import defaultdict, deque
from collections.abc import Container, Iterable, Sequence
from functools import partial
from types import MethodType, SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from lehr.engine.type_checks_without_import import loaded_types, tensor_type
from lehr.handlers.schedules.arguments import shortened, shown

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
LARGEST = 1_000_000  # a tensor with more numbers is shared, not copied
PLAIN = {float, int, bool, str, type(None)}  # types of values that contain no other objects


def private_copy(thing: T, kept: Iterable[object] = (), replaced: Sequence[tuple[object, object]] = ()) -> T:
    """Return a deep copy of a schedule or a scheduler, without the model and the state of the optimizer.

    The copy shares engines, modules, data loaders, trained tensors and tensors larger than :data:`LARGEST`. A stand-in
    replaces each optimizer. The stand-in has copies of the hyper-parameters, empty parameters of the same shapes on
    torch's ``meta`` device, and no state. It shares no memory with the optimizer.

    Args:
        thing: the object to copy.
        kept: further objects that the copy shares.
        replaced: pairs of an object and the object that takes its place in the copy.

    Raises:
        TypeError: the object contains something that cannot be copied, such as a generator or a lock.
    """
    memo: dict[int, Any] = {id(part): part for part in kept} | {id(part): instead for part, instead in replaced}
    reached = [part for part in reachable_from(thing, memo) if id(part) not in memo]
    shared, optimizers, tensor = _shared_types(), loaded_types("torch.optim.Optimizer"), tensor_type()
    memo |= {id(part): part for part in reached if _is_shared(part, shared, tensor)}
    # clone() copies only the numbers of a view; deepcopy copies all memory of its base tensor.
    memo |= {id(part): part.clone() for part in reached if isinstance(part, tensor) and id(part) not in memo}
    try:
        for part in reached:
            if isinstance(part, optimizers):
                memo[id(part)] = _stand_in_for(part, memo)
        return copy.deepcopy(thing, memo)
    except (TypeError, RuntimeError) as error:  # a RecursionError is a RuntimeError
        message = f"{shown(thing)} cannot be simulated, since it cannot be copied: {error}"
        raise TypeError(shortened(message)) from error


def _stand_in_for(optimizer: "torch.optim.Optimizer", memo: dict[int, Any]) -> Any:
    """Return an optimizer of the same class, with copies of the hyper-parameters, without parameters or state."""
    import torch

    groups = []
    for group in optimizer.param_groups:
        tensors = [value for key, value in group.items() if key != "params" and isinstance(value, torch.Tensor)]
        own = {id(tensor): tensor.detach().clone() for tensor in tensors if memo.get(id(tensor), tensor) is tensor}
        memo |= own
        params = [torch.empty_like(param, device="meta") for param in group["params"]]
        groups.append(
            {**{key: copy.deepcopy(value, memo) for key, value in group.items() if key != "params"}, "params": params}
        )
    if hasattr(type(optimizer), "param_groups"):  # a wrapper around another optimizer
        return SimpleNamespace(param_groups=groups)
    stand_in = object.__new__(type(optimizer))
    vars(stand_in).update({**vars(optimizer), "param_groups": groups, "state": defaultdict(dict)})
    stand_in.defaults = copy.deepcopy(optimizer.defaults, memo)
    return stand_in


def _shared_types() -> tuple[type[Any], ...]:
    return loaded_types("ignite.engine.Engine", "torch.nn.Module", "torch.utils.data.DataLoader")


def _is_shared(thing: Any, types: tuple[type[Any], ...], tensor: Any) -> bool:
    return thing.requires_grad or thing.numel() > LARGEST if isinstance(thing, tensor) else isinstance(thing, types)


def reachable_from(whole: object, kept: Container[int] = ()) -> Iterable[object]:
    """Return the objects that a deep copy reaches, except plain values and contents of shared objects or optimizers."""
    shared, optimizers, tensor = _shared_types(), loaded_types("torch.optim.Optimizer"), tensor_type()
    seen: dict[int, object] = {}
    waiting = [whole]
    while waiting:
        thing: Any = waiting.pop()
        if id(thing) not in seen:
            seen[id(thing)] = thing
            # Look for lists first, because there may be many lists.
            is_list = type(thing) in (tuple, list) and id(thing) not in kept
            if is_list or not (id(thing) in kept or _is_shared(thing, shared, tensor) or isinstance(thing, optimizers)):
                parts = thing if is_list else _parts_of(thing)
                waiting.extend([part for part in parts if type(part) not in PLAIN])
    return seen.values()


def _parts_of(thing: Any) -> Iterable[object]:
    if isinstance(thing, dict):
        return [*thing, *thing.values()]
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return thing
    if isinstance(thing, MethodType):
        return [thing.__self__]
    if isinstance(thing, partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    if isinstance(thing, type) or hasattr(thing, "__code__"):
        return []  # deepcopy does not copy classes and functions
    slots = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ()) if hasattr(thing, name)]
    return [*getattr(thing, "__dict__", {}).values(), *(getattr(thing, name) for name in slots)]
