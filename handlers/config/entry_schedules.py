"""What an entry of a config comes to: a schedule, and how it gets on with others on the same parameter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from lehr.handlers.schedules import (
    Concatenation,
    Constant,
    Plateau,
    Product,
    Recursion,
    Reduced,
    Schedule,
    Shift,
    SideBySide,
    Turn,
)
from lehr.handlers.schedules.arguments import Number

from .context import Target

LIMIT = 1_000_000  # events that are gone through one by one to see where the next window begins


@dataclass(frozen=True)
class Piece:
    """One entry, understood.

    Args:
        where: where the entry stands.
        target: what it is for.
        alone: the schedule, if it begins with this value and is not disturbed.
        turn: what it does to a value that others change too; None where it cannot be one of several.
        momentum: the schedule of the momentum that goes with it.
        metric_name: the metric that it is driven by.
        metric_every: every how many events there is a new one.
        multiplies: whether it does nothing but multiply what it finds.
        duration: how many events it takes, if that can be said.
        covers: which of the param groups it is for; None for all.
    """

    where: str
    target: Target
    alone: Callable[[Number], Schedule]
    turn: Turn | None = None
    momentum: Schedule | None = None
    metric_name: str | None = None
    metric_every: int = 1
    multiplies: bool = False
    duration: int | None = None
    covers: tuple[bool, ...] | None = None

    @property
    def window(self) -> tuple[float, float]:
        """The first event at which it does something, and the first one after its last."""
        assert self.turn is not None
        end = np.inf if self.turn.end is None else self.turn.end * self.turn.every
        return self.turn.begin * self.turn.every, end


def together(pieces: Sequence[Piece]) -> Schedule:
    """The schedule of several entries for one parameter, each of which works upon what the others have left.

    Those that only multiply are multiplied; those whose windows do not overlap follow one another; others take
    their turns event by event.

    Raises:
        ValueError: one of them cannot be one of several.
    """
    own = pieces[0].target.own
    if any(piece.covers is not None for piece in pieces):
        return _beside(pieces)
    if len(pieces) == 1:
        return pieces[0].alone(own)
    driven = [piece for piece in pieces if piece.metric_name is not None]
    if driven:
        return _reduced(driven, [piece for piece in pieces if piece.metric_name is None])
    for piece in pieces:
        if piece.turn is None and not (piece.multiplies and all(one.multiplies for one in pieces)):
            others = [one.where for one in pieces if one is not piece]
            raise ValueError(
                f"{piece.where} and {others[0]} both write {piece.target.param_name!r}: put them one after another "
                "with 'sequential': true, or into a ChainedScheduler to multiply them"
            )
    return _multiplied(pieces, own) if all(piece.multiplies for piece in pieces) else _in_clusters(pieces, own)


def _multiplied(pieces: Sequence[Piece], value: Number) -> Schedule:
    """A value times what several entries that do nothing but multiply make of it."""
    return Product([Constant(value), *(piece.alone(1.0) for piece in pieces)])


def _reduced(driven: Sequence[Piece], others: Sequence[Piece]) -> Schedule:
    """What is driven by a metric, upon others that do nothing but multiply."""
    own = driven[0].target.own
    plateau = driven[0].alone(own)
    unfit = [*driven[1:], *(piece for piece in others if not piece.multiplies)]
    if unfit:
        raise ValueError(f"{unfit[0].where} cannot be beside {driven[0].where}, which is driven by a metric")
    schedule = _multiplied(others, own)
    if not isinstance(plateau, Plateau) or not schedule.is_pure:
        raise ValueError(f"{driven[0].where}, which is driven by a metric, must be the only entry for its parameter")
    return Reduced(schedule, plateau)


def _in_clusters(pieces: Sequence[Piece], own: Number) -> Schedule:
    """One cluster of windows that overlap after another, each beginning with the last value of the one before."""
    clusters: list[list[Piece]] = []
    reach = -1.0
    for piece in sorted(pieces, key=lambda piece: piece.window[0]):
        begin, end = piece.window
        if begin >= reach:
            clusters.append([])
        clusters[-1].append(piece)
        reach = max(reach, end)
    schedules: list[Schedule] = []
    starts: list[int] = []
    value = own
    for cluster in clusters:
        begin = int(cluster[0].window[0])
        if begin > LIMIT and isinstance(schedules[-1] if schedules else None, Recursion):
            raise ValueError(
                f"{cluster[0].where}: what follows windows that overlap must begin within {LIMIT} events, given {begin}"
            )
        if schedules:
            value = _number(schedules[-1](begin - starts[-1] - 1 if begin > starts[-1] else 0))
        elif begin > 0:
            schedules, starts = [Constant(value)], [0]
        if len(cluster) == 1 or all(piece.multiplies for piece in cluster):
            whole = cluster[0].alone(value) if len(cluster) == 1 else _multiplied(cluster, value)
            schedule: Schedule = Shift(whole, by=begin) if begin else whole
        else:
            in_order = [piece for piece in pieces if piece in cluster]
            turns = [piece.turn for piece in sorted(in_order, key=lambda piece: piece.turn.every)]  # type: ignore[union-attr]
            schedule = Recursion(value, turns, start=begin)  # type: ignore[arg-type]
        schedules.append(schedule)
        starts.append(begin)
    if len(schedules) == 1:
        return schedules[0]
    return Concatenation(schedules, np.diff(starts).tolist())


def _beside(pieces: Sequence[Piece]) -> Schedule:
    """Entries for different param groups, side by side."""
    target = pieces[0].target
    columns: list[Schedule] = []
    for group, initial in enumerate(target.initial):
        own = [piece for piece in pieces if piece.covers is None or piece.covers[group]]
        if len(own) > 1:
            raise ValueError(
                f"{own[0].where} and {own[1].where} both write {target.param_name!r} of param group {group}"
            )
        columns.append(column(own[0].alone(target.own), group) if own else Constant(initial))
    return SideBySide(columns)


def column(schedule: Schedule, group: int) -> Schedule:
    """The schedule of one group alone, out of one that is made of columns."""
    return schedule.schedules[group] if isinstance(schedule, SideBySide) else schedule


def one_after_another(pieces: Sequence[Piece], durations: Sequence[int]) -> Schedule:
    """The schedule of several entries, each from its event 0 and from what the groups hold now."""
    own = pieces[0].target.own
    if len(pieces) == 1:
        return pieces[0].alone(own)
    starts = accumulate(durations, initial=0)
    return Concatenation([_begun(piece, own, start) for piece, start in zip(pieces, starts, strict=True)], durations)


def _begun(piece: Piece, own: Number, start: int) -> Schedule:
    """A schedule that is in force from an event on, and does not count the metrics before."""
    schedule = piece.alone(own)
    if piece.metric_name is None or not start:
        return schedule
    if not isinstance(schedule, Plateau):
        raise ValueError(f"{piece.where}, which is driven by a metric, must come first or be a plain plateau")
    return replace(schedule, begin=schedule.begin + start // piece.metric_every)


def _number(value: object) -> Number:
    return value.tolist() if isinstance(value, np.ndarray) else value  # type: ignore[return-value]
