"""What the checks of a plan look at."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lehr.handlers.core import inspection
from lehr.handlers.plans.plan import Plan
from lehr.handlers.plans.simulation.run import Part, Rehearsal
from lehr.handlers.plans.simulation.values import Sample
from lehr.handlers.schedules import Schedule
from lehr.handlers.schedules.base import Array

from .findings import Finding


@dataclass(frozen=True)
class Review:
    """A rehearsal that has been run, and all that is to be known of it.

    Args:
        rehearsal: the rehearsal.
        samples: what stood at the places of each name.
        plan: its plan.
        error: what a scheduler raised, if one did; the rehearsal ended there.
        jump_ratio: from which ratio on a change is a jump.
    """

    rehearsal: Rehearsal
    samples: Mapping[str, Sample]
    plan: Plan
    error: Exception | None
    jump_ratio: float

    @property
    def lacked_a_metric(self) -> bool:
        """Whether the error is that a metric is not there."""
        part, engine = self.rehearsal.failed or (None, None)
        name = None if part is None else inspection.metric_name_of(part.copy)
        return (
            part is not None
            and engine is not None
            and inspection.reads_metric(part.copy)
            and name not in engine.state.metrics
        )

    @property
    def named_failure(self) -> str:
        """Whose event has raised the error."""
        return called(self.rehearsal.failed[0]) if self.rehearsal.failed else "the run"

    def written(self) -> Iterator["Written"]:
        """Every schedule that is written, with the values of its events."""
        for name, sample in self.samples.items():
            table = self.plan[name]
            for part, writer, columns in sample.schedules(self.rehearsal.engine):
                if max(columns) < table.shape[1]:
                    ticks, key = np.array(part.ticks, dtype=int), sample.places[columns[0]].key
                    yield Written(name, part, writer.schedule, key, ticks, table[:, columns])

    def at(self, iteration: int) -> str:
        """An iteration, from 0, in words."""
        return f"iteration {iteration + 1} (epoch {iteration // self.plan.epoch_length + 1})"


@dataclass(frozen=True)
class Written:
    """A schedule, and what it is in effect.

    Args:
        name: its name in the plan.
        part: the scheduler.
        schedule: the schedule in force; of a member, where the scheduler has several.
        key: the entry of a param group that it is written to.
        ticks: for each of its events, the iteration whose step comes next, from 0.
        table: ``(iterations, groups)``: what is in effect at each iteration.
    """

    name: str
    part: Part
    schedule: Schedule
    key: str
    ticks: "np.ndarray[Any, np.dtype[np.int_]]"
    table: Array

    @property
    def num_events(self) -> int:
        """How many events it has had when the run ends."""
        return self.part.first_event + len(self.ticks)

    @property
    def by_event(self) -> Array:
        """What each event of the rehearsal brings into effect: ``(events, groups)``."""
        return self.table[self.ticks[self.ticks < len(self.table)]]

    def where(self) -> str:
        """What it is called in a finding."""
        return f"{self.name!r}: {called(self.part)}"


Check = Callable[[Review], Iterator[Finding]]


def called(part: Part) -> str:
    """A scheduler and its events in words."""
    events = " | ".join(dict.fromkeys(wire.where for wire in part.wires))
    return f"{inspection.type_name_of(part.original)} of {part.original.param_name!r} on {events}"


def ratio_of(before: Array, after: Array) -> float:
    """By how much the larger of two values is larger, in the group where it is most."""
    low, high = np.sort(np.abs(np.stack(np.broadcast_arrays(before, after))), axis=0)
    ratios = np.divide(high, low, out=np.where(high > 0, np.inf, 1.0), where=low > 0)
    return float(np.nanmax(ratios, initial=1.0))


def shown(values: Array) -> str:
    """The values of the groups, or the one that they share."""
    words = list(dict.fromkeys(f"{value:.4g}" for value in np.atleast_1d(values)))
    return words[0] if len(words) == 1 else f"({', '.join(words)})"
