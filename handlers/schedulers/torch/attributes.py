"""The attributes of a torch scheduler: its inner schedulers, its configuration, and copies of its state."""

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

# The attributes that torch's schedulers change at each step, and which are therefore not configuration.
COUNTS = ("last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial")
PLATEAU_COUNTS = ("best", "num_bad_epochs", "cooldown_counter")
NUMBERS = (*PLATEAU_COUNTS, "T_cur", "T_i")
# The same for all of torch's classes; the state of users' functions changes, too.
PROGRESS = (*COUNTS, *NUMBERS, "lr_lambdas")
LARGEST_SHOWN = 16  # the most numbers of a tensor that a description shows


def takes_metric(scheduler: TorchLRScheduler) -> bool:
    """Whether the ``step`` of a torch scheduler has a required argument, which can only be a metric.

    Raises:
        TypeError: ``step`` has several required arguments.
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(scheduler.step).parameters.values()
    required = [one.name for one in parameters if one.default is inspect.Parameter.empty and one.kind in kinds]
    if len(required) > 1:
        raise TypeError(f"lr_scheduler must have a step() that takes a metric or nothing, given one of {required}")
    return bool(required) or isinstance(scheduler, ReduceLROnPlateau)


def schedulers_in(scheduler: TorchLRScheduler) -> list[TorchLRScheduler]:
    """A scheduler and all schedulers inside it, each once."""
    found: dict[int, TorchLRScheduler] = {}
    queue: list[Any] = [scheduler]
    while queue:
        thing = queue.pop()
        if isinstance(thing, TorchLRScheduler) and id(thing) not in found:
            found[id(thing)] = thing
            queue.extend(vars(thing).values())
        elif isinstance(thing, list | tuple):
            queue.extend(item for item in thing if isinstance(item, TorchLRScheduler | list | tuple))
    return list(found.values())


class Snapshot:
    """Copies of all attributes of a torch scheduler and of the schedulers inside it, to restore them later.

    The optimizer and the schedulers themselves are not copied; the copies refer to the same objects.

    Args:
        scheduler: the torch scheduler.
    """

    def __init__(self, scheduler: TorchLRScheduler) -> None:
        self._schedulers = schedulers_in(scheduler)
        self._attributes: list[dict[str, Any]] | None = None
        self._error: TypeError | None = None
        try:
            self._attributes = self._copied([vars(one) for one in self._schedulers])
        except TypeError as error:  # restore() raises it
            self._error = error

    @property
    def is_complete(self) -> bool:
        """Whether all attributes could be copied."""
        return self._attributes is not None

    def restore(self) -> None:
        """Restore the attributes.

        Raises:
            TypeError: an attribute could not be copied.
        """
        if self._attributes is None:
            raise TypeError(
                f"{arguments.shown(self._schedulers[0])} cannot go back to an earlier step: {self._error}"
            ) from self._error
        copied = self._copied(self._attributes)
        for one, attributes in zip(self._schedulers, copied, strict=True):
            try:
                _put(attributes, one)
            except BaseException:  # an interrupt, such as Ctrl-C
                _put(attributes, one)
                raise

    def _copied(self, attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = [value for own in attributes for value in own.values()]
        values += [item for value in values if isinstance(value, list | tuple) for item in value]
        owners = [value.__self__ for value in values if isinstance(value, MethodType)]  # the objects of users' methods
        return private_copy(attributes, kept=[*self._schedulers, self._schedulers[0].optimizer, *owners])


def _put(attributes: dict[str, Any], scheduler: TorchLRScheduler) -> None:
    vars(scheduler).clear()
    vars(scheduler).update(attributes)


def configuration_of(scheduler: TorchLRScheduler) -> str:
    """A text of the class and attributes of a scheduler and its inner schedulers, the same in every process."""
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
    # An object whose repr is only its class and address.
    if (
        hasattr(thing, "__dict__")
        and not (hasattr(thing, "__qualname__") or isinstance(thing, partial))
        and "0x" in repr(thing)
    ):
        return f"{type(thing).__qualname__}({_pairs(vars(thing), '=', within)})"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text_of(description_of(thing)))


def _pairs(items: Mapping[Any, Any], sign: str, within: list[Any]) -> str:
    return ", ".join(f"{key}{sign}{_described(value, within)}" for key, value in items.items())


def refuse_other_attributes(scheduler: TorchLRScheduler, saved: Mapping[str, Any]) -> None:
    """Raise an error if saved attributes cannot be those of this scheduler, which is one of torch's own.

    A user's own class may change any attribute, so its attributes are not compared.

    Raises:
        ValueError: a saved attribute is unknown, of another configuration, or not a number although it must be.
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
                refuse_other_attributes(one, its_own)
        elif key not in own or (key not in PROGRESS and value != own[key]):
            raise ValueError(f"not the attributes of this {type(scheduler).__name__}, since {key!r} differs")
        elif key in NUMBERS and type(value) not in (int, float):
            raise ValueError(f"not the attributes of a {type(scheduler).__name__}: {key!r} is {arguments.shown(value)}")


