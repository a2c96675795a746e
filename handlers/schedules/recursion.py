"""The schedule :class:`Recursion`: a value that several rules change one after another at the same events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule, common_groups, with_group_axis
from .rules_in_turn import Rule

# The number of events from one stored value to the next, and the number of chunks that are computed at once.
CHUNK_SIZE, MOST_CHUNKS = 1024, 16


@dataclass(frozen=True)
class Turn:
    """A rule, and the events at which it changes the value: the events ``n * every`` with ``begin <= n < end``.

    Args:
        rule: the rule. Its step at event ``n * every`` is ``n - begin``.
        begin: the number n of the first event at which the rule is applied.
        end: the number n of the first event after ``begin`` at which the rule is not applied; None for no end.
        every: events from one change of the value to the next.

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

    At each event of a :class:`Turn`, its rule replaces the value v by ``v * a(k) + c(k)``, where k is the rule's step.

    Use this schedule for several schedulers of one parameter that change the value at the same events. If you can,
    compose schedules instead: a recursion has no closed form, so a seek to event i computes all earlier events, or all
    events until the last turn has ended.

    Args:
        initial_value: the value before the first change; a float, or a list of G floats, one for each param group.
        turns: the rules and their events. At one event, the rules are applied in this order.
        start: the event of the turns at which this schedule is at its event 0.

    Shapes: ``(n,)``, or ``(n, G)`` if a value is a list.

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

        One call computes each chunk only once. If a rule contains a recursion, its work would double at each level.
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
        a, c = (np.empty((len(events), len(self.turns), *shape)) for _ in range(2))
        for at, turn in enumerate(self.turns):
            numbers = events // turn.every
            has_turn = (events % turn.every == 0) | (events == self.start)
            has_turn &= (numbers >= turn.begin) & (numbers < (np.inf if turn.end is None else turn.end))
            steps = np.where(has_turn, numbers - turn.begin, 0).astype(np.float64)
            where = has_turn.reshape(-1, *[1] * len(shape))
            for table, one, otherwise in zip((a, c), turn.rule.coefficients(steps), (1.0, 0.0), strict=True):
                table[:, at] = np.where(where, with_group_axis(one, bool(shape)), otherwise)
        columns = self.groups or 1
        start, flat = self._chunk_starts[chunk].reshape(columns), (-1, columns)
        values = np.stack(list(map(_applied, start.tolist(), a.reshape(flat).T, c.reshape(flat).T)), axis=1)
        return values[len(self.turns) - 1 :: len(self.turns)].reshape(len(events), *shape)


def _applied(value: float, a: Array, c: Array) -> Array:
    """Return the values ``v_k = v_{k-1} * a[k] + c[k]``, where the first ``v_{k-1}`` is ``value``."""
    if not c.any():
        factors = a.copy()
        factors[0] *= value
        # This rounds as the loop below does, but a zero may have another sign. So it is used only without zeros.
        values = np.multiply.accumulate(factors)
        if values.all():
            return values
    return np.array([value := value * factor + term for factor, term in zip(a.tolist(), c.tolist(), strict=True)])
