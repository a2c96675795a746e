"""Several rules, each of which changes the value that it finds: what schedulers do that do not know one another."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arguments
from .arguments import Number
from .base import Array, Schedule, checked_schedule

CHUNK = 1024


class Rule(ABC):
    """What one scheduler makes of the value v that it finds: at its k-th step, ``v * a(k) + c(k)``."""

    @abstractmethod
    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """The arrays a and c at these steps, ``(n,)`` or ``(n, G)`` each."""

    @property
    @abstractmethod
    def groups(self) -> int | None:
        """How many parameter groups it has values for; None when it serves them all alike."""


@dataclass(frozen=True)
class Scaling(Rule):
    """It multiplies the value so that, alone, it would be ``v_0 * factors(k)``: ``a = factors(k) / factors(k - 1)``.

    Args:
        factors: a schedule of factors.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay
        >>> Scaling(ExponentialDecay(1.0, gamma=0.5)).coefficients(np.array([0.0, 1.0, 2.0]))[0].tolist()
        [1.0, 0.5, 0.5]
    """

    factors: Schedule

    def __post_init__(self) -> None:
        """Check that it is a schedule."""
        checked_schedule("factors", self.factors)

    @property
    def groups(self) -> int | None:
        """Those of the factors."""
        return self.factors.groups

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """As the class says; a factor that has come to 0, and stays there, leaves what it finds as it is."""
        now, before = self.factors.values(steps), self.factors.values(np.maximum(steps - 1, 0))
        before = np.where(steps.reshape(-1, *[1] * (now.ndim - 1)) == 0, 1.0, before)
        over = np.where(now == 0, 1.0, 0.0)
        return np.divide(now, before, out=over, where=before != 0), np.zeros_like(now)


@dataclass(frozen=True)
class Approach(Rule):
    """It takes a part of the way to an end value, so that, alone, it would be ``end + (v_0 - end) * weights(k)``.

    ``a = weights(k) / weights(k - 1)`` and ``c = end * (1 - a)``; where the end has been reached, and the weights
    rise again, ``a = 1`` and ``c = (base - end) * weights(k)``.

    Args:
        weights: a schedule of weights from 1 to 0.
        end_value: where it goes; a float, or one for each of G parameter groups.
        base_value: what it turns back to from there, likewise.
        restarts: steps at which it puts ``restart_values`` instead.
        restart_values: one value for each of them, or a list of G.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> a, c = Approach(Anneal(1.0, 0.0, duration=2), end_value=8.0, base_value=1.0).coefficients(np.arange(3.0))
        >>> a.tolist(), c.tolist()
        ([1.0, 0.5, 0.0], [0.0, 4.0, 8.0])
    """

    weights: Schedule
    end_value: Number
    base_value: Number
    restarts: Sequence[float] = ()
    restart_values: Sequence[Number] = ()

    def __post_init__(self) -> None:
        """Check the arguments, and keep the sequences as tuples."""
        checked_schedule("weights", self.weights)
        checked: dict[str, Any] = {
            "end_value": arguments.number_or_numbers("end_value", self.end_value),
            "base_value": arguments.number_or_numbers("base_value", self.base_value),
            "restarts": tuple(arguments.number("restarts", one) for one in arguments.listed("restarts", self.restarts)),
            "restart_values": tuple(
                arguments.number_or_numbers("restart_values", one)
                for one in arguments.listed("restart_values", self.restart_values)
            ),
        }
        if len(checked["restarts"]) != len(checked["restart_values"]):
            raise ValueError(
                f"restart_values must be as many as restarts, {list(self.restarts)}, given {self.restart_values!r}"
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def groups(self) -> int | None:
        """One value a group where there are several."""
        return arguments.groups_of(self.end_value, self.base_value, *self.restart_values)

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """As the class says."""
        end, base = np.asarray(self.end_value, dtype=np.float64), np.asarray(self.base_value, dtype=np.float64)
        now, before = self.weights.values(steps), self.weights.values(np.maximum(steps - 1, 0))
        before = np.where(steps == 0, 1.0, before)
        over = np.abs(before) < 1e-14  # a cosine does not quite arrive
        a = np.divide(now, before, out=np.ones_like(now), where=~over)
        if self.groups is not None:
            a, now, over = a[:, None] * np.ones(self.groups), now[:, None], over[:, None]
        c = np.where(over, (base - end) * now, end * (1 - a))
        for step, value in zip(self.restarts, self.restart_values, strict=True):
            a[steps == step], c[steps == step] = 0.0, value
        return a, c


@dataclass(frozen=True)
class Assignment(Rule):
    """It puts its own value in the place of what it finds: ``a = 0``; or, at its first step, multiplies that.

    Args:
        schedule: the values.
        first_factor: what the value is multiplied by at step 0; None to put the schedule's.

    Example:
        >>> from lehr.handlers.schedules import Constant
        >>> a, c = Assignment(Constant(0.5), first_factor=0.1).coefficients(np.arange(3.0))
        >>> a.tolist(), c.tolist()
        ([0.1, 0.0, 0.0], [0.0, 0.5, 0.5])
    """

    schedule: Schedule
    first_factor: float | None = None

    def __post_init__(self) -> None:
        """Check that it is a schedule."""
        checked_schedule("schedule", self.schedule)

    @property
    def groups(self) -> int | None:
        """Those of the schedule."""
        return self.schedule.groups

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """As the class says."""
        c = np.array(self.schedule.values(steps))
        a = np.zeros_like(c)
        if self.first_factor is not None:
            a[steps == 0], c[steps == 0] = self.first_factor, 0.0
        return a, c


@dataclass(frozen=True)
class Turn:
    """When a rule has its turns: once in every ``every`` events, with the number ``n = event // every``.

    Args:
        rule: the rule. Its step is ``n - begin``.
        begin: the first n of its window.
        end: the first n after it; None for no end.
        every: events from one turn to the next.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay
        >>> Recursion(8.0, [Turn(Scaling(ExponentialDecay(1.0, 0.5)), end=3, every=2)])(np.arange(7)).tolist()
        [8.0, 8.0, 4.0, 4.0, 2.0, 2.0, 2.0]
    """

    rule: Rule
    begin: int = 0
    end: int | None = None
    every: int = 1

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not isinstance(self.rule, Rule):
            raise TypeError(f"rule must be a rule such as Scaling, given {self.rule!r}")
        arguments.whole_number("begin", self.begin, at_least=0)
        arguments.whole_number("every", self.every, at_least=1)
        if self.end is not None:
            arguments.whole_number("end", self.end, at_least=0)
        for part in vars(self.rule).values():
            if isinstance(part, Schedule) and not part.ahead:
                raise ValueError(f"rule must not depend on what happens in training, given {self.rule!r}")


@dataclass(frozen=True)
class Recursion(Schedule):
    """A value that several rules change, event after event, each finding what the one before it has left.

    It is for schedulers that work upon one another in windows that overlap, and has no closed form: to seek to event
    i takes time in proportion to i, or to the end of the last window if that lies before. What can be composed of
    schedules is better composed.

    Args:
        initial_value: the value that the first rule finds; a float, or one for each of G parameter groups.
        turns: the rules and when they have their turns, in the order in which they come at one event.
        start: the number of the event that is this schedule's event 0.

    Shapes: ``(n,)``, or ``(n, G)`` where a value is a list.

    Example:
        >>> from lehr.handlers.schedules import Anneal, Cosine
        >>> warmup = Scaling(Anneal(0.25, 1.0, duration=3))
        >>> annealing = Approach(Anneal(1.0, 0.0, 4, Cosine()), end_value=0.0, base_value=1.0)
        >>> Recursion(1.0, [Turn(warmup, end=4), Turn(annealing, end=4)])([0, 1, 2, 3, 4]).round(4).tolist()
        [0.25, 0.4268, 0.375, 0.1464, 0.1464]
    """

    initial_value: Number
    turns: Sequence[Turn]
    start: int = 0
    _known: list[Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the turns, and keep them as a tuple."""
        for at, turn in enumerate(arguments.listed("turns", self.turns)):
            if not isinstance(turn, Turn):
                raise TypeError(f"turns[{at}] must be a Turn, given {turn!r}")
        self._set(
            initial_value=arguments.number_or_numbers("initial_value", self.initial_value),
            turns=tuple(self.turns),
            start=arguments.whole_number("start", self.start, at_least=0),
        )
        counts = {count for count in (arguments.groups_of(self.initial_value), *self._rule_groups()) if count}
        if len(counts) > 1:
            raise ValueError(f"turns must have values for as many groups as one another, given {sorted(counts)}")
        initial = np.asarray(self.initial_value, dtype=np.float64)
        self._set(_known=[np.broadcast_to(initial, (self.groups,)) if self.groups else initial])

    @property
    def groups(self) -> int | None:
        """One value a group where one of the rules or the initial value has it."""
        counts = [arguments.groups_of(self.initial_value), *self._rule_groups()]
        return next((count for count in counts if count is not None), None)

    @property
    def length(self) -> float | None:
        """Up to the last turn of the rules whose window ends."""
        return max((turn.end * turn.every for turn in self.turns if turn.end is not None), default=None)

    def _rule_groups(self) -> list[int | None]:
        return [turn.rule.groups for turn in self.turns]

    def values(self, indices: Array) -> Array:
        """Go from event to event; what is known at every so many events is kept to go on from."""
        indices = np.minimum(indices, max(self._last() - self.start, 0))
        chunks = (indices // CHUNK).astype(int)
        values = np.empty((len(indices), *([] if self.groups is None else [self.groups])))
        while len(self._known) <= chunks.max(initial=0):
            self._known.append(self._chunk(len(self._known) - 1)[-1])
        for chunk in np.unique(chunks):
            wanted = chunks == chunk
            values[wanted] = self._chunk(chunk)[(indices[wanted] - chunk * CHUNK).astype(int)]
        return values

    def _last(self) -> float:
        """The event after which nothing changes any more."""
        return max((np.inf if turn.end is None else turn.end * turn.every for turn in self.turns), default=0)

    def _chunk(self, chunk: int) -> Array:
        """The values of a chunk of events, from the one that is known before it."""
        events = np.arange(self.start + chunk * CHUNK, self.start + (chunk + 1) * CHUNK)
        shape = np.shape(self._known[0])
        rows: list[tuple[Array, Array]] = []
        for turn in self.turns:
            numbers = events // turn.every
            has_turn = (events % turn.every == 0) | (events == self.start)
            has_turn &= (numbers >= turn.begin) & (numbers < (np.inf if turn.end is None else turn.end))
            steps = np.where(has_turn, numbers - turn.begin, 0).astype(np.float64)
            a, c = (
                np.broadcast_to(one if one.ndim > len(shape) or not shape else one[:, None], (len(events), *shape))
                for one in turn.rule.coefficients(steps)
            )
            where = has_turn.reshape(-1, *[1] * len(shape))
            rows.append((np.where(where, a, 1.0), np.where(where, c, 0.0)))
        values, value = np.empty((len(events), *shape)), self._known[chunk]
        for at in range(len(events)):
            for a, c in rows:
                value = value * a[at] + c[at]
            values[at] = value
        return values
