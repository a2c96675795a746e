"""The handler :class:`MetricRecorder`, which records a metric of each training step in the history."""

import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events
from ignite.engine.events import RemovableEventHandle

from .handler_inspection import put_first
from .values_in_errors import shown

if TYPE_CHECKING:
    from .history import ParamHistory


class MetricRecorder:
    """A handler that records a metric of each iteration under a name.

    The metric of the i-th iteration, counted from 0, has the index i in the column. If an iteration was not recorded,
    its value is NaN. Such an iteration was made before the handler was attached, or is missing in a checkpoint.

    Args:
        history: the history.
        name: the name of the column.
        output_transform: a function that computes the metric from ``engine.state.output``. If None, the metric is the
            output itself.
    """

    def __init__(self, history: "ParamHistory", name: str, output_transform: Callable[[Any], Any] | None) -> None:
        self._history, self._name, self._transform = history, name, output_transform
        self._section: Any = None  # the section of the column to which ``_append`` adds events
        self._append: Callable[[Any], None] = list[Any]().append
        self._before = 0  # the number of events of earlier runs, each of which counted iterations from 1
        self._iteration = 0  # the iteration of the last event

    def __call__(self, engine: Engine) -> None:
        """Record the metric of this iteration.

        Raises:
            TypeError: the output is not a number.
        """
        output: Any = engine.state.output
        value = _number(self._name, output if self._transform is None else self._transform(output))
        column, iteration = self._history.setdefault(self._name), engine.state.iteration
        if iteration <= self._iteration:
            self._before = 0  # another run has begun, or an earlier state of the run was loaded
        self._iteration = iteration
        missing = self._before + iteration - 1 - column.num_events
        if missing < 0:  # the history has the events of an earlier run
            self._before -= missing
        for _ in range(missing):
            column.append(math.nan)
        if self._section is None or self._section is not column.section:
            self._append = column.appender(groups=0, per_group=False)
            self._section = column.section
        self._append(value)

    def __repr__(self) -> str:
        return f"history.record({shown(self._name)}, ...)"


def attach_recorder(
    history: "ParamHistory", name: str, engine: Engine, output_transform: Callable[[Any], Any] | None
) -> RemovableEventHandle:
    """Attach a :class:`MetricRecorder` to an engine; see :meth:`.ParamHistory.record`."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, given {shown(name)}")
    if not isinstance(engine, Engine):
        raise TypeError(f"engine must be an ignite Engine, given {shown(engine)}")
    if output_transform is not None and not callable(output_transform):
        raise TypeError(f"output_transform must be a function of the output or None, given {shown(output_transform)}")
    state: Any = engine.state
    other = history.recorders.get(name)
    if other is not None and engine.has_event_handler(other):
        raise ValueError(
            f"name must be a name under which nothing else records, given {shown(name)}, which {shown(other)} uses"
        )
    recorder = MetricRecorder(history, name, output_transform)
    if getattr(state, "param_history", None) is None:
        state.param_history = history
    handle = engine.add_event_handler(Events.ITERATION_COMPLETED, recorder)
    # The recorder runs first, so that a handler that saves a checkpoint also saves the metric of the same iteration.
    put_first(engine, Events.ITERATION_COMPLETED)
    history.recorders[name] = recorder
    return handle


def _number(name: str, value: Any) -> float:
    """Return a number, or a tensor or an array of one number, as a float."""
    if type(value) is float:
        return value
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"engine.state.output must be a number to be recorded as {shown(name)}, given {shown(value)}; pass "
            "output_transform, such as lambda output: output['loss']"
        )
    return float(value)
