"""``Stretch``, which repeats each value of another schedule, for example for all iterations of an epoch."""

from collections.abc import Callable
from dataclasses import dataclass

from . import fields
from .base import Array, Schedule, Value
from .wrapper import Wrapper


@dataclass(frozen=True)
class Stretch(Wrapper):
    """Repeats each value of another schedule: ``value(i) = schedule(i // by)``.

    For example, this turns a schedule that counts epochs into a schedule that counts iterations.

    Args:
        schedule: the other schedule.
        by: the number of events for which each value of the other schedule lasts, at least 1.

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
        """The length of the other schedule times ``by``, or None if the other schedule has no end."""
        length = self.schedule.length
        return None if length is None else length * self.by

    def _inner(self, indices: Array) -> Array:
        return indices // self.by

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the value of the other schedule at its event ``index // by``."""
        return read(self.schedule, index // self.by)
