"""A simulated run in the form that the checks of ``check_plan`` read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lehr.handlers.core.for_plans_and_cli import Location, locations_of, metric_name_of, reads_metric
from lehr.handlers.plans.plan import named_groups
from lehr.handlers.plans.simulation.run import SimulatedRun
from lehr.handlers.plans.simulation.simulated_scheduler import SimulatedScheduler
from lehr.handlers.schedules.base import Array

from .findings import Finding

MOST_VALUES = 8  # a finding shows at most this many values


@dataclass(frozen=True, eq=False)
class CheckedRun:
    """A simulated run that has ended.

    Args:
        run: the simulated run.
        unforeseen: a text for each scheduler that the run cannot predict.
        error: the error that ended the run, or None.
        jump_ratio: a change of a value by more than this ratio is a jump.
    """

    run: SimulatedRun
    unforeseen: list[str]
    error: Exception | None
    jump_ratio: float

    @cached_property
    def original_locations(self) -> dict[SimulatedScheduler, list[Location]]:
        """The locations that each scheduler writes in the real run."""
        found = {one: locations_of(one.original, self.run.trainer) for one in self.run.schedulers}
        return {one: [location for some in named.values() for location in some] for one, named in found.items()}

    @property
    def metric_was_missing(self) -> bool:
        """Whether the run ended because an engine did not have a metric that a scheduler reads."""
        if self.error is None or self.run.failed is None:
            return False
        scheduler, engine = self.run.failed
        return reads_metric(scheduler.copy) and metric_name_of(scheduler.copy) not in engine.state.metrics

    @property
    def failed_scheduler(self) -> str:
        """The description of the scheduler whose error ended the run."""
        return self.run.failed[0].description if self.run.failed else "the run"

    def iteration_text(self, iteration: int) -> str:
        """Return a text with an iteration and its epoch, both counted from 1. The argument counts from 0."""
        return f"iteration {iteration + 1} (epoch {iteration // self.run.settings.epoch_length + 1})"


Check = Callable[[CheckedRun], Iterator[Finding]]


def values_text(values: Array) -> str:
    """Return a text of the values of param groups. Equal values appear once, and a long list is shortened."""
    words = list(dict.fromkeys(f"{value:.4g}" for value in np.atleast_1d(values)))
    if len(words) > MOST_VALUES:
        words = [*words[: MOST_VALUES - 2], "...", words[-1]]
    return words[0] if len(words) == 1 else f"({', '.join(words)})"


def locations_text(locations: list[Location]) -> str:
    """Return a text with the parameters and the param groups of locations."""
    names = ", ".join(dict.fromkeys(repr(location.param_name) for location in locations))
    labels = named_groups(list(dict.fromkeys(location.label for location in locations if location.label)))
    return f"{names}, {labels}" if labels else names
