"""ignite's five schedulers that write a number to an attribute of an engine's state.

Each scheduler keeps its arguments as attributes, so that an overridden ``get_param`` can read them.
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
    RunLength,
    Shift,
    StepDecay,
    arguments,
)
from lehr.handlers.schedules.durations_to_events import as_events, checked_run, in_events


@dataclass(frozen=True, repr=False)
class FunctionFromOne(FunctionSchedule):
    """A schedule that calls a Python function at each event, with an index that counts from 1.

    Example:
        >>> FunctionFromOne(lambda event: event >= 2)([0, 1, 2]).tolist()
        [0.0, 1.0, 1.0]
    """

    def value(self, index: int) -> Any:
        """Call the function with ``index + 1`` and return its value."""
        return self.function(index + 1)

    def checked(self, index: int) -> float | list[float]:
        """Return the value as a number. A bool becomes 1 or 0."""
        value = self.value(index)
        return arguments.value_at(index, float(value) if isinstance(value, bool) else value, self.named)


class LambdaStateScheduler(StateParamScheduler):
    """Calls a function of the event index, and writes its value to an attribute of ``engine.state``.

    Event i, counting from 0, writes ``lambda_obj(i + 1)``. As in ignite, the first event writes ``lambda_obj(1)``. The
    attribute has the type that the function returns: int, bool or float.

    Args:
        lambda_obj: a function that takes the event index, an int, and returns a number.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record the written values in ``engine.state.param_history``.
        create_new: whether the attribute must not exist yet; see :class:`StateParamScheduler`.

    Raises:
        ValueError: ``lambda_obj`` is not callable.
        TypeError: another argument has the wrong type; at an event, the value is not a number.

    Deviations from ignite 0.5.5: a value that is not a number raises an error; the state does not contain the function.

    Example:
        >>> LambdaStateScheduler.simulate_values(3, param_name="accumulation", lambda_obj=lambda event: 2**event)
        [[0, 2.0], [1, 4.0], [2, 8.0]]
    """

    def __init__(
        self, lambda_obj: Callable[[int], Any], param_name: str, save_history: bool = False, create_new: bool = False
    ) -> None:
        if not callable(lambda_obj) or isinstance(lambda_obj, type):
            raise ValueError(f"lambda_obj must be a function of the event index, given {arguments.shown(lambda_obj)}")
        self.lambda_obj = lambda_obj
        super().__init__(param_name, save_history, create_new, schedule=FunctionFromOne(lambda_obj))


class PiecewiseLinearStateScheduler(StateParamScheduler):
    """Writes straight lines between given points to an attribute of ``engine.state``.

    Event i, counting from 0, writes ``f(i + 1)``. As in ignite, the first event writes ``f(1)``. Between the milestones
    m_k <= j <= m_{k+1} with the values v_k and v_{k+1}, the function f is::

        f(j) = v_k + (v_{k+1} - v_k) * (j - m_k) / (m_{k+1} - m_k)

    Args:
        milestones_values: one or more pairs ``(event index, value)``. The event indices are ints and must increase.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record the written values in ``engine.state.param_history``.
        create_new: whether the attribute must not exist yet; see :class:`StateParamScheduler`.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: ``milestones_values`` is not a list or tuple; a milestone is not an int; a value is not a number.
        ValueError: there are no pairs; an item is not a pair; the milestones do not increase; a value is NaN or
            infinite.

    Deviations from ignite 0.5.5: two values at one milestone raise an error.

    Example:
        >>> PiecewiseLinearStateScheduler.simulate_values(4, param_name="p", milestones_values=[(2, 1.0), (4, 0.5)])
        [[0, 1.0], [1, 1.0], [2, 0.75], [3, 0.5]]
    """

    def __init__(
        self,
        milestones_values: Sequence[tuple[int | str, float]],
        param_name: str,
        save_history: bool = False,
        create_new: bool = False,
        *,
        run: RunLength | None = None,
    ) -> None:
        schedule = LinearInterpolation(milestones_values).in_run(checked_run(run))
        assert isinstance(schedule, LinearInterpolation)
        super().__init__(param_name, save_history, create_new, schedule=Shift(schedule, by=1), run=run)
        self.milestones, self.values = map(list, zip(*schedule.milestones_values, strict=True))


class ExpStateScheduler(StateParamScheduler):
    """Decays an attribute of ``engine.state`` by the factor ``gamma`` at every event.

    Event i, counting from 0, writes ``initial_value * gamma ** (i + 1)``. As in ignite, the first event already
    multiplies by ``gamma``. The value is an int if ``initial_value`` and ``gamma`` are ints.

    Args:
        initial_value: the value before the first event.
        gamma: the factor of each event.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record the written values in ``engine.state.param_history``.
        create_new: whether the attribute must not exist yet; see :class:`StateParamScheduler`.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is not finite.

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
    """Decays an attribute of ``engine.state`` by the factor ``gamma`` every ``step_size`` events.

    Event i, counting from 0, writes ``initial_value * gamma ** floor((i + 1) / step_size)``. As in ignite, the formula
    counts events from 1. The value is an int if ``initial_value`` and ``gamma`` are ints.

    Args:
        initial_value: the value before the first step.
        gamma: the factor of each step.
        step_size: the number of events between two steps, at least 1.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record the written values in ``engine.state.param_history``.
        create_new: whether the attribute must not exist yet; see :class:`StateParamScheduler`.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError, ValueError: an argument has the wrong type, is not finite or is out of range.

    Example:
        >>> StepStateScheduler.simulate_values(4, param_name="p", initial_value=8.0, gamma=0.5, step_size=2)
        [[0, 8.0], [1, 4.0], [2, 4.0], [3, 2.0]]
    """

    def __init__(
        self,
        initial_value: float,
        gamma: float,
        step_size: int | str,
        param_name: str,
        save_history: bool = False,
        create_new: bool = False,
        *,
        run: RunLength | None = None,
    ) -> None:
        step_size = as_events("step_size", step_size, checked_run(run))
        self._number_type = int if type(initial_value) is int and type(gamma) is int else float
        whole = arguments.whole_number("step_size", step_size, at_least=1)
        schedule = Shift(StepDecay(initial_value, gamma, whole), by=1)
        super().__init__(param_name, save_history, create_new, schedule=schedule, run=run)
        self.initial_value, self.gamma, self.step_size = initial_value, gamma, step_size


