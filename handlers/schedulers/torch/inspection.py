"""Functions that inspect a torch scheduler: its ``step``, the schedulers inside it, and its configuration."""

import inspect
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lehr.handlers.core.simulation.private_copies import PLAIN
from lehr.handlers.schedules.description_as_data import description_of, text_of

# These attributes are not configuration, because torch's schedulers change them at each step.
COUNTS = ("last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial")
MAX_DEPTH = 50  # schedulers may be nested up to this depth
DEEPEST_SHOWN = 200  # a description shows nested objects down to this depth
LARGEST_SHOWN = 16  # a description shows the numbers of a tensor that has at most this many numbers


def takes_metric(scheduler: TorchLRScheduler) -> bool:
    """Return whether ``scheduler.step`` requires an argument. The argument must be a metric.

    Raises:
        TypeError: ``step`` requires several arguments.
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(scheduler.step).parameters.values()
    required = [one.name for one in parameters if one.default is inspect.Parameter.empty and one.kind in kinds]
    if len(required) > 1:
        raise TypeError(f"lr_scheduler must have a step() that requires at most a metric, given arguments {required}")
    return bool(required) or isinstance(scheduler, ReduceLROnPlateau)


def schedulers_in(scheduler: TorchLRScheduler) -> list[TorchLRScheduler]:
    """Return a scheduler and all schedulers inside it, without duplicates.

    Raises:
        ValueError: the schedulers are nested more than 50 deep.
    """
    found: dict[int, TorchLRScheduler] = {}
    queue: list[tuple[Any, int]] = [(scheduler, 1)]
    seen: set[int] = set()
    while queue:
        thing, depth = queue.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, TorchLRScheduler):
            if depth > MAX_DEPTH:
                raise ValueError(f"lr_scheduler must be nested at most {MAX_DEPTH} deep, given more")
            found[id(thing)] = thing
            queue.extend((item, depth + 1) for item in vars(thing).values() if type(item) not in PLAIN)
        elif isinstance(thing, list | tuple) and not PLAIN.issuperset(map(type, thing)):
            queue.extend((item, depth) for item in thing if isinstance(item, TorchLRScheduler | list | tuple))
    return list(found.values())


def configuration_of(scheduler: TorchLRScheduler, groups: int) -> str:
    """Describe a scheduler and the schedulers inside it as a text of their classes and attributes.

    The text is the same in every process if the schedulers are equal.

    Args:
        scheduler: the scheduler.
        groups: the number of param groups whose bounds, such as ``max_lr``, are in the text.
    """
    return _described(scheduler, [], groups)


def _described(thing: Any, within: list[Any], groups: int) -> str:
    if len(within) >= DEEPEST_SHOWN or any(thing is outer for outer in within):
        return "..."
    within = [*within, thing]
    if isinstance(thing, TorchLRScheduler):
        attributes = {key: value for key, value in vars(thing).items() if key not in (*COUNTS, "optimizer", "verbose")}
        added = [
            {key: value for key, value in group.items() if key.startswith(("max_", "min_", "base_"))}
            for group in thing.optimizer.param_groups[:groups]
        ]
        attributes |= {"param_groups": added} if any(added) else {}
        return f"{type(thing).__name__}({_pairs(attributes, '=', within, groups)})"
    if isinstance(thing, torch.Tensor):
        shown = thing.tolist() if thing.numel() <= LARGEST_SHOWN else f"{thing.dtype}, {tuple(thing.shape)}"
        return f"tensor({shown})" if thing.dim() else repr(shown)
    if isinstance(thing, torch.nn.Module | torch.optim.Optimizer):
        return type(thing).__name__
    if isinstance(thing, dict):
        return f"{{{_pairs(thing, ': ', within, groups)}}}"
    if isinstance(thing, list | tuple):
        return f"[{', '.join(_described(item, within, groups) for item in thing)}]"
    if isinstance(thing, set | frozenset):
        return f"{{{', '.join(sorted(_described(item, within, groups) for item in thing))}}}"
    # If a repr shows only a class and an address, describe the object by its attributes instead.
    if (
        hasattr(thing, "__dict__")
        and not (hasattr(thing, "__qualname__") or isinstance(thing, partial))
        and "0x" in repr(thing)
    ):
        return f"{type(thing).__qualname__}({_pairs(vars(thing), '=', within, groups)})"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text_of(description_of(thing)))


def _pairs(items: Mapping[Any, Any], sign: str, within: list[Any], groups: int) -> str:
    return ", ".join(f"{key}{sign}{_described(value, within, groups)}" for key, value in items.items())
