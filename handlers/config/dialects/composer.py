"""Config types for Composer's schedulers, named as in Composer or as in LLM Foundry.

The value at event i is the value that Composer uses for batch i, so one event is one iteration. A time is a number of
batches (``100ba``), a number of epochs (``3ep``) or a part of the run (``0.02dur``). Times in epochs need
``epoch_length``. Times in samples or tokens are refused. The length of the run is ``max_duration``, which stands beside
the schedulers. Without ``max_duration``, the length that was given to ``configure_scheduler`` is used.

``scale_warmup`` has no effect, because a ``scale_schedule_ratio`` other than 1 is refused. In contrast to Composer,
``CosineAnnealingWarmRestartsScheduler`` accepts only whole numbers for ``t_mult``.
"""

import re
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import at_least_one, flag, not_negative, number, positive
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import EntrySchedule, StepWindow, scaling
from lehr.handlers.schedules import (
    Anneal,
    Constant,
    Cosine,
    Curve,
    ExponentialDecay,
    Linear,
    MultiStepDecay,
    PiecewiseConstant,
    Polynomial,
    Restarts,
    Schedule,
    Shift,
    StepDecay,
    arguments,
)

from .language_model_parts import after, level_above

UNITS = ("ba", "ep", "dur")
Time = tuple[float, str]


def time(name: str, value: object) -> object:
    """Check a time such as ``"100ba"``."""
    parsed(name, value)
    return value


def parsed(name: str, value: object) -> Time:
    """Return the amount and the unit of a time.

    >>> parsed("t_max", "0.5dur"), parsed("t_max", "3ep")
    ((0.5, 'dur'), (3, 'ep'))
    """
    found = (
        re.fullmatch(r"\s*(\d[\d_]*(?:\.\d*)?(?:e[+-]?\d+)?)\s*([a-z]+)\s*", value) if isinstance(value, str) else None
    )
    if found is None or len(found[1]) > 30:
        raise ValueError(f"{name} must be a time such as '100ba', '3ep' or '0.1dur', given {arguments.shown(value)}")
    amount, unit = float(found[1]), found[2]
    if unit not in UNITS:
        raise ValueError(
            f"{name} must be in batches (ba), epochs (ep) or parts of the run (dur), given {arguments.shown(value)}"
        )
    if unit == "dur":
        return amount, unit
    return arguments.whole_number(name, int(amount) if amount == int(amount) else amount, at_least=0), unit


