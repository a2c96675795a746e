"""Schedulers as a scheduler of ``torch.optim.lr_scheduler``, for trainers that call ``step()`` after the optimizer."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.engine.history import ParamHistory
from lehr.handlers.core import without_engine
from lehr.handlers.core.inspection import reads_metric
from lehr.handlers.core.without_engine import AnyScheduler
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.plateau import checked_metric

ENTRIES = {"last_epoch", "_step_count", "_last_lr", "num_processes", "scheduler"}


def as_torch_scheduler(
    schedulers: AnyScheduler | Sequence[AnyScheduler],
    *,
    num_processes: int | None = None,
    history: ParamHistory | None = None,
) -> TorchLRScheduler:
    """A scheduler of ``torch.optim.lr_scheduler`` that writes the values of one or several schedulers.

    Use it where a trainer calls ``step()`` after the optimizer's step, as Lightning, Hugging Face, accelerate, skorch
    and plain torch loops do. The constructor writes ``schedule(0)``, and the k-th call of ``step()`` writes
    ``schedule(k)``, so the optimizer's k-th step, from 0, trains with ``schedule(k)``: the values of :meth:`simulate`,
    bit for bit. Learning rates, momentum, betas, weight decay and any other entry of the param groups are written in
    the same call.

    A scheduler that is driven by a metric takes it in ``step(metric)``, as ``ReduceLROnPlateau`` does, or in
    ``observe(metric)``. With ``step()`` alone it counts the event, and the value stays as it is.

    Args:
        schedulers: one scheduler, or several, of the param groups of one optimizer. Do not call or attach them.
        num_processes: the number of times that ``step()`` is called after each step of the optimizer: with accelerate,
            the number of processes unless ``split_batches=True``. None: 1, with a warning if accelerate calls it more
            often.
        history: a history in which all values are recorded; None for none.

    Returns:
        A scheduler whose state is plain data, which ``torch.load(..., weights_only=True)`` reads. In ``SequentialLR``
        it may write the learning rate alone.

    Raises:
        TypeError: ``schedulers`` is something else; ``num_processes`` is not an int.
        ValueError: the schedulers do not have one optimizer in common; two of them write the same number; one has
            counted events already; ``num_processes`` is less than 1.

    The constructor leaves ``initial_lr`` in the param groups, as torch's schedulers do. No other scheduler of this
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
    scheduler = without_engine.one_of_all(schedulers)
    scheduler.history = history
    return TorchAdapter(scheduler, num_processes)


