"""A callback for Hugging Face's Trainer; this file alone imports ``transformers``."""

import math
from collections.abc import Mapping
from typing import Any

from torch.optim.lr_scheduler import LRScheduler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from lehr.engine.history import ParamHistory
from lehr.handlers.schedules import arguments

from .callback_core import Make, ScheduledOptimizer, chosen_metric
from .run_arguments import RunArguments, run_arguments

PLAIN_TYPES = ("linear", "constant")  # lr_scheduler_type of a user who has chosen no schedule


def run_length(args: TrainingArguments, num_samples: int | None = None) -> RunArguments:
    """The length of a run of a ``Trainer`` in steps of the optimizer, as arguments of ``dry_run`` and ``check_plan``.

    It counts ``gradient_accumulation_steps``, ``max_steps``, ``num_train_epochs``, the batch sizes,
    ``dataloader_drop_last`` and the processes as the Trainer does. Row k of the plan is what step k of the optimizer
    trains with.

    Args:
        args: the arguments of the Trainer.
        num_samples: the samples of the training set, ``len(train_dataset)``; None with ``max_steps``, if it is unknown.

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
    max_epochs = None if max_steps else args.num_train_epochs  # max_steps may be more than the epochs
    return run_arguments(num_batches, args.gradient_accumulation_steps, max_epochs, max_steps)


class SchedulerCallback(TrainerCallback, ExportableState):  # type: ignore[misc, unused-ignore]
    """Schedules the optimizer of a ``Trainer``, which makes it itself from its ``TrainingArguments``.

    The k-th real step of the optimizer, from 0, trains with ``schedule(k)``: the values of ``simulate``, bit for bit,
    with accumulated batches, too. The learning rate that the Trainer logs is the one that the step trained with. The
    state is saved in the Trainer's checkpoints (in ``trainer_state.json``), and ``resume_from_checkpoint`` goes on with
    the values of the unbroken run.

    A Trainer always makes a learning rate scheduler of its own. This callback lets that one count and be saved, but
    write nothing: its ``step`` writes the values of this callback's schedulers, and its ``get_last_lr`` returns them.

    Args:
        make: a function that takes the optimizer and returns one or several schedulers of it. Its groups have the
            ``learning_rate`` of the ``TrainingArguments``.
        metric_name: the name of the metric that drives the schedulers, such as ``"eval_loss"``; None for the name that
            they were made with. It is read after each evaluation.
        check_length: whether to warn, when training starts, of a schedule that is longer or shorter than the run: of
            the findings of ``check_plan`` about lengths. A run of 100,000 steps takes about a second.

    Raises:
        TypeError: ``make`` is not a function.
        ValueError: before the first step: the Trainer was given a scheduler or a schedule of its own, by
            ``optimizers``, ``lr_scheduler_type`` or warm-up steps; ``restore_callback_states_from_checkpoint`` is set,
            which makes callbacks anew, without their functions; the metric does not fit the schedulers. Later: an
            evaluation has no such metric.

    Attributes:
        history: the values of each step, and of the step after the last one.

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
        self._other_metrics: dict[str, Any] = {}  # of evaluations since the last step, none of which had the metric

    @property
    def history(self) -> ParamHistory:
        """The values of each step, and of the step after the last one."""
        return ParamHistory() if self._scheduled is None else self._scheduled.history

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any) -> None:
        """Refuse another schedule."""
        _refuse_other_schedules(args)
        if (scheduler := parts.get("lr_scheduler")) is not None:
            raise ValueError(
                "optimizers must have None as scheduler, since SchedulerCallback schedules the optimizer, given "
                f"{arguments.shown(scheduler)}"
            )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any
    ) -> None:
        """Make the schedulers, which write their first values, or go on from the checkpoint."""
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
        self._steps_at_metric = state.global_step  # an evaluation before the first step drives nothing
        self._other_metrics = {}

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any) -> None:
        """Read the metric, once after a step: where there are several evaluations, from the one that has it."""
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
        """Refuse evaluations without the metric."""
        if self._other_metrics and self._scheduled is not None:
            chosen_metric(self._other_metrics, str(self._scheduled.metric_name))

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any) -> None:
        """Read no more metrics; the history stays."""
        self._steps_at_metric = -1

    def state(self) -> dict[str, Any]:
        """The state of the schedulers and the history, as plain data; the Trainer saves it with its own."""
        return {"args": {}, "attributes": {} if self._scheduled is None else {"saved": self._scheduled.state_dict()}}


def _batches_of(parts: Mapping[str, Any]) -> int | None:
    """The batches of an epoch; None if the data has no length."""
    try:
        return len(parts["train_dataloader"])
    except (KeyError, TypeError):
        return None


def _refuse_other_schedules(args: TrainingArguments) -> None:
    kind = getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)
    if kind not in PLAIN_TYPES:
        raise ValueError(f"lr_scheduler_type must be left out, since SchedulerCallback schedules, given {kind!r}")
    for name in ("warmup_steps", "warmup_ratio"):
        if getattr(args, name, None):
            raise ValueError(f"{name} must be 0: let the schedulers of SchedulerCallback warm up")
    if getattr(args, "restore_callback_states_from_checkpoint", False):
        raise ValueError(
            "restore_callback_states_from_checkpoint must be False: it makes callbacks anew, without their functions; "
            "SchedulerCallback goes on from a checkpoint without it"
        )


def _let_it_write(theirs: Any, scheduled: ScheduledOptimizer) -> None:
    """Let the Trainer's scheduler write and report these values; it counts on, and its state stays its own."""
    state_dict = theirs.state_dict

    def step(*_: Any) -> None:
        theirs.last_epoch += 1
        scheduled.step()

    def own_state() -> dict[str, Any]:
        return {name: value for name, value in state_dict().items() if name not in replaced}

    replaced = {"step": step, "get_last_lr": scheduled.adapter.get_last_lr, "state_dict": own_state}
    vars(theirs).update(replaced)
