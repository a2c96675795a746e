"""Schedulers that read a metric at their events."""

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine

from .metrics import MetricFeed, saved_metric
from .param_scheduler import ParamScheduler
from .saving import take_repeat


class MetricDrivenScheduler(ParamScheduler):
    """A scheduler whose schedule is given a metric of the engine at each event, before the value is written.

    If the event fails, the schedule forgets the metric again, so that the event can be repeated.

    A subclass sets ``_feed`` and overrides the methods below it.
    """

    _reads_metric = True
    _feed: MetricFeed

    @property
    def metric_name(self) -> str:
        """The name of the metric in ``engine.state.metrics``."""
        return self._feed.name

    @property
    def reduction(self) -> str:
        """What becomes of the metrics of several ranks."""
        return self._feed.reduction

    def __call__(self, engine: Engine | None, name: str | None = None) -> None:
        """Give the metric to the schedule, write the value of this event, record it, and count the event.

        Args:
            engine: the engine that has the metric; None in a plain loop, where nothing is read or recorded.
            name: name of the history to record under; ``param_name`` where None.
        """
        if not self._reads_metric:
            super().__call__(engine, name)
            return
        index = self._event_index
        is_new = engine is not None and not take_repeat(self)
        before = self._schedule_state()
        try:
            if engine is not None:
                self._feed.follow(engine)
                if is_new and self._reads_metric_at(index):
                    self._give_metric(engine)
            super().__call__(self._recording_engine(engine), name)  # type: ignore[arg-type]
        except BaseException:
            if self._event_index == index:
                self._restore_schedule(before)
            raise

    def _reads_metric_at(self, index: int) -> bool:
        """Whether an event reads the metric."""
        return True

    @abstractmethod
    def _give_metric(self, engine: Engine) -> None:
        """Read the metric and give it to the schedule."""

    @abstractmethod
    def _schedule_state(self) -> Any:
        """What the metric may change."""

    @abstractmethod
    def _restore_schedule(self, state: Any) -> None:
        """Put that back."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_feed": copy.copy(state["_feed"])})

    def state_dict(self) -> dict[str, Any]:
        """The progress as plain data, with the metric that the next event reads: see :class:`BaseParamScheduler`."""
        return {**super().state_dict(), **({"metric": self._feed.state()} if self._reads_metric else {})}

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: str | None = None) -> None:
        """Go on where the scheduler that gave the state had stopped: see :class:`BaseParamScheduler`."""
        metric = saved_metric(state_dict)
        super().load_state_dict(state_dict, resume_policy)
        self._feed.load(metric)
