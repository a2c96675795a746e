"""Schedulers that read a metric at their events."""

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.resuming.policy import ResumePolicy
from lehr.handlers.core.resuming.repeated_events import take_repeat

from .metric_feed import MetricFeed, saved_metric

if TYPE_CHECKING:
    from ignite.engine import Engine


class SchedulerWithMetric(ParamScheduler):
    """A scheduler that has the name of a metric. A subclass sets ``_feed``."""

    _feed: MetricFeed

    @property
    def metric_name(self) -> str:
        """The name of the metric in ``engine.state.metrics``."""
        return self._feed.name

    @metric_name.setter
    def metric_name(self, metric_name: str) -> None:
        self._feed.name = metric_name

    @property
    def reduction(self) -> str:
        """How the metrics of several ranks are combined."""
        return self._feed.reduction

    @reduction.setter
    def reduction(self, reduction: str) -> None:
        self._feed.reduction = reduction

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_feed": copy.copy(state["_feed"])})


class MetricDrivenScheduler(SchedulerWithMetric):
    """A scheduler that reads a metric of the engine at each event and passes it to its schedule.

    If the event fails, the schedule returns to its state before the metric, so that the event can be repeated.
    """

    _reads_metric = True

    def __call__(self, engine: "Engine | None", name: str | None = None, amount: int = 1) -> None:
        """Pass the metric to the schedule, write the value of this event, record it, and count the event.

        Args:
            engine: the engine that has the metric; None in a plain loop, which has no metric.
            name: the name of the history. If None, the name is ``param_name``.
            amount: the amount that the event adds to ``event_index``; see :class:`BaseParamScheduler`.
        """
        if not self._reads_metric:
            ParamScheduler.__call__(self, engine, name, amount)
            return
        if engine is None:
            ParamScheduler.__call__(self, self._recording_engine(engine), name, amount)  # type: ignore[arg-type]
            return
        index, is_new = self._event_index, not (self._repeats and take_repeat(self))
        before = self._schedule_state()
        try:
            if not is_new or not self._reads_metric_at(index):
                self._feed.follow(engine)
            elif not self._give_metric(engine):
                self._event_index = index + amount
                return
            ParamScheduler.__call__(self, self._recording_engine(engine), name, amount)
        except BaseException:
            if self._event_index == index:
                self._restore_schedule(before)
            raise

    def _reads_metric_at(self, index: int) -> bool:
        """Return whether the scheduler reads the metric at an event."""
        return True

    @abstractmethod
    def _give_metric(self, engine: "Engine") -> bool:
        """Read the metric and pass it to the schedule.

        If the target already has the value of this event, return False. The scheduler then only counts the event.
        """

    @abstractmethod
    def _schedule_state(self) -> Any:
        """Return what the metric may change in the state of the schedule."""

    @abstractmethod
    def _restore_schedule(self, state: Any) -> None:
        """Restore a state that :meth:`_schedule_state` returned."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state with the metric for the next event; see :meth:`BaseParamScheduler.state_dict`."""
        return {**super().state_dict(), **({"metric": self._feed.state()} if self._reads_metric else {})}

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: ResumePolicy | None = None) -> None:
        """Load the state of a scheduler; see :meth:`BaseParamScheduler.load_state_dict`.

        Args:
            state_dict: the state that :meth:`state_dict` returned.
            resume_policy: as in :meth:`BaseParamScheduler.load_state_dict`.

        Raises:
            TypeError, ValueError: see :meth:`BaseParamScheduler.load_state_dict`. If this error is raised, nothing is
                loaded.
        """
        metric = saved_metric(state_dict)
        super().load_state_dict(state_dict, resume_policy)
        self._feed.load(metric)
