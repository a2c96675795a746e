"""Config types for fvcore's parameter schedulers, which turn the progress of a run into a factor.

The progress at event i is ``i / events``, where ``events`` is the number of events in the run. Before fvcore compares
the progress with the position of a step, it adds 1e-6. So in a run of a million events or more, a step comes some
events early. After the last event of the run, the value stays constant.
"""

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from types import SimpleNamespace

from lehr.handlers.config.argument_validators import (
    Check,
    at_least_one,
    flag,
    fraction,
    list_of_numbers,
    milestones,
    not_negative,
    number,
    one_of,
    positive,
    text,
    unchecked,
)
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, build, lookup, read_entries, read_entry
from lehr.handlers.schedules import (
    Concatenation,
    Constant,
    Cosine,
    Curve,
    ExponentialDecay,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Schedule,
    arguments,
)

from .language_model_parts import annealed

EPSILON = 1e-6  # fvcore adds this number to the progress before it compares the progress with a step
MOST_VALUES = 10_000


@dataclass(frozen=True)
class RunPart:
    """The part of a run in which a scheduler is used.

    Args:
        begin: the time, in events, at which the progress of the scheduler is 0. It need not be a whole number.
        stop: the time, in events, at which the progress of the scheduler is 1. It need not be a whole number.
        first: the first event of the part.
        last: the event after the last event of the part.
        where: a function that computes the progress of the scheduler at an event, as fvcore does.
    """

    begin: float
    stop: float
    first: int
    last: int
    where: Callable[[int], float]

    def first_event(self, is_reached: Callable[[float], bool]) -> int:
        """Return the first event of the part at which ``is_reached`` returns True for the progress."""
        events = range(self.first, self.last)
        return self.first + bisect.bisect_left(events, True, key=lambda event: is_reached(self.where(event)))


@dataclass(frozen=True)
class Node:
    """A scheduler of fvcore.

    Args:
        at: a function that returns the factor for a value of the progress.
        schedule: a function that makes the schedule for a part of the run. Event 0 of this schedule is the first event
            of the part.
    """

    at: Callable[[float], float]
    schedule: Callable[[RunPart], Schedule]


def whole_run(events: int) -> RunPart:
    """Return the whole run as a ``RunPart``, for a scheduler that stands alone."""
    return RunPart(0.0, float(events), 0, events + 1, lambda event: event / events)


def _curved(start: float, end: float, curve: Curve, at: Callable[[float], float]) -> Node:
    return Node(at, lambda part: annealed(start, end, part.begin, part.stop, part.first, curve))


def _constant(context: ConfigContext, a: SimpleNamespace) -> Node:
    return Node(lambda where: a.value, lambda part: Constant(a.value))


def _cosine(context: ConfigContext, a: SimpleNamespace) -> Node:
    start, end = a.start_value, a.end_value
    return _curved(start, end, Cosine(), lambda where: end + (start - end) * (1 + math.cos(math.pi * where)) / 2)


def _linear(context: ConfigContext, a: SimpleNamespace) -> Node:
    return _curved(
        a.start_value, a.end_value, Linear(), lambda where: a.end_value * where + a.start_value * (1 - where)
    )


def _exponential(context: ConfigContext, a: SimpleNamespace) -> Node:
    def at(where: float) -> float:
        return float(a.start_value * a.decay**where)

    def schedule(part: RunPart) -> Schedule:
        return ExponentialDecay(at(part.where(part.first)), a.decay, part.stop - part.begin)

    return Node(at, schedule)


def _polynomial(context: ConfigContext, a: SimpleNamespace) -> Node:
    if not a.power:
        return Node(lambda where: a.base_value, lambda part: Constant(a.base_value))
    return _curved(a.base_value, 0.0, Polynomial(a.power), lambda where: a.base_value * (1 - where) ** a.power)


