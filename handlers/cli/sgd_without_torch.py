"""Param groups like those of torch's SGD, made without torch. Schedules start from their values."""

from collections.abc import Mapping, Sequence
from typing import Any

# The entries of a param group of torch.optim.SGD with their default values, except "params" and "lr".
DEFAULTS = {
    **{"momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False, "maximize": False},
    **{"foreach": None, "differentiable": False, "fused": None},
}
NUMBERS = ("lr", "momentum", "dampening", "weight_decay")


class PlainSGD:
    """An object that has the param groups of ``torch.optim.SGD``, but trains no parameters.

    Args:
        groups: for each group, the values that replace the values in ``initial``.
        initial: the values for all groups, including ``lr``.

    Example:
        >>> PlainSGD([{}, {"lr": 0.01}], {"lr": 0.1}).param_groups[1]["lr"]
        0.01
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]], initial: Mapping[str, Any]) -> None:
        self.defaults: dict[str, Any] = {"lr": initial["lr"], **DEFAULTS, **initial}
        self.param_groups: list[dict[str, Any]] = [{"params": [], **self.defaults, **group} for group in groups]


def is_legal_for_sgd(key: str, value: object) -> bool:
    """Return whether ``torch.optim.SGD`` accepts an initial value. If only torch can decide this, return False.

    >>> is_legal_for_sgd("lr", 0.1), is_legal_for_sgd("lr", -0.1), is_legal_for_sgd("nesterov", True)
    (True, False, False)
    """
    return key in NUMBERS and type(value) in (int, float) and value >= 0  # type: ignore[operator]