class MultiStepStateScheduler(StateParamScheduler):
    """Decays an attribute of ``engine.state`` by the factor ``gamma`` at given events.

    Event i, counting from 0, writes ``initial_value * gamma ** (number of milestones that are <= i + 1)``. As in
    ignite, the formula counts events from 1. The value is an int if ``initial_value`` and ``gamma`` are ints.

    Args:
        initial_value: the value before the first milestone.
        gamma: the factor of each milestone.
        milestones: event indices at which the factor applies, in rising order; a repeated milestone counts twice.
        param_name: name of the attribute; also the name of its history.
        save_history: whether to record the written values in ``engine.state.param_history``.
        create_new: whether the attribute must not exist yet; see :class:`StateParamScheduler`.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError, ValueError: an argument has the wrong type, is not finite or is out of range; the milestones
            decrease.

    Deviations from ignite 0.5.5: milestones that decrease raise an error, whereas ignite silently skips some of them.

    Example:
        >>> MultiStepStateScheduler.simulate_values(4, param_name="p", initial_value=8.0, gamma=0.5, milestones=[1, 3])
        [[0, 4.0], [1, 4.0], [2, 2.0], [3, 2.0]]
    """

    def __init__(
        self,
        initial_value: float,
        gamma: float,
        milestones: Sequence[int | str],
        param_name: str,
        save_history: bool = False,
        create_new: bool = False,
        *,
        run: RunLength | None = None,
    ) -> None:
        milestones = in_events(MultiStepDecay, {"milestones": milestones}, run=checked_run(run))["milestones"]
        self._number_type = int if type(initial_value) is int and type(gamma) is int else float
        schedule = Shift(MultiStepDecay(initial_value, gamma, milestones), by=1)
        super().__init__(param_name, save_history, create_new, schedule=schedule, run=run)
        self.initial_value, self.gamma, self.milestones = initial_value, gamma, list(milestones)
