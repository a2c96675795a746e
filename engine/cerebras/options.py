"""The function :func:`check_option_values`, which checks the options of Cerebras' optimizers."""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import torch

from lehr.engine.values_in_errors import shown

# For each option, the table has its smallest value and the bound that it must be below. An option that is not in the
# table may be any finite number.
RANGES = {
    "lr": (0.0, math.inf),
    "betas": (0.0, 1.0),
    "eps": (0.0, math.inf),
    "weight_decay": (0.0, math.inf),
    "momentum": (0.0, math.inf),
    "clip_threshold": (0.0, math.inf),
    "beta1": (0.0, 1.0),
    "step_sizes": (0.0, math.inf),
}
FLAGS = (
    *("amsgrad", "correct_bias", "adam", "nesterov", "maximize", "centered", "foreach"),
    *("scale_parameter", "relative_step", "warmup_init"),
)


def check_option_values(
    options: dict[str, Any], names: Iterable[str], pairs: Iterable[str] = (), optional: Iterable[str] = ()
) -> None:
    """Check that each option is a number within its range, or True or False if the option is a flag.

    Args:
        options: the options by name, such as a param group.
        names: the options to check.
        pairs: the names of the options that are pairs of numbers.
        optional: the names of the options that may be None.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option is out of its range.
    """
    for name in names:
        value = options[name]
        if value is None and name in optional:
            continue
        if name in FLAGS:
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, given {shown(value)}")
            continue
        if name in pairs and (not isinstance(value, tuple | list) or len(value) != 2):
            raise TypeError(f"{name} must be two numbers, given {shown(value)}")
        for one in value if name in pairs else [value]:
            _check_number(name, one, value)
        if name == "step_sizes" and value[0] > value[1]:
            raise ValueError(f"step_sizes must be the least size and then the largest size, given {shown(value)}")


def _check_number(name: str, number: Any, given: Any) -> None:
    least, below = RANGES.get(name, (-math.inf, math.inf))
    is_tensor = isinstance(number, torch.Tensor) and number.numel() == 1 and not number.is_complex()
    if isinstance(number, bool) or not (is_tensor or isinstance(number, Real)):
        raise TypeError(f"{name} must be a number, given {shown(given)}")
    if not least <= number < below or number == -math.inf:
        rule = "finite" if least == -math.inf or number == math.inf else f"at least {least:g}"
        rule += "" if below == math.inf else f" and less than {below:g}"
        raise ValueError(f"{name} must be {rule}, given {shown(given)}")