def checked_saved(saved: Any) -> tuple[dict[str, Any], list[Any], list[Any]]:
    """The saved attributes, learning rates and momenta of a torch scheduler, after a check of their types."""
    if type(saved) is not dict or set(saved) != {"wrapped", "rates", "momenta"}:
        raise ValueError(f"not the saved entries of a torch scheduler: {arguments.shown(saved)}")
    wrapped, rates, momenta = saved["wrapped"], saved["rates"], saved["momenta"]
    if type(wrapped) is not dict or not all(type(key) is str for key in wrapped):
        raise ValueError(f"not the attributes of a torch scheduler: {arguments.shown(wrapped)}")
    counts = _counts_in(wrapped)
    if not all(type(count) is int for count in counts):
        raise ValueError(f"not the counts of a torch scheduler: {arguments.shown(counts)}")
    if type(rates) is not list or not rates or not all(map(_is_number, rates)):
        raise ValueError(f"not the learning rates of a torch scheduler: {arguments.shown(rates)}")
    if type(momenta) is not list or not all(momentum is None or _is_number(momentum) for momentum in momenta):
        raise ValueError(f"not the momenta of a torch scheduler: {arguments.shown(momenta)}")
    return wrapped, rates, momenta


def _counts_in(wrapped: dict[str, Any]) -> list[Any]:
    """The saved counts of a scheduler and of the schedulers inside it."""
    own, inner = [wrapped[key] for key in ("last_epoch", "_step_count") if key in wrapped], wrapped.get("_schedulers")
    inner = inner if isinstance(inner, list) else []
    return own + [count for one in inner if isinstance(one, dict) for count in _counts_in(one)]


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and bool(value.isfinite())
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def no_step() -> None:
    """Replaces an optimizer's ``step`` while its scheduler steps, so that torch does not warn of a missing step."""


no_step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]


def attributes_before_marking(optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """The attributes that :func:`mark_as_stepped` will replace; None if the optimizer has stepped already.

    If the optimizer has not stepped, torch warns. The warning would be wrong in a simulation, or after a GradScaler
    skipped the step.
    """
    attributes = vars(optimizer)
    if attributes.get("_opt_called") and hasattr(attributes.get("step"), "_wrapped_by_lr_sched"):
        return None
    return {name: attributes[name] for name in ("step", "_opt_called") if name in attributes}


def mark_as_stepped(optimizer: torch.optim.Optimizer) -> None:
    """Make torch believe that the optimizer has stepped."""
    vars(optimizer).update(step=no_step, _opt_called=True)


def unmark_as_stepped(optimizer: torch.optim.Optimizer, hidden: dict[str, Any]) -> None:
    """Undo :func:`mark_as_stepped`; a second call has no effect."""
    attributes = vars(optimizer)
    attributes.pop("step", None)
    attributes.pop("_opt_called", None)
    attributes.update(hidden)
