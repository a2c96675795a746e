"""Config types for the schedulers that mmagic adds to those of mmengine."""

from dataclasses import replace
from types import SimpleNamespace

from lehr.handlers.config.argument_validators import at_least_one, count, flag, minus_one, not_negative, number
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import EntryType
from lehr.handlers.config.entry_schedules import ENDLESS, EntrySchedule, StepWindow, scaling
from lehr.handlers.schedules import Anneal, Assignment, Concatenation, Constant, Product, Schedule, Shift, Window
from lehr.handlers.schedules.arguments import Number

from .mmengine import assigning, in_window, whole_window
from .torch import PLATEAU, plateau


def _linear_interval(context: ConfigContext, window: StepWindow, a: SimpleNamespace) -> EntrySchedule:
    times = whole_window(window, a).steps // a.interval
    if window.steps == 1:
        return scaling(context, Constant(a.start_factor), window)
    if not times:
        raise ValueError(f"['interval'] must be at most the {window.steps} steps of the window, given {a.interval}")
    line = Anneal(a.start_factor, a.end_factor, times * a.interval)
    # The first step multiplies the value before it. Each later step writes the value that the line had a step earlier.
    moved = Shift(Window(line, interval=a.interval), by=-1)

    def starting_from(value: Number) -> Schedule:
        return Concatenation([Product([Constant(value), Constant(a.start_factor)]), Shift(moved, by=1)], [1])

    return assigning(context, window, starting_from, lambda: Assignment(moved, first_factor=a.start_factor))


def _reduce_lr(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if a.end <= a.begin:
        raise ValueError(f"['end'] must be more than begin, {a.begin}, given {a.end}")
    every = context.every if a.by_epoch else 1
    entry = plateau(context, a, every, begin=a.begin, end=a.end - 1, eps_before_floor=True)
    window = StepWindow(every=every, counts_iterations=context.epoch_length is not None and not a.by_epoch)
    return replace(entry, window=window, reduces_in_order=True)


# fmt: off
TYPES = {
    "LinearLrInterval": in_window("A factor of the value on a straight line, which moves every interval steps.",
        {"interval": (at_least_one, 1), "start_factor": (number, 1 / 3), "end_factor": (number, 1.0)},
        _linear_interval),
    "ReduceLR": EntryType("Multiplies by a factor when a metric has stopped improving.",
        {**{key: one for key, one in PLATEAU.items() if key != "metric_name"}, "min_lr": (not_negative, 0.0),
        "begin": (count, 0), "end": (count, ENDLESS), "by_epoch": (flag, True), "metric_name": PLATEAU["metric_name"],
        "last_step": (minus_one, -1), "verbose": (flag, False)}, _reduce_lr),
}
# fmt: on
