"""Another schedule, reduced when a metric stops improving."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arguments
from .base import Schedule, checked_schedule
from .plateau import Plateau
from .stateful import StatefulSchedule


@dataclass(frozen=True, repr=False)
class Reduced(StatefulSchedule):
    """A schedule times a ratio, which falls when a metric has not improved, by the rule of a :class:`Plateau`.

    Unlike a product with a plateau, ``min_value`` and ``eps`` are of the value itself. It is given metrics by
    :meth:`observe`.

    Args:
        schedule: the schedule; it must be one that may be asked ahead of time.
        plateau: the rule; its ``initial_value`` is of no effect.

    Shapes: those of ``schedule``.

    Raises:
        TypeError: ``plateau`` is none.
        ValueError: ``schedule`` depends on what happens in training.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> reduced = Reduced(Anneal(0.25, 1.0, duration=3), Plateau(factor=0.5, patience=0, min_value=0.3))
        >>> for event, loss in enumerate([2.0, 1.0, 1.5, 1.5]):
        ...     print(event, reduced.value(event))
        ...     reduced.observe(loss)
        0 0.25
        1 0.5
        2 0.75
        3 0.5
    """

    schedule: Schedule
    plateau: Plateau
    _progress: dict[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Begin with nothing reduced."""
        checked_schedule("schedule", self.schedule)
        if not isinstance(self.plateau, Plateau):
            raise TypeError(f"plateau must be a Plateau, given {self.plateau!r}")
        if not self.schedule.ahead:
            raise ValueError(f"schedule must not depend on what happens in training, given {self.schedule!r}")
        self._set(_progress={"event_index": -1, "ratios": [1.0] * (self.groups or 1)})

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The schedule alone: what the plateau remembers is saved with this one."""
        return (self.schedule,)

    @property
    def groups(self) -> int | None:
        """Those of the schedule, or of ``min_value``."""
        return self.schedule.groups or arguments.groups_of(self.plateau.min_value)

    @property
    def length(self) -> float | None:
        """That of the schedule."""
        return self.schedule.length

    def value(self, index: int) -> float | list[float]:
        """The schedule's value, as far as it has been reduced."""
        self._progress["event_index"] = index
        values = self._unreduced(index) * np.asarray(self._progress["ratios"])
        return float(values[0]) if self.groups is None else values.tolist()

    def observe(self, metric: float) -> None:
        """Count a metric, and reduce the value of the next event if it is time to.

        Raises:
            TypeError, ValueError: as :meth:`Plateau.observe`.
        """
        unreduced = self._unreduced(self._progress["event_index"] + 1)
        values = unreduced * np.asarray(self._progress["ratios"])
        self.plateau.go_on_from(values.tolist() if self.groups is not None else float(values[0]))
        self.plateau.observe(metric)
        now = np.asarray(self.plateau.state_dict()["values"])
        ratios = np.divide(now, values, out=np.ones_like(values), where=values != 0)
        self._progress["ratios"] = (np.asarray(self._progress["ratios"]) * ratios).tolist()

    def _unreduced(self, index: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.broadcast_to(np.asarray(self.schedule(index), dtype=np.float64), (self.groups or 1,))

    def state_dict(self) -> dict[str, Any]:
        """The last event, the ratio of each group, and what the plateau remembers."""
        return {**self._progress, "ratios": list(self._progress["ratios"]), "plateau": self.plateau.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            TypeError, ValueError: it is not the state of such a schedule; nothing is loaded then.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != set(self.state_dict()):
            raise ValueError(
                f"the state of a reduced schedule must have "
                f"{sorted(self.state_dict())}, given {arguments.shown(state_dict)}"
            )
        event_index = arguments.whole_number("event_index", state_dict["event_index"], at_least=-1)
        ratios = arguments.number_or_numbers("ratios", state_dict["ratios"])
        if not isinstance(ratios, tuple) or len(ratios) != (self.groups or 1):
            raise ValueError(f"ratios must be a list of {self.groups or 1} numbers, given {state_dict['ratios']!r}")
        self.plateau.load_state_dict(state_dict["plateau"])
        self._progress.update(event_index=event_index, ratios=list(ratios))