class TorchAdapter(TorchLRScheduler):
    """What :func:`as_torch_scheduler` makes.

    Args:
        scheduler: the scheduler whose values are written.
        num_processes: how often ``step()`` is called after each step of the optimizer; None for 1.
    """

    warns_without_metric = True
    """Whether ``step()`` warns where a metric drives the scheduler and none has come; False where it comes later."""

    def __init__(self, scheduler: AnyScheduler, num_processes: int | None) -> None:
        self._scheduler, self._num_processes, self._last_epoch = scheduler, num_processes, -1
        self._metric_parts = without_engine.metric_driven_parts(scheduler)
        self._before: list[tuple[Any, dict[str, Any]]] = []  # before the last event
        self._has_metric, self._accelerate_check = False, AccelerateCheck(num_processes)
        self._is_made = False
        super().__init__(without_engine.optimizer_of(scheduler))
        self._is_made, self._is_in_sequence = True, False
        self._first_groups, self._first_values = list(self.optimizer.param_groups), self._held()

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
        if self._is_made and last_epoch < self._last_epoch:  # SequentialLR takes the first step back
            self._refuse_in_sequence()
            self._is_in_sequence = True
        self._last_epoch = last_epoch

    def _refuse_in_sequence(self) -> None:
        if others := without_engine.written_params(self._scheduler) - {"lr"}:
            raise ValueError(
                f"a scheduler of {arguments.shown(sorted(others))} must not stand in SequentialLR, which would leave "
                "its first values in force until its turn; use lehr.handlers.ConcatScheduler"
            )
        if self._metric_parts:
            raise ValueError(
                "a scheduler that is driven by a metric must not stand in SequentialLR, which gives it none; use "
                "lehr.handlers.ConcatScheduler"
            )

    def step(self, epoch: Any = None, metrics: Any = None) -> None:
        """Write the values of the next event.

        Args:
            epoch: a metric, for a scheduler that is driven by one; for any other, an epoch to go to, which torch has
                deprecated.
            metrics: a metric by name, as in ``ReduceLROnPlateau``.

        Raises:
            TypeError: there is a metric, but no scheduler is driven by one; the metric is not a number.
        """
        if self._metric_parts:
            metrics = epoch if metrics is None else metrics
            if metrics is not None:
                if (self._last_epoch + 1) % (self._num_processes or 1) == 0:  # accelerate passes it once per process
                    self.observe(metrics)
            elif reads_metric(self._scheduler) and self._is_made:
                self._warn_without_metric()
            epoch = None
        elif metrics is not None or not isinstance(epoch, int | None):
            given = arguments.shown(epoch if metrics is None else metrics)
            raise TypeError(f"step() takes no metric where no schedule is driven by one, given {given}")
        if self._is_made:
            self._accelerate_check.count_step(self.optimizer)
        super().step(epoch)

    def observe(self, metric: float) -> None:
        """Pass a metric to the schedules that are driven by one, without writing.

        Raises:
            TypeError: the metric is not a number.
            ValueError: no schedule is driven by a metric; the metric is NaN, and ``nan_policy`` is ``"raise"``.
        """
        value = checked_metric(metric)
        if not self._metric_parts:
            raise ValueError(f"no schedule is driven by a metric, given {value}")
        self._has_metric, self._before = True, []
        for part in self._metric_parts:
            part.observe(value)

    def revise(self, metric: float) -> None:
        """Pass a metric that came after ``step()``, and write the values of the same event again, now with it.

        Raises:
            TypeError, ValueError: as :meth:`observe`.
        """
        event_index = self._last_epoch // (self._num_processes or 1)
        without_engine.go_to_event(self._scheduler, event_index)
        for part, state in self._before:
            part.load_state_dict(state)
        self.observe(metric)
        self._before = without_engine.stateful_parts_of(self._scheduler)
        without_engine.write_event(self._scheduler, event_index)
        self._last_lr = self._held()

    def _warn_without_metric(self) -> None:
        if not self._has_metric and self.warns_without_metric:
            self._has_metric = True  # warn once
            warnings.warn(
                "a scheduler that is driven by a metric has not received one: call step(metric) or observe(metric); "
                'in Lightning, set "reduce_on_plateau": True',
                stacklevel=3,
            )

    def get_lr(self) -> list[Any]:
        """The learning rate of each param group, after all values of this event have been written."""
        event_index, others = divmod(self._last_epoch, self._num_processes or 1)
        if self._get_lr_called_within_step and not others:
            if self._metric_parts:
                self._before = without_engine.stateful_parts_of(self._scheduler)
            without_engine.write_event(self._scheduler, event_index)
        return self._held()

    def _held(self) -> list[Any]:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return [rate.clone() if isinstance(rate, torch.Tensor) else rate for rate in rates]

    def state_dict(self) -> dict[str, Any]:
        """The state as plain data: torch's counts, and the state of the scheduler."""
        if self._metric_parts and self._last_epoch > 0:
            self._warn_without_metric()
        return {
            "last_epoch": self._last_epoch,
            "_step_count": self._step_count,
            "_last_lr": [float(rate) for rate in self._last_lr],
            "num_processes": self._num_processes or 1,
            "scheduler": self._scheduler.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        If the state of the optimizer was not loaded after this scheduler was made, the last values are written again:
        the constructor has written the first values over them.

        Raises:
            TypeError, ValueError: this is not the state of such a scheduler; nothing is loaded.
        """
        state = _checked_state(state_dict)
        self._scheduler.load_state_dict(state["scheduler"])
        self._before = []  # the states before the last event are those of another run
        self._last_epoch, self._step_count = state["last_epoch"], state["_step_count"]
        if state["num_processes"] != (self._num_processes or 1):
            self._last_epoch = (self._scheduler.event_index - 1) * (self._num_processes or 1)
        if self._last_epoch > 0 and not self._is_in_sequence and self._holds_first_values():
            without_engine.write_last_event_again(self._scheduler)
        self._last_lr = self._held()

    def _holds_first_values(self) -> bool:
        """Whether the optimizer holds what the constructor wrote: to load its state replaces the param groups."""
        groups = zip(self.optimizer.param_groups, self._first_groups, strict=False)
        return all(group is first for group, first in groups) and self._held() == self._first_values

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._scheduler!r}>"


def _checked_state(state_dict: Any) -> dict[str, Any]:
    if not isinstance(state_dict, Mapping) or set(state_dict) != ENTRIES:
        given = arguments.shown(sorted(map(str, state_dict)) if isinstance(state_dict, Mapping) else state_dict)
        raise ValueError(f"state_dict must have the entries {sorted(ENTRIES)}, given {given}")
    counts = {
        name: arguments.whole_number(name, state_dict[name], at_least=-1) for name in ("last_epoch", "_step_count")
    }
    processes = arguments.whole_number("num_processes", state_dict["num_processes"], at_least=1)
    return {**counts, "num_processes": processes, "scheduler": state_dict["scheduler"]}


class AccelerateCheck:
    """Warns where accelerate calls ``step()`` once for each process, and the scheduler does not know it.

    Args:
        num_processes: what the user has given; None to check.
    """

    def __init__(self, num_processes: int | None) -> None:
        self._is_on = num_processes is None
        self._steps_since: int | None = None  # calls of step() since the optimizer's last step, once they are counted

    def count_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Count a call of ``step()``; warn at the second one after the same step of the optimizer."""
        if not self._is_on or (processes := _accelerate_processes()) == 1:
            return
        if self._steps_since is None:
            self._steps_since = 0
            optimizer.register_step_post_hook(self._start_again)
        self._steps_since += 1
        if self._steps_since > 1:
            self._is_on = False
            warnings.warn(
                f"accelerate calls step() once for each of {processes} processes, so the schedule runs {processes} "
                f"times too fast: pass num_processes={processes} to as_torch_scheduler, or split_batches=True to "
                "accelerate",
                stacklevel=4,
            )

    def _start_again(self, *_: Any) -> None:
        self._steps_since = 0


def _accelerate_processes() -> int:
    """The number of accelerate's processes; 1 where it is not in use."""
    state = sys.modules.get("accelerate.state")
    if state is None or not state.is_initialized():
        return 1
    return int(state.PartialState().num_processes)
