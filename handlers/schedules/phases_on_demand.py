"""The schedule :class:`Phases`. During training, a call or a metric decides when its next phase begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, common_groups, schedules_field, with_group_axis
from .duration_annotations import ListedEvents, OptionalEvents
from .stateful import StatefulSchedule
from .value_reduced_on_plateau import Plateau

BLOCK_SIZE = 64  # the values of this many events are computed at once


@dataclass
class PhasesProgress:
    """The state of :class:`Phases`.

    Args:
        starts: the event at which each phase after the first phase began.
        event_index: the last event that was read, or -1 before the first event.
        first_read: the event to which the first value in ``read`` belongs.
        read: values that were computed in advance, for consecutive events of one phase.
    """

    starts: list[int]
    event_index: int = -1
    first_read: int = 0
    read: list[Any] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Phases(StatefulSchedule):
    """Schedules one after another, each of which begins with its event 0 when :meth:`begin_next` is called.

    Phase k begins at event ``t_k``, and ``t_0 = 0 <= t_1 <= ...``. If k is the last phase with ``t_k <= i``, the value
    at event i is::

        value(i) = u_k * phases[k](i - t_k)     u_0 = 1,  u_k = u_{k-1} * phases[k-1](t_k - t_{k-1})

    The values of phase k are factors of the value that the phase before would have at event ``t_k``. With
    ``relative=False``, all ``u_k`` are 1. If ``end`` is given, the last phase is stretched or shortened to end at event
    ``end``: ``phases[k]((i - t_k) * length / (end - t_k))`` replaces ``phases[k](i - t_k)``. If the last phase begins
    at ``end`` or later, it has only its last value.

    A call of :meth:`observe` also begins the next phase if the metric has stopped improving.

    Args:
        phases: two or more pure schedules.
        relative: whether the values of all phases except the first are factors, as in the formula.
        end: the event at which the last phase ends. If None, the last phase keeps its own length.
        starts: the events at which the second phase, the third phase and so on begin by themselves, in rising order.
        flat: a plateau that receives the metrics, or None if you pass no metrics. The next phase begins when the
            plateau would reduce its value. The ``factor`` and the values of the plateau have no effect.

    Shapes: the result is one value, or a list of G values, one for each group, if one of the phases has values for G
    groups.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: there are fewer than two phases; a phase is not pure; two phases have values for different numbers
            of groups; there are more ``starts`` than later phases; ``end`` is given, but the last phase has no length.

    Source: Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training
    Strategies", 2024, https://arxiv.org/abs/2404.06395 (a decay that may begin at any event of the stable phase).

    Example:
        >>> from lehr.handlers.schedules import Anneal, Constant
        >>> phases = Phases([Constant(0.5), Anneal(1.0, 0.0, duration=4)])
        >>> [phases.value(i) for i in range(3)]
        [0.5, 0.5, 0.5]
        >>> phases.begin_next(3)
        >>> [phases.value(i) for i in range(3, 9)]
        [0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    """

    phases: Sequence[Schedule] = schedules_field(at_least=2, groups=common_groups)
    relative: bool = fields.flag(True)
    end: OptionalEvents = fields.whole_number(None, unit=fields.EVENTS)
    starts: ListedEvents = fields.rising(())
    flat: Plateau | None = fields.instance(Plateau, "a Plateau or None", None)
    changed_by_reading = ("event_index",)
    _progress: PhasesProgress = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the arguments and start the first phase."""
        super().__post_init__()
        for number, phase in enumerate(self.phases):
            if not phase.is_pure:
                raise ValueError(
                    f"phases[{number}] must be a pure schedule, whose values depend only on the event index, given "
                    f"{arguments.shown(phase)}"
                )
        if len(self.starts) >= len(self.phases):
            raise ValueError(
                f"starts must have at most {len(self.phases) - 1} items, one for each phase after the first, "
                f"given {arguments.shown(self.starts)}"
            )
        if self.end is not None and not self.phases[-1].length:
            raise ValueError(
                "end must be None if the last phase has no length, given "
                f"{self.end} and the last phase {arguments.shown(self.phases[-1])}"
            )
        self._set(_progress=PhasesProgress(list(self.starts)))

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The phases. ``flat`` is not a part, because the state of this schedule contains the state of ``flat``."""
        return tuple(self.phases)

    @property
    def is_metric_driven(self) -> bool:
        """Whether metrics may start the next phase."""
        return self.flat is not None

    @property
    def phase(self) -> int:
        """The index in ``phases`` of the phase that is active at the event after the last event that was read."""
        return self._phase_at(self._progress.event_index + 1)

    def _phase_at(self, index: int) -> int:
        return sum(1 for start in self._progress.starts if start <= index)

    def go_to(self, event_index: int) -> None:
        """Continue at an event, as if the event before it was the last event that was read."""
        self._progress.event_index = event_index - 1

    @property
    def begun(self) -> list[int]:
        """The events at which the later phases began. When another phase begins, a new list replaces this list."""
        return self._progress.starts

    def value(self, index: int) -> float | list[float]:
        """Return the value at an event by the formula of the class docstring, and remember the event."""
        now = self._progress
        now.event_index = index
        at = index - now.first_read
        if not 0 <= at < len(now.read):
            self._read(index)
            at = index - now.first_read
        return now.read[at]  # type: ignore[no-any-return]

    def _read(self, index: int) -> None:
        """Compute and store the values of a block of events around ``index``, all in one phase."""
        now = self._progress
        starts, phase = (0, *now.starts), self._phase_at(index)
        first = index - (index - starts[phase]) % BLOCK_SIZE
        try:
            values = _values_of(self, phase, now.starts, np.arange(first, first + BLOCK_SIZE, dtype=np.float64))
        except Exception:  # another event of the block may raise it, so compute this event alone
            first = index
            values = _values_of(self, phase, now.starts, np.array([index], dtype=np.float64))
        end = starts[phase + 1] if phase + 1 < len(starts) else None
        now.first_read, now.read = first, values[: None if end is None else end - first].tolist()

    def begin_next(self, event_index: int | None = None) -> None:
        """Start the next phase at an event.

        Args:
            event_index: the first event of the next phase. If None, it is the event after the last event that was read.

        Raises:
            TypeError: ``event_index`` is not a number.
            ValueError: ``event_index`` is negative, not whole, or before the start of the present phase; all phases
                have begun already.
        """
        now = self._progress
        event = now.event_index + 1 if event_index is None else event_index
        event = arguments.whole_number("event_index", event, at_least=0)
        if len(now.starts) == len(self.phases) - 1:
            raise ValueError(
                f"there is no next phase: the last of {len(self.phases)} phases began at event {now.starts[-1]}"
            )
        if now.starts and event < now.starts[-1]:
            raise ValueError(
                f"event_index must be at least {now.starts[-1]}, the start of the phase before, given {event}"
            )
        now.starts, now.read = [*now.starts, event], []

    def observe(self, metric: float) -> None:
        """Pass a metric to ``flat``, and begin the next phase at the next event if ``flat`` would reduce its value.

        Args:
            metric: the metric, a number.

        Raises:
            TypeError: the metric is not a number.
            ValueError: ``flat`` is None, or it refuses the metric.
        """
        if self.flat is None:
            raise ValueError("flat must be a Plateau if a metric is observed, given None")
        if len(self._progress.starts) == len(self.phases) - 1:
            return
        self.flat.go_on_from(1.0)
        self.flat.observe(metric)
        if self.flat.value(0) != 1.0:
            self.begin_next()

    def state_dict(self) -> dict[str, Any]:
        """Return the starts, the last event that was read, and the state of ``flat``."""
        flat = None if self.flat is None else self.flat.state_dict()
        return {"starts": list(self._progress.starts), "event_index": self._progress.event_index, "flat": flat}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a :class:`Phases`. If this error is raised,
                nothing is loaded.
        """
        state = arguments.state_of("phases", state_dict, self.state_dict())
        starts = list(arguments.rising("starts", state["starts"]))
        event_index = arguments.whole_number("event_index", state["event_index"], at_least=-1)
        if len(starts) >= len(self.phases):
            raise ValueError(
                f"starts must have at most {len(self.phases) - 1} items, one for each phase after the first, given "
                f"{arguments.shown(starts)}"
            )
        if (self.flat is None) != (state["flat"] is None):
            raise ValueError(
                f"flat must be the state of {arguments.shown(self.flat)}, given {arguments.shown(state['flat'])}"
            )
        if self.flat is not None:
            self.flat.load_state_dict(state["flat"])
        self._set(_progress=PhasesProgress(starts, event_index))


@dataclass(frozen=True, repr=False)
class BegunPhases(Schedule):
    """Phases that begin at given events. A scheduler reads this pure schedule until another phase begins.

    Args:
        phases: the schedule of the phases.
        begun: the events at which the second phase, the third phase and so on began.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if one of the phases has values for G groups.
    """

    phases: Phases
    begun: Sequence[int]

    @property
    def is_pure(self) -> bool:
        """True, since the events are given."""
        return True

    @property
    def groups(self) -> int | None:
        """The number of groups for which the phases have values."""
        return self.phases.groups

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of :class:`Phases`."""
        values = np.empty((len(indices), *(() if self.groups is None else (self.groups,))))
        for phase, (begin, end) in enumerate(zip((0, *self.begun), (*self.begun, np.inf), strict=True)):
            inside = (begin <= indices) & (indices < end)
            if inside.any():
                # Compute all indices, so that each value has the same bits as in any other block.
                own = _values_of(self.phases, phase, self.begun, np.clip(indices, begin, end - 1))
                values[inside] = with_group_axis(own, self.groups is not None)[inside]
        return values

    def __repr__(self) -> str:
        """Return the constructor call of the phases."""
        return repr(self.phases)


def _values_of(phases: Phases, phase: int, begun: Sequence[int], indices: Array) -> Array:
    """Return the values of a phase at event indices from its start on."""
    starts = (0, *begun)
    values = _without_factors(phases, phase, starts, indices - starts[phase])
    for before in range(phase if phases.relative else 0):
        length = np.array([starts[before + 1] - starts[before]], dtype=np.float64)
        factor = _without_factors(phases, before, starts, length)[0]
        values = with_group_axis(values, np.ndim(factor) > 0) * factor
    return values


def _without_factors(phases: Phases, phase: int, starts: Sequence[int], inner: Array) -> Array:
    schedule = phases.phases[phase]
    if phases.end is not None and phase == len(phases.phases) - 1 == len(starts) - 1:
        available = phases.end - starts[-1]
        passed = np.minimum(inner / available, 1.0) if available > 0 else np.ones_like(inner)
        inner = (schedule.length or 0.0) * passed
    with np.errstate(all="ignore"):
        return np.asarray(schedule.values(inner), dtype=np.float64)
