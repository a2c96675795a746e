"""Writes schedules as configs of lehr's own schedulers."""

import math
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

from lehr.handlers.config.dialects.lehr import SCHEDULERS
from lehr.handlers.core.as_config import as_data
from lehr.handlers.schedules import (
    Anneal,
    Constant,
    Cosine,
    Cyclic,
    ExponentialDecay,
    InverseTimeDecay,
    Linear,
    MultiStepDecay,
    OneCycle,
    Plateau,
    Polynomial,
    PowerDecay,
    Restarts,
    Schedule,
    StepDecay,
)

from .schedules_of_config import Planned, planned, stand_in
from .shortest_arguments import shortest, unless
from .split_into_phases import Phase, phases_of
from .unsayable import UnsayableError

MOST_FORMS = 64
CYCLE = ("total_steps", "pct_start", "anneal_strategy", "three_phase")


def configs(plan: Planned) -> Iterator[Any]:
    """Yield configs that may have the values of a plan, the simplest config first."""
    if str(plan.config.get("type")) in SCHEDULERS:
        yield dict(plan.config)
    choices = [list(islice(_of_parameter(name, plan), MOST_FORMS)) for name in plan.schedules]
    for chosen in islice(product(*choices), MOST_FORMS):
        if len(chosen) == 1:
            yield chosen[0]
        else:
            named = zip(chosen, plan.schedules, strict=True)
            yield {"type": "ParamGroupScheduler", "schedulers": [{**one, "param_name": name} for one, name in named]}


def _of_parameter(name: str, plan: Planned) -> Iterator[dict[str, Any]]:
    named = {} if name == "lr" or len(plan.schedules) > 1 else {"param_name": name}
    schedule, bases = plan.schedules[name], plan.bases[name]
    if plan.metric is None:
        for one in _of_phases(schedule, bases, plan.events or math.inf):
            yield {**one, **named}
    if plan.metric is not None and plan.metric[1] == 1 and isinstance(schedule, Plateau):
        names = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_value", "eps")
        values = {key: getattr(schedule, key) for key in names}
        yield {"type": "ReduceOnPlateauScheduler", "metric_name": plan.metric[0], **values, **named}
    own: dict[str, Any] = {"type": "ParamScheduler"}
    if plan.metric is not None:
        own = {"type": "MetricScheduler", "metric_name": plan.metric[0], "every": plan.metric[1]}
    for relative in (True, False):
        try:
            of_one = planned(stand_in(None, name), plan.config).schedules[name] if relative else schedule
            yield {**own, **({"relative": True} if relative else {}), "schedule": as_data("schedule", of_one), **named}
        except (TypeError, ValueError, KeyError) as error:
            if not relative:
                raise UnsayableError(f"the schedule of {name!r}: {error}") from None


def _of_phases(schedule: Schedule, bases: tuple[float, ...], total: float) -> Iterator[dict[str, Any]]:
    """Yield configs of named schedulers in sequence. Their values are absolute, or relative to the present values."""
    of_groups = [phases_of(schedule, group, total) for group in range(len(bases))]
    if len({tuple((one.begin, one.end, one.every) for one in phases) for phases in of_groups}) > 1:
        return
    forms = []
    for at in range(len(of_groups[0])):
        of_phase = [_forms(phases[at], base) for phases, base in zip(of_groups, bases, strict=True)]
        shared = [one for one in of_phase[0] if all(one in others for others in of_phase)]
        if not shared:
            return
        forms.append(shared)
    durations = [int(one.end) - one.begin for one in of_groups[0][:-1]]
    for chosen in product(*forms):
        if len(chosen) == 1:
            yield chosen[0]
        else:
            yield {"type": "ConcatScheduler", "schedulers": list(chosen), "durations": durations}


