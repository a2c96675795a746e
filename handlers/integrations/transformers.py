"""A callback for Hugging Face's Trainer, and the length of its run. No other file imports ``transformers``."""

import math
from collections.abc import Mapping
from typing import Any

from torch.optim.lr_scheduler import LRScheduler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from lehr.engine.history import ParamHistory
from lehr.handlers.schedules import arguments

from .callback_core import Make, ScheduledOptimizer, chosen_metric
from .trainer_run_length import RunArguments, run_arguments

PLAIN_TYPES = ("linear", "constant")  # if lr_scheduler_type has one of these values, the user has chosen no schedule


def run_length(args: TrainingArguments, num_samples: int | None = None) -> RunArguments:
    """Return the length of a run of a ``Trainer`` in optimizer steps, as arguments of ``dry_run`` and ``check_plan``.

    The function uses ``gradient_accumulation_steps``, ``max_steps``, ``num_train_epochs``, the batch sizes,
    ``dataloader_drop_last`` and the number of processes as the Trainer does. Row k of the plan has the values of the
    optimizer's step k.

    Args:
        args: the arguments of the Trainer.
        num_samples: the number of samples in the training set, ``len(train_dataset)``. If the number is unknown, give
            None and set ``max_steps``.

    Raises:
        TypeError, ValueError: ``num_samples`` is not a whole number of at least 1; the run has no step, or no end.

    Example::

        print(check_plan(schedulers, **run_length(training_arguments, len(train_dataset))))
    """
    max_steps = args.max_steps if args.max_steps > 0 else None
    if num_samples is None:
        return run_arguments(None, args.gradient_accumulation_steps, None, max_steps)
    num_samples, size = int(arguments.whole_number("num_samples", num_samples, at_least=1)), args.train_batch_size
    rounded = math.floor if args.dataloader_drop_last else math.ceil
    num_batches = rounded(num_samples / size)
    if not args.accelerator_config.split_batches:
        num_batches = rounded(num_batches / args.world_size)
    max_epochs = None if max_steps else args.num_train_epochs  # max_steps overrides num_train_epochs
    return run_arguments(num_batches, args.gradient_accumulation_steps, max_epochs, max_steps)


