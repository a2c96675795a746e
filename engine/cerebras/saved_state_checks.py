"""Checks of a saved state of one of Cerebras' optimizers, before any of it is loaded."""

import math
from typing import Any

import torch

from lehr.engine.error_text import shown

LARGEST = 1e300  # of a single number in a state; a larger int may be none of float


def check_is_state(state_dict: Any) -> None:
    """Check that something has the form of the state of an optimizer.

    Raises:
        TypeError: it does not.
    """
    is_dict = isinstance(state_dict, dict)
    states, groups = (state_dict.get("state"), state_dict.get("param_groups")) if is_dict else (None, None)
    if not isinstance(states, dict) or not all(isinstance(one, dict) for one in states.values()):
        raise TypeError(f"state_dict must have a dict of dicts under 'state', given {shown(state_dict)}")
    if not isinstance(groups, list) or not all(
        isinstance(one, dict) and isinstance(one.get("params"), list) for one in groups
    ):
        raise TypeError(
            f"state_dict must have a list of dicts under 'param_groups', with a list of 'params' each, given "
            f"{shown(groups)}"
        )


def check_saved(name: str, saved: Any, own: torch.Tensor) -> None:
    """Check that a saved part of the state of a parameter can take the place of one that the optimizer makes.

    Raises:
        TypeError: it is neither a tensor nor, in the place of a single number, a number.
        ValueError: it has another shape, or is a single number that is not finite.
    """
    if own.dim() == 0 and isinstance(saved, int | float):
        saved = torch.tensor(float(saved) if abs(saved) < LARGEST else math.nan)
    if not isinstance(saved, torch.Tensor):
        raise TypeError(f"{name} of a state must be a tensor, given {shown(saved)}")
    if saved.shape != own.shape:
        raise ValueError(f"{name} of a state must have the shape {tuple(own.shape)}, given {tuple(saved.shape)}")
    if own.dim() == 0 and not math.isfinite(saved):
        raise ValueError(f"{name} of a state must be finite, given {shown(saved)}")
