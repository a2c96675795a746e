"""Param groups like those of torch's SGD, without torch; they give the default base values of schedules."""

from collections.abc import Mapping, Sequence
from typing import Any

# The entries of a param group, beside "params" and the required lr, that torch.optim.SGD makes.
DEFAULTS = {
    **{"momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False, "maximize": False},
    **{"foreach": None, "differentiable": False, "fused": None},
}
NUMBERS = ("lr", "momentum", "dampening", "weight_decay")


class PlainSGD:
    """An object with the param groups of ``torch.optim.SGD``, which has no parameters and takes no steps.

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
    """Return whether ``torch.optim.SGD`` accepts an initial value; False if only torch can decide this.

    >>> is_legal_for_sgd("lr", 0.1), is_legal_for_sgd("lr", -0.1), is_legal_for_sgd("nesterov", True)
    (True, False, False)
    """
    return key in NUMBERS and type(value) in (int, float) and value >= 0  # type: ignore[operator]
