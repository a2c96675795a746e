"""Functions that check the saved state of an optimizer of Cerebras before the state is loaded."""

import math
from typing import Any

import torch

from lehr.engine.values_in_errors import shown

LARGEST = 1e300  # the largest single number in a state; a larger int may be too large for a float


def check_is_state(state_dict: Any) -> None:
    """Check that an object has the form of the state of an optimizer.

    Raises:
        TypeError: the object has another form.
    """
    is_dict = isinstance(state_dict, dict)
    states, groups = (state_dict.get("state"), state_dict.get("param_groups")) if is_dict else (None, None)
    if not isinstance(states, dict) or not all(isinstance(one, dict) for one in states.values()):
        raise TypeError(f"state_dict must have a dict of dicts under 'state', given {shown(state_dict)}")
    if not isinstance(groups, list) or not all(
        isinstance(one, dict) and isinstance(one.get("params"), list) for one in groups
    ):
        raise TypeError(
            f"state_dict must have a list of dicts under 'param_groups', each with a list under 'params', given "
            f"{shown(groups)}"
        )


def check_saved(name: str, saved: Any, own: torch.Tensor) -> None:
    """Check that a saved entry of the state of a parameter can replace the entry that the optimizer makes.

    Args:
        name: the name of the entry.
        saved: the saved entry.
        own: the entry that the optimizer makes.

    Raises:
        TypeError: ``saved`` is not a tensor. If ``own`` is a single number, ``saved`` may also be a float or an int.
        ValueError: ``saved`` has another shape, or is a single number that is not finite.
    """
    if own.dim() == 0 and isinstance(saved, int | float):
        saved = torch.tensor(float(saved) if abs(saved) < LARGEST else math.nan)
    if not isinstance(saved, torch.Tensor):
        raise TypeError(f"the entry {name} of a state must be a tensor, given {shown(saved)}")
    if saved.shape != own.shape:
        raise ValueError(f"the entry {name} of a state must have shape {tuple(own.shape)}, given {tuple(saved.shape)}")
    if own.dim() == 0 and not math.isfinite(saved):
        raise ValueError(f"the entry {name} of a state must be finite, given {shown(saved)}")
