"""A callback for skorch. No other file imports ``skorch``."""

import warnings
from collections.abc import Mapping
from typing import Any

from skorch.callbacks import Callback

from lehr.engine.history import ParamHistory

from .callback_core import Make, ScheduledOptimizer, chosen_metric

STEPS = "scheduler_steps"  # the key in net.history for the steps of an epoch, if they are not as many as its batches


class SchedulerCallback(Callback):
    """Schedules the optimizer of a skorch net.

    Step k of the optimizer, counted from 0, trains with ``schedule(k)``, which is bit for bit the value that
    ``simulate`` returns. Each net of a grid search has its own schedulers. If a net trains further with
    ``partial_fit``, the schedules continue after the steps and metrics in ``net.history``. They also do so after
    ``load_params`` with ``f_optimizer`` and ``f_history``.

    Args:
        make: a function that takes the optimizer and returns one or several schedulers of it.
        metric_name: the name in ``net.history`` of the metric that drives the schedulers, such as ``"valid_loss"``. If
            None, the schedulers name the metric. This callback reads the metric after each epoch, so list the callback
            that records the metric before this callback.

    Raises:
        TypeError, ValueError: when training starts, ``make`` does not return schedulers, or the metric does not fit
            the schedulers; after an epoch, ``net.history`` does not have the metric.

    Attributes:
        history: the values of each step, and of the step after the last one.

    Example::

        def schedule(optimizer):
            return OneCycleScheduler(optimizer, "lr", max_value=0.1, total_steps=1000)

        net = NeuralNetClassifier(Module, callbacks=[("schedule", SchedulerCallback(schedule))])
        net.fit(inputs, targets)
        dict(net.callbacks_)["schedule"].history.plot("lr")
    """

    def __init__(self, make: Make, metric_name: str | None = None) -> None:
        self.make = make
        self.metric_name = metric_name

    def initialize(self) -> "SchedulerCallback":
        """Remove the schedulers of the former run."""
        self.scheduled_: ScheduledOptimizer | None = None
        self.handle_: Any = None
        self.steps_ = 0
        return self

    @property
    def history(self) -> ParamHistory:
        """The values of each step, and of the step after the last one."""
        scheduled: ScheduledOptimizer | None = getattr(self, "scheduled_", None)
        return ParamHistory() if scheduled is None else scheduled.history

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:  # noqa: N803
        """Make the schedulers, which write their first values. Then repeat the steps and metrics in ``net.history``."""
        self._remove_hook()
        if self.scheduled_ is None or self.scheduled_.optimizer is not net.optimizer_:
            self.scheduled_ = ScheduledOptimizer(self.make, net.optimizer_, self.metric_name)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
                for row in net.history:
                    for _step in range(row.get(STEPS, row.get("train_batch_count", 0))):
                        self.scheduled_.step()
                    self._observe(row)
        self.handle_ = self.scheduled_.optimizer.register_step_post_hook(self._step)

    def _step(self, *_: Any) -> None:
        assert self.scheduled_ is not None
        self.scheduled_.step()
        self.steps_ += 1

    def on_epoch_begin(self, net: Any, **_: Any) -> None:
        """Begin to count the steps of the epoch."""
        self.steps_ = 0

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Record the number of steps if it differs from the number of batches, and read the metric."""
        row = net.history[-1]
        if self.steps_ != row.get("train_batch_count"):
            net.history.record(STEPS, self.steps_)
        self._observe(row)

    def _observe(self, row: Mapping[str, Any]) -> None:
        assert self.scheduled_ is not None
        if self.scheduled_.metric_name is not None:
            self.scheduled_.observe(chosen_metric(row, self.scheduled_.metric_name))

    def on_train_end(self, net: Any, **_: Any) -> None:
        """Stop writing values. The history stays available."""
        self._remove_hook()

    def _remove_hook(self) -> None:
        if self.handle_ is not None:
            self.handle_.remove()
            self.handle_ = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without the schedulers. ``on_train_begin`` makes them again from ``net.history``."""
        return {name: None if name in ("scheduled_", "handle_") else value for name, value in vars(self).items()}
