"""From one value to another, along a curve."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from . import arguments
from .arguments import Number
from .base import Array, Schedule
from .curves import Curve, Linear, blend, checked_curve
from .durations import events


@dataclass(frozen=True)
class Anneal(Schedule):
    """From ``start_value`` at event 0 to ``end_value`` at event ``duration``, along a curve.

    With the progress ``p = i / duration``::

        value(i) = start_value + (end_value - start_value) * curve(min(p, 1))           beyond="hold"
        value(i) = start_value + (end_value - start_value) * curve(1 - |p % 2 - 1|)  beyond="mirror"
        value(i) = start_value + (end_value - start_value) * curve(p / ceil(p))      beyond="stretch"

    Args:
        start_value: value at event 0; a float, or one for each of G parameter groups.
        end_value: value at event ``duration``, likewise.
        duration: events from the one to the other, at least 0, not necessarily whole; with 0 the end value is
            there at once.
        curve: the way between them.
        beyond: what comes after ``duration``: ``"hold"`` the end value; ``"mirror"``, back to the start value and
            so on, for ever; ``"stretch"``, part of the way back, to arrive again after ``duration`` more.

    Shapes: ``(n,)``, or ``(n, G)`` where a value is a list.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: an argument is out of its range; the values are for different numbers of groups.

    Example:
        >>> from lehr.handlers.schedules import Cosine
        >>> Anneal(1.0, 0.5, duration=2)([0, 1, 2, 3]).tolist()
        [1.0, 0.75, 0.5, 0.5]
        >>> Anneal(1.0, 0.0, 2, Cosine(), beyond="mirror")([0, 1, 2, 3, 4]).round(4).tolist()
        [1.0, 0.5, 0.0, 0.5, 1.0]
    """

    start_value: Number
    end_value: Number
    duration: float = events()
    curve: Curve = Linear()  # noqa: RUF009 -- it is frozen
    beyond: Literal["hold", "mirror", "stretch"] = "hold"

    def __post_init__(self) -> None:
        """Check the arguments."""
        self._set(
            start_value=arguments.number_or_numbers("start_value", self.start_value),
            end_value=arguments.number_or_numbers("end_value", self.end_value),
            duration=arguments.number("duration", self.duration, at_least=0),
            curve=checked_curve("curve", self.curve),
            beyond=arguments.one_of("beyond", self.beyond, ("hold", "mirror", "stretch")),
        )
        arguments.same_groups(start_value=self.start_value, end_value=self.end_value)

    @property
    def groups(self) -> int | None:
        """One value a group where a value is a list."""
        return arguments.groups_of(self.start_value, self.end_value)

    @property
    def length(self) -> float:
        """The duration."""
        return self.duration

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        if self.duration == 0:
            progress = np.ones_like(indices)
        elif self.beyond == "mirror":
            # The remainder of whole numbers is exact, that of progress is not, far out.
            progress = 1 - np.abs(indices % (2 * self.duration) / self.duration - 1)
        elif self.beyond == "stretch":
            progress = indices / (self.duration * np.maximum(np.ceil(indices / self.duration), 1))
        else:
            progress = np.minimum(indices / self.duration, 1)
        return between(self.start_value, self.end_value, self.curve(progress))


def between(start_value: Number, end_value: Number, fraction: Array) -> Array:
    """The values between two values or two rows of them: ``(n,)`` or ``(n, G)`` for fractions ``(n,)``."""
    start, end = np.asarray(start_value, dtype=np.float64), np.asarray(end_value, dtype=np.float64)
    return blend(start, end, fraction[:, None] if start.ndim or end.ndim else fraction)
