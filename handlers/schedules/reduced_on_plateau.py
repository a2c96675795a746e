"""A schedule that is reduced when a metric stops improving."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, checked_schedule, schedule_field
from .plateau import Plateau
from .stateful import StatefulSchedule


@dataclass(frozen=True, repr=False)
class Reduced(StatefulSchedule):
    """A schedule times a ratio, which falls by the rule of a :class:`Plateau` when a metric has not improved.

    ``value(i) = schedule(i) * ratio``, with one ratio for each group, 1 at first. A reduction makes the next value v
    ``max(v * factor, min_value)``, where that is less by more than ``eps``. In a product with a plateau, ``min_value``
    and ``eps`` would apply to the ratio. Give metrics to :meth:`observe`.

    Args:
        schedule: the schedule, a pure one.
        plateau: the rule; its ``initial_value`` has no effect.
        compared: a schedule whose reduced values the rule compares with ``min_value`` and ``eps``, a pure one; None for
            ``schedule``.

    Shapes: the shape of ``schedule``.

    Raises:
        TypeError: ``schedule`` or ``compared`` is no schedule; ``plateau`` is no :class:`Plateau`.
        ValueError: ``schedule`` or ``compared`` depends on what happens in training.

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

    schedule: Schedule = schedule_field()
    plateau: Plateau = fields.instance(Plateau, "a Plateau")
    compared: Schedule | None = fields.argument(checked_schedule, None)
    changed_by_reading = ("event_index",)
    _progress: dict[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Checks the arguments, and begins with nothing reduced."""
        super().__post_init__()
        for name, one in (("schedule", self.schedule), ("compared", self.compared)):
            if one is not None and not one.is_pure:
                raise ValueError(f"{name} must not depend on what happens in training, given {arguments.shown(one)}")
        self._set(_progress={"event_index": -1, "ratios": [1.0] * (self.groups or 1)})

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The schedule, without the plateau, whose state is saved in the state of this schedule."""
        return (self.schedule,)

    @property
    def is_metric_driven(self) -> bool:
        """True, since the values depend on metrics."""
        return True

    @property
    def groups(self) -> int | None:
        """The number of groups of the schedule, or of ``min_value``."""
        return self.schedule.groups or arguments.groups_of(self.plateau.min_value)

    @property
    def length(self) -> float | None:
        """The length of the schedule."""
        return self.schedule.length

    def value(self, index: int) -> float | list[float]:
        """The reduced value of the schedule."""
        self._progress["event_index"] = index
        values = self._of_groups(self.schedule, index) * np.asarray(self._progress["ratios"])
        return float(values[0]) if self.groups is None else values.tolist()

    def observe(self, metric: float) -> None:
        """Counts a metric, and reduces the values of the next events after too many metrics without an improvement.

        Args:
            metric: the metric, a number.

        Raises:
            TypeError, ValueError: as :meth:`Plateau.observe`.
        """
        unreduced = self._of_groups(self.compared or self.schedule, self._progress["event_index"] + 1)
        values = unreduced * np.asarray(self._progress["ratios"])
        self.plateau.go_on_from(values.tolist() if self.groups is not None else float(values[0]))
        self.plateau.observe(metric)
        now = np.asarray(self.plateau.state_dict()["values"])
        ratios = np.divide(now, values, out=np.ones_like(values), where=values != 0)
        self._progress["ratios"] = (np.asarray(self._progress["ratios"]) * ratios).tolist()

    @property
    def in_cooldown(self) -> bool:
        """Whether the plateau does not count the next metric because of a reduction before."""
        return self.plateau.in_cooldown

    def reset(self) -> None:
        """Resets the plateau, as :meth:`Plateau.reset` does; the values stay."""
        self.plateau.reset()

    def _of_groups(self, schedule: Schedule, index: int) -> Array:
        return np.broadcast_to(np.asarray(schedule(index), dtype=np.float64), (self.groups or 1,))

    def state_dict(self) -> dict[str, Any]:
        """The last event that was read, the ratio of each group, and the state of the plateau."""
        return {**self._progress, "ratios": list(self._progress["ratios"]), "plateau": self.plateau.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from a saved state.

        Raises:
            TypeError, ValueError: the state is not one of such a schedule; nothing is loaded then.
        """
        state = arguments.state_of("a reduced schedule", state_dict, self.state_dict())
        event_index = arguments.whole_number("event_index", state["event_index"], at_least=-1)
        ratios = arguments.number_or_numbers("ratios", state["ratios"])
        if not isinstance(ratios, tuple) or len(ratios) != (self.groups or 1):
            raise ValueError(
                f"ratios must be a list of {self.groups or 1} numbers, given {arguments.shown(state['ratios'])}"
            )
        self.plateau.load_state_dict(state["plateau"])
        self._progress.update(event_index=event_index, ratios=list(ratios))
