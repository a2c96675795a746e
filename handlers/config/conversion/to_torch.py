"""Writes schedules as configs of torch.optim.lr_scheduler."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from lehr.handlers.schedules import (
    Anneal,
    Constant,
    Cosine,
    Cyclic,
    ExponentialDecay,
    Linear,
    MultiStepDecay,
    OneCycle,
    Plateau,
    Polynomial,
    Product,
    Restarts,
    Schedule,
    StepDecay,
)

from .phases_in_steps import is_line, of_all_groups, steps_of, whole, without_holds
from .schedules_of_config import Planned
from .split_into_phases import Phase, phases_of
from .unsayable import UnsayableError, unsayable

ENDLESS = 1_000_000_000


def configs(plan: Planned) -> Iterator[Any]:
    """Yield the config of a plan.

    Raises:
        UnsayableError: torch cannot express the plan.
    """
    momentum = plan.schedules.get("momentum") if "lr" in plan.schedules else None
    for name in plan.schedules:
        if name != "lr" and not (name == "momentum" and momentum is not None):
            raise UnsayableError(f"the schedule of {name!r}: the schedulers of torch schedule only 'lr'")
    made = of_all_groups("lr", plan, partial(_config, "lr", plan))
    if momentum is not None:
        made = {**made, **of_all_groups("momentum", plan, partial(_momentum, made))}
    yield made


def _config(name: str, plan: Planned, phases: list[Phase], base: float) -> Any:
    if plan.metric is not None:
        return plateau(name, plan, phases)
    in_steps, every = steps_of(name, phases)
    made = sequence(name, _from_zero(without_holds(in_steps, _holds)), base)
    return made if every == 1 else {**made, "epoch_length": every}


def sequence(name: str, phases: list[Phase], base: float) -> dict[str, Any]:
    """Return the config of phases that follow one another. The phases count steps."""
    entries = [_entry(name, phase, base) for phase in phases]
    if len(entries) == 1:
        return entries[0]
    milestones = [one.begin for one in phases[1:]]
    return {"type": "torch.SequentialLR", "schedulers": entries, "milestones": milestones}


def _holds(schedule: Schedule) -> bool:
    """Return whether torch keeps the last value of a schedule after its end."""
    match schedule:
        case Anneal(end_value=0.0, curve=Polynomial(), beyond="hold"):
            return True
    return is_line(schedule)


def _from_zero(phases: list[Phase]) -> list[Phase]:
    """Replace the first step of each line from 0 by a constant 0, because ``LinearLR`` refuses a factor of 0."""
    made = []
    for phase in phases:
        line = phase.schedule
        if is_line(line) and isinstance(line, Anneal) and line.start_value == 0 and line.duration > 1:
            made.append(Phase(Constant(0.0), phase.begin, phase.begin + 1))
            later = replace(line, start_value=line(1), duration=line.duration - 1)
            if phase.end > phase.begin + 1:
                made.append(Phase(later, phase.begin + 1, phase.end))
        else:
            made.append(phase)
    return made


def _factor(name: str, phase: Phase, value: float, base: float) -> float:
    if value and (base == 0 or not 0 <= value / base <= 1 + 1e-12):
        raise unsayable(
            name, phase, f"torch's factors are from 0 to 1, but {value:.6g} / {base:.6g} (the optimizer's value) is not"
        )
    return min(value / base, 1.0) if value else 0.0


def _starts_from(name: str, phase: Phase, value: float, base: float, what: str) -> None:
    if not math.isclose(value, base, rel_tol=1e-12):
        raise unsayable(name, phase, f"{what} starts only from the optimizer's value, {base:.6g}")


def _entry(name: str, phase: Phase, base: float) -> dict[str, Any]:
    schedule: Any = phase.schedule
    steps_of_it = partial(whole, name, phase)
    match schedule:
        case Constant(value=float() as value):
            factor = _factor(name, phase, value, base)
            steps = int(phase.steps) if math.isfinite(phase.steps) else ENDLESS
            return {"type": "torch.ConstantLR", "factor": factor, "total_iters": 1 if factor == 1 else steps}
        case Anneal(
            start_value=float() as start, end_value=float() as end, duration=duration, curve=Linear(), beyond="hold"
        ):
            factors = [_factor(name, phase, one, base) for one in (start, end)]
            steps = steps_of_it(duration, "its duration")
            if factors[0] == 0:  # if the phase has one step, the line from 0 is the constant 0
                if phase.steps > 1:
                    raise unsayable(name, phase, "a LinearLR starts above 0")
                return {"type": "torch.ConstantLR", "factor": 0.0, "total_iters": 1}
            named = {"start_factor": factors[0], "end_factor": factors[1], "total_iters": steps}
            return {"type": "torch.LinearLR", **named}
        case Anneal(start_value=float() as start, end_value=0.0, curve=Polynomial(power=power), beyond="hold"):
            _starts_from(name, phase, start, base, "a PolynomialLR")
            steps = steps_of_it(schedule.duration, "its duration")
            return {"type": "torch.PolynomialLR", "total_iters": steps, "power": power}
        case Anneal(start_value=float() as start, end_value=float() as end, curve=Cosine(), beyond="hold" | "mirror"):
            _starts_from(name, phase, start, base, "a CosineAnnealingLR")
            steps = steps_of_it(schedule.duration, "its duration")
            return {"type": "torch.CosineAnnealingLR", "T_max": steps, "eta_min": end}
        case StepDecay(initial_value=float() as value, gamma=gamma, step_size=size):
            _starts_from(name, phase, value, base, "a StepLR")
            return {"type": "torch.StepLR", "step_size": steps_of_it(size, "its step"), "gamma": gamma}
        case MultiStepDecay(initial_value=float() as value, gamma=gamma, milestones=milestones):
            _starts_from(name, phase, value, base, "a MultiStepLR")
            return {"type": "torch.MultiStepLR", "milestones": list(milestones), "gamma": gamma}
        case ExponentialDecay(initial_value=float() as value, gamma=gamma, decay_events=1.0, staircase=False):
            _starts_from(name, phase, value, base, "an ExponentialLR")
            return {"type": "torch.ExponentialLR", "gamma": gamma}
        case Restarts(start_value=float() as start, end_value=end, periods=float() as period, num_cycles=None):
            _starts_from(name, phase, start, base, "a CosineAnnealingWarmRestarts")
            if schedule.restart_weights == 1 and isinstance(schedule.curve, Cosine):
                lengths = steps_of_it(period, "a cycle"), steps_of_it(schedule.period_mult, "the ratio of cycles")
                cycles = {"T_0": lengths[0], "T_mult": lengths[1], "eta_min": end}
                return {"type": "torch.CosineAnnealingWarmRestarts", **cycles}
        case OneCycle(max_value=high, base_value=None):
            names = ("total_steps", "pct_start", "anneal_strategy", "div_factor", "final_div_factor", "three_phase")
            named = {key: getattr(schedule, key) for key in names}
            return {"type": "torch.OneCycleLR", "max_lr": high, **named, "cycle_momentum": False}
        case Cyclic(base_value=low, max_value=high, scale_fn=None, inverse=False):
            named = {key: getattr(schedule, key) for key in ("step_size_up", "step_size_down", "mode", "gamma")}
            return {"type": "torch.CyclicLR", "base_lr": low, "max_lr": high, **named, "cycle_momentum": False}
        case Product(schedules=[Constant(value=factor), *factors]):
            inner = [sequence(name, _factor_phases(one, phase), 1.0) for one in factors]
            if not math.isclose(factor, base, rel_tol=1e-12):
                first = {
                    "type": "torch.ConstantLR",
                    "factor": _factor(name, phase, factor, base),
                    "total_iters": ENDLESS,
                }
                inner = [first, *inner]
            return {"type": "torch.ChainedScheduler", "schedulers": inner}
    raise unsayable(name, phase, "torch has no such schedule without a function")


def _factor_phases(schedule: Schedule, phase: Phase) -> list[Phase]:
    return _from_zero(without_holds(phases_of(schedule, 0, phase.end - phase.begin), _holds))


def _momentum(lr: dict[str, Any], phases: list[Phase], base: float) -> dict[str, Any]:
    """Return the arguments for the momentum, which belong to the same entry as the arguments for the learning rate."""
    in_steps, _ = steps_of("momentum", phases)
    first: Any = in_steps[0].schedule
    is_cycle = isinstance(first, OneCycle) and lr.get("type") == "torch.OneCycleLR"
    is_triangle = isinstance(first, Cyclic) and lr.get("type") == "torch.CyclicLR"
    if len(in_steps) > 1 or not (is_cycle or is_triangle) or not first.inverse:
        raise unsayable("momentum", in_steps[0], "torch has a momentum only in OneCycleLR and CyclicLR")
    return {"cycle_momentum": True, "base_momentum": first.base_value, "max_momentum": first.max_value}


def plateau(name: str, plan: Planned, phases: list[Phase]) -> dict[str, Any]:
    """Return the config of a plateau, which reads a metric."""
    rule, (metric_name, every) = phases[0].schedule, plan.metric or ("", 1)
    if not isinstance(rule, Plateau):
        raise unsayable(name, phases[0], "torch has no such schedule")
    names = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
    named = {key: getattr(rule, key) for key in names} | {"min_lr": rule.min_value, "metric_name": metric_name}
    named["min_lr"] = list(named["min_lr"]) if isinstance(named["min_lr"], tuple) else named["min_lr"]
    more = {} if every == 1 else {"epoch_length": every}
    return {"type": "torch.ReduceLROnPlateau", **named, **more}
