"""The steps of a torch scheduler: by its ``get_lr()`` alone if this is enough, and otherwise by its ``step()``."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler
from torch.optim.lr_scheduler import SequentialLR

from lehr.handlers.targets.group_selection import Group

from .optimizer_values import OtherValues, has_stepped, momentum_of, set_momentum
from .remembered_states import TorchProgress

STEP, STEP_IN_SEQUENCE = TorchLRScheduler.step, SequentialLR.step  # stored on import, before any program replaces them


def may_step_by_get_lr(scheduler: TorchLRScheduler) -> bool:
    """Return whether a scheduler has one of torch's own classes, with the ``step()`` of torch's base class.

    The ``step()`` of the base class counts the step, calls ``get_lr()``, and writes the learning rates that
    ``get_lr()`` returns. A user's own class may rely on each of these actions. A ``SequentialLR`` of such schedulers is
    also allowed, because its ``step()`` is the ``step()`` of the present scheduler.
    """
    cls, own = type(scheduler), vars(scheduler)
    if not cls.__module__.startswith("torch.") or "step" in own or own.get("verbose", False):
        return False
    if isinstance(scheduler, SequentialLR):
        inner = scheduler._schedulers
        return cls.step is STEP_IN_SEQUENCE and all(type(one).step is STEP and may_step_by_get_lr(one) for one in inner)
    return cls.step is STEP


def step_by_get_lr(scheduler: TorchLRScheduler, progress: TorchProgress) -> bool:
    """Take one step by ``get_lr()`` and the counts of ``step()``, if the optimizer holds the values of the last step.

    The step does not change the learning rates in the optimizer, but writes a momentum to it.

    Args:
        scheduler: a scheduler for which :func:`may_step_by_get_lr` returns True.
        progress: the progress of the scheduler, to which the step is added.

    Returns:
        Whether the step was taken. The function takes no step and changes nothing if another writer has written to the
        optimizer, if a learning rate is a tensor, or if the next scheduler of a ``SequentialLR`` begins.
    """
    sequence: Any = None
    if type(scheduler) is SequentialLR:
        sequence, index = scheduler, scheduler.last_epoch + 1
        at = bisect_right(scheduler._milestones, index)
        if at and scheduler._milestones[at - 1] == index:
            return False
        scheduler = scheduler._schedulers[at]
    groups, rates, momenta = scheduler.optimizer.param_groups, progress.rates, progress.momenta
    if len(groups) != len(rates):
        return False
    at = 0
    for group in groups:
        # A tensor of the optimizer is never a tensor of ``progress``.
        if group["lr"] is not rates[at] or (momenta and momentum_of(group) is not momenta[at]):
            return False
        at += 1  # noqa: SIM113 -- enumerate() doubles the time
    progress.lost = True
    scheduler.last_epoch += 1
    scheduler._step_count += 1
    scheduler._get_lr_called_within_step = True
    try:
        rates = scheduler.get_lr()
        if momenta:
            momenta = [momentum_of(group) for group in groups]
    except BaseException:
        for group, momentum in zip(groups, momenta, strict=False):
            set_momentum(group, momentum)
        raise
    finally:
        scheduler._get_lr_called_within_step = False
    scheduler._last_lr = rates[:]
    if sequence is not None:
        sequence.last_epoch, sequence._last_lr = index, scheduler._last_lr
    progress.rates, progress.momenta, progress.position, progress.lost = rates, momenta, progress.position + 1, False
    return True


def take_steps(
    scheduler: TorchLRScheduler,
    progress: TorchProgress,
    times: int,
    metric: Sequence[float],
    *,
    is_nested: bool,
    cycles_momentum: bool,
) -> None:
    """Call the public ``step()`` with the values of the last step in the optimizer, and then restore its values.

    Args:
        scheduler: the scheduler.
        progress: the progress of the scheduler, to which the steps are added.
        times: the number of steps.
        metric: the arguments of ``step()``: a metric, or none.
        is_nested: whether the scheduler contains other schedulers.
        cycles_momentum: whether the scheduler writes the momentum, too.
    """
    optimizer, before = scheduler.optimizer, progress.momenta
    groups, rates, others = optimizer.param_groups, progress.rates, None
    held = [group["lr"] for group in groups]
    may_warn = (is_nested or getattr(scheduler, "_step_count", 2) <= 1) and not has_stepped(optimizer)
    if cycles_momentum or len(held) != len(rates) or may_warn:
        others = OtherValues(optimizer, len(rates), cycles_momentum)
    progress.lost = not metric
    try:
        if others is not None:
            others.replace(before)
        for group, rate in zip(groups, rates):  # noqa: B905 -- strict doubles the time
            group["lr"] = rate
        for _ in range(times):
            scheduler.step(*metric)  # type: ignore[arg-type]
        rates = [group["lr"] for group in groups]
        momenta = [momentum_of(group) for group in groups] if cycles_momentum else before
        position = progress.position + times
        progress.rates, progress.momenta, progress.position, progress.lost = rates, momenta, position, False
    finally:
        try:
            _restore(groups, held, others)
        except BaseException:  # an interrupt, such as Ctrl-C
            _restore(groups, held, others)
            raise


def _restore(groups: list[Group], held: list[Any], others: OtherValues | None) -> None:
    """Restore the values of an optimizer from before a step; a second call has no effect."""
    if others is not None:
        others.restore()
    for group, rate in zip(groups, held):  # noqa: B905
        group["lr"] = rate
