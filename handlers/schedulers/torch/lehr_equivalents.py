"""Finds lehr's equivalent of a torch scheduler, as the call of a constructor."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch.optim import lr_scheduler as torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedulers.concat import ConcatScheduler
from lehr.handlers.schedulers.cosine_decay import CosineDecayScheduler, CosineRestartScheduler
from lehr.handlers.schedulers.decays import (
    ExponentialScheduler,
    LinearScheduler,
    MultiStepScheduler,
    PiecewiseConstantScheduler,
    PolynomialScheduler,
    StepScheduler,
)
from lehr.handlers.schedulers.one_cycle import OneCycleScheduler
from lehr.handlers.schedulers.triangular_cycles import CyclicScheduler
from lehr.handlers.targets.param_groups import HasParamGroups

DIGITS = 12  # some arguments must be computed from products in torch's attributes, which are rounded


@dataclass(frozen=True)
class Call:
    """The call of a constructor of a lehr scheduler.

    Args:
        scheduler_type: the class of the scheduler.
        arguments: the arguments of the call after ``optimizer`` and ``param_name``.
        param_name: the name of the parameter to write.

    Example:
        >>> str(Call(StepScheduler, {"step_size": 30, "gamma": 0.5}))
        'StepScheduler(optimizer, "lr", step_size=30, gamma=0.5)'
    """

    scheduler_type: Callable[..., ParamScheduler]
    arguments: Mapping[str, Any]
    param_name: str = "lr"

    def made(self, optimizer: HasParamGroups) -> Any:
        """Construct the scheduler for an optimizer."""
        return self.scheduler_type(optimizer, self.param_name, **self.arguments)

    def __str__(self) -> str:
        known = inspect.signature(self.scheduler_type).parameters
        is_default = {name: name in known and known[name].default == value for name, value in self.arguments.items()}
        given = "".join(f", {name}={value!r}" for name, value in self.arguments.items() if not is_default[name])
        return f'{self.scheduler_type.__name__}(optimizer, "{self.param_name}"{given})'


@dataclass(frozen=True)
class ConcatCall:
    """The call of a :class:`ConcatScheduler`.

    Args:
        calls: the calls that construct the given schedulers.
        durations: the durations of all schedulers except the last.
    """

    calls: Sequence[Call]
    durations: Sequence[int]

    def made(self, optimizer: HasParamGroups) -> Any:
        """Construct the scheduler for an optimizer."""
        return ConcatScheduler([one.made(optimizer) for one in self.calls], list(self.durations))

    def __str__(self) -> str:
        return f"ConcatScheduler([{', '.join(map(str, self.calls))}], durations={list(self.durations)})"


def equal_schedulers(scheduler: TorchLRScheduler) -> list[Call | ConcatCall]:
    """Return the calls of the lehr schedulers that write the same learning rate, and momentum, as a torch scheduler.

    The values may differ by rounding, since torch computes most values from the value before. Only torch's own classes
    have an equivalent; a class derived from them has none.

    Args:
        scheduler: a torch scheduler whose ``step`` was not called before it was wrapped.

    Returns:
        A list of one or two calls, or an empty list if there is no equivalent.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> print(*equal_schedulers(torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.5)))
        StepScheduler(optimizer, "lr", step_size=30, gamma=0.5)
    """
    cls = type(scheduler)
    if isinstance(scheduler, torch.SequentialLR) and cls is torch.SequentialLR:
        inner = scheduler._schedulers
        calls = [LEARNING_RATES[type(one)](one) for one in inner if type(one) in LEARNING_RATES]
        durations = [end - begin for begin, end in pairwise([0, *scheduler._milestones])]
        return [ConcatCall(calls, durations)] if len(calls) == len(inner) else []
    if cls in LEARNING_RATES:
        return [LEARNING_RATES[cls](scheduler)]
    return CYCLES[cls](scheduler) if cls in CYCLES else []


# Classes that write only the learning rate. The argument is Any, because torch does not declare the attributes.
LEARNING_RATES: dict[type[TorchLRScheduler], Callable[[Any], Call]] = {
    torch.StepLR: lambda one: Call(StepScheduler, {"step_size": one.step_size, "gamma": one.gamma}),
    torch.MultiStepLR: lambda one: Call(
        MultiStepScheduler, {"milestones": sorted(one.milestones.elements()), "gamma": one.gamma}
    ),
    torch.ExponentialLR: lambda one: Call(ExponentialScheduler, {"gamma": one.gamma}),
    torch.ConstantLR: lambda one: Call(
        PiecewiseConstantScheduler,
        {"constants": [one.factor, 1.0], "milestones": [one.total_iters], "relative": True},
    ),
    torch.LinearLR: lambda one: Call(
        LinearScheduler,
        {
            "duration": one.total_iters,
            "start_value": one.start_factor,
            "end_value": one.end_factor,
            "relative": True,
        },
    ),
    torch.PolynomialLR: lambda one: Call(PolynomialScheduler, {"duration": one.total_iters, "power": one.power}),
    torch.CosineAnnealingLR: lambda one: Call(
        CosineDecayScheduler, {"duration": one.T_max, "end_value": one.eta_min, "beyond": "mirror"}
    ),
    torch.CosineAnnealingWarmRestarts: lambda one: Call(
        CosineRestartScheduler, {"T_0": one.T_0, "T_mult": one.T_mult, "end_value": one.eta_min}
    ),
}


def _one_cycle(scheduler: Any) -> list[Call | ConcatCall]:
    groups, phases, total_steps = scheduler.optimizer.param_groups, scheduler._schedule_phases, scheduler.total_steps
    first = groups[0]
    if not first["min_lr"]:
        return []
    shape = {
        "total_steps": total_steps,
        "pct_start": _rounded((phases[0]["end_step"] + 1) / total_steps),
        "anneal_strategy": scheduler._anneal_func_type,
        "three_phase": len(phases) == 3,
    }
    factors = {
        "div_factor": _rounded(first["max_lr"] / first["initial_lr"]),
        "final_div_factor": _rounded(first["initial_lr"] / first["min_lr"]),
    }
    calls = [Call(OneCycleScheduler, {"max_value": _common(groups, "max_lr"), **shape, **factors})]
    if scheduler.cycle_momentum:
        momenta = {"max_value": _common(groups, "max_momentum"), "base_value": _common(groups, "base_momentum")}
        calls.append(Call(OneCycleScheduler, {**momenta, **shape, "inverse": True}, "momentum"))
    return [*calls]


def _cyclic(scheduler: Any) -> list[Call | ConcatCall]:
    if scheduler._scale_fn_custom is not None:
        return []
    up = _rounded(scheduler.step_ratio * scheduler.total_size)
    down = _rounded(scheduler.total_size - up)
    down_if_other = {"step_size_down": down} if down != up else {}
    shape = {"step_size_up": up, **down_if_other, "mode": scheduler.mode, "gamma": scheduler.gamma}
    rates = {"base_value": _same(scheduler.base_lrs), "max_value": _same(scheduler.max_lrs)}
    calls = [Call(CyclicScheduler, {**rates, **shape})]
    if scheduler.cycle_momentum:
        momenta = {"base_value": _same(scheduler.base_momentums), "max_value": _same(scheduler.max_momentums)}
        calls.append(Call(CyclicScheduler, {**momenta, **shape, "inverse": True}, "momentum"))
    return [*calls]


CYCLES: dict[type[TorchLRScheduler], Callable[[Any], list[Call | ConcatCall]]] = {
    torch.OneCycleLR: _one_cycle,
    torch.CyclicLR: _cyclic,
}


def _common(groups: Sequence[Mapping[str, Any]], name: str) -> Any:
    return _same([group[name] for group in groups])


def _same(values: Sequence[Any]) -> Any:
    """Return one value if all values are equal, else a list with a value for each param group."""
    numbers = [float(value) for value in values]
    return numbers[0] if len(set(numbers)) == 1 else numbers


def _rounded(value: float) -> float:
    rounded = float(f"{float(value):.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
