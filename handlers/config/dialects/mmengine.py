"""Config types for mmengine's parameter schedulers, each of which changes the value within a window of steps."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    flag,
    fraction,
    list_of_numbers,
    milestones,
    minus_one,
    not_negative,
    number,
    numbers,
    one_of,
    positive,
    text,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import ENDLESS, EntrySchedule, StepWindow, number_at, scaling
from lehr.handlers.schedules import (
    Anneal,
    Approach,
    Assignment,
    Concatenation,
    Constant,
    Cosine,
    ExponentialDecay,
    MultiStepDecay,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    Restarts,
    Schedule,
    Shift,
    StepDecay,
    Window,
    arguments,
)
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.chainable_rules import Rule

from .torch import plateau

# fmt: off
WINDOW: Arguments = {
    "begin": (not_negative, 0), "end": (not_negative, None), "by_epoch": (flag, True),
    "convert_to_iter_based": (flag, False), "last_step": (minus_one, -1), "verbose": (flag, False),
}
# fmt: on


def _step_window(context: ConfigContext, a: SimpleNamespace) -> StepWindow:
    length = context.epoch_length
    of_run = context.run.epochs if a.by_epoch else context.run.steps
    a.has_end = a.end is not None or of_run is not None
    if a.end is None:  # as in mmengine's runner, the default is the end of the run
        a.end = of_run or ENDLESS
    if a.convert_to_iter_based:
        if not a.by_epoch:
            raise ValueError("['convert_to_iter_based'] must be left out if by_epoch is false")
        if length is None:
            raise ValueError("['convert_to_iter_based'] needs epoch_length: give it to configure_scheduler")
        end = ENDLESS if a.end == ENDLESS else int(a.end * length)
        window = StepWindow(int(a.begin * length), end, scale=length, counts_iterations=True)
    else:
        for key, value in (("begin", a.begin), ("end", a.end)):
            if value != int(value):
                raise ValueError(f"[{key!r}] must be a whole number of at least 0, given {value!r}")
        every = context.every if a.by_epoch else 1
        window = StepWindow(int(a.begin), int(a.end), every, counts_iterations=length is not None and not a.by_epoch)
    if window.end <= window.begin:
        raise ValueError(f"['end'] must be more than begin, {window.begin}, given {window.end}")
    return window


def assigning(
    context: ConfigContext, window: StepWindow, starting_from: Callable[[Number], Schedule], rule: Callable[[], Rule]
) -> EntrySchedule:
    """Make an ``EntrySchedule`` that has its own values within the window. Before it, the value does not change."""
    return EntrySchedule(context, lambda value: window.in_events(starting_from(value), before=value), rule, window)


def constant(window: StepWindow, a: SimpleNamespace) -> Schedule:
    """Return a schedule that is ``factor`` before the last step of a window, and 1 from the last step on."""
    last = window.steps - 1
    return PiecewiseConstant([a.factor, 1.0], [last]) if last else Constant(a.factor)


def whole_window(window: StepWindow, a: SimpleNamespace) -> StepWindow:
    """Check that the end of a window is known, and return the window.

    Raises:
        ValueError: the end is unknown.
    """
    if not a.has_end:
        name, unit = ("max_epochs", "epochs") if a.by_epoch else ("total_steps", "iterations")
        raise ValueError(
            f"['end'] must be given, in {unit}, or configure_scheduler must have the {unit} of the run "
            f"as {name}, since the values depend on the end"
        )
    return window


def _linear(window: StepWindow, a: SimpleNamespace) -> Schedule:
    last = whole_window(window, a).steps - 1
    return Anneal(a.start_factor, a.end_factor, last) if last else Constant(a.start_factor)


def _cosine(context: ConfigContext, window: StepWindow, a: SimpleNamespace) -> EntrySchedule:
    return cosine_of(context, window, a, end_value(context, a, default=0.0))


def cosine_of(context: ConfigContext, window: StepWindow, a: SimpleNamespace, end: Number) -> EntrySchedule:
    """Make half cosines to an end value and back. Each half takes ``T_max`` steps, or the whole window."""
    length = (a.T_max or 0) * window.scale or whole_window(window, a).steps
    initial = initial_value(context)
    lowest = _first_lowest(length, window.steps)

    def starting_from(value: Number) -> Schedule:
        down = Anneal(value, end, length, Cosine(), beyond="mirror")
        if value == initial or lowest is None:
            return down
        # The cosine returns to the initial value of the group, not to the value before the window.
        back = Anneal(initial, end, length, Cosine(), beyond="mirror")
        return Concatenation([down, Shift(back, lowest)], [lowest])

    def rule() -> Rule:
        return Approach(Anneal(1.0, 0.0, length, Cosine(), beyond="mirror"), end, initial)

    return assigning(context, window, starting_from, rule)


def _first_lowest(length: float, steps: int) -> int | None:
    """Return the first step before ``steps`` at which a cosine has its end value. If there is none, return None."""
    odd = np.arange(1, 1000, 2) * length  # a step has the end value if it is an odd multiple of the length
    whole = odd[(np.abs(odd - np.round(odd)) < 1e-9 * odd) & (odd < steps)]
    return int(np.round(whole[0])) if whole.size else None


def _poly(context: ConfigContext, window: StepWindow, a: SimpleNamespace) -> EntrySchedule:
    last, curve = max(whole_window(window, a).steps - 1, 0), Polynomial(a.power)
    if last == 0:
        return scaling(context, Constant(1.0), window)
    rule = lambda: Approach(Anneal(1.0, 0.0, last, curve), a.eta_min, initial_value(context))  # noqa: E731
    return assigning(context, window, lambda value: Anneal(value, a.eta_min, last, curve), rule)


def _cosine_restart(context: ConfigContext, window: StepWindow, a: SimpleNamespace) -> EntrySchedule:
    if not a.periods:
        raise ValueError("['periods'] must have at least one period, given none")
    initial, scale = initial_value(context), window.scale
    lengths = [arguments.number(f"['periods'][{at}]", one, above=0) * scale for at, one in enumerate(a.periods)]
    end = end_value(context, a, default=None)
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    tops = [(np.asarray(initial) * weight).tolist() for weight in a.restart_weights]
    curve = Window(Restarts(initial, end, lengths, restart_weights=a.restart_weights), end=int(sum(lengths)))

    def rule() -> Rule:
        weights = Window(Restarts(1.0, 0.0, lengths), end=int(sum(lengths)))
        return Approach(weights, end, initial, starts, tops)

    return assigning(context, window, lambda value: curve, rule)


def _one_cycle(context: ConfigContext, window: StepWindow, a: SimpleNamespace) -> EntrySchedule:
    if context.param_name != "lr":
        raise ValueError(f"the type can schedule only 'lr', given {context.param_name!r}: use torch.OneCycleLR instead")
    steps = whole_window(window, a).steps if a.total_steps is None else a.total_steps * window.scale
    own = OneCycle(a.eta_max, steps, a.pct_start, a.anneal_strategy, a.div_factor, a.final_div_factor, a.three_phase)
    levels = {"max_value": own.max_value, "div_factor": own.div_factor, "final_div_factor": own.final_div_factor}
    left = {} if context.left is None else context.left
    left.update(levels=levels, initial_value=(np.asarray(own.max_value) / own.div_factor).tolist())

    def cycle() -> Schedule:
        # In mmengine, the constructor of each one-cycle writes its levels into the param groups, and uses them at the
        # first step. At later steps, all one-cycles in a list use the levels that the last constructor wrote.
        if left["levels"] == levels:
            return own
        late = replace(own, **left["levels"])
        return late if window.begin else Concatenation([Constant(number_at(own, 0)), Shift(late, by=1)], [1])

    return assigning(context, window, lambda value: cycle(), lambda: Assignment(cycle()))


def initial_value(context: ConfigContext) -> Number:
    """Return the initial value of the param groups, or for ``"lr"`` the value that an earlier one-cycle wrote."""
    given = context.left or {}
    return given.get("initial_value", context.initial_value) if context.param_name == "lr" else context.initial_value


def end_value(context: ConfigContext, a: SimpleNamespace, default: float | None) -> Any:
    """Return the end value of a cosine, which is ``eta_min`` or the initial value times ``eta_min_ratio``."""
    if a.eta_min is None and a.eta_min_ratio is None and default is not None:
        return default
    if (a.eta_min is None) == (a.eta_min_ratio is None):
        raise ValueError(
            f"exactly one of eta_min and eta_min_ratio must be a number, given {a.eta_min} and {a.eta_min_ratio}"
        )
    return (np.asarray(initial_value(context)) * a.eta_min_ratio).tolist() if a.eta_min is None else a.eta_min


def _reduce_on_plateau(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if not a.by_epoch:
        raise ValueError("['by_epoch'] must be true, since the scheduler counts metrics, given False")
    if a.end <= a.begin:
        raise ValueError(f"['end'] must be more than begin, {a.begin}, given {a.end}")
    a.mode, worst = ("min", 1e9) if a.rule == "less" else ("max", -1e9)
    a.threshold_mode, a.min_lr, a.metric_name = a.threshold_rule, a.min_value, a.metric_name or a.monitor
    # mmengine counts a step before the first metric arrives.
    begin = max(a.begin - 1, 0)
    return plateau(context, a, context.every, begin=begin, end=a.end - 1, initial_best=worst)


def in_window(
    description: str,
    arguments: Arguments,
    build: Callable[[ConfigContext, StepWindow, SimpleNamespace], EntrySchedule],
) -> EntryType:
    """Return an ``EntryType`` whose schedules change the value within a window."""
    return EntryType(
        description, {**arguments, **WINDOW}, lambda context, a: build(context, _step_window(context, a), a)
    )


def _scaling(
    description: str, arguments: Arguments, factors: Callable[[StepWindow, SimpleNamespace], Schedule]
) -> EntryType:
    return in_window(description, arguments, lambda context, window, a: scaling(context, factors(window, a), window))


# fmt: off
WITHOUT_SUFFIX = {
    "Constant": _scaling("A factor of the value until the window's last step, then the value.",
        {"factor": (fraction, 1 / 3)}, constant),
    "CosineAnnealing": in_window("Half a cosine to eta_min and back again, within a window.",
        {"T_max": (not_negative, None), "eta_min": (number, None), "eta_min_ratio": (number, None)}, _cosine),
    "CosineRestart": in_window("Half cosines of given periods and heights, one after another.", {"periods": milestones,
        "restart_weights": (list_of_numbers, [1.0]), "eta_min": (number, None), "eta_min_ratio": (number, None)},
        _cosine_restart),
    "Exponential": _scaling("Multiplies by gamma at each step, within a window.", {"gamma": number},
        lambda window, a: ExponentialDecay(1.0, a.gamma)),
    "Linear": _scaling("A factor of the value on a straight line, within a window.",
        {"start_factor": (fraction, 1 / 3), "end_factor": (fraction, 1.0)}, _linear),
    "MultiStep": _scaling("Multiplies by gamma at each milestone, within a window.",
        {"milestones": milestones, "gamma": (number, 0.1)},
        lambda window, a: MultiStepDecay(1.0, a.gamma, sorted(one * window.scale for one in a.milestones))),
    "OneCycle": in_window("Up to eta_max and down to almost 0, once, within a window.", {"eta_max": (numbers, 0.0),
        "total_steps": (at_least_one, None), "pct_start": (fraction, 0.3), "anneal_strategy": (text, "cos"),
        "div_factor": (positive, 25.0), "final_div_factor": (positive, 1e4), "three_phase": (flag, False)}, _one_cycle),
    "Poly": in_window("A polynomial decay to eta_min, within a window.",
        {"eta_min": (number, 0.0), "power": (not_negative, 1.0)}, _poly),
    "ReduceOnPlateau": EntryType("Multiplies by a factor when a metric has stopped improving.",
        {"monitor": (text, "loss"), "rule": (one_of("less", "greater"), "less"), "factor": (not_negative, 0.1),
        "patience": (count, 10), "threshold": (number, 1e-4), "threshold_rule": (text, "rel"), "cooldown": (count, 0),
        "min_value": (numbers, 0.0), "eps": (not_negative, 1e-8), "begin": (count, 0), "end": (count, ENDLESS),
        "by_epoch": (flag, True), "metric_name": (text, None), "last_step": (minus_one, -1), "verbose": (flag, False)},
        _reduce_on_plateau),
    "Step": _scaling("Multiplies by gamma every step_size steps, within a window.",
        {"step_size": at_least_one, "gamma": (number, 0.1)},
        lambda window, a: StepDecay(1.0, a.gamma, a.step_size * window.scale)),
}
# fmt: on


def of_param(entry_type: EntryType, param_name: str) -> EntryType:
    """Return an ``EntryType`` that always schedules ``param_name``, even if the config names another parameter."""
    return replace(entry_type, build=lambda context, a: entry_type.build(context.of(param_name), a))


TYPES = {
    **{f"{name}{suffix}": row for name, row in WITHOUT_SUFFIX.items() for suffix in ("LR", "ParamScheduler")},
    **{f"{name}Momentum": of_param(row, "momentum") for name, row in WITHOUT_SUFFIX.items()},
}
