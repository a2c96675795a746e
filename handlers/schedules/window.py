"""``Window``, which reads another schedule only in a window of events."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import fields
from .arguments import Number, shown
from .base import Array, Schedule, Value, with_group_axis
from .duration_annotations import Events, OptionalEvents
from .wrapper import Wrapper


@dataclass(frozen=True)
class Window(Wrapper):
    """Another schedule in a window of events. It starts at event ``begin``, and its value is constant from ``end`` on.

    Let k be ``min(i, end - 1) - begin``. The value at event i is::

        value(i) = before                                       for i < begin
        value(i) = schedule(k - k % interval)                   for i >= begin

    If the other schedule is a Python function, this function is called at each event, with the argument
    ``k - k % interval``.

    Args:
        schedule: the other schedule. Its event 0 is the first event of the window.
        begin: the first event of the window, at least 0.
        end: the first event after the window, more than ``begin``. From ``end`` on, the value stays as at event
            ``end - 1``. If None, the window has no end.
        interval: the number of events from one change of the value to the next, at least 1.
        before: the value before the window; a float, or a list of G floats, one for each param group. If None, it is
            the first value of the other schedule.

    Shapes: the result has the shape of ``schedule``, or ``(n, G)`` if ``before`` is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; ``schedule`` and ``before`` have values for different numbers of
            groups.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> Window(Anneal(1.0, 0.0, duration=4), begin=2, end=5, before=8.0)([0, 1, 2, 3, 4, 5]).tolist()
        [8.0, 8.0, 1.0, 0.75, 0.5, 0.5]
        >>> Window(Anneal(1.0, 0.0, duration=4), interval=2)([0, 1, 2, 3, 4]).tolist()
        [1.0, 1.0, 0.5, 0.5, 0.0]
    """

    begin: Events = fields.whole_number(0, unit=fields.EVENTS)
    end: OptionalEvents = fields.whole_number(None, unit=fields.EVENTS)
    interval: Events = fields.whole_number(1, at_least=1, unit=fields.EVENTS)
    before: Number | None = fields.value(None)

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.end is not None and self.end <= self.begin:
            raise ValueError(f"end must be more than begin={self.begin}, given {shown(self.end)}")

    @property
    def length(self) -> float | None:
        """The number of events until the window or the other schedule ends, or None if neither has an end."""
        length = self.schedule.length
        length = np.inf if length is None else length
        within = self.begin + np.ceil(length / self.interval) * self.interval
        end = min(within, np.inf if self.end is None else self.end)
        return None if end == np.inf else float(end)

    def _inner(self, indices: Array) -> Array:
        last = np.inf if self.end is None else self.end - 1
        since = np.maximum(np.minimum(indices, last) - self.begin, 0)
        return np.asarray(since - since % self.interval)

    def _changed(self, values: Array, indices: Array) -> Array:
        """Replace the values before the window with ``before``."""
        if self.before is None:
            return values
        before = np.asarray(self.before, dtype=np.float64)
        values = with_group_axis(values, before.ndim == 1)
        return np.where(with_group_axis(indices < self.begin, values.ndim == 2), before, values)

    def value_from_parts(self, index: int, read: Callable[[Schedule, int], Value]) -> Value:
        """Return the value at one event by the formula of the class docstring.

        If the value is ``before``, the other schedule is not read.
        """
        if index < self.begin and self.before is not None:
            return list(self.before) if isinstance(self.before, tuple) else self.before  # type: ignore[return-value]
        return read(self.schedule, int(self._inner(np.array([index], dtype=np.float64))[0]))
