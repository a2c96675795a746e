"""The schedulers that mmagic adds to mmengine's, by their names and arguments."""

from dataclasses import replace

from lehr.handlers.config.argument_checks import AtLeastOne, Count, Flag, LastStep, NotNegative, Real, Text
from lehr.handlers.config.context import Target
from lehr.handlers.config.entries import Entry, call
from lehr.handlers.config.entry_schedules import Piece
from lehr.handlers.schedules import (
    Anneal,
    Assignment,
    Concatenation,
    Constant,
    Plateau,
    Product,
    Schedule,
    Shift,
    Window,
)
from lehr.handlers.schedules.arguments import Number

from .mmengine import built, clocked, scaling
from .mmengine_windows import INFINITY, Clock


def linear_interval(
    target: Target, clock: Clock, interval: AtLeastOne = 1, start_factor: Real = 1 / 3, end_factor: Real = 1.0
) -> Piece:
    """A factor of the value on a straight line, which moves every interval steps."""
    times = clock.steps // interval
    if clock.steps == 1:
        return scaling(target, clock, Constant(start_factor))
    if not times:
        raise ValueError(f"['interval'] must be at most the {clock.steps} steps of the window, given {interval}")
    line = Anneal(start_factor, end_factor, times * interval)
    # The first step multiplies what it finds; the others write the line, which is one step behind.
    moved = Shift(Window(line, interval=interval), by=-1)

    def alone(value: Number) -> Schedule:
        return Concatenation([Product([Constant(value), Constant(start_factor)]), Shift(moved, by=1)], [1])

    return clocked(target, clock, alone, Assignment(moved, first_factor=start_factor))


def reduce_lr(
    target: Target,
    mode: Text = "min",
    factor: NotNegative = 0.1,
    patience: Count = 10,
    threshold: Real = 1e-4,
    threshold_mode: Text = "rel",
    cooldown: Count = 0,
    min_lr: NotNegative = 0.0,
    eps: NotNegative = 1e-8,
    begin: Count = 0,
    end: Count = INFINITY,
    by_epoch: Flag = True,
    metric_name: Text = "loss",
    last_step: LastStep = -1,
    verbose: Flag = False,
) -> Piece:
    """Multiplies by a factor when a metric has stopped improving."""
    if end <= begin:
        raise ValueError(f"['end'] must be more than begin, {begin}, given {end}")
    kept = (mode, factor, patience, threshold, threshold_mode, cooldown, min_lr, eps)

    def alone(value: Number) -> Schedule:
        return Plateau(*kept, initial_value=value, begin=begin, end=end - 1, eps_before_floor=True)

    every = target.epoch_length if by_epoch and target.epoch_length is not None else 1
    return Piece("", target, alone, None, None, metric_name, every)


NAMES = ("LinearLrInterval", "ReduceLR")


def mmagic_piece(target: Target, name: str, given: Entry) -> Piece:
    """What an entry of the mmagic dialect comes to."""
    if name == "LinearLrInterval":
        return built(target, linear_interval, given)
    piece: Piece = call(reduce_lr, given, target)
    return replace(piece, where=given.where)
