"""Runs a trainer from one optimizer step to the next, so that ignite's finder can set a learning rate for each."""

import logging
import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Self

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch.optim import Optimizer

from lehr.engine import OptimizerEvents
from lehr.handlers.core.trials.trainer_trial import quiet_logger
from lehr.handlers.schedules.arguments import shown

PATIENCE = 256  # iterations to wait for the first step of the optimizer
ENDLESS = 2**40  # more epochs than any run has


class TrialSteps:
    """Runs a trainer from one step of its optimizer to the next, with a learning rate for each step.

    An iteration of :attr:`engine` contains all iterations of the trainer up to the next real step. ignite's finder is
    attached to this engine. The finder sets the learning rate of :attr:`optimizer`, which stands in for the real
    optimizer and has one param group.

    Args:
        trainer: the trainer.
        loader: the data of the trainer.
        epoch_length: iterations of an epoch. If None, it is the length of the loader.
        optimizer: the optimizer of the trainer.
        ratios: the factor by which the learning rate of each param group is multiplied.
        start_lr: the learning rate before the first step.
        loss_of: returns the loss from the output of an iteration.
    """

    def __init__(
        self,
        trainer: Engine,
        loader: Any,
        epoch_length: int | None,
        optimizer: Optimizer,
        ratios: Sequence[float],
        start_lr: float,
        loss_of: Callable[[Any], float],
    ) -> None:
        self._trainer, self._run = trainer, {"data": loader, "max_epochs": ENDLESS, "epoch_length": epoch_length}
        self._groups, self._loss_of = list(zip(optimizer.param_groups, ratios, strict=True)), loss_of
        self.optimizer = torch.optim.SGD([torch.zeros(1)], lr=start_lr)
        self.engine = Engine(self._step)
        self.engine.logger = quiet_logger(self.engine.logger, logging.CRITICAL)  # the trainer logs errors itself
        self.lrs: list[float] = []
        self.losses: list[float] = []
        self._new_losses: list[float] = []  # losses since the last step
        self._has_stepped, self._accumulation, self._epoch_ended_at = False, 0, -1
        self._steps = OptimizerEvents.attach(self.engine, optimizer)
        self.engine.add_event_handler(OptimizerEvents.STEP_STARTED, self._write)
        self.engine.add_event_handler(OptimizerEvents.STEP_COMPLETED, self._completed)
        self.engine.add_event_handler(Events.GET_BATCH_STARTED, self._stop_if_not_finite)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._after_iteration)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._after_epoch)

    def _step(self, engine: Engine, batch: Any) -> float:
        """Train to the next real step, and return the mean loss of its batches."""
        self._new_losses, self._has_stepped = [], False
        self._write()  # a training step may read the learning rate
        self._trainer.run(**self._run)
        if not self._new_losses:
            raise RuntimeError("trainer must train, given one whose training step or handlers end the run at once")
        self._accumulation = max(self._accumulation, len(self._new_losses))
        loss = sum(self._new_losses) / len(self._new_losses)
        self.lrs.append(self._lr)
        self.losses.append(float(idist.all_reduce(loss)) / idist.get_world_size())
        return self.losses[-1] / idist.get_world_size()  # ignite's finder sums the losses of all processes

    @property
    def _lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def _write(self) -> None:
        for group, ratio in self._groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(self._lr * ratio)
            else:
                group["lr"] = self._lr * ratio

    def _completed(self) -> None:
        self._has_stepped = True

    def _after_iteration(self, trainer: Engine) -> None:
        self._new_losses.append(self._loss_of(trainer.state.output))
        waited = len(self._new_losses)
        if self._has_stepped:
            trainer.interrupt()
        elif waited >= (max(20, 10 * self._accumulation) if self._accumulation else PATIENCE):
            if all(map(math.isfinite, self._new_losses[-3:])):
                raise RuntimeError(
                    f"optimizer must be the one that the training step uses, given an optimizer that made no step in "
                    f"{waited} iterations"
                )
            trainer.interrupt()  # a GradScaler skips all steps from this iteration on

    def _after_epoch(self, trainer: Engine) -> None:
        if trainer.state.iteration == self._epoch_ended_at:
            raise RuntimeError("loader must give batches each time it is iterated over, given an exhausted loader")
        self._epoch_ended_at = trainer.state.iteration

    def _stop_if_not_finite(self, engine: Engine) -> None:
        """Stop if the loss is not finite. ignite's finder would continue, because NaN is not greater than any loss."""
        if self.losses and not math.isfinite(self.losses[-1]):
            engine.terminate(skip_completed=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._steps.remove()
        # If these references stayed, only garbage collection would free the model after the trainer is deleted.
        del self._trainer, self._groups, self._run


def loss_reader(output_transform: Callable[[Any], Any] | None) -> Callable[[Any], float]:
    """Return a function that reads the loss of an iteration from the output of the training step.

    Args:
        output_transform: returns the loss from the output. If None, the loss is the output, or the output's entry
            ``"loss"``.
    """

    def loss_of(output: Any) -> float:
        if output_transform is not None:
            loss = output_transform(output)
        else:
            loss = output.get("loss") if isinstance(output, dict) else output
        if isinstance(loss, torch.Tensor) and loss.numel() == 1:
            loss = loss.item()
        if isinstance(loss, bool) or not isinstance(loss, Real):
            raise TypeError(
                f"output_transform must give the loss of an iteration as a number, given {shown(loss)} for an output "
                f"of type {type(output).__name__}"
            )
        if loss < 0:
            raise ValueError(
                f"output_transform must give a loss that is not negative, since the test stops at a multiple of the "
                f"least loss, given {shown(loss)}: add a constant in output_transform"
            )
        return float(loss)

    return loss_of
