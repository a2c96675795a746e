"""Several rules that change one value in turn, as independent schedulers of one parameter do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule, checked_schedule, common_groups, schedule_field, with_group_axis
from .decays import GammaDecay

CHUNK_SIZE = 1024  # events
TINY = 1e-290  # a factor below it has lost digits


class Rule(ABC):
    """A change of a value v: at its step k, a rule replaces v by ``v * a(k) + c(k)``."""

    def __post_init__(self) -> None:
        """Checks the arguments."""
        fields.check(self)

    @property
    def groups(self) -> int | None:
        """The number of parameter groups that the rule has values for; None for one value for all groups."""
        return fields.groups_of(self)

    @abstractmethod
    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """The arrays a and c at these steps, ``(n,)`` or ``(n, G)`` each."""


@dataclass(frozen=True)
class Scaling(Rule):
    """Multiplies the value: ``a = factors(k) / factors(k - 1)``. Alone, the rule gives ``v_0 * factors(k)``.

    Args:
        factors: a schedule of factors.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay
        >>> Scaling(ExponentialDecay(1.0, gamma=0.5)).coefficients(np.array([0.0, 1.0, 2.0]))[0].tolist()
        [1.0, 0.5, 0.5]
    """

    factors: Schedule = schedule_field()

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """The formula of the class docstring; after a factor of 0, ``a`` is 1, or the power of ``gamma`` of a decay."""
        last = np.maximum(steps - 1, 0)
        now, before = self.factors.values(steps), self.factors.values(last)
        before = np.where(steps.reshape(-1, *[1] * (now.ndim - 1)) == 0, 1.0, before)
        over = np.where(now == 0, 1.0, 0.0)
        divisible = before != 0
        if isinstance(self.factors, GammaDecay):
            again = self.factors.gamma ** (self.factors.times(steps) - self.factors.times(last))
            over = np.broadcast_to(with_group_axis(again, now.ndim == 2), now.shape).copy()
            divisible = np.abs(before) > TINY
        return np.divide(now, before, out=over, where=divisible), np.zeros_like(now)


@dataclass(frozen=True)
class Approach(Rule):
    """Moves the value towards an end value. Alone, the rule gives ``end + (v_0 - end) * weights(k)``.

    ``a = weights(k) / weights(k - 1)`` and ``c = end * (1 - a)``. Where the value has reached the end and the weights
    rise again, ``a = 1`` and ``c = (base - end) * weights(k)``.

    Args:
        weights: a schedule of weights from 1 to 0.
        end_value: the end value; a float, or one for each of G parameter groups.
        base_value: the value that rising weights lead back to, likewise.
        restarts: steps at which the value is set to one of ``restart_values``.
        restart_values: a value for each of ``restarts``, or a list of G.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> a, c = Approach(Anneal(1.0, 0.0, duration=2), end_value=8.0, base_value=1.0).coefficients(np.arange(3.0))
        >>> a.tolist(), c.tolist()
        ([1.0, 0.5, 0.0], [0.0, 4.0, 8.0])
    """

    weights: Schedule = fields.argument(checked_schedule)
    end_value: Number = fields.value()
    base_value: Number = fields.value()
    restarts: Sequence[float] = fields.list_of(arguments.number, ())
    restart_values: Sequence[Number] = fields.list_of(
        arguments.number_or_numbers, (), groups=lambda values: arguments.groups_of(*values)
    )

    def __post_init__(self) -> None:
        """Checks the arguments, and keeps the sequences as tuples."""
        super().__post_init__()
        if len(self.restarts) != len(self.restart_values):
            raise ValueError(
                f"restart_values must be as many as the {len(self.restarts)} restarts, "
                f"given {arguments.shown(self.restart_values)}"
            )

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """The formula of the class docstring."""
        end, base = np.asarray(self.end_value, dtype=np.float64), np.asarray(self.base_value, dtype=np.float64)
        now, before = self.weights.values(steps), self.weights.values(np.maximum(steps - 1, 0))
        before = np.where(steps == 0, 1.0, before)
        over = np.abs(before) < 1e-14  # a cosine does not end exactly at 0
        a = np.divide(now, before, out=np.ones_like(now), where=~over)
        if self.groups is not None:
            a, now, over = a[:, None] * np.ones(self.groups), now[:, None], over[:, None]
        c = np.where(over, (base - end) * now, end * (1 - a))
        for step, value in zip(self.restarts, self.restart_values, strict=True):
            a[steps == step], c[steps == step] = 0.0, value
        return a, c


@dataclass(frozen=True)
class Assignment(Rule):
    """Replaces the value: ``a = 0``; or multiplies it at the first step, by ``first_factor``.

    Args:
        schedule: the values.
        first_factor: the factor of the value at step 0; None to replace the value at step 0, too.

    Example:
        >>> from lehr.handlers.schedules import Constant
        >>> a, c = Assignment(Constant(0.5), first_factor=0.1).coefficients(np.arange(3.0))
        >>> a.tolist(), c.tolist()
        ([0.1, 0.0, 0.0], [0.0, 0.5, 0.5])
    """

    schedule: Schedule = schedule_field()
    first_factor: float | None = fields.number(None)

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """The formula of the class docstring."""
        c = np.array(self.schedule.values(steps))
        a = np.zeros_like(c)
        if self.first_factor is not None:
            a[steps == 0], c[steps == 0] = self.first_factor, 0.0
        return a, c


@dataclass(frozen=True)
class Turn:
    """The events at which a rule changes the value: every ``every``-th event, with the number ``n = event // every``.

    Args:
        rule: the rule. Its step is ``n - begin``.
        begin: the first n of its window.
        end: the first n after its window; None for no end.
        every: events from one turn to the next.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay
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

    It stands for several schedulers of one parameter whose windows overlap, and has no closed form: to seek to event i
    takes time in proportion to i, or to the end of the last window if that is before i. Compose schedules instead where
    you can.

    Args:
        initial_value: the value that the first rule changes; a float, or one for each of G parameter groups.
        turns: the rules with their turns, in their order at one event.
        start: the event number of this schedule's event 0.

    Shapes: ``(n,)``, or ``(n, G)`` where a value is a list.

    Example:
        >>> from lehr.handlers.schedules import Anneal, Cosine
        >>> warmup = Scaling(Anneal(0.25, 1.0, duration=3))
        >>> annealing = Approach(Anneal(1.0, 0.0, 4, Cosine()), end_value=0.0, base_value=1.0)
        >>> Recursion(1.0, [Turn(warmup, end=4), Turn(annealing, end=4)])([0, 1, 2, 3, 4]).round(4).tolist()
        [0.25, 0.4268, 0.375, 0.1464, 0.1464]
    """

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
        """Goes from event to event. The value before each chunk of events is kept, to go on from there."""
        indices = np.minimum(indices, max(self._last() - self.start, 0))
        chunks = (indices // CHUNK_SIZE).astype(int)
        values = np.empty((len(indices), *([] if self.groups is None else [self.groups])))
        while len(self._chunk_starts) <= chunks.max(initial=0):
            self._chunk_starts.append(self._chunk(len(self._chunk_starts) - 1)[-1])
        for chunk in np.unique(chunks):
            wanted = chunks == chunk
            values[wanted] = self._chunk(chunk)[(indices[wanted] - chunk * CHUNK_SIZE).astype(int)]
        return values

    def _last(self) -> float:
        """The event after which the value does not change."""
        return max((np.inf if turn.end is None else turn.end * turn.every for turn in self.turns), default=0)

    def _chunk(self, chunk: int) -> Array:
        """The values of a chunk of events, from the value before it."""
        events = np.arange(self.start + chunk * CHUNK_SIZE, self.start + (chunk + 1) * CHUNK_SIZE)
        shape = np.shape(self._chunk_starts[0])
        rows: list[tuple[Array, Array]] = []
        for turn in self.turns:
            numbers = events // turn.every
            has_turn = (events % turn.every == 0) | (events == self.start)
            has_turn &= (numbers >= turn.begin) & (numbers < (np.inf if turn.end is None else turn.end))
            steps = np.where(has_turn, numbers - turn.begin, 0).astype(np.float64)
            a, c = (
                np.broadcast_to(with_group_axis(one, bool(shape)), (len(events), *shape))
                for one in turn.rule.coefficients(steps)
            )
            where = has_turn.reshape(-1, *[1] * len(shape))
            rows.append((np.where(where, a, 1.0), np.where(where, c, 0.0)))
        values, value = np.empty((len(events), *shape)), self._chunk_starts[chunk]
        for position in range(len(events)):
            for a, c in rows:
                value = value * a[position] + c[position]
            values[position] = value
        return values
