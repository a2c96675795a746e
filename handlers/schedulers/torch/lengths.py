"""Functions for the number of events after which torch's schedulers end, and for the phases of a ``SequentialLR``."""

from functools import singledispatch

from torch.optim import lr_scheduler as torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.schedules import Schedule
from lehr.handlers.schedules.named_phases import NamedPhase, phases_of
from lehr.handlers.schedules.schedule_length import end_of

from .torch_schedule import TorchSteps


def begins_anew(schedule: Schedule) -> bool:
    """Return whether a schedule wraps a torch scheduler that begins a new cycle when a cycle ends."""
    restarting = torch.CosineAnnealingWarmRestarts | torch.CyclicLR
    return isinstance(schedule, TorchSteps) and isinstance(schedule.wrapped, restarting)


@end_of.register
def _(schedule: TorchSteps) -> float | None:
    return _length(schedule.wrapped)


@phases_of.register
def _(schedule: TorchSteps) -> tuple[NamedPhase, ...]:
    wrapped = schedule.wrapped
    if not isinstance(wrapped, torch.SequentialLR):
        return ()
    names = [type(one).__name__ for one in wrapped._schedulers]
    return tuple(NamedPhase(first, name) for first, name in zip([0, *wrapped._milestones], names, strict=True))


@singledispatch
def _length(wrapped: TorchLRScheduler) -> float | None:
    return None


@_length.register
def _(wrapped: torch.CosineAnnealingLR) -> float | None:
    return float(wrapped.T_max)


@_length.register
def _(wrapped: torch.CosineAnnealingWarmRestarts) -> float | None:
    return float(wrapped.T_0)


@_length.register
def _(wrapped: torch.OneCycleLR) -> float | None:
    return float(wrapped.total_steps)


@_length.register
def _(wrapped: torch.CyclicLR) -> float | None:
    return float(wrapped.total_size)


@_length.register
def _(wrapped: torch.MultiStepLR) -> float | None:
    return float(max(wrapped.milestones, default=0))


@_length.register(torch.ConstantLR)
@_length.register(torch.LinearLR)
@_length.register(torch.PolynomialLR)
def _(wrapped: torch.ConstantLR | torch.LinearLR | torch.PolynomialLR) -> float | None:
    return float(wrapped.total_iters)


@_length.register
def _(wrapped: torch.SequentialLR) -> float | None:
    last = _length(wrapped._schedulers[-1])
    return None if last is None else wrapped._milestones[-1] + last


@_length.register
def _(wrapped: torch.ChainedScheduler) -> float | None:
    lengths = [_length(one) for one in wrapped._schedulers]
    return max((length for length in lengths if length is not None), default=None)
