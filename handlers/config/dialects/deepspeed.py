"""Config types for DeepSpeed's schedulers, which stand in the block ``scheduler`` of a ``ds_config.json``.

When DeepSpeed constructs a scheduler, it writes the first value. After step 0 of the optimizer, it writes the value of
the formula at step 0. So event 0 has the first value, and each later event i has the value of the formula at step
i - 1. For example, a warm-up from 0 begins with two events at 0.

The values are equal to those of DeepSpeed 0.19.6. Before version 0.15.3, DeepSpeed trained step 0 with the optimizer's
own value. Before version 0.17.2, the warm-up ended at 0.001 if ``warmup_max_lr`` was missing. As in versions since
0.19.4, the stair counts of ``OneCycle`` have an effect.

Differences from DeepSpeed:

- ``OneCycle`` does not change the second of the betas. DeepSpeed sets it to 0.99.
- A ``warmup_num_steps`` of 0 means 2, as in versions before 0.19.3. Later versions refuse 0.

The value ``"auto"`` stands for the value that transformers' Trainer would fill in. This is the learning rate for
``warmup_max_lr``, 0 for ``warmup_min_lr``, and the steps of the run for ``total_num_steps``. If ``warmup_type`` is
``"auto"``, the warm-up is logarithmic, because DeepSpeed replaces unknown types by this default.
"""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import (
    Check,
    at_least_one,
    count,
    flag,
    minus_one,
    not_negative,
    number,
    numbers,
    one_of,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, EntryType
from lehr.handlers.config.entry_schedules import ENDLESS, EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    Curve,
    InverseTimeDecay,
    Linear,
    Logarithmic,
    Product,
    Reversed,
    Schedule,
    Shift,
    Stairs,
    Stretch,
)
from lehr.handlers.schedules.arguments import Number

AUTO = "auto"


def _or_auto(check: Check) -> Check:
    """Extend a check so that it also accepts ``"auto"``."""
    return lambda name, value: AUTO if value == AUTO else check(name, value)


def _rising(start: Number, end: Number, a: SimpleNamespace) -> tuple[Schedule, int]:
    """Return the schedule of the warm-up, and its number of steps."""
    if a.warmup_num_steps == AUTO:
        raise ValueError(
            "['warmup_num_steps'] must be a number of steps, given 'auto': write the number here, or "
            "use the TrainingArguments as the config, with this config under their key 'deepspeed'"
        )
    steps = max(a.warmup_num_steps, 2)
    if a.warmup_type == "linear":
        return Anneal(start, end, steps), steps
    return Anneal(start, end, steps - 1, Logarithmic(steps)), steps


def _rates(context: ConfigContext, a: SimpleNamespace) -> tuple[Number, Number]:
    """Return the first and the highest value of a warm-up."""
    highest = context.initial_value if a.warmup_max_lr in (None, AUTO) else a.warmup_max_lr
    return 0.0 if a.warmup_min_lr == AUTO else a.warmup_min_lr, highest


def total_steps(context: ConfigContext, given: int | str | None) -> int:
    """Return ``total_num_steps`` of the config. If the config has none, return the steps of the run.

    Raises:
        ValueError: the config and the run have different numbers of steps, or neither has a number.
    """
    known = context.run.steps
    if given is None or given == AUTO:
        if known is None:
            raise ValueError(
                "'total_num_steps' must be a number, or configure_scheduler must have total_steps, or max_epochs and "
                f"epoch_length, given {given!r}"
            )
        return known
    if known is not None and known != given:
        raise ValueError(f"['total_num_steps'] must be {known}, the steps of the run, given {given}")
    return int(given)


