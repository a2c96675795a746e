"""What a scheduler of torch is made of: its parts, its configuration, and where it stands."""

import inspect
import re
from collections.abc import Mapping
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from .private_copies import private_copy
from .schedules.base import describe

# What torch's schedulers change as they go, and what is therefore no part of their configuration.
COUNTS = ("last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial")
PLATEAU_COUNTS = ("best", "num_bad_epochs", "cooldown_counter")
LARGEST_SHOWN = 16  # numbers of a tensor


def takes_metric(scheduler: TorchLRScheduler) -> bool:
    """Whether its ``step`` must be given something, which can only be a metric.

    Raises:
        TypeError: it must be given more than that.
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(scheduler.step).parameters.values()
    required = [one.name for one in parameters if one.default is inspect.Parameter.empty and one.kind in kinds]
    if len(required) > 1:
        raise TypeError(f"lr_scheduler must have a step() that takes a metric or nothing, given one of {required}")
    return bool(required) or isinstance(scheduler, ReduceLROnPlateau)


def schedulers_in(scheduler: TorchLRScheduler) -> list[TorchLRScheduler]:
    """A scheduler and those that it is made of, each once."""
    found: dict[int, TorchLRScheduler] = {}
    waiting: list[Any] = [scheduler]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, TorchLRScheduler) and id(thing) not in found:
            found[id(thing)] = thing
            waiting.extend(vars(thing).values())
        elif isinstance(thing, list | tuple):
            waiting.extend(item for item in thing if isinstance(item, TorchLRScheduler | list | tuple))
    return list(found.values())


class Snapshot:
    """Where a scheduler stands, to come back to: copies of all attributes of it and of those that it is made of.

    The optimizer and the schedulers themselves are not copied: a copy goes on referring to them.

    Args:
        scheduler: the scheduler.
    """

    def __init__(self, scheduler: TorchLRScheduler) -> None:
        self._schedulers = schedulers_in(scheduler)
        self._attributes: list[dict[str, Any]] | None = None
        self._error: TypeError | None = None
        try:
            self._attributes = self._copied([vars(one) for one in self._schedulers])
        except TypeError as error:  # only what goes back needs it
            self._error = error

    def restore(self) -> None:
        """Go back there.

        Raises:
            TypeError: the scheduler holds something that could not be copied.
        """
        if self._attributes is None:
            raise TypeError(f"{self._schedulers[0]!r} cannot go back to where it was: {self._error}") from self._error
        for one, attributes in zip(self._schedulers, self._copied(self._attributes), strict=True):
            vars(one).clear()
            vars(one).update(attributes)

    def _copied(self, attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = [value for own in attributes for value in own.values()]
        values += [item for value in values if isinstance(value, list | tuple) for item in value]
        owners = [value.__self__ for value in values if isinstance(value, MethodType)]  # of users' methods
        return private_copy(attributes, kept=[*self._schedulers, self._schedulers[0].optimizer, *owners])


def configuration_of(scheduler: TorchLRScheduler) -> str:
    """A scheduler as its class and attributes, with those of the schedulers in it, the same in every process."""
    return _described(scheduler, [])


def _described(thing: Any, within: list[Any]) -> str:
    if any(thing is outer for outer in within):
        return "..."
    within = [*within, thing]
    if isinstance(thing, TorchLRScheduler):
        attributes = {key: value for key, value in vars(thing).items() if key not in (*COUNTS, "optimizer")}
        added = [
            {key: value for key, value in group.items() if key.startswith(("max_", "min_", "base_"))}
            for group in thing.optimizer.param_groups
        ]
        attributes |= {"param_groups": added} if any(added) else {}
        return f"{type(thing).__name__}({_pairs(attributes, '=', within)})"
    if isinstance(thing, torch.Tensor):
        shown = thing.tolist() if thing.numel() <= LARGEST_SHOWN else f"{thing.dtype}, {tuple(thing.shape)}"
        return f"tensor({shown})" if thing.dim() else repr(shown)
    if isinstance(thing, torch.nn.Module | torch.optim.Optimizer):
        return type(thing).__name__
    if isinstance(thing, dict):
        return f"{{{_pairs(thing, ': ', within)}}}"
    if isinstance(thing, list | tuple):
        return f"[{', '.join(_described(item, within) for item in thing)}]"
    if isinstance(thing, set | frozenset):
        return f"{{{', '.join(sorted(_described(item, within) for item in thing))}}}"
    # An object that says of itself no more than where it is.
    if (
        hasattr(thing, "__dict__")
        and not (hasattr(thing, "__qualname__") or isinstance(thing, partial))
        and "0x" in repr(thing)
    ):
        return f"{type(thing).__qualname__}({_pairs(vars(thing), '=', within)})"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", describe(thing))


def _pairs(items: Mapping[Any, Any], sign: str, within: list[Any]) -> str:
    return ", ".join(f"{key}{sign}{_described(value, within)}" for key, value in items.items())


def nothing_taken() -> None:
    """What an optimizer's ``step`` is while its scheduler steps, so that torch takes it to have been called."""


nothing_taken._wrapped_by_lr_sched = True  # type: ignore[attr-defined]


def pretend_to_have_stepped(optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Let a scheduler find that the optimizer has stepped; return what to undo that with, or None if it has.

    torch warns where it has not. In a simulation, or where a GradScaler skipped the step, nothing is lost by that.
    """
    attributes = vars(optimizer)
    if attributes.get("_opt_called") and hasattr(attributes.get("step"), "_wrapped_by_lr_sched"):
        return None
    kept: dict[str, Any] = {name: attributes[name] for name in ("step", "_opt_called") if name in attributes}
    attributes.update(step=nothing_taken, _opt_called=True)
    return kept


def stop_pretending(optimizer: torch.optim.Optimizer, kept: dict[str, Any]) -> None:
    """Undo :func:`pretend_to_have_stepped`."""
    attributes = vars(optimizer)
    del attributes["step"], attributes["_opt_called"]
    attributes.update(kept)
