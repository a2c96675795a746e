"""Phases whose begin is decided during training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arguments, fields
from .base import Array, Schedule, common_groups, schedules_field
from .duration_types import ListedEvents, OptionalEvents
from .plateau import Plateau
from .stateful import StatefulSchedule

BLOCK_SIZE = 64  # events that are read at once


@dataclass
class PhasesProgress:
    """The state of phases: the event at which each phase after the first began, and the last event that was read."""

    starts: list[int]
    event_index: int = -1
    first_read: int = 0
    read: list[Any] = field(default_factory=list)  # the values of some events of a phase, from the first one


@dataclass(frozen=True, repr=False)
class Phases(StatefulSchedule):
    """Schedules one after another, each from its own event 0; a call of :meth:`begin_next` starts the next one.

    With the starts ``t_0 = 0 <= t_1 <= ...`` of the phases that have begun so far, and k the last of them with
    ``t_k <= i``::

        value(i) = u_k * phases[k](i - t_k)     u_0 = 1,  u_k = u_{k-1} * phases[k-1](t_k - t_{k-1})

    so that a later phase multiplies the last value of the phase before. With ``relative=False`` all ``u_k`` are 1. With
    ``end``, the last phase is stretched to end at that event, ``phases[k]((i - t_k) * length / (end - t_k))``. If it
    begins at ``end`` or later, it has its last value at once.

    :meth:`begin_next` starts the next phase, as does a metric that stops improving, given to :meth:`observe`.

    Args:
        phases: two or more pure schedules.
        relative: whether the phases after the first are factors.
        end: the event at which the last phase ends; None for its own length.
        starts: events at which the second phase, the third and so on begin without a call, rising.
        flat: metrics start the next phase when this plateau would reduce; its ``factor`` and values have no effect.
            None where no metric comes.

    Shapes: one value, or one for each of G groups where one of the phases has it.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: fewer than two phases, or one that depends on what happens in training; phases for different
            numbers of groups; more starts than later phases; ``end`` where the last phase has no length.

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
        """Checks the arguments, and begins with the first phase."""
        super().__post_init__()
        for number, phase in enumerate(self.phases):
            if not phase.is_pure:
                raise ValueError(
                    f"phases[{number}] must not depend on what happens in training, given {arguments.shown(phase)}"
                )
        if len(self.starts) >= len(self.phases):
            raise ValueError(
                f"starts must be at most {len(self.phases) - 1}, one a later phase, "
                f"given {arguments.shown(self.starts)}"
            )
        if self.end is not None and not self.phases[-1].length:
            raise ValueError(
                f"end must be None where the last phase has no length, given {arguments.shown(self.phases[-1])}"
            )
        self._set(_progress=PhasesProgress(list(self.starts)))

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The phases, without ``flat``, whose state is saved in the state of this schedule."""
        return tuple(self.phases)

    @property
    def is_metric_driven(self) -> bool:
        """Whether metrics may begin the next phase."""
        return self.flat is not None

    @property
    def phase(self) -> int:
        """The number, from 0, of the phase of the next event, the one after the last that was read."""
        return self._phase_at(self._progress.event_index + 1)

    def _phase_at(self, index: int) -> int:
        return sum(1 for start in self._progress.starts if start <= index)

    def go_to(self, event_index: int) -> None:
        """Goes to an event: the one before it counts as the last that was read."""
        self._progress.event_index = event_index - 1

    def value(self, index: int) -> float | list[float]:
        """The formula of the class docstring."""
        now = self._progress
        now.event_index = index
        at = index - now.first_read
        if not 0 <= at < len(now.read):
            self._read(index)
            at = index - now.first_read
        return now.read[at]  # type: ignore[no-any-return]

    def _read(self, index: int) -> None:
        """Reads the events of the same phase around this one, which are pure until the next phase begins."""
        now = self._progress
        starts, phase = (0, *now.starts), self._phase_at(index)
        first = index - (index - starts[phase]) % BLOCK_SIZE
        try:
            values = self._values_of(phase, np.arange(first, first + BLOCK_SIZE, dtype=np.float64) - starts[phase])
        except Exception:  # perhaps about a later event: only this one counts
            first = index
            values = self._values_of(phase, np.array([index - starts[phase]], dtype=np.float64))
        for before in range(phase if self.relative else 0):
            length = np.array([starts[before + 1] - starts[before]], dtype=np.float64)
            factor = self._values_of(before, length)[0]
            values = (values[:, None] if np.ndim(factor) and values.ndim == 1 else values) * factor
        end = starts[phase + 1] if phase + 1 < len(starts) else None
        now.first_read, now.read = first, values[: None if end is None else end - first].tolist()

    def _values_of(self, phase: int, inner: Array) -> Array:
        schedule = self.phases[phase]
        if self.end is not None and phase == len(self.phases) - 1 and len(self._progress.starts) == phase:
            available = self.end - self._progress.starts[-1]
            passed = np.minimum(inner / available, 1.0) if available > 0 else np.ones_like(inner)
            inner = (schedule.length or 0.0) * passed
        with np.errstate(all="ignore"):
            return np.asarray(schedule.values(inner), dtype=np.float64)

    def begin_next(self, event_index: int | None = None) -> None:
        """Starts the next phase at an event; None is the event after the last that was read.

        Args:
            event_index: the first event of the next phase.

        Raises:
            TypeError: ``event_index`` is no number.
            ValueError: ``event_index`` is negative, not whole, or before the start of the phase before; there is no
                next phase.
        """
        now = self._progress
        event = now.event_index + 1 if event_index is None else event_index
        event = arguments.whole_number("event_index", event, at_least=0)
        if len(now.starts) == len(self.phases) - 1:
            raise ValueError(
                f"there is no phase after the last of {len(self.phases)}, which begins at {now.starts[-1]}"
            )
        if now.starts and event < now.starts[-1]:
            raise ValueError(
                f"event_index must be at least {now.starts[-1]}, where the phase before begins, given {event}"
            )
        now.starts, now.read = [*now.starts, event], []

    def observe(self, metric: float) -> None:
        """Counts a metric, and starts the next phase at the next event if ``flat`` would reduce.

        Args:
            metric: the metric, a number.

        Raises:
            TypeError: as :meth:`Plateau.observe`.
            ValueError: as :meth:`Plateau.observe`; or ``flat`` is None.
        """
        if self.flat is None:
            raise ValueError("flat must be a Plateau for a metric to begin a phase, given None")
        if len(self._progress.starts) == len(self.phases) - 1:
            return
        self.flat.go_on_from(1.0)
        self.flat.observe(metric)
        if self.flat.value(0) != 1.0:
            self.begin_next()

    def state_dict(self) -> dict[str, Any]:
        """The starts, the last event that was read, and the state of ``flat``."""
        flat = None if self.flat is None else self.flat.state_dict()
        return {"starts": list(self._progress.starts), "event_index": self._progress.event_index, "flat": flat}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from a saved state.

        Raises:
            TypeError, ValueError: the state is not one of such phases; nothing is loaded then.
        """
        state = arguments.state_of("phases", state_dict, self.state_dict())
        starts = list(arguments.rising("starts", state["starts"]))
        event_index = arguments.whole_number("event_index", state["event_index"], at_least=-1)
        if len(starts) >= len(self.phases):
            raise ValueError(
                f"starts must be at most {len(self.phases) - 1}, one a later phase, given {arguments.shown(starts)}"
            )
        if (self.flat is None) != (state["flat"] is None):
            raise ValueError(
                f"flat must be the state of {arguments.shown(self.flat)}, given {arguments.shown(state['flat'])}"
            )
        if self.flat is not None:
            self.flat.load_state_dict(state["flat"])
        self._set(_progress=PhasesProgress(starts, event_index))
