"""Pictures of curves: the way of an ``Anneal``, a ``Cooldown`` or ``Restarts`` from one value to another."""

from dataclasses import replace

from gallery_picture import Picture, arguments_of, schedule, shown

from lehr.handlers.schedules import (
    Anneal,
    Cosine,
    Curve,
    Exponential,
    KDecay,
    Linear,
    Logarithmic,
    Polynomial,
    Power,
    Reversed,
    Rex,
    Stairs,
    Tanh,
)


def along(*curves: Curve) -> Picture:
    """A picture of a curve with different arguments."""
    variants = [(shown(curve), {"curve": curve}) for curve in curves]
    call = "Anneal(start_value=0.1, end_value=0, duration=100, curve=...)"
    one = schedule(Anneal, 120, *variants, call=call, start_value=0.1, end_value=0.0, duration=100)
    made = [(type(curve), arguments_of(curve)) for curve in curves]
    return replace(one, name=type(curves[0]).__name__, made=made)


CURVES = [
    along(Linear()),
    along(Cosine()),
    along(Polynomial(0.5), Polynomial(2.0), Polynomial(4.0)),
    along(Power(0.5), Power(2.0), Power(4.0)),
    along(Exponential(0.1), Exponential(0.01), Exponential(0.001)),
    along(Logarithmic(4.0), Logarithmic(10.0), Logarithmic(100.0)),
    along(Stairs(3), Stairs(5), Stairs(10)),
    along(Tanh(), Tanh(-3.0, 3.0), Tanh(-6.0, 6.0)),
    along(Rex(), Rex(0.8), Rex(0.95)),
    along(KDecay(Cosine(), 1.0), KDecay(Cosine(), 2.0), KDecay(Cosine(), 4.0)),
    along(Reversed(Power(0.5)), Reversed(Exponential(0.01)), Reversed(Rex())),
]
