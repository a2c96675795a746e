"""What a target is: something that holds numbers and can be read, checked and written."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from ignite.engine import Engine

Value = float | list[float]


class Location(NamedTuple):
    """Where one number is, so that it can be read, named and compared.

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
        """A key that two locations of the same number share, also where several groups share one tensor."""
        held = self.holder.get(self.key) if isinstance(self.holder, dict) else None
        return (id(held) if isinstance(held, torch.Tensor) else id(self.holder)), self.key, self.item

    @property
    def label(self) -> str:
        """The name or number of the param group; empty outside of an optimizer."""
        if not self.is_in_optimizer:
            return ""
        number = next(at for at, group in enumerate(self.owner.param_groups) if group is self.holder)
        return str(self.holder.get("name", f"group {number}"))

    @property
    def param_name(self) -> str:
        """The param name that a scheduler of this number has."""
        return self.key if self.item is None else f"{self.key}[{self.item}]"

    @property
    def is_in_optimizer(self) -> bool:
        """Whether the number is in a param group."""
        return isinstance(self.holder, dict)

    def read(self) -> list[float]:
        """The number; several where an engine's state has a list, and NaN where it has nothing yet."""
        if isinstance(self.holder, dict):
            held = self.holder[self.key] if self.item is None else self.holder[self.key][self.item]
        else:
            held = getattr(self.holder, self.key, None)
        if isinstance(held, list | tuple):
            return [float(value) for value in held]
        return [math.nan if held is None else float(held)]


class Target(ABC):
    """Where a scheduler writes its values.

    A target first checks a value and then writes it, so that of several targets either all are written or none.
    """

    is_saved = True  # whether a checkpoint of the optimizer keeps what is written
    last: Any = None  # the last value that was written, if no checkpoint keeps it

    @abstractmethod
    def check(self, value: Any, engine: Engine | None) -> Callable[[], None]:
        """Raise an error if the value cannot be written; else return a function that writes it.

        Raises:
            TypeError, ValueError: the target does not take this value; nothing is written.
        """

    def write(self, value: Any, engine: Engine | None) -> None:
        """Check a value and write it.

        Raises:
            TypeError, ValueError: as :meth:`check`.
        """
        self.check(value, engine)()

    @abstractmethod
    def read(self) -> Any:
        """The present value as plain data; the last one that was written where only an engine has it."""

    @abstractmethod
    def holders(self, engine: Engine) -> list[Any]:
        """The objects that have the numbers, as in :class:`Location`: quicker to find than the locations."""

    @abstractmethod
    def locations(self, engine: Engine) -> list[Location]:
        """The location of each number that is written at the events of an engine."""

    def history_width(self, value: Any) -> int:
        """How many values an event of the history has; 0 where it is a bare number."""
        return len(value) if isinstance(value, list) else 0