def times(name: str, value: object) -> list[object]:
    """Check a list of times."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list of times, given {arguments.shown(value)}")
    return [time(f"{name}[{at}]", one) for at, one in enumerate(value)]


def _duration(name: str, value: object) -> object:
    """Check the length of a run, which is a time or a whole number of epochs."""
    made = f"{value}ep" if type(value) is int else value
    if parsed(name, made)[1] == "dur":
        raise ValueError(f"{name} must be in batches (ba) or epochs (ep), given {arguments.shown(value)}")
    return made


class _Clock:
    """Converts times to numbers of batches, with the length of an epoch and the length of the run."""

    def __init__(self, context: ConfigContext, a: SimpleNamespace) -> None:
        if a.scale_schedule_ratio != 1:
            raise ValueError(f"['scale_schedule_ratio'] must be 1, given {a.scale_schedule_ratio}")
        self.length, self.run = context.epoch_length, context.run.steps
        self.epochs = context.run.max_epochs  # if the run is in epochs, a part of the run is rounded in another way
        if a.max_duration is not None:
            own, unit = parsed("max_duration", a.max_duration)
            self.epochs = int(own) if unit == "ep" else None
            steps = None if unit == "ep" and self.length is None else self.batches("max_duration", a.max_duration)
            if None not in (steps, self.run) and steps != self.run:
                raise ValueError(f"['max_duration'] must be {self.run}, the steps of the run, given {own:g}{unit}")
            self.run = steps if self.run is None else self.run

    def batches(self, key: str, given: str) -> int:
        """Return the number of batches in a time.

        Raises:
            ValueError: the time needs the length of an epoch or of the run, but the length is unknown.
        """
        amount, unit = parsed(key, given)
        if unit == "ep":
            if self.length is None:
                raise ValueError(f"[{key!r}] needs epoch_length, since it is in epochs: give it to configure_scheduler")
            return int(amount * self.length)
        if unit == "ba":
            return int(amount)
        if self.run is None:
            raise ValueError(
                f"[{key!r}] is a fraction of the run, so the length of the run is needed: give total_steps, or "
                "max_epochs and epoch_length, to configure_scheduler"
            )
        if self.epochs is not None and self.length is not None:
            return int(amount * self.length * self.epochs)
        return int(amount * self.run)

    def at_least_one(self, key: str, given: str) -> int:
        """Return the number of batches in a time, which must be at least 1."""
        return arguments.whole_number(f"[{key!r}]", self.batches(key, given), at_least=1)


Factors = Callable[[_Clock, SimpleNamespace], Schedule]


def _multi_step(clock: _Clock, a: SimpleNamespace) -> Schedule:
    return MultiStepDecay(1.0, a.gamma, sorted(clock.batches("milestones", one) for one in a.milestones))


def _constant(clock: _Clock, a: SimpleNamespace) -> Schedule:
    if a.alpha == 1:
        return Constant(1.0)
    return PiecewiseConstant([a.alpha, 1.0], [clock.at_least_one("t_max", a.t_max)])


def _restarts(clock: _Clock, a: SimpleNamespace) -> Schedule:
    return Restarts(1.0, a.alpha_f, clock.at_least_one("t_0", a.t_0), a.t_mult)


def _line(curve: Curve, clock: _Clock, a: SimpleNamespace) -> Schedule:
    return Anneal(getattr(a, "alpha_i", 1.0), a.alpha_f, clock.at_least_one("t_max", a.t_max), curve)


def _warmed_line(curve: Curve, clock: _Clock, a: SimpleNamespace) -> Schedule:
    warmup, stop = clock.batches("t_warmup", a.t_warmup), clock.batches("t_max", a.t_max)
    if clock.run is not None and stop < clock.run:
        raise ValueError(f"['t_max'] must be at least the {clock.run} batches of the run, given {stop}")
    top = getattr(a, "alpha_i", 1.0)
    later: Schedule = Anneal(top, a.alpha_f, stop - warmup, curve) if stop > warmup else Constant(top)
    return _warmed(warmup, top, later)


def _warmed(warmup: int, top: float, later: Schedule) -> Schedule:
    return after([(Anneal(0.0, top, max(warmup, 1)), warmup)], later)


def _warmed_steps(clock: _Clock, a: SimpleNamespace) -> Schedule:
    warmup = clock.batches("t_warmup", a.t_warmup)
    return _warmed(warmup, 1.0, Shift(_multi_step(clock, a), by=warmup))


def _inverse_square_root(clock: _Clock, a: SimpleNamespace) -> Schedule:
    if a.alpha_f_decay < a.alpha_f_cooldown:
        raise ValueError(f"['alpha_f_decay'] must be at least alpha_f_cooldown, given {a.alpha_f_decay}")
    for key in ("t_warmup", "t_scale", "t_cooldown"):
        if getattr(a, key).endswith("dur"):
            raise ValueError(f"[{key!r}] must be in batches or epochs, given {getattr(a, key)}")
    warmup, scale = clock.batches("t_warmup", a.t_warmup), clock.at_least_one("t_scale", a.t_scale)
    cooldown, stop = clock.batches("t_cooldown", a.t_cooldown), clock.batches("t_max", a.t_max)
    falling = level_above(a.alpha_f_decay, 1.0, scale)
    left = max(stop - cooldown - warmup, 0)
    level = float(falling(left))
    last: Schedule = Anneal(level, a.alpha_f_cooldown, cooldown) if cooldown else Constant(level)
    return _warmed(warmup, 1.0, after([(falling, left)], last))


def _row(description: str, own: Arguments, factors: Factors) -> EntryType:
    """Return an ``EntryType`` whose schedules multiply the initial value by factors."""

    def build(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        clock = _Clock(context, a)
        return scaling(context, factors(clock, a), StepWindow(), duration=clock.run)

    return EntryType(description, {**own, **OF_RUN}, build, around={key: (key,) for key in OF_RUN})


OF_RUN: Arguments = {"max_duration": (_duration, None), "scale_schedule_ratio": (positive, 1.0)}
WHOLE = "1dur"
# fmt: off
LENGTH: Arguments = {"t_max": (time, WHOLE), "alpha_f": (number, 0.0)}
WARM: Arguments = {"t_warmup": time, "scale_warmup": (flag, False)}
STEPS: Arguments = {"milestones": times, "gamma": (number, 0.1)}
CLASSES: dict[str, EntryType] = {
    "ConstantScheduler": _row("A factor of the value until t_max, then the value.",
        {"alpha": (number, 1.0), "t_max": (time, WHOLE)}, _constant),
    "ConstantWithWarmupScheduler": _row("A linear warm-up, then a factor of the value.",
        {**WARM, "alpha": (number, 1.0), "t_max": (time, WHOLE)},
        lambda clock, a: _warmed(clock.batches("t_warmup", a.t_warmup), a.alpha, Constant(a.alpha))),
    "CosineAnnealingScheduler": _row("Half a cosine to alpha_f.", LENGTH, partial(_line, Cosine())),
    "CosineAnnealingWarmRestartsScheduler": _row("Half cosines to alpha_f, each t_mult times as long as the last.",
        {"t_0": time, "t_mult": (at_least_one, 1), "alpha_f": (number, 0.0)}, _restarts),
    "CosineAnnealingWithWarmupScheduler": _row("A linear warm-up, then half a cosine to alpha_f.", {**WARM, **LENGTH},
        partial(_warmed_line, Cosine())),
    "ExponentialScheduler": _row("Multiplies by gamma in each decay_period, smoothly.",
        {"gamma": not_negative, "decay_period": (time, "1ep")},
        lambda clock, a: ExponentialDecay(1.0, a.gamma, clock.at_least_one("decay_period", a.decay_period))),
    "InverseSquareRootWithWarmupScheduler": _row("A warm-up, a fall with the square root of time, and a cool-down.",
        {"t_warmup": time, "t_scale": time, "t_cooldown": time, "t_max": (time, WHOLE),
        "alpha_f_decay": (not_negative, 0.0), "alpha_f_cooldown": (not_negative, 0.0)}, _inverse_square_root),
    "LinearScheduler": _row("A straight line from alpha_i to alpha_f.", {"alpha_i": (number, 1.0), **LENGTH},
        partial(_line, Linear())),
    "LinearWithWarmupScheduler": _row("A linear warm-up, then a straight line to alpha_f.",
        {**WARM, "alpha_i": (number, 1.0), **LENGTH}, partial(_warmed_line, Linear())),
    "MultiStepScheduler": _row("Multiplies by gamma at each milestone.", STEPS, _multi_step),
    "MultiStepWithWarmupScheduler": _row("A linear warm-up; multiplies by gamma at each milestone.",
        {**WARM, **STEPS}, _warmed_steps),
    "PolynomialScheduler": _row("A polynomial decay to alpha_f.", {"power": not_negative, **LENGTH},
        lambda clock, a: _line(Polynomial(a.power), clock, a)),
    "PolynomialWithWarmupScheduler": _row("A linear warm-up, then a polynomial decay to alpha_f.",
        {**WARM, "power": (not_negative, 2.0), **LENGTH}, lambda clock, a: _warmed_line(Polynomial(a.power), clock, a)),
    "StepScheduler": _row("Multiplies by gamma in each step_size.", {"step_size": time, "gamma": (number, 0.1)},
        lambda clock, a: StepDecay(1.0, a.gamma, clock.at_least_one("step_size", a.step_size))),
}
# fmt: on
NAMES = {
    "constant_with_warmup": "ConstantWithWarmupScheduler",
    "cosine_with_warmup": "CosineAnnealingWithWarmupScheduler",
    "inv_sqrt_with_warmup": "InverseSquareRootWithWarmupScheduler",
    "linear_decay_with_warmup": "LinearWithWarmupScheduler",
    "multistep_with_warmup": "MultiStepWithWarmupScheduler",
}
TYPES: dict[str, Any] = {**CLASSES, **{name: CLASSES[of] for name, of in NAMES.items()}}
