"""The base class of targets, which read, check and write numbers, and the location of each number."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from lehr.engine.type_checks_without_import import is_tensor

from .legal_values import LegalRange

if TYPE_CHECKING:
    from ignite.engine import Engine

Value = float | list[float]


class Location(NamedTuple):
    """The location of one number, such as the ``lr`` of a param group.

    Args:
        holder: the object that has the number: a param group, the state of an engine, or a batch sampler.
        key: the key or attribute of the holder that has the number.
        item: the index of the number if it is in a tuple such as ``betas``; otherwise None.
        owner: the optimizer of the param group; otherwise the holder itself.
    """

    holder: Any
    key: str
    item: int | None
    owner: Any

    @property
    def identity(self) -> tuple[int, str, int | None]:
        """A key that identifies the number. Two param groups that share a tensor have equal keys."""
        holder, key, item, _ = self
        number = holder.get(key) if isinstance(holder, dict) else None
        return id(number if type(number) is not float and is_tensor(number) else holder), key, item

    @property
    def label(self) -> str:
        """The name or index of the param group; an empty string if the number is not in an optimizer."""
        if not self.is_in_optimizer:
            return ""
        number = next(at for at, group in enumerate(self.owner.param_groups) if group is self.holder)
        return str(self.holder.get("name", f"group {number}"))

    @property
    def param_name(self) -> str:
        """The name of the number, such as ``lr`` or ``betas[0]``."""
        return self.key if self.item is None else f"{self.key}[{self.item}]"

    @property
    def is_in_optimizer(self) -> bool:
        """Whether the number is in a param group."""
        return isinstance(self.holder, dict)

    def read(self) -> list[float]:
        """Return a list that contains the number.

        If the attribute of an engine's state is a list, return all its items. If the engine's state does not have the
        attribute yet, the number is NaN.
        """
        if isinstance(self.holder, dict):
            number = self.holder[self.key] if self.item is None else self.holder[self.key][self.item]
        else:
            number = getattr(self.holder, self.key, None)
        if isinstance(number, list | tuple):
            return [float(value) for value in number]
        return [math.nan if number is None else float(number)]


class Target(ABC):
    """The base class of targets. A target writes a scheduler's values to one or several locations.

    A target first checks a value and then writes it. So if one of several targets cannot take its value, an event
    writes to none of them.
    """

    is_saved = True  # whether a checkpoint of the optimizer contains the values
    last: Any = None  # the last value that was written, if ``is_saved`` is False
    legal: LegalRange | None = None  # the range of values that the optimizer allows; None if it allows all values

    @abstractmethod
    def check(self, value: Any, engine: "Engine | None") -> Callable[[], None]:
        """Return a function that writes the value, or raise an error if the value cannot be written.

        Raises:
            TypeError, ValueError: the value cannot be written.
        """

    def write(self, value: Any, engine: "Engine | None") -> None:
        """Check a value and write it.

        Raises:
            TypeError, ValueError: see :meth:`check`.
        """
        self.check(value, engine)()

    def write_last_again(self, engine: "Engine | None") -> None:
        """Write the last value again if no checkpoint contains it."""
        if not self.is_saved and self.last is not None:
            self.write(self.last, engine)

    def float_groups(self) -> Any:
        """Return the written groups as ``FloatGroups`` if their parameter is a float; otherwise None."""
        return None

    @abstractmethod
    def read(self) -> Any:
        """Return the present value as plain data. For an engine's state, return the last value that was written."""

    @abstractmethod
    def holders(self, engine: "Engine") -> list[Any]:
        """Return the ``holder`` of each :class:`Location`. This is faster than :meth:`locations`."""

    @abstractmethod
    def locations(self, engine: "Engine") -> list[Location]:
        """Return the location of each number that the target writes at the events of an engine."""

    def as_held(self, values: Any) -> Any:
        """Return the values that a reader would find after the target has written ``values``.

        If a tensor rounds a number to its dtype, a reader finds the rounded number.

        Args:
            values: a number, a list with one number for each param group, or an array ``(events, groups)``.
        """
        return values

    def history_width(self, value: Any) -> int:
        """Return the number of values that the history records at each event; 0 if ``value`` is a bare number."""
        return len(value) if isinstance(value, list) else 0
