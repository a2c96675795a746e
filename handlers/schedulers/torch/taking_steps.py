"""The steps of a torch scheduler: by its ``get_lr()`` alone if this is enough, and otherwise by its ``step()``."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.optim.lr_scheduler import ChainedScheduler, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR, SequentialLR
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.targets.group_selection import Group

from .optimizer_values import OtherValues, has_stepped, momentum_of, set_momentum
from .remembered_states import TorchProgress

# The ``step()`` of torch's classes, stored on import, before any program replaces them.
STEP, STEP_WITH_RESTARTS = TorchLRScheduler.step, CosineAnnealingWarmRestarts.step
STEPS_OF_PARTS = SequentialLR.step, ChainedScheduler.step


def may_step_by_get_lr(scheduler: TorchLRScheduler, *, is_part: bool = False) -> bool:
    """Return whether a scheduler has one of torch's own classes, with a ``step()`` of torch whose actions are known.

    The ``step()`` of the base class counts the step, calls ``get_lr()``, and writes the learning rates that
    ``get_lr()`` returns. A user's own class may rely on each of these actions. The ``step()`` of
    ``CosineAnnealingWarmRestarts`` counts otherwise. A ``SequentialLR`` or ``ChainedScheduler`` of such schedulers is
    also allowed, because its ``step()`` is the ``step()`` of its present scheduler, or of each scheduler.

    Args:
        scheduler: the scheduler.
        is_part: whether the scheduler is inside another scheduler, and must not contain any itself.
    """
    cls, own = type(scheduler), vars(scheduler)
    if not cls.__module__.startswith("torch.") or "step" in own or own.get("verbose", False):
        return False
    if cls in (SequentialLR, ChainedScheduler):
        parts = scheduler._schedulers  # type: ignore[attr-defined]
        is_own = cls.step in STEPS_OF_PARTS and not is_part
        return is_own and all(may_step_by_get_lr(part, is_part=True) for part in parts)
    return cls.step is (STEP_WITH_RESTARTS if cls is CosineAnnealingWarmRestarts else STEP)


def step_by_get_lr(scheduler: Any, progress: TorchProgress) -> bool:
    """Take one step by ``get_lr()`` and the counts of ``step()``.

    The step does not change the learning rates in the optimizer, but writes a momentum to it.

    Args:
        scheduler: a scheduler for which :func:`may_step_by_get_lr` returns True.
        progress: the progress of the scheduler, to which the step is added.

    Returns:
        Whether the step was taken. The function takes no step and changes nothing if another writer has written a
        momentum, if a learning rate is a tensor, if a group was added, or if the next scheduler of a ``SequentialLR``
        begins.
    """
    kind, sequence = type(scheduler), None
    if kind is SequentialLR:
        sequence, index = scheduler, scheduler.last_epoch + 1
        at = bisect_right(scheduler._milestones, index)
        if at and scheduler._milestones[at - 1] == index:
            return False
        scheduler = scheduler._schedulers[at]
    groups, rates, momenta = scheduler.optimizer.param_groups, progress.rates, progress.momenta
    if len(groups) != len(rates):
        return False
    is_held, at = True, 0
    for group in groups:
        if group["lr"] is not rates[at]:
            is_held = False
        # A call of ``momentum_of`` would take longer. A tensor of the optimizer is never a tensor of ``progress``.
        if momenta and (group["betas"][0] if "betas" in group else group.get("momentum")) is not momenta[at]:
            return False
        at += 1  # noqa: SIM113 -- enumerate() doubles the time
    present, parts = None, (scheduler,)  # ``present``: the learning rates to restore, if the step changes them
    if kind is ChainedScheduler:
        present, parts = rates, scheduler._schedulers
    if not is_held:
        if _contains_tensor(rates):
            return False
        present = [group["lr"] for group in groups]
    progress.lost = True
    try:
        if not is_held:
            _write(groups, rates)
        for part in parts:
            if type(part) is CosineAnnealingWarmRestarts:
                _count_with_restarts(part)
            else:
                part.last_epoch += 1
                part._step_count += 1
            part._get_lr_called_within_step = True
            rates = part.get_lr()
            part._get_lr_called_within_step = False
            part._last_lr = rates[:]
            if kind is ChainedScheduler:  # the next scheduler changes the learning rates of this one
                _write(groups, rates)
        if momenta:
            momenta = [group["betas"][0] if "betas" in group else group.get("momentum") for group in groups]
    except BaseException:
        for part in parts:
            part._get_lr_called_within_step = False
        for group, momentum in zip(groups, progress.momenta, strict=False):
            set_momentum(group, momentum)
        raise
    finally:
        if present is not None:
            try:
                _write(groups, present)
            except BaseException:  # an interrupt, such as Ctrl-C
                _write(groups, present)
                raise
    if kind is ChainedScheduler:
        scheduler._last_lr = rates[:]
    if sequence is not None:
        sequence.last_epoch, sequence._last_lr = index, scheduler._last_lr
    progress.rates, progress.momenta, progress.position, progress.lost = rates, momenta, progress.position + 1, False
    return True


def _count_with_restarts(scheduler: CosineAnnealingWarmRestarts) -> None:
    """Count one step, as the ``step()`` of ``CosineAnnealingWarmRestarts`` does."""
    if scheduler.last_epoch < 0:
        scheduler.last_epoch, scheduler.T_cur, scheduler.T_i = 0, 0, scheduler.T_0
        return
    scheduler.last_epoch = math.floor(scheduler.last_epoch + 1)
    scheduler.T_cur += 1
    if scheduler.T_cur >= scheduler.T_i:
        scheduler.T_cur %= scheduler.T_i
        scheduler.T_i *= scheduler.T_mult


def _skipped(scheduler: Any, steps: int) -> int:
    """Count steps whose learning rates the next step does not read, and return their number: ``steps``, or 0.

    ``get_lr()`` of these classes reads only the counts. The ``get_lr()`` of others changes the learning rates of the
    last step, or calls a user's function.
    """
    kind = type(scheduler)
    if kind is CosineAnnealingWarmRestarts:
        if scheduler.last_epoch < 0 or scheduler.T_cur >= scheduler.T_i:  # after a user's change
            return 0
        end = math.floor(scheduler.last_epoch + steps)
        left = steps % scheduler.T_i if scheduler.T_mult == 1 else steps
        while left:
            until_restart = min(left, scheduler.T_i - scheduler.T_cur) - 1
            scheduler.T_cur += until_restart
            _count_with_restarts(scheduler)
            left -= until_restart + 1
        scheduler.last_epoch = end
        return steps
    if kind is OneCycleLR:
        is_skippable = scheduler.last_epoch + steps < scheduler.total_steps  # the next step may be the last one
    else:
        is_skippable = kind is CyclicLR and getattr(scheduler, "_scale_fn_custom", True) is None
    if not is_skippable:
        return 0
    scheduler.last_epoch += steps
    scheduler._step_count += steps
    return steps


def take_steps(
    scheduler: TorchLRScheduler,
    progress: TorchProgress,
    times: int,
    metric: Sequence[float],
    *,
    is_nested: bool,
    cycles_momentum: bool,
    by_get_lr: bool,
) -> None:
    """Take steps with the values of the last step in the optimizer, and then restore its values.

    The steps are calls of the public ``step()``, unless :func:`step_by_get_lr` takes them.

    Args:
        scheduler: the scheduler.
        progress: the progress of the scheduler, to which the steps are added.
        times: the number of steps.
        metric: the arguments of ``step()``: a metric, or none.
        is_nested: whether the scheduler contains other schedulers.
        cycles_momentum: whether the scheduler writes the momentum, too.
        by_get_lr: whether to try :func:`step_by_get_lr`.
    """
    optimizer, rates = scheduler.optimizer, progress.rates
    groups, others = optimizer.param_groups, None
    held = [group["lr"] for group in groups]
    may_warn = (is_nested or getattr(scheduler, "_step_count", 2) <= 1) and not has_stepped(optimizer)
    if cycles_momentum or len(held) != len(rates) or may_warn:
        others = OtherValues(optimizer, len(rates), cycles_momentum)
    by_get_lr = by_get_lr and not _contains_tensor(rates)
    try:
        progress.lost = not metric
        if others is not None:
            others.replace(progress.momenta)
        _write(groups, rates)
        skipped = _skipped(scheduler, times - 1) if by_get_lr and times > 1 else 0
        progress.position += skipped
        for _ in range(times - skipped):
            if by_get_lr and step_by_get_lr(scheduler, progress):
                _write(groups, progress.rates)
                continue
            progress.lost = not metric
            scheduler.step(*metric)  # type: ignore[arg-type]
            rates, momenta = [group["lr"] for group in groups], progress.momenta
            if cycles_momentum:
                momenta = [momentum_of(group) for group in groups]
            position = progress.position + 1
            progress.rates, progress.momenta, progress.position, progress.lost = rates, momenta, position, False
    finally:
        progress.lost = not metric  # until the caller has written the momenta
        try:
            _restore(groups, held, others)
        except BaseException:  # an interrupt, such as Ctrl-C
            _restore(groups, held, others)
            raise


def _restore(groups: list[Group], held: list[Any], others: OtherValues | None) -> None:
    """Restore the values of an optimizer from before a step; a second call has no effect."""
    if others is not None:
        others.restore()
    _write(groups, held)


def _contains_tensor(rates: list[Any]) -> bool:
    """Return whether a learning rate is a tensor, which ``step()`` fills but ``get_lr()`` does not."""
    return any(isinstance(rate, Tensor) for rate in rates)


def _write(groups: list[Group], rates: list[Any]) -> None:
    for group, rate in zip(groups, rates):  # noqa: B905 -- strict doubles the time
        group["lr"] = rate
