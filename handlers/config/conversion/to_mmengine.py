"""Writes schedules as configs of mmengine: lists of schedulers, each of which changes the value in a window.

A scheduler of mmengine continues from the value before its window. Therefore, if a curve ends at the first value of the
next schedule, the window of the curve has one more step. A jump of the value needs an additional entry.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lehr.handlers.schedules import (
    Anneal,
    Constant,
    Cosine,
    ExponentialDecay,
    Linear,
    MultiStepDecay,
    OneCycle,
    Polynomial,
    Restarts,
    StepDecay,
)

from .phases_in_steps import of_all_groups, whole
from .schedules_of_config import Planned
from .split_into_phases import Phase
from .unsayable import UnsayableError, unsayable

SUFFIXES = {"lr": "LR", "momentum": "Momentum"}
MOST_CYCLES = 1000


def configs(plan: Planned) -> Iterator[Any]:
    """Yield the config of a plan.

    Raises:
        UnsayableError: mmengine cannot express the plan, or it is unknown whether events are epochs or iterations.
    """
    if plan.metric is not None:
        raise UnsayableError(
            "the schedule of a metric: mmengine counts metrics in another way, and compares the first metric with 1e9"
        )
    run = plan.run
    if run.max_epochs is None and run.total_steps is None and run.epoch_length is None:
        raise UnsayableError(
            "a schedule unless it is known whether events are epochs or iterations: pass max_epochs, total_steps or "
            "epoch_length"
        )
    counts_epochs = run.epoch_length is None and run.total_steps is None
    entries: list[dict[str, Any]] = []
    for name in plan.schedules:
        entries += of_all_groups(name, plan, partial(_entries, name, counts_epochs))
    in_epochs = run.epoch_length is not None and any(one["by_epoch"] for one in entries)
    yield {"schedulers": entries, "epoch_length": run.epoch_length} if in_epochs else entries


@dataclass
class _Writer:
    """Writes entries, and remembers the value at the end of the last entry.

    Args:
        name: the parameter.
        value: the value before the next entry.
        counts_epochs: whether events are epochs.
        made: the entries that were written.
    """

    name: str
    value: float
    counts_epochs: bool
    made: list[dict[str, Any]] = field(default_factory=list)

    def add(self, kind: str, phase: Phase, begin: float, end: float, leaves: float, **values: Any) -> None:
        """Add an entry for a window of events, after which the value is ``leaves``."""
        every, suffix = phase.every, SUFFIXES.get(self.name, "ParamScheduler")
        for event in (begin, end):
            if math.isfinite(event) and event % every:
                raise unsayable(self.name, phase, f"it begins or ends within a step of {every} events")
        window: dict[str, Any] = {"begin": int(begin) // every}
        if math.isfinite(end):
            window["end"] = int(end) // every
        named = {} if suffix != "ParamScheduler" else {"param_name": self.name}
        by_epoch = self.counts_epochs or every > 1
        self.made.append({"type": f"mmengine.{kind}{suffix}", **named, **values, **window, "by_epoch": by_epoch})
        self.value = leaves

    def jump(self, phase: Phase, to: float) -> None:
        """Add an entry that changes the value to ``to`` at the first event of a phase."""
        if math.isclose(self.value, to, rel_tol=1e-12):
            return
        begin, every = phase.begin, phase.every
        ratio = to / self.value if self.value else math.inf
        if begin == 0 and 0 <= ratio <= 1:
            self.add("Constant", phase, 0, every, to, factor=ratio)
        elif begin and math.isfinite(ratio):
            self.add("MultiStep", phase, begin - every, begin + every, to, milestones=[1], gamma=ratio)
        elif begin:
            self.add("Poly", phase, begin - every, begin + every, to, eta_min=to, power=1.0)
        else:
            raise unsayable(self.name, phase, f"mmengine cannot start above the optimizer's value, {self.value:.6g}")


def _entries(name: str, counts_epochs: bool, phases: list[Phase], base: float) -> list[dict[str, Any]]:
    writer = _Writer(name, base, counts_epochs)
    for phase, after in zip(phases, [*phases[1:], None], strict=True):
        if isinstance(phase.schedule, Constant):
            writer.jump(_with_steps_of(phase, phases), phase.first)
        else:
            _add(writer, phase, after)
    # A config must have at least one entry.
    if not writer.made:
        writer.add("Constant", phases[0], 0, phases[0].every, base, factor=1.0)
    return writer.made


def _with_steps_of(phase: Phase, phases: list[Phase]) -> Phase:
    """Return a constant phase with the steps of the other phases."""
    every = next((one.every for one in phases if one.every > 1), 1)
    return Phase(phase.schedule, phase.begin, phase.end, every if phase.begin % every == 0 else 1)


def _add(writer: _Writer, phase: Phase, after: Phase | None) -> None:
    """Add the entries of a phase that is not constant."""
    schedule: Any = phase.schedule
    begin, every, name = phase.begin, phase.every, writer.name
    end, last = phase.end, phase.value(phase.steps - 1) if math.isfinite(phase.steps) else math.nan
    add = partial(writer.add, phase=phase, begin=begin)
    match schedule:
        case Anneal(end_value=float() as low, duration=duration, curve=curve, beyond="hold"):
            steps = whole(name, phase, duration, "its duration")
            if phase.steps > steps or after is None or (phase.steps == steps and after.first == low):
                end, last = begin + (steps + 1) * every, low  # the last step has the end value
            covered = int(end - begin) // every - 1
            if isinstance(curve, Linear):
                _line(writer, phase, end, last)
                return
            if isinstance(curve, Cosine):
                writer.jump(phase, phase.first)
                add("CosineAnnealing", end=end, leaves=last, T_max=steps, eta_min=low)
                return
            if isinstance(curve, Polynomial) and covered == steps:
                writer.jump(phase, phase.first)
                add("Poly", end=end, leaves=last, eta_min=low, power=curve.power)
                return
        case Anneal(end_value=float() as low, duration=duration, curve=Cosine(), beyond="mirror"):
            writer.jump(phase, phase.first)
            length = whole(name, phase, duration, "its duration")
            add("CosineAnnealing", end=end, leaves=last, T_max=length, eta_min=low)
            return
        case StepDecay(gamma=gamma, step_size=size):
            writer.jump(phase, phase.first)
            add("Step", end=end, leaves=last, step_size=whole(name, phase, size, "its step"), gamma=gamma)
            return
        case MultiStepDecay(gamma=gamma, milestones=milestones):
            writer.jump(phase, phase.first)
            add("MultiStep", end=end, leaves=last, milestones=list(milestones), gamma=gamma)
            return
        case ExponentialDecay(gamma=gamma, decay_events=1.0, staircase=False):
            writer.jump(phase, phase.first)
            add("Exponential", end=end, leaves=last, gamma=gamma)
            return
        case Restarts(
            end_value=float() as low, periods=float() as first, curve=Cosine(), restart_weights=1.0, num_cycles=None
        ):
            _restarts(writer, phase, low, first, last)
            return
        case OneCycle(max_value=high, base_value=None) if name == "lr":
            names = ("total_steps", "pct_start", "anneal_strategy", "div_factor", "final_div_factor", "three_phase")
            named = {key: getattr(schedule, key) for key in names}
            add("OneCycle", end=begin + schedule.total_steps * every, leaves=last, eta_max=high, **named)
            return
    raise unsayable(name, phase, "mmengine has no such schedule")


def _line(writer: _Writer, phase: Phase, end: float, last: float) -> None:
    """Add a straight line, as factors of the value before it. If a factor exceeds 1, write an absolute end."""
    before, first = writer.value, phase.first
    if before and not phase.begin and 0 < first / before <= 1 and 0 <= last / before <= 1:
        factors = first / before, last / before
    else:
        writer.jump(phase, first)
        factors = 1.0, last / first if first else math.inf
    if 0 <= factors[1] <= 1:
        writer.add("Linear", phase, phase.begin, end, last, start_factor=factors[0], end_factor=factors[1])
    else:
        writer.add("Poly", phase, phase.begin, end, last, eta_min=last, power=1.0)


def _restarts(writer: _Writer, phase: Phase, low: float, first: float, last: float) -> None:
    schedule: Any = phase.schedule
    if not math.isfinite(phase.end):
        raise unsayable(writer.name, phase, "mmengine needs a list of all cycles: pass the length of the run")
    periods: list[int] = []
    while sum(periods) < phase.steps:
        periods.append(whole(writer.name, phase, first * schedule.period_mult ** len(periods), "a cycle"))
        if len(periods) > MOST_CYCLES:
            raise unsayable(writer.name, phase, f"it has more than {MOST_CYCLES} cycles")
    writer.jump(phase, phase.first)
    values = {"periods": periods, "restart_weights": [1.0] * len(periods), "eta_min": low}
    writer.add("CosineRestart", phase, phase.begin, phase.end, last, **values)