def _forms(phase: Phase, base: float) -> list[dict[str, Any]]:
    """Return entries that express a phase. They start from present values, multiples of these, or absolute values."""
    made, every = [], phase.every
    rest = {"interval": every} if every > 1 else {}
    entry = _entry(phase.schedule, every)
    if entry is None:
        return []
    name, values, others = entry
    first = next(iter(values))
    if name in ("OneCycleScheduler", "CyclicScheduler"):
        if every > 1:
            return []
    elif values[first] == base and first != "value":
        made.append({key: value for key, value in values.items() if key != first})
    absolute = [values]
    if base:
        scale = {key: value / base for key, value in values.items()}
        if scale[first] == 1 and first != "value" and name not in ("OneCycleScheduler", "CyclicScheduler"):
            del scale[first]
        relative = {**scale, "relative": True}
        made += [*absolute, relative] if name in ("OneCycleScheduler", "CyclicScheduler") else [relative, *absolute]
    else:
        made += absolute
    if name == "CosineRestartScheduler" or len(values) > 1:  # end_value=0 is the default
        made = [{key: value for key, value in one.items() if key != "end_value" or value != 0} for one in made]
    return [{"type": name, **others, **one, **rest} for one in made if one != {"relative": True} or first == "value"]


def _entry(schedule: Schedule, every: int) -> tuple[str, dict[str, float], dict[str, Any]] | None:
    """Return the type, the values and the other arguments for a simple schedule, or None if no type fits."""
    match schedule:
        case Constant(value=float() as value):
            return "ConstantScheduler", {"value": value}, {}
        case Anneal(start_value=float() as start, end_value=float() as end, duration=steps, curve=curve, beyond=beyond):
            values, length = {"start_value": start, "end_value": end}, {"duration": shortest(steps * every)}
            match curve, beyond:
                case Linear(), "hold":
                    return "LinearScheduler", values, length
                case Cosine(), "hold" | "mirror":
                    return "CosineDecayScheduler", values, {**length, **unless("beyond", beyond, "hold")}
                case Polynomial() | Linear(), "hold" | "stretch":
                    power = unless("power", getattr(curve, "power", 1.0), 1.0)
                    return (
                        "PolynomialScheduler",
                        values,
                        {**length, **power, **unless("cycle", beyond != "hold", False)},
                    )
        case StepDecay(initial_value=float() as value, gamma=gamma, step_size=size):
            return "StepScheduler", {"initial_value": value}, {"step_size": shortest(size * every), "gamma": gamma}
        case MultiStepDecay(initial_value=float() as value, gamma=gamma, milestones=milestones):
            scaled = [one * every for one in milestones]
            return "MultiStepScheduler", {"initial_value": value}, {"milestones": scaled, "gamma": gamma}
        case ExponentialDecay(initial_value=float() as value, gamma=gamma, decay_events=events, staircase=False):
            rest = unless("decay_events", shortest(events * every), 1)
            return "ExponentialScheduler", {"initial_value": value}, {"gamma": gamma, **rest}
        case PowerDecay(initial_value=float() as value, timescale=timescale, power=0.5):
            return "InverseSquareRootScheduler", {"initial_value": value}, {"timescale": shortest(timescale * every)}
        case InverseTimeDecay(initial_value=float() as value, exponent=1.0, staircase=False):
            rest = {"decay_rate": schedule.decay_rate, "decay_events": shortest(schedule.decay_events * every)}
            return "InverseTimeDecayScheduler", {"initial_value": value}, rest
        case Restarts(
            start_value=float() as start, end_value=float() as end, periods=float() as period, curve=Cosine()
        ):
            if schedule.num_cycles is None:
                rest = {"T_0": shortest(period * every), **unless("T_mult", schedule.period_mult, 1.0)}
                rest |= unless("restart_weights", schedule.restart_weights, 1.0)
                return "CosineRestartScheduler", {"start_value": start, "end_value": end}, rest
        case OneCycle(max_value=float() as high, base_value=None):
            both = ("div_factor", "final_div_factor")
            return "OneCycleScheduler", {"max_value": high}, _given(schedule, *CYCLE, *both)
        case OneCycle(max_value=float() as high, base_value=float() as low):
            return "OneCycleScheduler", {"max_value": high, "base_value": low}, _given(schedule, *CYCLE, "inverse")
        case Cyclic(base_value=float() as low, max_value=float() as high, scale_fn=None):
            given = _given(schedule, "step_size_up", "step_size_down", "mode", "gamma", "inverse")
            return "CyclicScheduler", {"base_value": low, "max_value": high}, given
    return None


def _given(schedule: Schedule, *names: str) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in names}
