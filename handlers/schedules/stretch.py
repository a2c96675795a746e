"""``Stretch``: a schedule that repeats each event of another schedule, such as a schedule of epochs, by iterations."""

from collections.abc import Callable
from dataclasses import dataclass

from . import fields
from .base import Array, Schedule, Value
from .wrapper import Wrapper


@dataclass(frozen=True)
class Stretch(Wrapper):
    """Another schedule, each of whose events is repeated: ``value(i) = schedule(i // by)``.

    For example, a schedule that counts epochs becomes a schedule with one value for all iterations of an epoch.

    Args:
        schedule: the other schedule.
        by: the number of times that each event of the other schedule is repeated, at least 1.

    Shapes: the result has the shape of ``schedule``.

    Raises:
        TypeError, ValueError: ``by`` is not a whole number of at least 1.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> Stretch(Anneal(1.0, 0.0, duration=2), by=3)([0, 1, 2, 3, 4, 5, 6]).tolist()
        [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.0]
    """

    by: int = fields.whole_number(at_least=1)

    @property
    def length(self) -> float | None:
        """The length of the other schedule times ``by``; None if the other schedule has no end."""
        length = self.schedule.length
        return None if length is None else length * self.by

    def _inner(self, indices: Array) -> Array:
        """Return the events at which the other schedule is read."""
        return indices // self.by

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the value of the other schedule at its event ``index // by``."""
        return read(self.schedule, index // self.by)