def _warmup(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    rising, steps = _rising(*_rates(context, a), a)
    return _entry(context, lambda value: Shift(rising, by=-1), steps + 1)


def _warmup_decay(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    lowest, highest = _rates(context, a)
    rising, steps = _rising(lowest, highest, a)
    total = total_steps(context, a.total_num_steps)
    falling = Anneal(highest, lowest, max(total - steps, 0))
    return _entry(context, lambda value: Shift(Concatenation([rising, falling], [steps]), by=-1), total)


def _warmup_cosine(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    rising, steps = _rising(a.warmup_min_ratio, 1.0, a)
    total = total_steps(context, a.total_num_steps)
    falling = Shift(Anneal(1.0, a.cos_min_ratio, max(total - steps, 1), Cosine()), by=1)
    factors = Concatenation([Constant(0.0), rising, falling], [1, steps])
    return _entry(context, lambda value: Product([Constant(value), factors]), total)


def _cycle(start: Number, peak: Number, decay: Schedule, a: SimpleNamespace) -> Schedule:
    """Return a schedule that goes from ``start`` to ``peak`` and back, and then follows ``decay``."""
    second = a.cycle_first_step_size if a.cycle_second_step_size is None else a.cycle_second_step_size
    up = a.cycle_first_stair_count
    down = up if a.cycle_second_stair_count is None else a.cycle_second_stair_count
    curves: list[Curve] = [Stairs(up) if up else Linear(), Reversed(Stairs(down)) if down else Linear()]
    rising = Anneal(start, peak, a.cycle_first_step_size, curves[0])
    falling = Anneal(peak, start, second, curves[1])
    return Concatenation([rising, falling, decay], [a.cycle_first_step_size, second])


def _one_cycle(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    decays = a.decay_step_size and a.decay_lr_rate
    low: Number = a.cycle_min_lr
    after = InverseTimeDecay(low, a.decay_lr_rate, a.decay_step_size) if decays else Constant(low)
    lr, momentum = _cycle(low, a.cycle_max_lr, after, a), None
    if a.cycle_momentum and "betas" in context.optimizer.param_groups[0]:
        grows = a.decay_step_size and a.decay_mom_rate
        high: Number = a.cycle_max_mom
        beyond = _line(high, a.decay_mom_rate, a.decay_step_size) if grows else Constant(high)
        cycle = _cycle(high, a.cycle_min_mom, beyond, a)
        # At the first step, the momentum has the value that belongs to the peak of the learning rate.
        momentum = Concatenation([Constant(a.cycle_min_mom), Shift(cycle, by=1)], [1])
    return replace(_entry(context, lambda value: lr, None), momentum=momentum)


def _line(start: Number, rate: float, steps: float) -> Schedule:
    """Return the line ``start * (1 + rate * i / steps)``. No run is long enough to reach its end."""
    times = 1 + rate * (ENDLESS / steps)
    end: Number = start * times if isinstance(start, float | int) else [one * times for one in start]
    return Anneal(start, end, ENDLESS)


def _range_test(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    low, size = a.lr_range_test_min_lr, a.lr_range_test_step_size
    line = _line(low, a.lr_range_test_step_rate, 1 if a.lr_range_test_staircase else size)
    stepped = Stretch(line, size) if a.lr_range_test_staircase else line
    return _entry(context, lambda value: stepped, None)


def _entry(context: ConfigContext, schedule: Callable[[Number], Schedule], duration: int | None) -> EntrySchedule:
    if context.epoch_length not in (None, context.run.epoch_length):
        raise ValueError("['lightning'] must be left out, since DeepSpeed steps its scheduler after each iteration")
    return EntrySchedule(context, schedule, duration=duration)


def _row(
    description: str, own: Arguments, build: Callable[[ConfigContext, SimpleNamespace], EntrySchedule]
) -> EntryType:
    return EntryType(description, {**own, "last_batch_iteration": (minus_one, -1)}, build)


STEPS: Arguments = {"warmup_num_steps": (_or_auto(count), 1000), "warmup_type": (one_of("log", "linear", AUTO), "log")}
TOTAL: dict[str, tuple[Check, Any]] = {"total_num_steps": (_or_auto(at_least_one), None)}
RATES: Arguments = {"warmup_min_lr": (_or_auto(numbers), 0.0)}
# fmt: off
TYPES = {
    "LRRangeTest": _row("Rises on a straight line without an end, to find the largest rate that trains.",
        {"lr_range_test_min_lr": (numbers, 1e-3), "lr_range_test_step_size": (at_least_one, 2000),
        "lr_range_test_step_rate": (number, 1.0), "lr_range_test_staircase": (flag, False)}, _range_test),
    "OneCycle": _row("Up on a straight line and down again, then a decay, with the momentum in the opposite direction.",
        {"cycle_min_lr": numbers, "cycle_max_lr": numbers, "decay_lr_rate": (not_negative, 0.0),
        "cycle_first_step_size": (at_least_one, 2000), "cycle_second_step_size": (count, None),
        "cycle_first_stair_count": (count, 0), "cycle_second_stair_count": (count, None),
        "decay_step_size": (not_negative, 0), "cycle_momentum": (flag, True), "cycle_min_mom": (numbers, 0.8),
        "cycle_max_mom": (numbers, 0.9), "decay_mom_rate": (not_negative, 0.0)}, _one_cycle),
    "WarmupCosineLR": _row("A warm-up, then half a cosine.", {**TOTAL, "warmup_min_ratio": (not_negative, 0.0), **STEPS,
        "cos_min_ratio": (not_negative, 0.0001)}, _warmup_cosine),
    "WarmupDecayLR": _row("A warm-up, then a straight line down to where it began.", {**TOTAL, **RATES,
        "warmup_max_lr": (_or_auto(numbers), 0.001), **STEPS}, _warmup_decay),
    "WarmupLR": _row("A warm-up, by default along a logarithm.", {**RATES, "warmup_max_lr": (_or_auto(numbers), None),
        **STEPS}, _warmup),
}
# fmt: on
