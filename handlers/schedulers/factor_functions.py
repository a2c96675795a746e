"""Schedulers that multiply an initial value by factors from a Python function."""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

from lehr.handlers.schedules import (
    Constant,
    CumulativeProduct,
    FunctionSchedule,
    Product,
    Schedule,
    SideBySide,
    arguments,
)
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.targets.param_groups import HasParamGroups

from .decay_scheduler import DecayScheduler, Options

Factor = Callable[[int], float]


def scaled_schedule(
    make_schedule: Callable[[Any], Schedule], initial_value: Number, factor_fn: Factor | Sequence[Factor]
) -> Schedule:
    """Multiply an initial value by the schedule ``make_schedule(factor_fn)``.

    ``factor_fn`` is a function, or a list with a function for each param group.
    """
    initial = arguments.number_or_numbers("initial_value", initial_value)
    for function in factor_fn if isinstance(factor_fn, list | tuple) else [factor_fn]:
        arguments.function("factor_fn", function, "a function of the event index")
    if not isinstance(factor_fn, list | tuple):
        return Product([Constant(initial), make_schedule(factor_fn)])
    if not factor_fn:
        raise ValueError(
            f"factor_fn must be a function or one for each param group, given {arguments.shown(factor_fn)}"
        )
    if isinstance(initial, tuple) and len(initial) != len(factor_fn):
        raise ValueError(f"factor_fn must be one function or {len(initial)}, given {len(factor_fn)}")
    each = initial if isinstance(initial, tuple) else (initial,) * len(factor_fn)
    return Product([Constant(each), SideBySide([make_schedule(function) for function in factor_fn])])


def lambda_schedule(initial_value: Number, factor_fn: Factor | Sequence[Factor]) -> Schedule:
    """Return the schedule ``value(i) = initial_value * factor_fn(i)``."""
    return scaled_schedule(FunctionSchedule, initial_value, factor_fn)


def multiplicative_schedule(initial_value: Number, factor_fn: Factor | Sequence[Factor]) -> Schedule:
    """Return the schedule ``value(i) = initial_value * factor_fn(1) * ... * factor_fn(i)``."""
    return scaled_schedule(CumulativeProduct, initial_value, factor_fn)


class LambdaScheduler(DecayScheduler):
    """Multiplies an initial value by a function of the event index.

    ``value(i) = initial_value * factor_fn(i)``

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        factor_fn: a function that takes the event index and returns a float; or a list with one function per param
            group. A function is called at the event, never in advance.
        initial_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`. Also if ``epoch_length`` is given, or if the value at an
            event is not a finite number.

    Example:
        >>> LambdaScheduler.simulate_values(3, param_name="lr", factor_fn=lambda i: 1 / (1 + i), initial_value=1.0)[1]
        [1, 0.5]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        factor_fn: Factor | Sequence[Factor],
        initial_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            optimizer,
            param_name,
            lambda_schedule,
            options,
            "initial_value",
            initial_value=initial_value,
            factor_fn=factor_fn,
        )


class MultiplicativeScheduler(DecayScheduler):
    """Multiplies an initial value by the factors of all events up to the present one.

    ``value(i) = initial_value * factor_fn(1) * ... * factor_fn(i)``. The state contains the product, so a resumed run
    calls the function only once per event. To seek to event i, up to i calls are needed.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        factor_fn: a function that takes the event index and returns a float; or a list with one function per param
            group. A function is called at the event, never in advance.
        initial_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`. Also if ``epoch_length`` is given, or if the value at an
            event is not a finite number.

    Example:
        >>> MultiplicativeScheduler.simulate_values(4, param_name="lr", factor_fn=lambda i: 0.5, initial_value=1.0)
        [[0, 1.0], [1, 0.5], [2, 0.25], [3, 0.125]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        factor_fn: Factor | Sequence[Factor],
        initial_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            optimizer,
            param_name,
            multiplicative_schedule,
            options,
            "initial_value",
            initial_value=initial_value,
            factor_fn=factor_fn,
        )
