"""What a scheduler of torch is made of: its parts, its configuration, and where it stands."""

import inspect
import math
import re
from collections.abc import Mapping
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lehr.handlers.core.copying import private_copy
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.description import description_of, text_of

# What torch's schedulers change as they go, and what is therefore no part of their configuration.
COUNTS = ("last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial")
PLATEAU_COUNTS = ("best", "num_bad_epochs", "cooldown_counter")
# The same of one class or another, beside what users' functions hold.
PROGRESS = (*COUNTS, *PLATEAU_COUNTS, "T_cur", "T_i", "lr_lambdas")
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

    @property
    def is_complete(self) -> bool:
        """Whether all of it could be copied."""
        return self._attributes is not None

    def restore(self) -> None:
        """Go back there.

        Raises:
            TypeError: the scheduler holds something that could not be copied.
        """
        if self._attributes is None:
            raise TypeError(f"{self._schedulers[0]!r} cannot go back to where it was: {self._error}") from self._error
        copied = self._copied(self._attributes)
        for one, attributes in zip(self._schedulers, copied, strict=True):
            try:
                _put(attributes, one)
            except BaseException:  # Ctrl-C has come in between
                _put(attributes, one)
                raise

    def _copied(self, attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = [value for own in attributes for value in own.values()]
        values += [item for value in values if isinstance(value, list | tuple) for item in value]
        owners = [value.__self__ for value in values if isinstance(value, MethodType)]  # of users' methods
        return private_copy(attributes, kept=[*self._schedulers, self._schedulers[0].optimizer, *owners])


def _put(attributes: dict[str, Any], scheduler: TorchLRScheduler) -> None:
    vars(scheduler).clear()
    vars(scheduler).update(attributes)


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
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text_of(description_of(thing)))


def _pairs(items: Mapping[Any, Any], sign: str, within: list[Any]) -> str:
    return ", ".join(f"{key}{sign}{_described(value, within)}" for key, value in items.items())


def refuse_other_configuration(scheduler: TorchLRScheduler, saved: Mapping[str, Any]) -> None:
    """Raise if saved attributes of one of torch's own schedulers are not its own ones, of those that do not change.

    Those of a user's own class may all change as it goes.

    Raises:
        ValueError: so it is.
    """
    if not type(scheduler).__module__.startswith("torch."):
        return
    own = scheduler.state_dict()
    inner = getattr(scheduler, "_schedulers", [])
    for key, value in saved.items():
        if key == "_schedulers":
            if type(value) is not list or len(value) != len(inner) or not all(type(one) is dict for one in value):
                raise ValueError(f"not the attributes of {len(inner)} torch schedulers")
            for one, its_own in zip(inner, value, strict=True):
                refuse_other_configuration(one, its_own)
        elif key not in own or (key not in PROGRESS and value != own[key]):
            raise ValueError(f"not the attributes of this {type(scheduler).__name__}, of which {key!r} is another")


def checked_saved(saved: Any) -> tuple[dict[str, Any], list[Any], list[Any]]:
    """What was saved of a torch scheduler, if it has the form of that."""
    if type(saved) is not dict or set(saved) != {"wrapped", "rates", "momenta"}:
        raise ValueError(f"not what is saved of a torch scheduler: {arguments.shown(saved)}")
    wrapped, rates, momenta = saved["wrapped"], saved["rates"], saved["momenta"]
    if type(wrapped) is not dict or not all(type(key) is str for key in wrapped):
        raise ValueError(f"not the attributes of a torch scheduler: {arguments.shown(wrapped)}")
    counts = [wrapped[key] for key in ("last_epoch", "_step_count") if key in wrapped]
    if not all(type(count) is int for count in counts):
        raise ValueError(f"not the counts of a torch scheduler: {arguments.shown(counts)}")
    if type(rates) is not list or not rates or not all(map(_is_number, rates)):
        raise ValueError(f"not the learning rates of a torch scheduler: {arguments.shown(rates)}")
    if type(momenta) is not list or not all(momentum is None or _is_number(momentum) for momentum in momenta):
        raise ValueError(f"not the momenta of a torch scheduler: {arguments.shown(momenta)}")
    return wrapped, rates, momenta


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and bool(value.isfinite())
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def nothing_taken() -> None:
    """What an optimizer's ``step`` is while its scheduler steps, so that torch takes it to have been called."""


nothing_taken._wrapped_by_lr_sched = True  # type: ignore[attr-defined]


def hidden_by_pretending(optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """What :func:`pretend_to_have_stepped` will replace; None where the optimizer has stepped, and need not pretend.

    torch warns where it has not. In a simulation, or where a GradScaler skipped the step, nothing is lost by that.
    """
    attributes = vars(optimizer)
    if attributes.get("_opt_called") and hasattr(attributes.get("step"), "_wrapped_by_lr_sched"):
        return None
    return {name: attributes[name] for name in ("step", "_opt_called") if name in attributes}


def pretend_to_have_stepped(optimizer: torch.optim.Optimizer) -> None:
    """Let a scheduler find that the optimizer has stepped."""
    vars(optimizer).update(step=nothing_taken, _opt_called=True)


def stop_pretending(optimizer: torch.optim.Optimizer, hidden: dict[str, Any]) -> None:
    """Undo :func:`pretend_to_have_stepped`; a second time does nothing more."""
    attributes = vars(optimizer)
    attributes.pop("step", None)
    attributes.pop("_opt_called", None)
    attributes.update(hidden)
