"""Values that are large, deep, cyclic or hard to show, for arguments, configs and states."""

from typing import Any

import torch

from lehr.handlers.schedules import Constant, PiecewiseConstant, Product


class LongRepr:
    """An object with a long repr."""

    def __repr__(self) -> str:
        return "long " * 1000


class RaisingRepr:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise KeyError("no repr")


def nested(depth: int, make: Any = lambda inner: [inner]) -> Any:
    """A value in a value in a value ..."""
    value: Any = 1.0
    for _ in range(depth):
        value = make(value)
    return value


def cyclic_list() -> list[Any]:
    """A list that contains itself."""
    one: list[Any] = []
    one.append(one)
    return one


def cyclic_dict() -> dict[str, Any]:
    """A dict that contains itself."""
    one: dict[str, Any] = {"type": "torch.StepLR"}
    one["inner"] = one
    return one


def shared(depth: int) -> list[Any]:
    """A list of a few lists that has 9**depth items when it is written out."""
    return nested(depth, lambda inner: [inner] * 9)  # type: ignore[no-any-return]


HUGE: dict[str, Any] = {
    "a text": "x" * 100_000,
    "bytes": b"x" * 100_000,
    "a list": [0] * 100_000,
    "a list of texts": ["x" * 2000] * 100,
    "a tuple of pairs": ((1, 2.0),) * 10_000,
    "a dict": {str(key): key for key in range(10_000)},
    "a dict with long keys": {"k" * 2000: 1},
    "a set": set(range(10_000)),
    "a number beyond float": 10**400,
    "a number beyond text": 10**5000,
    "a list of such numbers": [10**5000, 10**400],
    "a complex number": 10**300 + 1j,
    "NaN": float("nan"),
    "an array": torch.arange(10_000.0),
    "a NumPy array": torch.arange(10_000.0).numpy(),
    "a long repr": LongRepr(),
    "no repr": RaisingRepr(),
    "texts of no repr": [RaisingRepr(), LongRepr()],
    "a long schedule": PiecewiseConstant([0.1] * 1001, list(range(1000))),
    "a list of long schedules": [PiecewiseConstant([0.1] * 1001, list(range(1000)))] * 3,
    "a product of many": Product([Constant(0.1)] * 1000),
    "a long function": eval("lambda x: x", {"__name__": "x"}),
    "a deep list": nested(2000),
    "a deep tuple": nested(2000, lambda inner: (inner,)),
    "a deep dict": nested(2000, lambda inner: {"a": inner}),
    "a cyclic list": cyclic_list(),
    "a cyclic dict": cyclic_dict(),
    "shared lists": shared(30),
}
HUGE["a long function"].__qualname__ = HUGE["a long function"].__name__ = "f" * 5000


def huge_value(name: str) -> Any:
    """One of the values; Hypothesis prints the names, since it cannot print all values."""
    return HUGE[name]
