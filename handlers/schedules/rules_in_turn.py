"""Rules by which several schedulers of one parameter each change the value that the others leave."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule, checked_schedule, schedule_field, with_group_axis
from .decays import GammaDecay

TINY = 1e-290  # a factor below it has lost digits


def _now_and_before(schedule: Schedule, steps: Array) -> tuple[Array, Array]:
    """The values of a schedule at these steps, and at the steps before them.

    It is asked once: a rule may have a recursion in it, whose rules have others, and the calls of each would multiply.
    """
    if (steps[1:] - steps[:-1] == 1).all():  # the usual case: all but one of the steps before are in ``steps``
        before = np.maximum(steps[0] - np.arange(64.0, 0, -1), 0)  # 64 of them: see read_block
        values = schedule.values(np.concatenate([before, steps]))
        return values[64:], values[63:-1]
    values = schedule.values(np.concatenate([steps, np.maximum(steps - 1, 0)]))
    return values[: len(steps)], values[len(steps) :]


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

    Shapes: a and c are ``(n,)``, or ``(n, G)`` where ``factors`` has values for G groups.

    Raises:
        TypeError: ``factors`` is no schedule.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay
        >>> Scaling(ExponentialDecay(1.0, gamma=0.5)).coefficients(np.array([0.0, 1.0, 2.0]))[0].tolist()
        [1.0, 0.5, 0.5]
    """

    factors: Schedule = schedule_field()

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """The formula of the class docstring; after a factor of 0, ``a`` is 1, or the power of ``gamma`` of a decay."""
        now, before = _now_and_before(self.factors, steps)
        before = np.where(steps.reshape(-1, *[1] * (now.ndim - 1)) == 0, 1.0, before)
        over = np.where(now == 0, 1.0, 0.0)
        divisible = before != 0
        if isinstance(self.factors, GammaDecay):
            again = self.factors.gamma ** (self.factors.times(steps) - self.factors.times(np.maximum(steps - 1, 0)))
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

    Shapes: a and c are ``(n,)``, or ``(n, G)`` where a value is a list.

    Raises:
        TypeError: ``weights`` is no schedule; a value is not a number or a list of them.
        ValueError: a value is NaN or infinite; not as many ``restart_values`` as ``restarts``; values for different
            numbers of groups.

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
        now, before = _now_and_before(self.weights, steps)
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

    Shapes: a and c are ``(n,)``, or ``(n, G)`` where ``schedule`` has values for G groups.

    Raises:
        TypeError: ``schedule`` is no schedule; ``first_factor`` is not a number.
        ValueError: ``first_factor`` is NaN or infinite.

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
class Addition(Rule):
    """Adds to the value what a schedule rises by: ``a = 1``, ``c = schedule(k) - schedule(k - 1)``.

    At step 0, the value is replaced: ``a = 0``, ``c = schedule(0)``. Alone, the rule gives ``schedule(k)``.

    Args:
        schedule: the values.

    Shapes: a and c are ``(n,)``, or ``(n, G)`` where ``schedule`` has values for G groups.

    Raises:
        TypeError: ``schedule`` is no schedule.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> a, c = Addition(Anneal(0.5, 1.5, duration=2)).coefficients(np.arange(3.0))
        >>> a.tolist(), c.tolist()
        ([0.0, 1.0, 1.0], [0.5, 0.5, 0.5])
    """

    schedule: Schedule = schedule_field()

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """The formula of the class docstring."""
        first = with_group_axis(steps == 0, self.groups is not None)
        now, before = _now_and_before(self.schedule, steps)
        return np.where(first, np.zeros_like(now), 1.0), np.where(first, now, now - before)
