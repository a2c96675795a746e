"""The base class of targets: a target holds numbers, and can be read, checked and written."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from ignite.engine import Engine

from .legal_values import LegalRange

Value = float | list[float]


class Location(NamedTuple):
    """The location of one number, which can be read, named and compared.

    Args:
        holder: the object that has the number: a param group, the state of an engine, a batch sampler.
        key: the name of the number in it.
        item: the index in a tuple such as ``betas``; None for the whole entry.
        owner: the optimizer, engine state or batch sampler.
    """

    holder: Any
    key: str
    item: int | None
    owner: Any

    @property
    def identity(self) -> tuple[int, str, int | None]:
        """A key for the number; it is equal for two param groups that share a tensor."""
        holder, key, item, _ = self
        held = holder.get(key) if isinstance(holder, dict) else None
        is_tensor = type(held) is not float and isinstance(held, torch.Tensor)  # the check of a tensor is slow
        return id(held if is_tensor else holder), key, item

    @property
    def label(self) -> str:
        """The name or number of the param group; empty if the number is not in an optimizer."""
        if not self.is_in_optimizer:
            return ""
        number = next(at for at, group in enumerate(self.owner.param_groups) if group is self.holder)
        return str(self.holder.get("name", f"group {number}"))

    @property
    def param_name(self) -> str:
        """The param name of the number."""
        return self.key if self.item is None else f"{self.key}[{self.item}]"

    @property
    def is_in_optimizer(self) -> bool:
        """Whether the number is in a param group."""
        return isinstance(self.holder, dict)

    def read(self) -> list[float]:
        """The number in a list; all items if an engine's state has a list, and NaN if it has no value yet."""
        if isinstance(self.holder, dict):
            held = self.holder[self.key] if self.item is None else self.holder[self.key][self.item]
        else:
            held = getattr(self.holder, self.key, None)
        if isinstance(held, list | tuple):
            return [float(value) for value in held]
        return [math.nan if held is None else float(held)]


class Target(ABC):
    """The object to which a scheduler writes its values.

    A target first checks a value and then writes it, so that an event can write all of several targets or none.
    """

    is_saved = True  # whether a checkpoint of the optimizer contains the values
    last: Any = None  # the last written value, if no checkpoint contains it
    legal: LegalRange | None = None  # the values that the optimizer allows; None for all

    @abstractmethod
    def check(self, value: Any, engine: Engine | None) -> Callable[[], None]:
        """Raise an error if the value cannot be written; else return a function that writes it.

        Raises:
            TypeError, ValueError: the target cannot take this value; nothing is written.
        """

    def write(self, value: Any, engine: Engine | None) -> None:
        """Check a value and write it.

        Raises:
            TypeError, ValueError: as :meth:`check`.
        """
        self.check(value, engine)()

    def float_groups(self) -> Any:
        """The param groups that hold floats, as ``FloatGroups``; None for any other target."""
        return None

    @abstractmethod
    def read(self) -> Any:
        """The present value as plain data; for an engine's state, the last value that was written."""

    @abstractmethod
    def holders(self, engine: Engine) -> list[Any]:
        """The ``holder`` of each :class:`Location`; faster than :meth:`locations`."""

    @abstractmethod
    def locations(self, engine: Engine) -> list[Location]:
        """The location of each number that is written at the events of an engine."""

    def as_held(self, values: Any) -> Any:
        """Values as the target holds them after it has written them.

        Args:
            values: a number, a list with one for each param group, or a table ``(events, groups)``.
        """
        return values

    def history_width(self, value: Any) -> int:
        """The number of values per event of the history; 0 for a bare number."""
        return len(value) if isinstance(value, list) else 0
