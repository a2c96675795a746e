"""The rounding of values by tensors in param groups: a tensor of less than 64 bits rounds the values that it stores."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lehr.engine.type_checks_without_import import tensor_type
from lehr.handlers.schedules.base import Array

if TYPE_CHECKING:
    import torch


def as_held(numbers: Sequence[Any], values: Any) -> Any:
    """Return the values after the tensors of param groups have rounded them to their dtypes.

    Args:
        numbers: the number or tensor that each group holds.
        values: a number, a list with one number for each group, or an array ``(events, groups)``.
    """
    if {float}.issuperset(map(type, numbers)):  # the usual case, which is fast to check
        return values
    tensor = tensor_type()
    if not any(isinstance(one, tensor) for one in numbers):
        return values
    import torch

    dtypes = [one.dtype if isinstance(one, tensor) else torch.float64 for one in numbers]
    if not any(dtype is not torch.float64 for dtype in dtypes):
        return values
    if isinstance(values, np.ndarray):
        return np.stack([_rounded(column, dtype) for column, dtype in zip(values.T, dtypes, strict=False)], axis=1)
    each = values if isinstance(values, list) else [values] * len(dtypes)
    rounded = [float(_rounded(np.array([value]), dtype)[0]) for value, dtype in zip(each, dtypes, strict=False)]
    return rounded if isinstance(values, list) or len(set(rounded)) > 1 else rounded[0]


def _rounded(values: Array, dtype: "torch.dtype") -> Array:
    import torch

    return values if dtype is torch.float64 else torch.from_numpy(values.copy()).to(dtype).double().numpy()
