"""``Snapshot``, which copies the attributes of a torch scheduler and can restore them later."""

from types import MethodType
from typing import Any

from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.core.simulation.private_copies import PLAIN, private_copy

from .inspection import schedulers_in


class Snapshot:
    """Copies all attributes of a torch scheduler and of the schedulers inside it, and can restore them later.

    The optimizer and the schedulers themselves are not copied, so copied attributes still refer to these objects.

    Args:
        scheduler: the torch scheduler.
        is_nested: whether the scheduler may contain other schedulers.
    """

    def __init__(self, scheduler: TorchLRScheduler, is_nested: bool = True) -> None:
        self._schedulers = schedulers_in(scheduler) if is_nested else [scheduler]
        self._attributes: list[dict[str, Any]] | None = None
        self._error: TypeError | None = None
        try:
            self._attributes = self._copied([vars(one) for one in self._schedulers])
        except TypeError as error:  # restore() raises it
            self._error = error

    @property
    def is_complete(self) -> bool:
        """Whether all attributes could be copied."""
        return self._attributes is not None

    def restore(self) -> None:
        """Restore the attributes.

        Raises:
            TypeError: an attribute could not be copied.
        """
        if self._attributes is None:
            raise TypeError(
                f"{self._schedulers[0]!r} cannot go back to an earlier step: {self._error}"
            ) from self._error
        copied = self._copied(self._attributes)
        for one, attributes in zip(self._schedulers, copied, strict=True):
            try:
                _put(attributes, one)
            except BaseException:  # such as an interrupt by Ctrl-C
                _put(attributes, one)
                raise

    def _copied(self, attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(attributes) == 1 and (copied := self._copied_if_flat(attributes[0])) is not None:
            return [copied]
        values = [value for own in attributes for value in own.values()]
        values += [item for value in values if isinstance(value, list | tuple) for item in value]
        # The copied methods stay bound to the same objects of users.
        owners = [value.__self__ for value in values if isinstance(value, MethodType)]
        return private_copy(attributes, kept=[*self._schedulers, self._schedulers[0].optimizer, *owners])

    def _copied_if_flat(self, attributes: dict[str, Any]) -> dict[str, Any] | None:
        """Copy attributes that are plain values or lists of plain values. Return None if there are other attributes.

        This copy is much faster than a deep copy. It suffices for a ``ReduceLROnPlateau``, which is copied at each
        event.
        """
        copied, lists, optimizer = attributes.copy(), [], self._schedulers[0].optimizer
        for name, value in attributes.items():
            if type(value) is list and PLAIN.issuperset(map(type, value)):
                lists.append(id(value))
                copied[name] = value.copy()
            elif type(value) not in PLAIN and value is not optimizer:
                return None
        return copied if len(set(lists)) == len(lists) else None  # only a deep copy keeps two names of one list


def _put(attributes: dict[str, Any], scheduler: TorchLRScheduler) -> None:
    vars(scheduler).clear()
    vars(scheduler).update(attributes)
