"""Writes schedules as configs of transformers: names of its functions, or the TrainingArguments of its Trainer."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from lehr.handlers.schedules import (
    Anneal,
    Constant,
    Cosine,
    Linear,
    Polynomial,
    Power,
    PowerDecay,
    Restarts,
    Reversed,
)

from .phases_in_steps import of_all_groups, steps_of, without_holds
from .schedule_rewrites import simple_curve
from .schedules_of_config import Planned
from .shortest_arguments import shortest, unless
from .split_into_phases import Phase, phases_of
from .to_torch import plateau
from .unsayable import UnsayableError, unsayable

STEPS = ("num_warmup_steps", "num_training_steps")
# For these short names, the Trainer does not pass on `lr_scheduler_kwargs`.
WITHOUT_KWARGS = ("constant", "constant_with_warmup")


def configs(plan: Planned) -> Iterator[Any]:
    """Yield configs that may have the values of a plan, with the short names of transformers' functions.

    Raises:
        UnsayableError: transformers cannot express the plan.
    """
    _refuse_others(plan)
    if plan.metric is not None:
        yield {**plateau("lr", plan, phases_of(plan.schedules["lr"])), "type": "transformers.reduce_lr_on_plateau"}
        return
    yield from (
        {"type": f"transformers.{one.pop('name')}", **one} for one in _all(plan, plan.bases["lr"]) if "name" in one
    )


def training_arguments(plan: Planned) -> Iterator[Any]:
    """Yield TrainingArguments that may have the values of a plan, first without and then with ``learning_rate``.

    Raises:
        UnsayableError: the Trainer cannot express the plan.
    """
    _refuse_others(plan)
    if plan.metric is not None:
        raise UnsayableError("the schedule of 'lr', which reads a metric: the Trainer has it only after evaluations")
    error: UnsayableError | None = None
    groups = len(plan.bases["lr"])
    peak = max((float(plan.schedules["lr"](at)) for at in _sample(plan)), default=0.0) if groups == 1 else 0.0
    rates = [peak] if peak > 0 else []
    for rate in (None, *rates):
        try:
            for one in _all(plan, plan.bases["lr"] if rate is None else (rate,) * groups):
                yield _as_arguments(one, rate, plan.run.steps)
        except UnsayableError as unsayable_now:
            error = error or unsayable_now
    if error is not None:
        raise error


def _sample(plan: Planned) -> range:
    last = int(plan.events or plan.schedules["lr"].length or 1)
    return range(0, last + 1, max(last // 10_000, 1)) if plan.schedules["lr"].is_pure else range(0)


def _refuse_others(plan: Planned) -> None:
    for name in plan.schedules:
        if name != "lr":
            raise UnsayableError(f"the schedule of {name!r}: transformers schedules only 'lr'")


def _all(plan: Planned, bases: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """Yield names and arguments of functions that may give the planned values if the optimizer has values ``bases``."""
    error: UnsayableError | None = None
    for relative in (False, True):
        made = partial(_of_group, plan, bases, relative)
        try:
            yield of_all_groups("lr", plan, made)
        except UnsayableError as unsayable_now:
            error = error or unsayable_now
    if error is not None:
        raise error


def _of_group(plan: Planned, bases: tuple[float, ...], relative: bool, phases: list[Phase], own: float) -> Any:
    base = bases[plan.bases["lr"].index(own)]
    in_steps, every = steps_of("lr", phases)
    if every != 1:
        raise unsayable("lr", phases[0], f"each step is {every} events, but transformers counts single events")
    first, total = in_steps[0], plan.events
    line: Any = first.schedule
    warmup = 0
    if line == Anneal(0.0, base, first.steps if math.isfinite(first.steps) else 0) and len(in_steps) > 1:
        warmup, in_steps = int(first.steps), in_steps[1:]
    stable = _stable(in_steps if warmup else steps_of("lr", phases)[0], warmup, base)
    if stable is not None:
        return stable
    rest = without_holds(in_steps, lambda schedule: isinstance(schedule, Anneal) and schedule.beyond == "hold")
    phase = rest[0]
    if len(rest) > 1:
        raise unsayable("lr", rest[1], "it has no such schedule after another schedule")
    schedule: Any = phase.schedule
    if not math.isclose(phase.first, base, rel_tol=1e-12):
        raise unsayable("lr", phase, f"it does not start from the peak, {base:.6g}")
    warm = {"num_warmup_steps": warmup}
    match schedule:
        case Constant():
            return {"name": "constant_with_warmup", **warm} if warmup else {"name": "constant"}
        case PowerDecay(timescale=timescale, power=0.5):
            return {"name": "inverse_sqrt", **warm, "timescale": shortest(timescale)}
        case Anneal(duration=duration, end_value=float() as end, curve=curve, beyond="hold" | "mirror" as beyond):
            both = {**warm, "num_training_steps": warmup + math.ceil(duration)}
            match curve, beyond:
                case Linear(), "hold":
                    if end == 0:
                        return {"name": "linear", **both}
                    return {"name": "polynomial", **both, "lr_end": end, "power": 1.0}
                case Polynomial(power=power), "hold":
                    return {"name": "polynomial", **both, "lr_end": end, "power": power}
                case Cosine(), _:
                    training = warmup + duration if total is None else max(total, warmup + 1)
                    cycles = (training - warmup) / (2 * duration)
                    named = {**warm, "num_training_steps": shortest(training), **unless("num_cycles", cycles, 0.5)}
                    if end == 0:
                        return {"name": "cosine", **named}
                    lowest = {"min_lr_rate": end / base} if relative else {"min_lr": end}
                    return {"name": "cosine_with_min_lr", **named, **lowest}
        case Restarts(end_value=0.0, periods=float() as period, period_mult=1.0, curve=Cosine(), restart_weights=1.0):
            if total is None:
                raise unsayable("lr", phase, "pass total_steps, which transformers divides into cycles")
            named = {**warm, "num_training_steps": total, "num_cycles": shortest((total - warmup) / period)}
            return {"name": "cosine_with_restarts", **named}
    raise unsayable("lr", phase, "it has no such schedule")


CURVES = {"linear": Linear(), "cosine": Cosine(), "1-sqrt": Power(0.5)}


def _stable(phases: list[Phase], warmup: int, base: float) -> dict[str, Any] | None:
    """Return the arguments for a warm-up, a stable phase and a decay, or None if the phases have another form."""
    rest, warmup_type, lowest = list(phases), "linear", None
    up: Any = rest[0].schedule
    if not warmup and isinstance(up, Anneal) and up.end_value == base and up.duration == rest[0].steps:
        found = [name for name, curve in CURVES.items() if simple_curve(Reversed(curve)) == up.curve]
        if not found or len(rest) == 1:
            return None
        warmup, warmup_type, lowest = int(up.duration), found[0], up.start_value
        rest = rest[1:]
    is_stable = isinstance(rest[0].schedule, Constant) and rest[0].first == base and len(rest) > 1
    stable, rest = (int(rest[0].steps), rest[1:]) if is_stable else (0, rest)
    down: Any = rest[0].schedule
    if type(down) is not Anneal or down.beyond != "hold" or down.start_value != base:
        return None
    decay_type = next((name for name, curve in CURVES.items() if curve == down.curve), None)
    if decay_type is None or not float(down.duration).is_integer():
        return None
    if not stable and warmup_type == "linear" and lowest is None and decay_type != "1-sqrt":
        return None  # another function of transformers has this form
    later = [one for one in rest[1:] if not (isinstance(one.schedule, Constant) and one.first == down.end_value)]
    if later or (lowest is not None and lowest != down.end_value):
        return None
    steps = {"num_warmup_steps": warmup, "num_stable_steps": stable, "num_decay_steps": int(down.duration)}
    types = {**unless("warmup_type", warmup_type, "linear"), **unless("decay_type", decay_type, "cosine")}
    return {
        "name": "warmup_stable_decay",
        **steps,
        **types,
        **unless("min_lr_ratio", float(down(int(down.duration))) / base, 0.0),
    }


def _as_arguments(one: dict[str, Any], rate: float | None, total: int | None) -> dict[str, Any]:
    name, kwargs = one["name"], {key: value for key, value in one.items() if key not in ("name", *STEPS)}
    made: dict[str, Any] = {} if rate is None else {"learning_rate": rate}
    made["lr_scheduler_type"] = name
    if one.get("num_warmup_steps"):
        made["warmup_steps"] = one["num_warmup_steps"]
    steps = one.get("num_training_steps", total)
    if None not in (steps, total) and steps != total:
        raise UnsayableError(f"the schedule of 'lr', which has {steps} steps, but the run has {total}")
    if steps is not None:
        made["max_steps"] = steps
    if kwargs and name not in WITHOUT_KWARGS:
        made["lr_scheduler_kwargs"] = kwargs
    return made