class SchedulerCallback(TrainerCallback, ExportableState):  # type: ignore[misc, unused-ignore]
    """Schedules the optimizer that a ``Trainer`` makes from its ``TrainingArguments``.

    Step k of the optimizer, counted from 0, trains with ``schedule(k)``, which is bit for bit the value that
    ``simulate`` returns. Batches that only accumulate gradients do not count. The Trainer logs the learning rate with
    which the step trained. The Trainer's checkpoints contain the state of the schedulers, in ``trainer_state.json``. A
    run with ``resume_from_checkpoint`` has the same values as an unbroken run.

    A Trainer always makes its own learning rate scheduler. This callback replaces two methods of the Trainer's
    scheduler: ``step`` writes the values of this callback's schedulers, and ``get_last_lr`` returns these values. The
    Trainer's scheduler still counts its steps, and the Trainer saves its state.

    Args:
        make: a function that takes the optimizer and returns one or several schedulers of it. The param groups have
            the ``learning_rate`` of the ``TrainingArguments``.
        metric_name: the name of the metric that drives the schedulers, such as ``"eval_loss"``. If None, the schedulers
            name the metric. The callback reads the metric after each evaluation.
        check_length: whether the callback checks the length of the schedules when training starts. It warns if a
            schedule is longer or shorter than the run. The check takes about a second for 100,000 steps.

    Raises:
        TypeError: ``make`` is not a function.
        ValueError: before the first step: ``optimizers``, ``lr_scheduler_type`` or warm-up steps give the Trainer
            another schedule; ``restore_callback_states_from_checkpoint`` is true, so that the Trainer would replace
            this callback by one without ``make``; the metric does not fit the schedulers. Later: an evaluation does not
            have the metric.

    Attributes:
        history: the values of each step, and of the step that would follow the last one.

    Example::

        def schedule(optimizer):
            return OneCycleScheduler(optimizer, "lr", max_value=0.1, total_steps=1000)

        callback = SchedulerCallback(schedule)
        Trainer(model, TrainingArguments(max_steps=1000), train_dataset=data, callbacks=[callback]).train()
        callback.history.plot("lr")
    """

    def __init__(self, make: Make, *, metric_name: str | None = None, check_length: bool = False) -> None:
        self._make = arguments.function("make", make, "a function of an optimizer")
        self._metric_name = metric_name
        self._check_length = arguments.flag("check_length", check_length)
        self._scheduled: ScheduledOptimizer | None = None
        self._steps_at_metric = -1  # the step of the last metric; -1 outside of a run
        # The metrics of all evaluations since the last step, if none of these evaluations had the metric to read.
        self._other_metrics: dict[str, Any] = {}

    @property
    def history(self) -> ParamHistory:
        """The values of each step, and of the step after the last one."""
        return ParamHistory() if self._scheduled is None else self._scheduled.history

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any) -> None:
        """Raise an error if the Trainer has another schedule."""
        _refuse_other_schedules(args)
        if (scheduler := parts.get("lr_scheduler")) is not None:
            raise ValueError(
                "optimizers must have None as scheduler, since SchedulerCallback schedules the optimizer, given "
                f"{arguments.shown(scheduler)}"
            )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any
    ) -> None:
        """Make the schedulers, which write their first values. If a checkpoint has their state, load the state."""
        _refuse_other_schedules(args)
        theirs = parts["lr_scheduler"]
        if not isinstance(theirs, LRScheduler):
            raise ValueError(f"the Trainer must step a scheduler of torch, given {arguments.shown(theirs)}")
        run = run_arguments(_batches_of(parts), args.gradient_accumulation_steps, None, state.max_steps)
        self._scheduled = ScheduledOptimizer(
            self._make, parts["optimizer"], self._metric_name, run if self._check_length else None
        )
        saved = (state.stateful_callbacks or {}).get(type(self).__name__) if state.global_step else None
        if isinstance(saved, list):
            raise ValueError(f"callbacks must have one SchedulerCallback, given {len(saved)}")
        if saved and saved["attributes"]:
            self._scheduled.load_state_dict(saved["attributes"]["saved"])
        else:
            self._scheduled.warn_if_begun(state.global_step)
        _let_it_write(theirs, self._scheduled)
        self._steps_at_metric = state.global_step  # ignore an evaluation before the first step
        self._other_metrics = {}

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any) -> None:
        """Read the metric of this evaluation, unless an earlier evaluation after the last training step had it."""
        scheduled = self._scheduled
        if scheduled is None or scheduled.metric_name is None or not 0 <= self._steps_at_metric < state.global_step:
            return
        metrics: Mapping[str, Any] = parts["metrics"]
        self._other_metrics.update(metrics)
        if scheduled.metric_name in metrics:
            scheduled.observe(chosen_metric(metrics, scheduled.metric_name))
            self._steps_at_metric = state.global_step
            self._other_metrics = {}

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any
    ) -> None:
        """Raise an error if there were evaluations since the last step, but none of them had the metric."""
        if self._other_metrics and self._scheduled is not None:
            chosen_metric(self._other_metrics, str(self._scheduled.metric_name))

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any) -> None:
        """Stop reading metrics. The history stays available."""
        self._steps_at_metric = -1

    def state(self) -> dict[str, Any]:
        """Return the state of the schedulers and the history, as plain data. The Trainer saves it in its own state."""
        return {"args": {}, "attributes": {} if self._scheduled is None else {"saved": self._scheduled.state_dict()}}


def _batches_of(parts: Mapping[str, Any]) -> int | None:
    """Return the number of batches in an epoch, or None if the data has no length."""
    try:
        return len(parts["train_dataloader"])
    except (KeyError, TypeError):
        return None


def _refuse_other_schedules(args: TrainingArguments) -> None:
    kind = getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)
    if kind not in PLAIN_TYPES:
        raise ValueError(
            f"lr_scheduler_type must be left out, since SchedulerCallback schedules the optimizer, given {kind!r}"
        )
    for name in ("warmup_steps", "warmup_ratio"):
        if getattr(args, name, None):
            raise ValueError(
                f"{name} must be 0, since SchedulerCallback schedules the warm-up, too, given {getattr(args, name)}"
            )
    if getattr(args, "restore_callback_states_from_checkpoint", False):
        raise ValueError(
            "restore_callback_states_from_checkpoint must be False, given True: the Trainer would replace "
            "SchedulerCallback by one without its function. SchedulerCallback restores its state without this argument"
        )


def _let_it_write(theirs: Any, scheduled: ScheduledOptimizer) -> None:
    """Make the Trainer's scheduler write and return the values of ``scheduled``, but keep its own count and state."""
    state_dict = theirs.state_dict

    def step(*_: Any) -> None:
        theirs.last_epoch += 1
        scheduled.step()

    def own_state() -> dict[str, Any]:
        return {name: value for name, value in state_dict().items() if name not in replaced}

    replaced = {"step": step, "get_last_lr": scheduled.adapter.get_last_lr, "state_dict": own_state}
    vars(theirs).update(replaced)
