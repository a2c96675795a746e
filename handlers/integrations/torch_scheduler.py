"""The function ``as_torch_scheduler``, which makes a torch scheduler for trainers that call ``step()``."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.engine.history import ParamHistory
from lehr.handlers.core import for_other_trainers
from lehr.handlers.core.for_other_trainers import AnyScheduler
from lehr.handlers.core.for_plans_and_cli import reads_metric
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.value_reduced_on_plateau import checked_metric

from .accelerate_check import AccelerateCheck

ENTRIES = {"last_epoch", "_step_count", "_last_lr", "num_processes", "scheduler", "before"}


def as_torch_scheduler(
    schedulers: AnyScheduler | Sequence[AnyScheduler],
    *,
    num_processes: int | None = None,
    history: ParamHistory | None = None,
) -> TorchLRScheduler:
    """Return a scheduler of ``torch.optim.lr_scheduler`` that writes the values of one or several schedulers.

    Use the torch scheduler with trainers that call ``step()`` after the optimizer's step, such as Lightning, Hugging
    Face, accelerate, skorch and plain torch loops. The constructor writes ``schedule(0)``, and the k-th call of
    ``step()`` writes ``schedule(k)``. So step k of the optimizer, counted from 0, trains with ``schedule(k)``, which is
    bit for bit the value that ``simulate`` returns. Each call writes all parameters that the schedulers schedule:
    learning rates, momentum, betas, weight decay or any other entry of the param groups.

    If a metric drives a scheduler, pass the metric with ``step(metric)``, as for ``ReduceLROnPlateau``, or with
    ``observe(metric)``. A call of ``step()`` without a metric counts the event and keeps the value. With several ranks,
    pass the same metric on each rank, as for ``ReduceLROnPlateau``. In Lightning, log the metric with
    ``sync_dist=True``.

    Args:
        schedulers: one or several schedulers for the param groups of one optimizer. Do not call or attach them
            yourself.
        num_processes: the number of calls of ``step()`` after each step of the optimizer. With accelerate, give the
            number of processes, or 1 with ``split_batches=True``. If None, the number is 1, and you get a warning if
            accelerate calls ``step()`` more often.
        history: a history that records all values. If None, no values are recorded.

    Returns:
        A torch scheduler whose state is plain data, which ``torch.load(..., weights_only=True)`` reads. In a
        ``SequentialLR``, the scheduler can write only the learning rate.

    Raises:
        TypeError: ``schedulers`` contains an object that is not a scheduler; ``num_processes`` is not an int.
        ValueError: the schedulers have different optimizers; two schedulers write the same value; a scheduler has
            already counted events; ``num_processes`` is less than 1.

    The constructor adds ``initial_lr`` to the param groups, as torch's schedulers do. No other scheduler of this
    library writes to the optimizer before its first event.

    Example:
        >>> from lehr.handlers import CosineDecayScheduler, LinearScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        >>> scheduler = as_torch_scheduler([
        ...     CosineDecayScheduler(optimizer, "lr", duration=4),
        ...     LinearScheduler(optimizer, "momentum", start_value=0.5, end_value=0.9, duration=4),
        ... ])
        >>> for _ in range(3):
        ...     print(round(optimizer.param_groups[0]["lr"], 4), round(optimizer.param_groups[0]["momentum"], 2))
        ...     optimizer.step()
        ...     scheduler.step()
        0.1 0.5
        0.0854 0.6
        0.05 0.7
    """
    if num_processes is not None:
        num_processes = int(arguments.whole_number("num_processes", num_processes, at_least=1))
    scheduler = for_other_trainers.one_of_all(schedulers)
    scheduler.history = history
    return TorchAdapter(scheduler, num_processes)


class TorchAdapter(TorchLRScheduler):
    """The torch scheduler that :func:`as_torch_scheduler` returns.

    Args:
        scheduler: the scheduler whose values are written.
        num_processes: the number of calls of ``step()`` after each step of the optimizer. None means 1.
    """

    warns_without_metric = True
    """Whether ``step()`` warns if it has received no metric; False if the caller passes metrics to :meth:`revise`."""

    def __init__(self, scheduler: AnyScheduler, num_processes: int | None) -> None:
        self._scheduler, self._num_processes, self._last_epoch = scheduler, num_processes, -1
        self._find_parts()
        self._before: list[dict[str, Any]] = []  # the progress of self._read_parts before the last event
        self._has_metric, self._accelerate_check = False, AccelerateCheck(num_processes)
        self._is_made = self._counts_updates = self._warned_of_epoch = False
        super().__init__(for_other_trainers.optimizer_of(scheduler))
        self._is_made, self._is_in_sequence = True, False
        self._first_groups, self._first_values = list(self.optimizer.param_groups), self._present_rates()

    def _find_parts(self) -> None:
        """Find the parts of the schedule that a metric drives, and the parts whose state changes at each reading."""
        self._metric_parts = for_other_trainers.metric_driven_parts(self._scheduler)
        self._read_parts = for_other_trainers.parts_changed_by_reading(self._scheduler) if self._metric_parts else []

    @property
    def scheduler(self) -> AnyScheduler:
        """The scheduler whose values are written."""
        return self._scheduler

    @property
    def last_epoch(self) -> int:
        """The number of calls of ``step()``."""
        return self._last_epoch

    @last_epoch.setter
    def last_epoch(self, last_epoch: int) -> None:
        if self._is_made and last_epoch < self._last_epoch:  # only SequentialLR goes back, to undo the first step
            self._refuse_in_sequence()
            self._is_in_sequence = True
        self._last_epoch = last_epoch

    def _refuse_in_sequence(self) -> None:
        if others := for_other_trainers.written_params(self._scheduler) - {"lr"}:
            raise ValueError(
                f"a scheduler in SequentialLR must write only 'lr', since its other values would apply before its "
                f"milestone, given one that writes {arguments.shown(sorted(others))}: use "
                "lehr.handlers.ConcatScheduler"
            )
        if self._metric_parts:
            raise ValueError(
                f"a scheduler in SequentialLR must not be driven by a metric, since SequentialLR passes none, given "
                f"{arguments.shown(self._scheduler)}: use lehr.handlers.ConcatScheduler"
            )

    def step(self, value: Any = None, /, metrics: Any = None, *, epoch: Any = None) -> None:
        """Write the values of the next event.

        Args:
            value: the metric, if a metric drives the scheduler. Otherwise, ``value`` is the epoch to go to, which torch
                has deprecated. If you pass two numbers, as timm does, ``value`` is the epoch and ``metrics`` is the
                metric; see :meth:`step_update`.
            metrics: the metric, if you pass it by name or after an epoch.
            epoch: the epoch, if you pass it by name.

        Raises:
            TypeError: you pass a metric, but no metric drives the scheduler; the metric is not a number; you pass only
                ``epoch``, but a metric drives the scheduler; you pass two numbers, but the first is not an int.
            ValueError: you pass an epoch and a metric, and the epoch is not the next event.
        """
        by_name = epoch is not None
        if by_name:
            value, metrics = epoch, value if metrics is None else metrics
        if value is not None and metrics is not None:
            self._step_epoch(value, metrics)
            return
        if self._counts_updates and type(value) is int:
            return  # timm's script calls step(epoch) after an epoch, but step_update has already written the values
        given = value if metrics is None else metrics
        if not self._metric_parts and (metrics is not None or not isinstance(value, int | None)):
            raise TypeError(
                f"step() takes a metric only if a metric drives the scheduler, given {arguments.shown(given)}"
            )
        if self._metric_parts and by_name:
            raise TypeError(
                f"step() needs a metric if a metric drives the scheduler, given only epoch={arguments.shown(epoch)}"
            )
        if self._metric_parts and given is not None:
            self._warn_of_epoch(given)
            # accelerate calls step() num_processes times with the same metric, so use the metric in the last call.
            if (self._last_epoch + 1) % (self._num_processes or 1) == 0:
                self.observe(given)
        elif self._metric_parts and self._is_made and reads_metric(self._scheduler):
            self._warn_without_metric()
        if self._is_made:
            self._accelerate_check.count_step(self.optimizer)
        super().step(None if self._metric_parts else value)

    def step_update(self, num_updates: int, metric: Any = None) -> None:
        """Write the values of event ``num_updates``. timm's training script calls this method after each update.

        If the script calls this method, events are updates of the optimizer. The script also calls ``step(epoch,
        metric)`` after each epoch. That call passes the metric to the schedules that a metric drives, and the metric
        has an effect from the next update on. If the script never calls this method, events are epochs, and
        ``step(epoch, metric)`` writes the values of an epoch.

        Args:
            num_updates: the number of updates so far.
            metric: a running mean of the loss. As in timm, it has no effect.

        Raises:
            TypeError, ValueError: ``num_updates`` is not a whole number of at least 0.
        """
        num_updates = int(arguments.whole_number("num_updates", num_updates, at_least=0))
        self._counts_updates = True
        self._write(num_updates)

    def _step_epoch(self, epoch: Any, metric: Any) -> None:
        """Handle a call of ``step(epoch, metric)``, with which timm's training script ends each epoch."""
        if type(epoch) is not int:
            given = f"{arguments.shown(epoch)} and {arguments.shown(metric)}"
            raise TypeError(f"step() takes a metric alone, or an epoch (an int) and a metric, given {given}")
        metric, event = checked_metric(metric), self._last_epoch // (self._num_processes or 1)
        if self._counts_updates:
            if self._metric_parts:
                self.revise(metric)
            return
        if self._metric_parts:
            if epoch != event + 1:
                raise ValueError(f"epoch must be {event + 1}, the next epoch, in a call with a metric, given {epoch}")
            self.observe(metric)
        self._write(int(arguments.whole_number("epoch", epoch, at_least=0)))

    def _write(self, event_index: int) -> None:
        """Write the values of an event, and set the counters that torch's own ``step`` would set."""
        self._keep_progress()
        for_other_trainers.write_event(self._scheduler, event_index)
        self._last_epoch, self._last_lr = event_index * (self._num_processes or 1), self._present_rates()
        self._step_count += 1

    def _warn_of_epoch(self, metric: Any) -> None:
        """Warn once if a metric equals the event index, because the caller may have meant an epoch."""
        if type(metric) is int and metric == self._last_epoch + 1 and self._is_made and not self._warned_of_epoch:
            self._warned_of_epoch = True
            warnings.warn(
                f"step({metric}) passes {metric} as the metric that drives the scheduler, but {metric} is also the "
                f"number of this call: if you mean an epoch, call step(metric) or step(epoch, metric)",
                stacklevel=3,
            )

    def observe(self, metric: float) -> None:
        """Pass a metric to the schedules that a metric drives, without writing values.

        Raises:
            TypeError: the metric is not a number.
            ValueError: no metric drives a schedule; the metric is NaN, and ``nan_policy`` is ``"raise"``.
        """
        value = checked_metric(metric)
        if not self._metric_parts:
            raise ValueError(f"observe() takes a metric only if a metric drives the scheduler, given {value}")
        self._has_metric, self._before = True, []
        for part in self._metric_parts:
            part.observe(value)

    def revise(self, metric: float) -> None:
        """Pass a metric that arrives after ``step()``, and write the values of the present event again.

        Raises:
            TypeError, ValueError: see :meth:`observe`.
        """
        event_index = self._last_epoch // (self._num_processes or 1)
        for_other_trainers.go_to_event(self._scheduler, event_index)
        for part, progress in zip(self._read_parts, self._before, strict=False):
            for_other_trainers.put_back(part, progress)
        self.observe(metric)
        self._keep_progress()
        for_other_trainers.write_event(self._scheduler, event_index)
        self._last_lr = self._present_rates()

    def _keep_progress(self) -> None:
        """Save the state of the parts that the next event changes, so that :meth:`revise` can put it back."""
        if self._read_parts:
            self._before = [for_other_trainers.progress_of(part) for part in self._read_parts]

    def _warn_without_metric(self) -> None:
        if not self._has_metric and self.warns_without_metric:
            self._has_metric = True  # warn once
            warnings.warn(
                "a scheduler that a metric drives has received no metric: call step(metric) or observe(metric), or set "
                '"reduce_on_plateau": True in Lightning',
                stacklevel=3,
            )

    def get_lr(self) -> list[Any]:
        """Write all values of this event, and return the learning rate of each param group."""
        event_index, others = divmod(self._last_epoch, self._num_processes or 1)
        if self._get_lr_called_within_step and not others:
            self._keep_progress()
            for_other_trainers.write_event(self._scheduler, event_index)
        return self._present_rates()

    def _present_rates(self) -> list[Any]:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return [rate.clone() if isinstance(rate, torch.Tensor) else rate for rate in rates]

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data: torch's counts, and the state of the scheduler."""
        if self._metric_parts and self._last_epoch > 0:
            self._warn_without_metric()
        return {
            "last_epoch": self._last_epoch,
            "_step_count": self._step_count,
            "_last_lr": [float(rate) for rate in self._last_lr],
            "num_processes": self._num_processes or 1,
            "scheduler": self._scheduler.state_dict(),
            "before": [dict(progress) for progress in self._before],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a saved state.

        The constructor wrote the first values to the optimizer. If the optimizer has not loaded its own state since
        then, this method writes the last values again.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a ``TorchAdapter``. If this error is raised,
                nothing is loaded.
        """
        state = _checked_state(state_dict)
        self._check_progress(state["before"])
        self._scheduler.load_state_dict(state["scheduler"])
        self._find_parts()
        self._before = state["before"]
        self._last_epoch, self._step_count = state["last_epoch"], state["_step_count"]
        if state["num_processes"] != (self._num_processes or 1):
            self._last_epoch = (self._scheduler.event_index - 1) * (self._num_processes or 1)
        if self._last_epoch > 0 and not self._is_in_sequence and self._has_first_values():
            for_other_trainers.write_last_event_again(self._scheduler)
        self._last_lr = self._present_rates()

    def _check_progress(self, before: list[Any]) -> None:
        """Raise an error if the schedules cannot load the saved progress. The schedules themselves do not change."""
        if len(before) not in (0, len(self._read_parts)):
            raise ValueError(
                f"'before' must have the progress of {len(self._read_parts)} schedules, given {len(before)}"
            )
        for part, progress in zip(self._read_parts, before, strict=False):
            present = part.state_dict()
            for_other_trainers.put_back(part, progress)
            part.load_state_dict(present)

    def _has_first_values(self) -> bool:
        """Return whether the optimizer still has the values that the constructor wrote, and has loaded no state."""
        groups = zip(self.optimizer.param_groups, self._first_groups, strict=False)
        return all(group is first for group, first in groups) and self._present_rates() == self._first_values

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._scheduler!r}>"


def _checked_state(state_dict: Any) -> dict[str, Any]:
    if isinstance(state_dict, Mapping) and "before" not in state_dict:  # the first version did not save "before"
        state_dict = {**state_dict, "before": []}
    if not isinstance(state_dict, Mapping) or set(state_dict) != ENTRIES:
        given = arguments.shown(sorted(map(str, state_dict)) if isinstance(state_dict, Mapping) else state_dict)
        raise ValueError(f"state_dict must have the entries {sorted(ENTRIES)}, given {given}")
    counts = {
        name: arguments.whole_number(name, state_dict[name], at_least=-1) for name in ("last_epoch", "_step_count")
    }
    processes = arguments.whole_number("num_processes", state_dict["num_processes"], at_least=1)
    before = arguments.listed("before", state_dict["before"])
    return {**counts, "num_processes": processes, "scheduler": state_dict["scheduler"], "before": before}
