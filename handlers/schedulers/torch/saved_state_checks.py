"""Functions that check the saved state of a torch scheduler before it is loaded."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.schedules import arguments

from .inspection import COUNTS
from .to_plain_data import from_plain

PLATEAU_COUNTS = ("best", "num_bad_epochs", "cooldown_counter")
NUMBERS = (*PLATEAU_COUNTS, "T_cur", "T_i")
# The attributes of torch's classes that change in a run. ``lr_lambdas`` contains the state of users' functions.
PROGRESS = (*COUNTS, *NUMBERS, "lr_lambdas")
# Not all versions of torch have these attributes. The values do not depend on these attributes.
OF_OTHER_VERSIONS = (*COUNTS, "verbose")


def refuse_other_attributes(scheduler: TorchLRScheduler, saved: Mapping[str, Any]) -> None:
    """Raise an error if saved attributes do not fit a torch scheduler.

    The attributes of a user's own class are not compared, because the class may change any of them in a run.

    Raises:
        ValueError: a saved attribute is unknown, belongs to another configuration, or must be a number and is not.
    """
    if not type(scheduler).__module__.startswith("torch."):
        return
    own = scheduler.state_dict()
    inner = getattr(scheduler, "_schedulers", [])
    for key, value in saved.items():
        if key == "_schedulers":
            if type(value) is not list or len(value) != len(inner) or not all(type(one) is dict for one in value):
                raise ValueError(
                    f"'_schedulers' of the state must contain {len(inner)} dictionaries, given {arguments.shown(value)}"
                )
            for one, its_own in zip(inner, value, strict=True):
                refuse_other_attributes(one, its_own)
        elif key not in own and key in OF_OTHER_VERSIONS:
            continue
        elif key not in own or (key not in PROGRESS and value != own[key]):
            raise ValueError(
                f"the state of a {type(scheduler).__name__} must have the same {key!r} as this scheduler, given "
                f"{arguments.shown(value)}"
            )
        elif key in NUMBERS and type(value) not in (int, float):
            raise ValueError(
                f"{key!r} in the state of a {type(scheduler).__name__} must be a number, given {arguments.shown(value)}"
            )


def checked_saved(
    state_dict: Any, scheduler: TorchLRScheduler
) -> tuple[int, dict[str, Any], list[Any], list[Any], tuple[tuple[int, Any, float], ...]]:
    """Return the saved number of steps, attributes, learning rates, momenta and added groups of a torch scheduler.

    Raises:
        TypeError, ValueError: ``state_dict`` is not the state of a torch scheduler.
    """
    if not isinstance(state_dict, Mapping) or set(state_dict) != {"configuration", "position", "saved"}:
        raise ValueError(f"state_dict must be the state of a torch scheduler, given {arguments.shown(state_dict)}")
    position = arguments.whole_number("position", state_dict["position"], at_least=0)
    saved = from_plain(state_dict["saved"])
    if type(saved) is not dict or set(saved) - {"added"} != {"wrapped", "rates", "momenta"}:
        raise ValueError(f"'saved' must contain the entries of a torch scheduler, given {arguments.shown(saved)}")
    wrapped, rates, momenta = saved["wrapped"], saved["rates"], saved["momenta"]
    if type(wrapped) is not dict or not all(type(key) is str for key in wrapped):
        raise ValueError(f"'wrapped' must contain attributes by their names, given {arguments.shown(wrapped)}")
    counts = _counts_in(wrapped)
    if not all(type(count) is int for count in counts):
        raise ValueError(f"the saved counts of a torch scheduler must be ints, given {arguments.shown(counts)}")
    if type(rates) is not list or not rates or not all(map(_is_number, rates)):
        raise ValueError(f"the saved learning rates must be a list of finite numbers, given {arguments.shown(rates)}")
    if type(momenta) is not list or not all(momentum is None or _is_number(momentum) for momentum in momenta):
        raise ValueError(f"the saved momenta must be a list of numbers or None, given {arguments.shown(momenta)}")
    added = saved.get("added", [])
    if type(added) is not list or not all(map(_is_added_group, added)):
        raise ValueError(
            f"each saved added group must be [event, learning rate, factor], given {arguments.shown(added)}"
        )
    for key in wrapped:
        if key == "optimizer" or callable(getattr(type(scheduler), key, None)):
            raise ValueError(
                f"the saved attributes of a torch scheduler must not contain {key!r}, given {arguments.shown(wrapped)}"
            )
    return position, wrapped, rates, momenta, tuple(map(tuple, added))


def _is_added_group(entry: Any) -> bool:
    is_long = type(entry) is list and len(entry) == 3
    return is_long and type(entry[0]) is int and entry[0] >= 0 and all(map(_is_number, entry[1:]))


def _counts_in(wrapped: dict[str, Any]) -> list[Any]:
    own, inner = [wrapped[key] for key in ("last_epoch", "_step_count") if key in wrapped], wrapped.get("_schedulers")
    inner = inner if isinstance(inner, list) else []
    return own + [count for one in inner if isinstance(one, dict) for count in _counts_in(one)]


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and bool(value.isfinite())
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