def _stairs(values: Sequence[float], index: Callable[[float], int]) -> Node:
    """Return a scheduler that steps through constant values. ``index`` maps the progress to the index of a value."""

    def schedule(part: RunPart) -> Schedule:
        first = index(part.where(part.first))
        if first >= len(values) - 1:
            return Constant(values[-1])
        starts = [
            part.first_event(lambda where, at=at: index(where) >= at) - part.first  # type: ignore[misc]
            for at in range(first + 1, len(values))
        ]
        return PiecewiseConstant(list(values[first:]), starts)

    return Node(lambda where: values[min(index(where), len(values) - 1)], schedule)


def _multi_step(context: ConfigContext, a: SimpleNamespace) -> Node:
    values, updates, steps = _some(a.values), a.num_updates, a.milestones
    if updates is None and not steps:
        raise ValueError("['num_updates'] must be given if there are no milestones")
    if steps is None:
        width = math.ceil(updates / len(values))
        steps = [width * (at + 1) for at in range(len(values) - 1)]
    if updates is None:
        updates, steps = steps[-1], steps[:-1]
    if len(steps) != len(values) - 1:
        raise ValueError(
            f"['values'] must have one value more than the milestones before the end of the run, given {len(values)}"
        )
    for before, one in pairwise([0, *steps, updates]):
        if one <= before:
            raise ValueError(f"['milestones'] must rise, be above 0, and be below num_updates={updates}, given {steps}")
    return _stairs(values, lambda where: bisect.bisect_right(steps, int((where + EPSILON) * updates)))


def _step(context: ConfigContext, a: SimpleNamespace) -> Node:
    values = _some(a.values)
    return _stairs(values, lambda where: int((where + EPSILON) * len(values)))


def _fixed_gamma(context: ConfigContext, a: SimpleNamespace) -> Node:
    values = list(accumulate([a.gamma] * a.num_decays, lambda value, gamma: value * gamma, initial=a.base_value))
    return _stairs(values, lambda where: int((where + EPSILON) * len(values)))


def _some(values: list[float]) -> list[float]:
    if not 1 <= len(values) <= MOST_VALUES:
        raise ValueError(f"['values'] must have from 1 to {MOST_VALUES} numbers, given {len(values)}")
    return values


def composite(nodes: Sequence[Node], lengths: Sequence[float], scalings: Sequence[str]) -> Node:
    """Join schedulers in sequence, each for a part of the run. A rescaled scheduler of length 0 is left out."""
    kept = [at for at in range(len(nodes)) if lengths[at] > 0 or scalings[at] == "fixed"]
    nodes, lengths = [nodes[at] for at in kept], [lengths[at] for at in kept]
    scalings = [scalings[at] for at in kept]
    ends = list(accumulate(lengths))

    def index(where: float) -> int:
        return bisect.bisect_left(ends, where + EPSILON, 0, len(ends) - 1)

    def at(where: float) -> float:
        own = index(where)
        start, length = ends[own] - lengths[own], lengths[own]
        return nodes[own].at((where - start) / length if scalings[own] == "rescaled" else where)

    def schedule(part: RunPart) -> Schedule:
        starts = [part.first_event(lambda where, k=k: index(where) >= k) for k in range(len(nodes))]  # type: ignore[misc]
        parts = []
        for own, (first, last) in enumerate(pairwise([*starts, part.last])):
            if last > first:
                inner = replace(part, first=first, last=last)
                if scalings[own] == "rescaled":
                    inner = _rescaled(inner, ends[own] - lengths[own], lengths[own])
                parts.append((nodes[own].schedule(inner), last - first))
        if len(parts) == 1:
            return parts[0][0]
        return Concatenation([one for one, _ in parts], [events for _, events in parts[:-1]])

    return Node(at, schedule)


def _rescaled(part: RunPart, start: float, length: float) -> RunPart:
    """Return a part whose progress is 0 at the old progress ``start``, and 1 at ``start + length``."""
    events, outer = part.stop - part.begin, part.where
    begin = part.begin + start * events
    return replace(part, begin=begin, stop=begin + length * events, where=lambda i: (outer(i) - start) / length)


