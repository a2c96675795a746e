"""The base class of schedulers with phases. Values are read in blocks until the next phase begins."""

from typing import TYPE_CHECKING

from lehr.handlers.core.illegal_values import limits_of
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import NOTHING_READ
from lehr.handlers.schedules import Phases
from lehr.handlers.schedules.phases_on_demand import BegunPhases

from .metric_driven_scheduler import SchedulerWithMetric

if TYPE_CHECKING:
    from ignite.engine import Engine


class PhasedScheduler(SchedulerWithMetric):
    """A scheduler with phases. A subclass sets ``_phases``, and passes them to the constructor as the schedule."""

    _phases: Phases
    _begun: list[int]  # the event at which each phase began, for the phases from which values are read

    def __call__(self, engine: "Engine | None", name: str | None = None, amount: int = 1) -> None:
        """Write the value of this event, record it, and count the event.

        Args:
            engine: the engine that fires the event; None in a plain loop.
            name: the name of the history. If None, the name is ``param_name``.
            amount: the amount that the event adds to ``event_index``; see :class:`BaseParamScheduler`.
        """
        if self._phases.begun is not self._begun:  # another phase began
            self._read_in_blocks()
        if self._block_reader is NOTHING_READ:
            ParamScheduler.__call__(self, engine, name, amount)
            return
        index = self._event_index
        try:
            self._phases.go_to(index + 1)
            ParamScheduler.__call__(self, engine, name, amount)
        except BaseException:
            if self._event_index == index:
                self._phases.go_to(index)
            raise

    def _read_in_blocks(self) -> None:
        """Read the values of the phases that have begun in blocks, like the values of a pure schedule."""
        begun, self._usual = self._phases.begun, None
        # If a phase has a value for each group, read event by event, because another phase may have a single value.
        if self._schedule is self._phases and self._phases.groups is None and not self._asks_get_param:
            self._block_reader = self._reader_type(BegunPhases(self._phases, begun), limits_of(self))
        self._begun = begun  # last: after an interrupt, the next event reads the phases again

    def _forget(self) -> None:
        super()._forget()
        self._read_in_blocks()

    def _go_to(self, event_index: int) -> None:
        self._block_reader = NOTHING_READ  # it would read the phases, which are not pure
        super()._go_to(event_index)
        self._phases.go_to(event_index)
        self._read_in_blocks()

    def _follow_count(self) -> None:
        """Move the phases to the event index, which a clock may have increased by more than 1."""
        if self._written_at is not None:
            self._phases.go_to(self._event_index)
