"""Schedulers that write constants, or that decay linearly, as a polynomial, by a factor, or as a power of time."""

from collections.abc import Sequence
from typing import Unpack

from lehr.handlers.schedules import (
    Anneal,
    Constant,
    ExponentialDecay,
    InverseTimeDecay,
    MultiStepDecay,
    PiecewiseConstant,
    Polynomial,
    PowerDecay,
    StepDecay,
    arguments,
)
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.targets.param_groups import HasParamGroups

from .decay_scheduler import DecayScheduler, Options


class ConstantScheduler(DecayScheduler):
    """Writes the same value at every event, or with ``begin``, at every event from ``begin`` on.

    ``value(i) = value``

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        value: the value; a number, or a list with one per param group.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Example:
        >>> ConstantScheduler.simulate_values(2, param_name="weight_decay", value=0.1)
        [[0, 0.1], [1, 0.1]]
    """

    def __init__(self, optimizer: HasParamGroups, param_name: str, value: Number, **options: Unpack[Options]) -> None:
        super().__init__(optimizer, param_name, Constant, options, value=value)


class PiecewiseConstantScheduler(DecayScheduler):
    """Writes constants one after another: ``value(i) = constants[number of milestones that are <= i]``.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        constants: the values: one more than the milestones. A value is a number, or a list with one per param group.
        milestones: event indices, in increasing order. The next value begins at each milestone.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`. Also if ``constants`` does not have one value more than
            ``milestones``.

    Example:
        >>> PiecewiseConstantScheduler.simulate_values(4, param_name="lr", constants=[1.0, 0.1], milestones=[2])
        [[0, 1.0], [1, 1.0], [2, 0.1], [3, 0.1]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        constants: Sequence[Number],
        milestones: Sequence[int | str],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(optimizer, param_name, PiecewiseConstant, options, constants=constants, milestones=milestones)


class LinearScheduler(DecayScheduler):
    """Writes a straight line from ``start_value`` to ``end_value``, then stays at ``end_value``.

    ``value(i) = start_value + (end_value - start_value) * min(i / duration, 1)``

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        duration: the number of events from ``start_value`` to ``end_value``, at least 0.
        start_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        end_value: value from event ``duration`` on; a number, or a list with one per param group.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Example:
        >>> LinearScheduler.simulate_values(4, param_name="lr", duration=2, start_value=1.0, end_value=0.5)
        [[0, 1.0], [1, 0.75], [2, 0.5], [3, 0.5]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        duration: float | str,
        start_value: Number | None = None,
        end_value: Number = 0.0,
        **options: Unpack[Options],
    ) -> None:
        values = {"start_value": start_value, "end_value": end_value, "duration": duration}
        super().__init__(optimizer, param_name, Anneal, options, "start_value", **values)