def with_warmup(node: Node, factor: float, length: float, method: str, rescale: bool) -> Node:
    """Return a scheduler that begins with detectron2's warm-up and continues with the scheduler of ``node``."""
    if not length:
        return node
    low, top = factor * node.at(0.0), node.at(0.0 if rescale else length)
    warmup = build(
        INNER["LinearParamScheduler"],
        Entry("", "", {"start_value": low, "end_value": low if method == "constant" else top}),
        None,
    )
    return composite([warmup, node], [length, 1 - length], ["rescaled", "rescaled" if rescale else "fixed"])


def _composite(context: ConfigContext, a: SimpleNamespace) -> Node:
    entries = read_entries(f"{a.where}['schedulers']", a.schedulers)
    lengths = list(a.lengths)
    scalings = ["rescaled"] * len(entries) if a.interval_scaling is None else a.interval_scaling
    for name, items in (("lengths", lengths), ("interval_scaling", scalings)):
        if len(items) != len(entries):
            raise ValueError(
                f"['{name}'] must have an item for each of the {len(entries)} schedulers, given {len(items)}"
            )
    if abs(sum(lengths) - 1) >= 1e-3 or min(lengths) < 0:
        raise ValueError(f"['lengths'] must be numbers whose sum is 1, given {arguments.shown(lengths)}")
    lengths[-1] = 1.0 - sum(lengths[:-1])
    return composite([node_of(context, one) for one in entries], lengths, scalings)


def _warmed_up(context: ConfigContext, a: SimpleNamespace) -> Node:
    node = node_of(context, read_entry(f"{a.where}['scheduler']", a.scheduler))
    return with_warmup(node, a.warmup_factor, a.warmup_length, a.warmup_method, a.rescale_interval)


def node_of(context: ConfigContext, entry: Entry) -> Node:
    """Make the scheduler that a config entry describes."""
    name = lookup(f"{entry.where}['type']", entry.type.removeprefix("detectron2."), INNER)
    made: Node = build(INNER[name], Entry(entry.where, "", entry.values), context)
    return made


def _list_of_scalings(name: str, value: object) -> list[str]:
    check: Check = one_of("rescaled", "fixed")
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list of 'rescaled' and 'fixed', given {arguments.shown(value)}")
    return [check(name, text(name, one)) for one in value]


# fmt: off
ENDS: Arguments = {"start_value": number, "end_value": number}
INNER = {
    "CompositeParamScheduler": EntryType("Schedulers one after another, each for a part of the run.",
        {"schedulers": unchecked, "lengths": list_of_numbers, "interval_scaling": (_list_of_scalings, None)},
        _composite),
    "ConstantParamScheduler": EntryType("A constant factor.", {"value": number}, _constant),
    "CosineParamScheduler": EntryType("Half a cosine.", ENDS, _cosine),
    "ExponentialParamScheduler": EntryType("An exponential decay.", {"start_value": number, "decay": positive},
        _exponential),
    "LinearParamScheduler": EntryType("A straight line.", ENDS, _linear),
    "MultiStepParamScheduler": EntryType("One value after another, from milestone to milestone.",
        {"values": list_of_numbers, "num_updates": (at_least_one, None), "milestones": (milestones, None)},
        _multi_step),
    "PolynomialDecayParamScheduler": EntryType("A polynomial decay to 0.",
        {"base_value": number, "power": not_negative}, _polynomial),
    "StepParamScheduler": EntryType("Values for equal parts of the run.",
        {"num_updates": positive, "values": list_of_numbers}, _step),
    "StepWithFixedGammaParamScheduler": EntryType("Multiplies by gamma after equal parts of the run.",
        {"base_value": positive, "num_decays": at_least_one, "gamma": positive, "num_updates": at_least_one},
        _fixed_gamma),
    "WarmupParamScheduler": EntryType("A warm-up before another scheduler.",
        {"scheduler": unchecked, "warmup_factor": number, "warmup_length": fraction,
        "warmup_method": (one_of("linear", "constant"), "linear"), "rescale_interval": (flag, False)}, _warmed_up),
}
# fmt: on
