"""Rules for :class:`.Recursion`, by which one scheduler changes the value that another scheduler wrote before it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule, checked_schedule, schedule_field, with_group_axis
from .decays import GammaDecay

TINY = 1e-290  # below this number, a factor may have lost digits by underflow


def _now_and_before(schedule: Schedule, steps: Array) -> tuple[Array, Array]:
    """Return the values of a schedule at ``steps``, and its values at the step before each of them.

    One call of ``schedule.values`` computes both arrays. If a rule contains a recursion, a second call would double the
    work at each level of nesting.
    """
    if (steps[1:] - steps[:-1] == 1).all():  # usually, only ``steps[0] - 1`` is missing
        before = np.maximum(steps[0] - np.arange(64.0, 0, -1), 0)  # 64 steps before: see read_block
        values = schedule.values(np.concatenate([before, steps]))
        return values[64:], values[63:-1]
    values = schedule.values(np.concatenate([steps, np.maximum(steps - 1, 0)]))
    return values[: len(steps)], values[len(steps) :]


class Rule(ABC):
    """The base class of rules. At step k, a rule replaces a value v with ``v * a(k) + c(k)``."""

    def __post_init__(self) -> None:
        """Check the arguments."""
        fields.check(self)

    @property
    def groups(self) -> int | None:
        """The number of param groups for which the rule has values, or None if all groups have the same value."""
        return fields.groups_of(self)

    @abstractmethod
    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """Return the arrays a and c at the steps, each of shape ``(n,)`` or ``(n, G)``."""


@dataclass(frozen=True)
class Scaling(Rule):
    """A rule that multiplies the value by ``a = factors(k) / factors(k - 1)``.

    If no other rule changes the value, the value is ``v_0 * factors(k)``, where ``v_0`` is the initial value.

    Args:
        factors: a schedule of factors.

    Shapes: a and c are ``(n,)``, or ``(n, G)`` if ``factors`` has values for G groups.

    Raises:
        TypeError: ``factors`` is not a schedule.

    Example:
        >>> from lehr.handlers.schedules import ExponentialDecay
        >>> Scaling(ExponentialDecay(1.0, gamma=0.5)).coefficients(np.array([0.0, 1.0, 2.0]))[0].tolist()
        [1.0, 0.5, 0.5]
    """

    factors: Schedule = schedule_field()

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """Return the arrays a and c of the class docstring at the steps.

        If ``factors(k - 1)`` is 0, the quotient is undefined. In this case, ``a`` is computed from ``gamma`` for a
        ``GammaDecay``. For any other schedule, ``a`` is 1 if ``factors(k)`` is 0, and 0 if it is not.
        """
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
    """A rule that moves the value towards an end value.

    In general, ``a = weights(k) / weights(k - 1)`` and ``c = end_value * (1 - a)``. If ``weights(k - 1)`` is 0, then
    ``a = 1`` and ``c = (base_value - end_value) * weights(k)``. If no other rule changes the value, the value is
    ``end_value + (v_0 - end_value) * weights(k)``, where ``v_0`` is the initial value.

    Args:
        weights: a schedule of weights from 1 to 0.
        end_value: the end value; a float, or a list of G floats, one for each param group.
        base_value: the value at the weight 1 after the weights have risen again from 0; a float, or a list of G floats.
        restarts: the steps at which the rule sets the value to one of ``restart_values``.
        restart_values: a value for each step in ``restarts``. Each value is a float, or a list of G floats.

    Shapes: a and c are ``(n,)``, or ``(n, G)`` if a value is a list.

    Raises:
        TypeError: ``weights`` is not a schedule; a value is not a number or a list of numbers.
        ValueError: a value is NaN or infinite; ``restarts`` and ``restart_values`` have different lengths; two
            arguments have values for different numbers of groups.

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
        """Check the arguments and convert the lists to tuples."""
        super().__post_init__()
        if len(self.restarts) != len(self.restart_values):
            raise ValueError(
                f"restart_values must have {len(self.restarts)} items, one for each of the restarts, "
                f"given {arguments.shown(self.restart_values)}"
            )

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """Return the arrays a and c of the class docstring at the steps."""
        end, base = np.asarray(self.end_value, dtype=np.float64), np.asarray(self.base_value, dtype=np.float64)
        now, before = _now_and_before(self.weights, steps)
        before = np.where(steps == 0, 1.0, before)
        over = np.abs(before) < 1e-14  # at the end of a cosine, a weight may differ from 0 by a rounding error
        a = np.divide(now, before, out=np.ones_like(now), where=~over)
        if self.groups is not None:
            a, now, over = a[:, None] * np.ones(self.groups), now[:, None], over[:, None]
        c = np.where(over, (base - end) * now, end * (1 - a))
        for step, value in zip(self.restarts, self.restart_values, strict=True):
            a[steps == step], c[steps == step] = 0.0, value
        return a, c


@dataclass(frozen=True)
class Assignment(Rule):
    """A rule that replaces the value with the value of a schedule: ``a = 0`` and ``c = schedule(k)``.

    At step 0, the rule can multiply the value by ``first_factor`` instead: ``a = first_factor`` and ``c = 0``.

    Args:
        schedule: the schedule of the new values.
        first_factor: the factor by which the rule multiplies the value at step 0. If None, ``schedule(0)`` replaces the
            value.

    Shapes: a and c are ``(n,)``, or ``(n, G)`` if ``schedule`` has values for G groups.

    Raises:
        TypeError: ``schedule`` is not a schedule; ``first_factor`` is not a number.
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
        """Return the arrays a and c of the class docstring at the steps."""
        c = np.array(self.schedule.values(steps))
        a = np.zeros_like(c)
        if self.first_factor is not None:
            a[steps == 0], c[steps == 0] = self.first_factor, 0.0
        return a, c


@dataclass(frozen=True)
class Addition(Rule):
    """A rule that adds the change of a schedule to the value: ``a = 1`` and ``c = schedule(k) - schedule(k - 1)``.

    At step 0, the rule replaces the value: ``a = 0`` and ``c = schedule(0)``. If no other rule changes the value, the
    value is ``schedule(k)``.

    Args:
        schedule: the schedule whose changes are added.

    Shapes: a and c are ``(n,)``, or ``(n, G)`` if ``schedule`` has values for G groups.

    Raises:
        TypeError: ``schedule`` is not a schedule.

    Example:
        >>> from lehr.handlers.schedules import Anneal
        >>> a, c = Addition(Anneal(0.5, 1.5, duration=2)).coefficients(np.arange(3.0))
        >>> a.tolist(), c.tolist()
        ([0.0, 1.0, 1.0], [0.5, 0.5, 0.5])
    """

    schedule: Schedule = schedule_field()

    def coefficients(self, steps: Array) -> tuple[Array, Array]:
        """Return the arrays a and c of the class docstring at the steps."""
        first = with_group_axis(steps == 0, self.groups is not None)
        now, before = _now_and_before(self.schedule, steps)
        return np.where(first, np.zeros_like(now), 1.0), np.where(first, now, now - before)
