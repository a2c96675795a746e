"""A callback for Lightning, and the length of a Lightning run. No other file imports ``lightning``."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from lehr.engine.history import ParamHistory
from lehr.handlers.schedules import arguments

from .callback_core import Make, ScheduledOptimizer, chosen_metric
from .trainer_run_length import RunArguments, run_arguments

METRIC_EVENTS = ("validation", "epoch")


def run_length(trainer: Trainer, num_batches: int | None = None) -> RunArguments:
    """Return the length of a run of ``Trainer.fit`` in optimizer steps, as arguments of ``dry_run`` and ``check_plan``.

    The function uses accumulated batches, ``max_steps``, ``max_epochs`` and ``limit_train_batches`` as Lightning does.
    Row k of the plan has the values of the optimizer's step k. If Lightning steps the schedulers after each epoch, as
    with ``"interval": "epoch"``, pass ``{Events.EPOCH_STARTED: schedulers}`` to ``check_plan``.

    Args:
        trainer: the trainer.
        num_batches: the number of batches in an epoch without ``limit_train_batches``, which is
            ``len(train_dataloader)`` on one rank. From ``configure_optimizers`` on, you may leave it out, because the
            trainer knows the number.

    Raises:
        TypeError, ValueError: ``num_batches`` is not a whole number of at least 1, or is None before a run; the run has
            no end; a ``GradientAccumulationScheduler`` gives epochs different numbers of steps.

    Example::

        print(check_plan(schedulers, **run_length(trainer, len(train_dataloader))))
    """
    if any(isinstance(one, GradientAccumulationScheduler) and len(one.scheduling) > 1 for one in trainer.callbacks):
        raise ValueError(
            "trainer must have the same number of steps in each epoch, given a GradientAccumulationScheduler"
        )
    if num_batches is not None:
        num_batches, limit = (
            int(arguments.whole_number("num_batches", num_batches, at_least=1)),
            trainer.limit_train_batches,
        )
        num_batches = min(num_batches, limit) if isinstance(limit, int) else int(num_batches * limit)
    elif trainer.lightning_module is None:
        raise ValueError("num_batches must be a number before a run, such as len(train_dataloader), given None")
    else:
        if trainer.train_dataloader is None:
            trainer.fit_loop.setup_data()  # trainer.estimated_stepping_batches calls setup_data(), too
        num_batches = None if trainer.num_training_batches == float("inf") else int(trainer.num_training_batches)
    max_epochs, max_steps = ((None if one in (None, -1) else one) for one in (trainer.max_epochs, trainer.max_steps))
    return run_arguments(num_batches, trainer.accumulate_grad_batches, max_epochs, max_steps)


class SchedulerCallback(Callback):
    """Schedules the optimizers of a Lightning run. ``configure_optimizers`` must return only optimizers.

    Step k of an optimizer, counted from 0, trains with ``schedule(k)``, which is bit for bit the value that
    ``simulate`` returns. Batches that only accumulate gradients, and steps that a ``GradScaler`` skips, do not count.
    The callback also works with manual optimization. It makes the schedulers when training starts, after ``lr_find``.
    Checkpoints of the run contain the state of the schedulers. A run that resumes from a checkpoint has the same
    values as an unbroken run. ``LearningRateMonitor`` logs the learning rate of each step, whether it comes before or
    after this callback.

    Args:
        make: a function that takes an optimizer and returns one or several schedulers of it. For several optimizers,
            pass a list with one item for each optimizer. An item is a function like this, or None for an optimizer
            without a schedule.
        metric_name: the name under which the module logs the metric that drives the schedulers. If None, the schedulers
            name the metric.
        metric_event: ``"validation"`` to read the metric after each validation, or ``"epoch"`` to read it after each
            epoch of training. The ``reduction`` of the scheduler combines the metrics of several ranks.
        check_length: whether the callback checks the length of the schedules when training starts. It warns if a
            schedule is longer or shorter than the run. The check takes about a second for 100,000 steps.

    Raises:
        TypeError: ``make`` is neither a function nor a list of functions.
        ValueError: ``metric_event`` is neither ``"validation"`` nor ``"epoch"``. When training starts: there are more
            or fewer optimizers than functions; a scheduler of ``configure_optimizers`` writes to the same optimizer;
            the metric does not fit the schedulers; ``check_length`` is true, but the length of the run is unknown.
            Later: the module has not logged the metric.

    Attributes:
        history: the history of the first optimizer that has a schedule. It has the values of each step, and of the step
            that would follow the last one.
        histories: a list with the history of each optimizer that has a schedule.

    Example::

        def schedule(optimizer):
            return OneCycleScheduler(optimizer, "lr", max_value=0.1, total_steps=1000)

        callback = SchedulerCallback(schedule)
        Trainer(max_steps=1000, callbacks=[callback]).fit(module, loader)
        callback.history.plot("lr")
    """

    def __init__(
        self,
        make: Make | Sequence[Make | None],
        *,
        metric_name: str | None = None,
        metric_event: str = "validation",
        check_length: bool = False,
    ) -> None:
        makers: list[Any] = list(make) if isinstance(make, list | tuple) else [make]
        if not all(callable(one) or (one is None and make is not None) for one in makers):
            raise TypeError(f"make must be a function or a list of functions, given {arguments.shown(make)}")
        self._makers: list[Make | None] = makers
        self._metric_name = metric_name
        self._metric_event = arguments.one_of("metric_event", metric_event, METRIC_EVENTS)
        self._check_length = arguments.flag("check_length", check_length)
        self._scheduled: list[ScheduledOptimizer] = []
        self._saved: Mapping[str, Any] | None = None  # the state from a checkpoint, until training starts
        self._handles: list[Any] = []

    @property
    def history(self) -> ParamHistory:
        """The values of each step of the first optimizer that has a schedule."""
        return self.histories[0] if self._scheduled else ParamHistory()

    @property
    def histories(self) -> list[ParamHistory]:
        """The history of each optimizer that has a schedule."""
        return [one.history for one in self._scheduled]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Remove the hooks and schedulers of the former run."""
        if stage == "fit":
            self._remove_hooks()
            self._scheduled, self._saved = [], None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the schedulers, which write their first values. If a checkpoint has their state, load the state."""
        optimizers = trainer.optimizers
        if len(self._makers) != len(optimizers):
            raise ValueError(
                f"make must have a function for each of {len(optimizers)} optimizers, given {self._makers}"
            )
        pairs = [(make, one) for make, one in zip(self._makers, optimizers, strict=True) if make is not None]
        for config in trainer.lr_scheduler_configs:
            if any(config.scheduler.optimizer is optimizer for _, optimizer in pairs):
                raise ValueError(
                    "configure_optimizers must return no scheduler for an optimizer of SchedulerCallback, given "
                    f"{arguments.shown(config.scheduler)}"
                )
        run = _planned_run(trainer) if self._check_length else None
        self._scheduled = [ScheduledOptimizer(make, one, self._metric_name, run) for make, one in pairs]
        if self._saved is not None:
            self._load(self._saved)
        else:
            self._scheduled[0].warn_if_begun(trainer.global_step)
        for one in self._scheduled:
            self._handles.append(one.optimizer.register_step_post_hook(partial(self._step, trainer, one)))

    def _step(self, trainer: Trainer, scheduled: ScheduledOptimizer, *_: Any) -> None:
        if any(callback is self for callback in trainer.callbacks):  # lr_find removes all callbacks while it runs
            scheduled.step()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the metric if ``metric_event`` is ``"validation"``."""
        if self._metric_event == "validation":
            self._observe(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the metric if ``metric_event`` is ``"epoch"``."""
        if self._metric_event == "epoch":
            self._observe(trainer)

    def _observe(self, trainer: Trainer) -> None:
        if self._handles:  # the hooks exist only in training, so a validation before or after training passes no metric
            for one in self._scheduled:
                if one.metric_name is not None:
                    one.observe(chosen_metric(trainer.callback_metrics, one.metric_name))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop writing values. The history and the state stay available."""
        self._remove_hooks()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Stop writing values."""
        self._remove_hooks()

    def _remove_hooks(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all schedulers and histories, as plain data."""
        if not self._scheduled:
            return dict(self._saved or {})
        return {"optimizers": [one.state_dict() for one in self._scheduled]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a saved state. If the schedulers do not exist yet, keep the state until training starts."""
        if self._scheduled:
            self._load(state_dict)
        else:
            self._saved = state_dict

    def _load(self, state_dict: Mapping[str, Any]) -> None:
        states = state_dict.get("optimizers", [])
        if len(states) != len(self._scheduled):
            raise ValueError(
                f"the checkpoint must have states for {len(self._scheduled)} scheduled optimizers, given {len(states)}"
            )
        for one, state in zip(self._scheduled, states, strict=True):
            one.load_state_dict(state)


def _planned_run(trainer: Trainer) -> RunArguments:
    if not trainer.lightning_module.automatic_optimization:
        raise ValueError("check_length must be False with manual optimization, given True")
    return run_length(trainer)
