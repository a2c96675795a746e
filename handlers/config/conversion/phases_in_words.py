"""Describes the phases of a schedule in sentences: their events, and how the value changes."""

import math
from typing import Any

from lehr.handlers.core.duration_unit_checks import GivenUnit
from lehr.handlers.schedules import (
    Anneal,
    Constant,
    Cosine,
    Curve,
    Cyclic,
    Exponential,
    ExponentialDecay,
    Greedy,
    InverseTimeDecay,
    Linear,
    Logarithmic,
    MultiStepDecay,
    OneCycle,
    Plateau,
    Polynomial,
    Power,
    PowerDecay,
    Product,
    Recursion,
    Reduced,
    Restarts,
    Reversed,
    Schedule,
    Shift,
    StepDecay,
)
from lehr.handlers.schedules.description_as_data import description_of, text_of

from .split_into_phases import Phase


def in_words(phase: Phase, given: GivenUnit | None = None) -> str:
    """Return a sentence about a phase: its events, and how the value changes.

    Args:
        phase: the phase.
        given: the unit in which the sentence says where in the run the phase ends. If None, the sentence does not say
            this.

    Example:
        >>> in_words(Phase(Anneal(0.0, 0.1, duration=500), 0, 500))
        'events 0 to 499: from 0 to 0.1 on a straight line in 500 steps'
        >>> in_words(Phase(StepDecay(0.1, gamma=0.5, step_size=30), 0, math.inf, every=10))
        'event 0 and later: from 0.1, times 0.5 every 30 steps of 10 events'
    """
    each = f" of {phase.every} events" if phase.every > 1 and not isinstance(phase.schedule, Constant) else ""
    whole = None if given is None or math.isinf(phase.end) else given.run.num_events
    part = None if given is None or whole is None else given.in_words(phase.end, whole)
    until = "" if part is None else f" (to {part})"
    return f"{events_of(phase)}{until}: {words_of(phase.schedule)}{each}"


def events_of(phase: Phase) -> str:
    """Return a text with the events of a phase."""
    if math.isinf(phase.end):
        return f"event {phase.begin} and later"
    last = int(phase.end) - 1
    return f"event {last}" if last == phase.begin else f"events {phase.begin} to {last}"


def words_of(schedule: Schedule) -> str:
    """Return a text that says how the value of a simple schedule changes."""
    match schedule:
        case Constant(value=value):
            return f"constant at {_g(value)}"
        case Anneal(start_value=start, end_value=end, duration=duration, curve=curve, beyond=beyond):
            again = {"hold": "", "mirror": ", and back and forth", "stretch": ", again and again"}[beyond]
            return f"from {_g(start)} to {_g(end)} {_curve(curve)}{again} in {_g(duration)} steps"
        case StepDecay(initial_value=value, gamma=gamma, step_size=size):
            return f"from {_g(value)}, times {_g(gamma)} every {_g(size)} steps"
        case MultiStepDecay(initial_value=value, gamma=gamma, milestones=milestones):
            shown = ", ".join(map(str, milestones[:8])) + (", ..." if len(milestones) > 8 else "")
            return f"from {_g(value)}, times {_g(gamma)} at the steps {shown}"
        case ExponentialDecay(initial_value=value, gamma=gamma):
            return f"from {_g(value)}, times {_g(gamma)} at each of the steps"
        case PowerDecay(initial_value=value, timescale=timescale, power=power):
            return f"from {_g(value)}, with the power -{_g(power)} of time, in units of {_g(timescale)} steps"
        case InverseTimeDecay(initial_value=value):
            return f"from {_g(value)}, with the inverse of time, in steps"
        case Restarts(start_value=start, end_value=end, periods=periods, period_mult=mult, curve=curve):
            longer = f", each {_g(mult)} times as long as the one before," if mult != 1 else ""
            return f"from {_g(start)} to {_g(end)} {_curve(curve)}, again and again{longer} in {_g(periods)} steps"
        case OneCycle(max_value=high, total_steps=steps, base_value=None):
            return (
                f"one cycle from {_g(schedule(0))} up to {_g(high)} and down to {_g(schedule(steps))} in {steps} steps"
            )
        case OneCycle(max_value=high, total_steps=steps, base_value=low):
            return f"one cycle from {_g(high)} down to {_g(low)} and back in {steps} steps"
        case Cyclic(base_value=low, max_value=high, step_size_up=up, step_size_down=down):
            return f"triangles between {_g(low)} and {_g(high)}, {_g(up)} and {_g(down)} steps long"
        case Plateau(factor=factor, patience=patience, initial_value=value):
            return f"from {_g(value)}, times {_g(factor)} after more than {patience} metrics without an improvement"
        case Reduced(schedule=inner, plateau=plateau):
            return f"{words_of(inner)}; {words_of(plateau)}"
        case Greedy():
            return "falls while a metric does not improve, and rises while it does"
        case Recursion(turns=turns):
            return f"{len(turns)} schedules at the same time, each changing the value that the others leave"
        case Shift(schedule=inner, by=by) if by > 0:
            return f"{words_of(inner)}, from its step {by} on"
        case Product(schedules=schedules):
            return "the product of: " + "; ".join(words_of(one) for one in schedules)
    text = text_of(description_of(schedule))
    return text if len(text) <= 120 else f"{text[:117]}..."


def _curve(curve: Curve) -> str:
    match curve:
        case Linear():
            return "on a straight line"
        case Cosine():
            return "on half a cosine"
        case Polynomial(power=power):
            return f"on a polynomial of power {_g(power)}"
        case Power(power=power):
            return f"with the power {_g(power)} of progress"
        case Exponential():
            return "on an exponential"
        case Logarithmic():
            return "on a logarithm"
        case Reversed(curve=inner):
            return f"{_curve(inner)} backwards"
    return f"along {curve!r}"


def _g(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_g, value))
    return f"{value:.6g}"
