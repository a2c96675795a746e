"""The schedule :class:`Recursion`: a value that several rules change one after another at the same events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule, common_groups, with_group_axis
from .chainable_rules import Rule

# The number of events from one stored value to the next, and the number of chunks that are computed at once.
CHUNK_SIZE, MOST_CHUNKS = 1024, 8


@dataclass(frozen=True)
class Turn:
    """A rule, and the events at which it changes the value: the events ``n * every`` with ``begin <= n < end``.

    Args:
        rule: the rule. Its step at event ``n * every`` is ``n - begin``.
        begin: the number n of the first event at which the rule is applied.
        end: the number n of the first event after ``begin`` at which the rule is not applied; None for no end.
        every: the number of events from one change of the value to the next.

    Raises:
        TypeError: ``rule`` is not a rule; another argument is not a number.
        ValueError: another argument is negative or not whole, or ``every`` is 0; ``rule`` contains a schedule that is
            not pure.

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
        """Check the arguments."""
        fields.check(self)
        for part in vars(self.rule).values():
            if isinstance(part, Schedule) and not part.is_pure:
                raise ValueError(f"rule must contain only pure schedules, given {arguments.shown(self.rule)}")


@dataclass(frozen=True)
class Recursion(Schedule):
    """A value that several rules change at each event, one after another.

    At each event of a :class:`Turn`, the rule of the turn replaces the value v by ``v * a(k) + c(k)``, where k is the
    step of the rule.

    Use this schedule for several schedulers of one parameter that change the value at the same events. If you can,
    compose schedules instead: a recursion has no closed form, so a seek to event i computes the values of all earlier
    events, up to the event at which the last turn ends.

    Args:
        initial_value: the value before the first change; a float, or a list of G floats, one for each param group.
        turns: the rules and their events. At one event, the rules are applied in this order.
        start: the event number that the turns use for event 0 of this schedule.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if a value is a list.

    Raises:
        TypeError: ``turns`` is not a list of turns; another argument is not a number.
        ValueError: a value is NaN or infinite; ``start`` is negative or not whole; two arguments have values for
            different numbers of groups.

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
        """Check the arguments, and store the value before event 0."""
        super().__post_init__()
        initial = np.asarray(self.initial_value, dtype=np.float64)
        self._set(_chunk_starts=[np.broadcast_to(initial, (self.groups,)) if self.groups else initial])

    @property
    def length(self) -> float | None:
        """The first event after all turns that have an end; None if no turn has an end."""
        return max((turn.end * turn.every for turn in self.turns if turn.end is not None), default=None)

    def values(self, indices: Array) -> Array:
        """Compute the values event by event, in chunks. The value before each chunk is stored for later calls.

        One call computes each chunk only once. If it computed a chunk twice, the work would double at each level of
        recursions inside rules.
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
        """Compute ``number`` chunks from ``chunk`` on, and write the values of their events to ``values``."""
        computed = self._chunks(chunk, number)
        at = indices - chunk * CHUNK_SIZE
        inside = (at >= 0) & (at < len(computed))
        values[inside] = computed[at[inside].astype(int)]
        return computed

    def _last(self) -> float:
        """Return the event after which the value stays the same; infinity if a turn has no end."""
        return max((np.inf if turn.end is None else turn.end * turn.every for turn in self.turns), default=0)

    def _chunks(self, chunk: int, number: int = 1) -> Array:
        """Return the values of ``number`` chunks from ``chunk`` on, computed from the stored value before them."""
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
        if len(active) == len(self.turns):
            return self._from(chunk, a, c)
        values = self._from(chunk, a[:, active or [0]], c[:, active or [0]])
        # The inactive rules have a = 1 and c = 0 here, so they can only change the sign of a zero.
        return values if values.all() else self._from(chunk, a, c)

    def _from(self, chunk: int, a: Array, c: Array) -> Array:
        """Return the values from a chunk on, for coefficients ``(events, turns)`` or ``(events, turns, G)``."""
        events, turns, *shape = a.shape
        columns = self.groups or 1
        start, flat = self._chunk_starts[chunk].reshape(columns), (-1, columns)
        every = [turns] * columns
        values = np.stack(list(map(_applied, start.tolist(), a.reshape(flat).T, c.reshape(flat).T, every)), axis=1)
        return values.reshape(events, *shape)


def _steps_at(turn: Turn, events: NDArray[Any], start: int) -> tuple[Any, Array]:
    """Return the positions in ``events`` at which a rule changes the value, and the step of the rule at each.

    Args:
        turn: the rule and its events.
        events: consecutive event numbers in rising order.
        start: an event number at which the rule changes the value even if ``every`` does not divide this number.
    """
    last = np.inf if turn.end is None else turn.end
    if turn.every == 1 and turn.begin <= events[0] and events[-1] < last:  # the usual case, which is fast to check
        return slice(None), events - float(turn.begin)
    numbers = events // turn.every
    has_turn = (events % turn.every == 0) | (events == start)
    where = np.flatnonzero(has_turn & (numbers >= turn.begin) & (numbers < last))
    return where, numbers[where] - float(turn.begin)


def _whole_vectors(steps: Array) -> Array:
    """Return consecutive steps, with earlier steps before them so that the number of all steps is a multiple of 64.

    NumPy computes such arrays in whole vectors of the processor, so a value has the same bits in every array.
    """
    more = -len(steps) % 64
    return np.concatenate([np.maximum(steps[0] - np.arange(more, 0, -1), 0), steps]) if more else steps


def _applied(value: float, a: Array, c: Array, every: int) -> Array:
    """Return every ``every``-th of the values ``v_k = v_{k-1} * a[k] + c[k]``; the first ``v_{k-1}`` is ``value``."""
    if not c.any():
        factors = a.copy()
        factors[0] *= value
        # NumPy rounds as the loop below does, but may give a zero another sign, so the result must not have zeros.
        values = np.multiply.accumulate(factors)
        if values.all():
            return values[every - 1 :: every]
    each = [value := value * factor + term for factor, term in zip(a.tolist(), c.tolist(), strict=True)]
    return np.array(each[every - 1 :: every])
