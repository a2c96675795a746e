"""A value that several rules change one after another, as independent schedulers of one parameter do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule, common_groups, with_group_axis
from .rules_in_turn import Rule

CHUNK_SIZE, MOST_CHUNKS = 1024, 8  # events from one value that is kept to the next; chunks that are computed at once


@dataclass(frozen=True)
class Turn:
    """The events at which a rule changes the value: every ``every``-th event, with the number ``n = event // every``.

    Args:
        rule: the rule. Its step is ``n - begin``.
        begin: the number n of the first event in its window.
        end: the number n of the first event after its window; None for no end.
        every: events from one turn to the next.

    Raises:
        TypeError: ``rule`` is no rule; another argument is not a number.
        ValueError: another argument is negative or not whole, or ``every`` is 0; ``rule`` depends on what happens in
            training.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay, Scaling
        >>> Recursion(8.0, [Turn(Scaling(ExponentialDecay(1.0, 0.5)), end=3, every=2)])(np.arange(7)).tolist()
        [8.0, 8.0, 4.0, 4.0, 2.0, 2.0, 2.0]
    """

    rule: Rule = fields.instance(Rule, "a rule such as Scaling")
    begin: int = fields.whole_number(0)
    end: int | None = fields.whole_number(None)
    every: int = fields.whole_number(1, at_least=1)

    def __post_init__(self) -> None:
        """Checks the arguments."""
        fields.check(self)
        for part in vars(self.rule).values():
            if isinstance(part, Schedule) and not part.is_pure:
                raise ValueError(
                    f"rule must not depend on what happens in training, given {arguments.shown(self.rule)}"
                )


@dataclass(frozen=True)
class Recursion(Schedule):
    """A value that several rules change at each event, one after another.

    At each of its turns, a rule replaces the value v by ``v * a(k) + c(k)``, where k counts the events of the turn.

    It stands for several schedulers of one parameter whose windows overlap, and has no closed form: to seek to event i
    takes time in proportion to i, or to the end of the last window if that is before i. Compose schedules instead where
    you can.

    Args:
        initial_value: the value that the first rule changes; a float, or one for each of G parameter groups.
        turns: the rules with their turns, in their order at one event.
        start: the event number of this schedule's event 0.

    Shapes: ``(n,)``, or ``(n, G)`` where a value is a list.

    Raises:
        TypeError: ``turns`` is not a list of turns; another argument is not a number.
        ValueError: a value is NaN or infinite; ``start`` is negative or not whole; values for different numbers of
            groups.

    Example:
        >>> from lehr.handlers.schedules import Anneal, Approach, Cosine, Scaling
        >>> warmup = Scaling(Anneal(0.25, 1.0, duration=3))
        >>> annealing = Approach(Anneal(1.0, 0.0, 4, Cosine()), end_value=0.0, base_value=1.0)
        >>> Recursion(1.0, [Turn(warmup, end=4), Turn(annealing, end=4)])([0, 1, 2, 3, 4]).round(4).tolist()
        [0.25, 0.4268, 0.375, 0.1464, 0.1464]
    """

    goes_event_by_event = True
    initial_value: Number = fields.value()
    turns: Sequence[Turn] = fields.list_of(
        partial(arguments.instance, wanted=Turn, rule="a Turn"),
        groups=lambda turns: common_groups([turn.rule for turn in turns]),
    )
    start: int = fields.whole_number(0)
    _chunk_starts: list[Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Checks the turns, and keeps them as a tuple."""
        super().__post_init__()
        initial = np.asarray(self.initial_value, dtype=np.float64)
        self._set(_chunk_starts=[np.broadcast_to(initial, (self.groups,)) if self.groups else initial])

    @property
    def length(self) -> float | None:
        """The event index of the last turn in a window that ends."""
        return max((turn.end * turn.every for turn in self.turns if turn.end is not None), default=None)

    def values(self, indices: Array) -> Array:
        """Goes from event to event. The value before each chunk of events is kept, to go on from there.

        No chunk is computed twice: its rules may have recursions in them, whose work would double at each level.
        """
        indices = np.minimum(indices, max(self._last() - self.start, 0))
        values = np.empty((len(indices), *([] if self.groups is None else [self.groups])))
        chunks = (indices // CHUNK_SIZE).astype(int)
        known = np.unique(chunks[chunks < len(self._chunk_starts) - 1])
        for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
            for first in range(0, len(run), MOST_CHUNKS):
                self._fill(values, indices, run[first], min(len(run) - first, MOST_CHUNKS))
        while (chunk := len(self._chunk_starts) - 1) <= chunks.max(initial=-1):
            computed = self._fill(values, indices, chunk, min(chunks.max() + 1 - chunk, MOST_CHUNKS))
            self._chunk_starts.extend(computed[CHUNK_SIZE - 1 :: CHUNK_SIZE].copy())
        return values

    def _fill(self, values: Array, indices: Array, chunk: int, number: int) -> Array:
        """Computes some chunks, and writes the values of the events in them."""
        computed = self._chunks(chunk, number)
        at = indices - chunk * CHUNK_SIZE
        inside = (at >= 0) & (at < len(computed))
        values[inside] = computed[at[inside].astype(int)]
        return computed

    def _last(self) -> float:
        """The event after which the value does not change."""
        return max((np.inf if turn.end is None else turn.end * turn.every for turn in self.turns), default=0)

    def _chunks(self, chunk: int, number: int = 1) -> Array:
        """The values of some chunks of events, from the value before them."""
        events = np.arange(self.start + chunk * CHUNK_SIZE, self.start + (chunk + number) * CHUNK_SIZE)
        shape = np.shape(self._chunk_starts[0])
        if not self.turns:
            return np.tile(self._chunk_starts[chunk], (len(events), *(1 for _ in shape)))
        a, c = (make((len(events), len(self.turns), *shape)) for make in (np.ones, np.zeros))
        active = []
        for at, turn in enumerate(self.turns):
            where, steps = _steps_at(turn, events, self.start)
            if len(steps):
                active.append(at)
                for table, one in zip((a, c), turn.rule.coefficients(_whole_vectors(steps)), strict=True):
                    table[where, at] = with_group_axis(one[-len(steps) :], bool(shape))
        values = self._from(chunk, a[:, active or [0]], c[:, active or [0]])
        # The other rules, whose a is 1 and whose c is 0, change only the sign of a zero.
        return values if len(active) == len(self.turns) or values.all() else self._from(chunk, a, c)

    def _from(self, chunk: int, a: Array, c: Array) -> Array:
        """The values from the one before a chunk on, for coefficients ``(events, turns)`` or ``(events, turns, G)``."""
        events, turns, *shape = a.shape
        columns = self.groups or 1
        start, flat = self._chunk_starts[chunk].reshape(columns), (-1, columns)
        values = np.stack(list(map(_applied, start.tolist(), a.reshape(flat).T, c.reshape(flat).T)), axis=1)
        return values[turns - 1 :: turns].reshape(events, *shape)


def _steps_at(turn: Turn, events: NDArray[Any], start: int) -> tuple[Any, Array]:
    """The positions in ``events`` at which a rule changes the value, and the steps of the rule there.

    Args:
        turn: the rule and its events.
        events: rising event numbers without gaps.
        start: an event at which the rule changes the value although ``every`` does not divide it.
    """
    last = np.inf if turn.end is None else turn.end
    if turn.every == 1 and turn.begin <= events[0] and events[-1] < last:  # the usual case, and quick to see
        return slice(None), events - float(turn.begin)
    numbers = events // turn.every
    has_turn = (events % turn.every == 0) | (events == start)
    where = np.flatnonzero(has_turn & (numbers >= turn.begin) & (numbers < last))
    return where, numbers[where] - float(turn.begin)


def _whole_vectors(steps: Array) -> Array:
    """Rising steps with more before them, so that their number is a multiple of 64.

    NumPy computes such arrays in whole vectors of the processor, so a value has the same bits in every array.
    """
    more = -len(steps) % 64
    return np.concatenate([np.maximum(steps[0] - np.arange(more, 0, -1), 0), steps]) if more else steps


def _applied(value: float, a: Array, c: Array) -> Array:
    """Values, each of which is the one before times its ``a``, plus its ``c``."""
    if not c.any():
        factors = a.copy()
        factors[0] *= value
        values = np.multiply.accumulate(factors)  # in the order of the loop, but without the sign of a zero
        if values.all():
            return values
    return np.array([value := value * factor + term for factor, term in zip(a.tolist(), c.tolist(), strict=True)])
