"""The length of the run that a config is for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lehr.handlers.schedules import arguments

from .entries import located, refuse_key

KEYS = ("max_epochs", "total_steps", "epoch_length")


@dataclass(frozen=True)
class RunLength:
    """The length of a run, as far as it is known.

    Args:
        epoch_length: events in an epoch, where the events are iterations and the config counts epochs; else None.
        max_epochs: epochs of the run.
        total_steps: iterations of the run.
    """

    epoch_length: int | None = None
    max_epochs: int | None = None
    total_steps: int | None = None

    @property
    def epochs(self) -> int | None:
        """The number of epochs; None if it is unknown."""
        if self.max_epochs is None and self.total_steps is not None and self.epoch_length is not None:
            whole, rest = divmod(self.total_steps, self.epoch_length)
            return None if rest else whole
        return self.max_epochs

    @property
    def steps(self) -> int | None:
        """The number of iterations; None if it is unknown."""
        if self.total_steps is None and self.max_epochs is not None and self.epoch_length is not None:
            return self.max_epochs * self.epoch_length
        return self.total_steps

    def or_else(self, other: "RunLength") -> "RunLength":
        """This length, or the epochs and steps of the other one where both are unknown here."""
        if self.max_epochs is None and self.total_steps is None:
            return replace(self, max_epochs=other.max_epochs, total_steps=other.total_steps)
        return self

    def combined_with(self, where: str, other: "RunLength") -> "RunLength":
        """A length with the numbers of both.

        Raises:
            ValueError: a number differs, or the three do not fit together.
        """
        for key in KEYS:
            here, there = getattr(self, key), getattr(other, key)
            if None not in (here, there) and here != there:
                raise ValueError(f"{where}: {key} must be given once, given {here} and {there}")
        return checked(where, {key: getattr(self, key) or getattr(other, key) for key in KEYS})


UNKNOWN = RunLength()


def checked(where: str, given: Mapping[str, Any]) -> RunLength:
    """The length of a run from some of the numbers.

    Args:
        where: the path to the numbers in the config; empty for arguments.
        given: the numbers by the names in :class:`RunLength`.

    Raises:
        TypeError: one of them is not a number.
        ValueError: one of them is not whole or less than 1; the three do not fit together; a key is unknown.

    >>> checked("", {"max_epochs": 3, "epoch_length": 4}).steps
    12
    >>> checked("", {"max_epochs": 3, "epoch_length": 4, "total_steps": 10})
    Traceback (most recent call last):
    ...
    ValueError: total_steps must be max_epochs * epoch_length = 3 * 4 = 12, given 10
    """
    for key in given:
        if key not in KEYS:
            refuse_key(where, key, KEYS)
    names = {key: f"{where}[{key!r}]" if where else key for key in KEYS}
    whole = {
        key: None if given.get(key) is None else arguments.whole_number(names[key], given[key], at_least=1)
        for key in KEYS
    }
    run = RunLength(**whole)
    if None not in whole.values() and run.max_epochs * run.epoch_length != run.total_steps:  # type: ignore[operator]
        product = run.max_epochs * run.epoch_length  # type: ignore[operator]
        raise ValueError(
            f"{names['total_steps']} must be max_epochs * epoch_length = {run.max_epochs} * {run.epoch_length} = "
            f"{product}, given {run.total_steps}"
        )
    return run


def read(where: str, value: Any) -> RunLength:
    """The length of a run from the entry ``run`` of a config."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a mapping, given {arguments.shown(value)}")
    return located(where, checked, where, value)  # type: ignore[no-any-return]
