"""The range of values that torch's optimizers allow for each parameter, such as ``lr`` and ``betas[0]``."""

from typing import NamedTuple

import numpy as np


class LegalRange(NamedTuple):
    """The range of values that optimizers allow for a parameter.

    Args:
        rule: a text that describes the range in error messages, such as ``"at least 0"``.
        lowest: the lowest legal value.
        highest: the highest legal value.
    """

    rule: str
    lowest: float
    highest: float


LARGEST = float(np.finfo(np.float64).max)  # no optimizer allows an infinite value
ABOVE_0, BELOW_1, ABOVE_1 = (float(np.nextafter(*towards)) for towards in ((0.0, 1.0), (1.0, 0.0), (1.0, 2.0)))
SLIGHTLY_NEGATIVE = -1e-12  # rounding may turn a value of 0 into a slightly negative number
NOT_NEGATIVE = ("lr", "weight_decay", "momentum", "eps", "alpha", "lr_decay", "momentum_decay")
LEGAL_RANGES = {
    **dict.fromkeys(NOT_NEGATIVE, LegalRange("at least 0", SLIGHTLY_NEGATIVE, LARGEST)),
    **dict.fromkeys(
        ("betas[0]", "betas[1]", "betas[2]"), LegalRange("at least 0 and less than 1", SLIGHTLY_NEGATIVE, BELOW_1)
    ),
    "rho": LegalRange("at least 0 and at most 1", SLIGHTLY_NEGATIVE, 1.0),
    "etas[0]": LegalRange("more than 0 and less than 1", ABOVE_0, BELOW_1),
    "etas[1]": LegalRange("more than 1", ABOVE_1, LARGEST),
}


ANY_VALUE = LegalRange("any number", -LARGEST, LARGEST)


def legal_range(key: str, item: int | None) -> LegalRange | None:
    """Return the legal range of a parameter; None if all values are legal.

    Args:
        key: the entry of a param group, such as ``"betas"``.
        item: the index of the parameter if the entry is a tuple; otherwise None.

    >>> legal_range("betas", 1).rule
    'at least 0 and less than 1'
    """
    return LEGAL_RANGES.get(key if item is None else f"{key}[{item}]")