class PolynomialScheduler(DecayScheduler):
    """Decays a value as a power of the remaining time.

    ``value(i) = end_value + (start_value - end_value) * (1 - min(i / duration, 1)) ** power``. With ``cycle``,
    ``duration`` becomes ``duration * max(ceil(i / duration), 1)``, as in Keras.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        duration: the number of events until ``end_value``, at least 0.
        end_value: value at event ``duration``; a number, or a list with one per param group.
        power: the exponent, at least 0; 1 gives a straight line.
        cycle: whether the value rises again after ``duration``, by the formula above. If False, it stays at
            ``end_value``.
        start_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Source: Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and
    Fully Connected CRFs", 2017, https://arxiv.org/abs/1606.00915 (the "poly" decay, with a power of 0.9).

    Example:
        >>> PolynomialScheduler.simulate_values(4, param_name="lr", duration=2, power=2.0, start_value=1.0)
        [[0, 1.0], [1, 0.25], [2, 0.0], [3, 0.0]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        duration: float | str,
        end_value: Number = 0.0,
        power: float = 1.0,
        cycle: bool = False,
        start_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        values = {"start_value": start_value, "end_value": end_value, "duration": duration}
        beyond = "stretch" if arguments.flag("cycle", cycle) else "hold"
        super().__init__(
            optimizer, param_name, Anneal, options, "start_value", **values, curve=Polynomial(power), beyond=beyond
        )


class StepScheduler(DecayScheduler):
    """Decays a value by the factor ``gamma`` every ``step_size`` events.

    ``value(i) = initial_value * gamma ** floor(i / step_size)``

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        step_size: the number of events between two steps; it must be more than 0.
        gamma: the factor of each step.
        initial_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Example:
        >>> StepScheduler.simulate_values(4, param_name="lr", step_size=2, gamma=0.5, initial_value=1.0)
        [[0, 1.0], [1, 1.0], [2, 0.5], [3, 0.5]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        step_size: float | str,
        gamma: float = 0.1,
        initial_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        values = {"initial_value": initial_value, "gamma": gamma, "step_size": step_size}
        super().__init__(optimizer, param_name, StepDecay, options, "initial_value", **values)


class MultiStepScheduler(DecayScheduler):
    """Decays a value by the factor ``gamma`` at given events.

    ``value(i) = initial_value * gamma ** (number of milestones that are <= i)``

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        milestones: event indices at which the factor applies, in rising order; a repeated milestone counts twice.
        gamma: the factor of each milestone.
        initial_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Example:
        >>> MultiStepScheduler.simulate_values(4, param_name="lr", milestones=[1, 3], gamma=0.5, initial_value=1.0)
        [[0, 1.0], [1, 0.5], [2, 0.5], [3, 0.25]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        milestones: Sequence[int | str],
        gamma: float = 0.1,
        initial_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            optimizer,
            param_name,
            MultiStepDecay,
            options,
            "initial_value",
            initial_value=initial_value,
            gamma=gamma,
            milestones=milestones,
        )


class ExponentialScheduler(DecayScheduler):
    """Decays a value exponentially, by the factor ``gamma`` per ``decay_events`` events.

    ``value(i) = initial_value * gamma ** (i / decay_events)``. With ``staircase``, the exponent is
    ``floor(i / decay_events)``.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        gamma: the factor per ``decay_events`` events.
        decay_events: the number of events in which the value decays by ``gamma``; it must be more than 0. If
            ``epoch_length`` is given, ``decay_events`` counts epochs, so with the default 1, ``gamma`` is the factor
            per epoch.
        staircase: whether to decay in steps, with one step every ``decay_events`` events.
        initial_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Example:
        >>> ExponentialScheduler.simulate_values(4, param_name="lr", gamma=0.5, initial_value=1.0)
        [[0, 1.0], [1, 0.5], [2, 0.25], [3, 0.125]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        gamma: float,
        decay_events: float | str = 1.0,
        staircase: bool = False,
        initial_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            optimizer,
            param_name,
            ExponentialDecay,
            options,
            "initial_value",
            initial_value=initial_value,
            gamma=gamma,
            decay_events=decay_events,
            staircase=staircase,
        )


class InverseSquareRootScheduler(DecayScheduler):
    """Decays a value as the inverse square root of time.

    ``value(i) = initial_value / sqrt(1 + i / timescale)``. To add a warm-up, use a :class:`ConcatScheduler`.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        timescale: the number of events in which the value falls to ``1 / sqrt(2)`` of the initial value; it must be
            more than 0.
        initial_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Source: Zhai et al., "Scaling Vision Transformers", 2021, https://arxiv.org/abs/2106.04560.

    Example:
        >>> InverseSquareRootScheduler.simulate_values(4, param_name="lr", timescale=1, initial_value=1.0)[3]
        [3, 0.5]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        timescale: float | str,
        initial_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        values = {"initial_value": initial_value, "timescale": timescale}
        super().__init__(optimizer, param_name, PowerDecay, options, "initial_value", **values)


class InverseTimeDecayScheduler(DecayScheduler):
    """Decays a value as the inverse of time.

    ``value(i) = initial_value / (1 + decay_rate * i ** exponent / decay_events)``. With ``staircase``,
    ``floor(i ** exponent / decay_events)`` replaces ``i ** exponent / decay_events``.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        decay_rate: the rate of the decay per ``decay_events`` events, at least 0.
        decay_events: the number of events that ``decay_rate`` refers to; it must be more than 0. If ``epoch_length`` is
            given, ``decay_events`` is a number of epochs, and i in the formula counts epochs. A text, such as
            ``"2 epochs"``, is converted to a number of events, and i counts events.
        exponent: the exponent of the event index, at least 0.
        staircase: whether to decay in steps instead of smoothly.
        initial_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Example:
        >>> InverseTimeDecayScheduler.simulate_values(4, param_name="lr", decay_rate=1.0, initial_value=1.0)[3]
        [3, 0.25]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        decay_rate: float,
        decay_events: float | str = 1.0,
        exponent: float = 1.0,
        staircase: bool = False,
        initial_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            optimizer,
            param_name,
            InverseTimeDecay,
            options,
            "initial_value",
            initial_value=initial_value,
            decay_rate=decay_rate,
            decay_events=decay_events,
            exponent=exponent,
            staircase=staircase,
        )
