"""ignite's five schedulers of a number in an engine's state.

Their arguments are attributes too, for a subclass that overrides ``get_param`` to read; the schedule has its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lehr.handlers.core.state_param_scheduler import StateParamScheduler
from lehr.handlers.schedules import (
    ExponentialDecay,
    FunctionSchedule,
    LinearInterpolation,
    MultiStepDecay,
    Shift,
    StepDecay,
    arguments,
)


@dataclass(frozen=True, repr=False)
class FunctionFromOne(FunctionSchedule):
    """A schedule that asks a Python function for each value, with an index that counts from 1.

    Example:
        >>> FunctionFromOne(lambda event: event >= 2)([0, 1, 2]).tolist()
        [0.0, 1.0, 1.0]
    """

    def value(self, index: int) -> Any:
        """Call the function."""
        return self.function(index + 1)

    def checked(self, index: int) -> float | list[float]:
        """The value as a number; True is 1, and False 0."""
        value = self.value(index)
        return arguments.value_at(index, float(value) if isinstance(value, bool) else value, self.named)


class LambdaStateScheduler(StateParamScheduler):
    """Writes what a function of the event index gives to an attribute of ``engine.state``.

    The function is called when its event comes, with an index that counts from 1: the first event has ``f(1)``, as in
    ignite. What it returns, an int, a bool or a float, is written as it is.

    Args:
        lambda_obj: function from the event index, an int, to a number.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record what is written in ``engine.state.param_history``.
        create_new: whether the attribute is to be a new one; see :class:`StateParamScheduler`.

    Raises:
        ValueError: ``lambda_obj`` cannot be called.
        TypeError: another argument is of the wrong kind; at the event, the value is not a number.

    Deviations from ignite 0.5.5: a value that is no number is refused; the function is not saved with the state.

    Example:
        >>> LambdaStateScheduler.simulate_values(3, param_name="accumulation", lambda_obj=lambda event: 2**event)
        [[0, 2.0], [1, 4.0], [2, 8.0]]
    """

    def __init__(
        self, lambda_obj: Callable[[int], Any], param_name: str, save_history: bool = False, create_new: bool = False
    ) -> None:
        if not callable(lambda_obj) or isinstance(lambda_obj, type):
            raise ValueError(f"lambda_obj must be a function of the event index, given {lambda_obj!r}")
        self.lambda_obj = lambda_obj
        super().__init__(param_name, save_history, create_new, schedule=FunctionFromOne(lambda_obj))


class PiecewiseLinearStateScheduler(StateParamScheduler):
    """Writes straight lines between given points to an attribute of ``engine.state``.

    The first event has ``f(1)``, as in ignite: event i, counting from 0, writes ``f(i + 1)``. With milestones
    m_0 < m_1 < ... and their values v_0, v_1, ..., for m_k <= j <= m_{k+1}::

        f(j) = v_k + (v_{k+1} - v_k) * (j - m_k) / (m_{k+1} - m_k)

    Args:
        milestones_values: pairs of an event index, an int, and a value; at least one, event indices rising.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record what is written in ``engine.state.param_history``.
        create_new: whether the attribute is to be a new one; see :class:`StateParamScheduler`.

    Raises:
        TypeError: not a list or tuple; a milestone is not an int, a value not a number.
        ValueError: no pairs, something other than a pair, milestones that do not rise, a value that is NaN
            or infinite.

    Deviations from ignite 0.5.5: two values at one milestone are refused.

    Example:
        >>> PiecewiseLinearStateScheduler.simulate_values(4, param_name="p", milestones_values=[(2, 1.0), (4, 0.5)])
        [[0, 1.0], [1, 1.0], [2, 0.75], [3, 0.5]]
    """

    def __init__(
        self,
        milestones_values: Sequence[tuple[int, float]],
        param_name: str,
        save_history: bool = False,
        create_new: bool = False,
    ) -> None:
        schedule = LinearInterpolation(milestones_values)
        super().__init__(param_name, save_history, create_new, schedule=Shift(schedule, by=1))
        self.milestones, self.values = map(list, zip(*schedule.milestones_values, strict=True))


class ExpStateScheduler(StateParamScheduler):
    """Writes a decay by a factor at every event to an attribute of ``engine.state``.

    The first event has ``f(1)``, as in ignite: event i, counting from 0, writes
    ``initial_value * gamma ** (i + 1)``; an int, if both are ints.

    Args:
        initial_value: the value before the first event.
        gamma: factor of each event.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record what is written in ``engine.state.param_history``.
        create_new: whether the attribute is to be a new one; see :class:`StateParamScheduler`.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind, or not finite.

    Example:
        >>> ExpStateScheduler.simulate_values(3, param_name="p", initial_value=8.0, gamma=0.5)
        [[0, 4.0], [1, 2.0], [2, 1.0]]
    """

    def __init__(
        self, initial_value: float, gamma: float, param_name: str, save_history: bool = False, create_new: bool = False
    ) -> None:
        self._number_type = int if type(initial_value) is int and type(gamma) is int else float
        schedule = Shift(ExponentialDecay(initial_value, gamma), by=1)
        super().__init__(param_name, save_history, create_new, schedule=schedule)
        self.initial_value, self.gamma = initial_value, gamma


class StepStateScheduler(StateParamScheduler):
    """Writes a decay by a factor at every so many events to an attribute of ``engine.state``.

    The first event has ``f(1)``, as in ignite: event i, counting from 0, writes
    ``initial_value * gamma ** floor((i + 1) / step_size)``; an int, if both are ints.

    Args:
        initial_value: the value before the first step.
        gamma: factor of each step.
        step_size: events from one step to the next, at least 1.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record what is written in ``engine.state.param_history``.
        create_new: whether the attribute is to be a new one; see :class:`StateParamScheduler`.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind, not finite, or out of its range.

    Example:
        >>> StepStateScheduler.simulate_values(4, param_name="p", initial_value=8.0, gamma=0.5, step_size=2)
        [[0, 8.0], [1, 4.0], [2, 4.0], [3, 2.0]]
    """

    def __init__(
        self,
        initial_value: float,
        gamma: float,
        step_size: int,
        param_name: str,
        save_history: bool = False,
        create_new: bool = False,
    ) -> None:
        self._number_type = int if type(initial_value) is int and type(gamma) is int else float
        whole = arguments.whole_number("step_size", step_size, at_least=1)
        schedule = Shift(StepDecay(initial_value, gamma, whole), by=1)
        super().__init__(param_name, save_history, create_new, schedule=schedule)
        self.initial_value, self.gamma, self.step_size = initial_value, gamma, step_size


class MultiStepStateScheduler(StateParamScheduler):
    """Writes a decay by a factor at given events to an attribute of ``engine.state``.

    The first event has ``f(1)``, as in ignite: event i, counting from 0, writes
    ``initial_value * gamma ** (milestones that are <= i + 1)``; an int, if both are ints.

    Args:
        initial_value: the value before the first milestone.
        gamma: factor of each milestone.
        milestones: event indices at which the factor is applied, rising; one that stands there twice counts twice.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record what is written in ``engine.state.param_history``.
        create_new: whether the attribute is to be a new one; see :class:`StateParamScheduler`.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind, not finite, or out of its range; milestones that fall.

    Deviations from ignite 0.5.5: milestones that do not rise are refused; ignite counts some and misses others.

    Example:
        >>> MultiStepStateScheduler.simulate_values(4, param_name="p", initial_value=8.0, gamma=0.5, milestones=[1, 3])
        [[0, 4.0], [1, 4.0], [2, 2.0], [3, 2.0]]
    """

    def __init__(
        self,
        initial_value: float,
        gamma: float,
        milestones: Sequence[int],
        param_name: str,
        save_history: bool = False,
        create_new: bool = False,
    ) -> None:
        self._number_type = int if type(initial_value) is int and type(gamma) is int else float
        schedule = Shift(MultiStepDecay(initial_value, gamma, milestones), by=1)
        super().__init__(param_name, save_history, create_new, schedule=schedule)
        self.initial_value, self.gamma, self.milestones = initial_value, gamma, list(milestones)
