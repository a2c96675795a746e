"""The steps of a torch scheduler: by its ``get_lr()`` alone where that is enough, and else by its ``step()``."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler
from torch.optim.lr_scheduler import SequentialLR

from lehr.handlers.targets.group_selection import Group

from .optimizer_values import OtherValues, has_stepped, momentum_of, set_momentum
from .remembered_states import TorchProgress

STEP, STEP_IN_SEQUENCE = TorchLRScheduler.step, SequentialLR.step  # as they are before any program replaces them


def may_step_by_get_lr(scheduler: TorchLRScheduler) -> bool:
    """Whether a scheduler is of a class of torch's own whose ``step()`` is that of torch's base class.

    That ``step()`` counts, calls ``get_lr()`` and writes what it returns. A user's own class may rely on each of these.
    The same holds for a ``SequentialLR`` of such schedulers, whose ``step()`` is that of the present one.
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

    The learning rates in the optimizer stay as they are. A momentum is written to it.

    Args:
        scheduler: a scheduler that :func:`may_step_by_get_lr`.
        progress: its progress, which moves on by one step.

    Returns:
        Whether the step was taken. If not, nothing has changed: another writer has written to the optimizer, a learning
        rate is a tensor, or the next scheduler of a ``SequentialLR`` begins.
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
        # A tensor of the optimizer is never one of the progress.
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
    """Call the public ``step()``; the optimizer holds the values of the last step meanwhile, and its own afterwards.

    Args:
        scheduler: the scheduler.
        progress: its progress, which moves on.
        times: the number of steps.
        metric: the arguments of ``step()``.
        is_nested: whether there are schedulers in the scheduler.
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
