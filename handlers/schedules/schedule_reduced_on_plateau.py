"""The schedule :class:`Reduced`, which reduces another schedule when a metric stops improving."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, checked_schedule, schedule_field
from .stateful import StatefulSchedule
from .value_reduced_on_plateau import Plateau


@dataclass(frozen=True, repr=False)
class Reduced(StatefulSchedule):
    """Another schedule times a ratio. The ratio falls by the rule of a :class:`Plateau` when a metric stops improving.

    The value is ``value(i) = schedule(i) * ratio``. Each group has its own ratio, which is 1 at first. Pass metrics to
    :meth:`observe`. A reduction changes the ratio so that the next value v becomes ``max(v * factor, min_value)``. A
    reduction by ``eps`` or less is skipped. Here, ``min_value`` and ``eps`` apply to the value. In a :class:`.Product`
    of a schedule and a plateau, they apply to the ratio.

    Args:
        schedule: the other schedule, which must be pure.
        plateau: the plateau whose rule decides when to reduce. Its ``initial_value`` has no effect.
        compared: a pure schedule. ``min_value`` and ``eps`` apply to the values of this schedule times the ratio. If
            None, they apply to the values of ``schedule`` times the ratio.

    Shapes: the result has the shape of ``schedule``.

    Raises:
        TypeError: ``schedule`` or ``compared`` is not a schedule; ``plateau`` is not a :class:`Plateau`.
        ValueError: ``schedule`` or ``compared`` is not pure.

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
        """Check the arguments and start with ratios of 1."""
        super().__post_init__()
        for name, one in (("schedule", self.schedule), ("compared", self.compared)):
            if one is not None and not one.is_pure:
                raise ValueError(
                    f"{name} must be a pure schedule, whose values depend only on the event index, given "
                    f"{arguments.shown(one)}"
                )
        self._set(_progress={"event_index": -1, "ratios": [1.0] * (self.groups or 1)})

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The other schedule, without the plateau, because the state of this schedule contains the plateau's state."""
        return (self.schedule,)

    @property
    def is_metric_driven(self) -> bool:
        """True, since the values depend on metrics."""
        return True

    @property
    def groups(self) -> int | None:
        """The number of groups for which the other schedule or ``min_value`` has values."""
        return self.schedule.groups or arguments.groups_of(self.plateau.min_value)

    @property
    def length(self) -> float | None:
        """The length of the other schedule."""
        return self.schedule.length

    def value(self, index: int) -> float | list[float]:
        """Return the value of the other schedule times the ratio, and remember the event."""
        self._progress["event_index"] = index
        values = self._of_groups(self.schedule, index) * np.asarray(self._progress["ratios"])
        return float(values[0]) if self.groups is None else values.tolist()

    def observe(self, metric: float) -> None:
        """Count a metric. After too many metrics without an improvement, reduce the values from the next event on.

        Args:
            metric: the metric, a number.

        Raises:
            TypeError, ValueError: the plateau refuses the metric; see :meth:`Plateau.observe`.
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
        """Whether the plateau will not count the next metric, because of its cooldown after a reduction."""
        return self.plateau.in_cooldown

    def reset(self) -> None:
        """Reset the plateau by :meth:`Plateau.reset`, but keep the ratios."""
        self.plateau.reset()

    def _of_groups(self, schedule: Schedule, index: int) -> Array:
        return np.broadcast_to(np.asarray(schedule(index), dtype=np.float64), (self.groups or 1,))

    def state_dict(self) -> dict[str, Any]:
        """Return the last event that was read, the ratio of each group, and the state of the plateau."""
        return {**self._progress, "ratios": list(self._progress["ratios"]), "plateau": self.plateau.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a :class:`Reduced`. If this error is raised,
                nothing is loaded.
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
