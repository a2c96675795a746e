"""The schedule :class:`Greedy`, whose value rises while a metric improves, and falls while the metric does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import arguments, fields
from .arguments import Number
from .stateful import StatefulSchedule
from .value_reduced_on_plateau import checked_metric, improves


@dataclass
class GreedyProgress:
    """The state of a :class:`Greedy` schedule."""

    values: list[float] = field(default_factory=list)
    best: float | None = None
    num_bad_epochs: int = 0
    num_good_epochs: int = 0
    cooldown_counter: int = 0
    warmup_counter: int = 0
    reset_counter: int = 0
    window: list[float] = field(default_factory=list)
    window_sum: float = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data."""
        saved = {name: arguments.saved_float(getattr(self, name)) for name in ("best", "window_sum")}
        return {
            **vars(self),
            **saved,
            "values": list(self.values),
            "window": list(map(arguments.saved_float, self.window)),
        }


@dataclass(frozen=True, repr=False)
class Greedy(StatefulSchedule):
    """A value that rises while a metric improves, and falls while the metric does not improve.

    The value depends on the metrics that you pass to :meth:`observe`, and not on the event index. :class:`Plateau`
    defines when a metric is an improvement. After more than ``patience`` improvements in a row, the value rises to
    ``min(value / factor, max_value)``, and the next ``warmup`` metrics are not counted. After more than ``patience``
    metrics in a row without an improvement, the value falls to ``max(value * factor, min_value)``, and the next
    ``cooldown`` metrics are not counted. When the values of all groups have fallen to ``min_value`` ``reset_start``
    times, the schedule starts again from its initial value.

    Args:
        initial_value: the first value; a float, or a list of G floats, one for each param group.
        mode: ``"min"`` if a smaller metric is better, or ``"max"`` if a larger metric is better.
        factor: the factor by which the value falls, above 0 and below 1.
        patience: the largest number of improvements in a row, or of metrics in a row without an improvement, that does
            not change the value; at least 0.
        threshold: how much better than the best metric a metric must be to count as an improvement.
        threshold_mode: ``"rel"`` if ``threshold`` is a fraction of the best metric, or ``"abs"`` if it is a difference.
        cooldown: the number of metrics after a fall that are not counted, at least 0.
        warmup: the number of metrics after a rise that are not counted, at least 0.
        min_value: the lower bound of the value; a float, or a list of G floats.
        max_value: the upper bound of the value; a float, or a list of G floats.
        eps: a change by ``eps`` or less is skipped.
        smooth: whether to compare the mean of the last metrics instead of the last metric alone.
        window_size: the number of metrics in the mean for ``smooth``, at least 1.
        reset_start: how often the values of all groups fall to ``min_value`` before the schedule starts again, at least
            0.

    Shapes: the result is one value, or a list of G values, one for each group.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; two arguments are lists of different lengths.

    Source: Subramanian, Krishnamoorthy and Murthy, "Dynamic Learning Rate Scheduling based on Loss Changes Leads to
    Faster Convergence", 2025, https://arxiv.org/abs/2512.14527; the same rule is in transformers 5.23.

    Example:
        >>> greedy = Greedy(initial_value=0.5, factor=0.5, patience=0)
        >>> for loss in [3.0, 2.0, 2.5, 2.5]:
        ...     greedy.observe(loss)
        ...     print(loss, greedy.value(0))
        3.0 1.0
        2.0 1.0
        2.5 0.5
        2.5 0.25
    """

    initial_value: Number = fields.value()
    mode: str = fields.one_of(("min", "max"), "min")
    factor: float = fields.number(0.95, above=0.0, below=1.0)
    patience: int = fields.whole_number(10)
    threshold: float = fields.number(1e-6)
    threshold_mode: str = fields.one_of(("rel", "abs"), "abs")
    cooldown: int = fields.whole_number(0)
    warmup: int = fields.whole_number(0)
    min_value: Number = fields.value(1e-3)
    max_value: Number = fields.value(1.0)
    eps: float = fields.number(1e-8, at_least=0.0)
    smooth: bool = fields.flag(False)
    window_size: int = fields.whole_number(50, at_least=1)
    reset_start: int = fields.whole_number(500)
    changed_by_reading = ()
    _progress: GreedyProgress = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the arguments and start without metrics."""
        super().__post_init__()
        self._start_again()

    @property
    def is_metric_driven(self) -> bool:
        """True, since the values depend on metrics."""
        return True

    def value(self, index: int) -> float | list[float]:
        """Return the present value, which does not depend on the event index."""
        values = self._progress.values
        return values[0] if self.groups is None else list(values)

    def observe(self, metric: float) -> None:
        """Count a metric, and change the value after enough metrics with or without an improvement.

        Args:
            metric: the metric, a number.

        Raises:
            TypeError: the metric is not a number.
        """
        now = self._progress
        metric = checked_metric(metric)
        if self.smooth:
            now.window.append(metric)
            now.window_sum += metric
            if len(now.window) > self.window_size:
                now.window_sum -= now.window.pop(0)
            metric = now.window_sum / len(now.window)
        if now.cooldown_counter > 0 or now.warmup_counter > 0:
            if now.cooldown_counter > 0:
                now.cooldown_counter -= 1
            else:
                now.warmup_counter -= 1
            now.num_bad_epochs = now.num_good_epochs = 0
            return
        if improves(metric, now.best, self.mode, self.threshold, self.threshold_mode):
            now.best, now.num_bad_epochs, now.num_good_epochs = metric, 0, now.num_good_epochs + 1
        else:
            now.num_bad_epochs, now.num_good_epochs = now.num_bad_epochs + 1, 0
        if now.num_good_epochs > self.patience:
            self._change(1 / self.factor)
            now.reset_counter = 0
            now.warmup_counter, now.num_good_epochs = self.warmup, 0
        elif now.num_bad_epochs > self.patience:
            self._change(self.factor)
            # ``self._start_again`` replaces ``self._progress``, so the cool-down is set after it.
            if all(value <= low for value, low in zip(now.values, self._each(self.min_value), strict=True)):
                now.reset_counter += 1
                if now.reset_counter >= self.reset_start:
                    self._start_again()
            self._progress.cooldown_counter, self._progress.num_bad_epochs = self.cooldown, 0

    def _change(self, ratio: float) -> None:
        bounds = zip(self._each(self.min_value), self._each(self.max_value), strict=True)
        for group, (low, high) in enumerate(bounds):
            old = self._progress.values[group]
            new = max(old * self.factor, low) if ratio < 1 else min(old / self.factor, high)
            if (old - new if ratio < 1 else new - old) > self.eps:
                self._progress.values[group] = new

    def _each(self, value: Number) -> tuple[float, ...]:
        return value if isinstance(value, tuple) else (value,) * (self.groups or 1)  # type: ignore[return-value]

    def _start_again(self) -> None:
        self._set(_progress=GreedyProgress(values=list(self._each(self.initial_value))))

    def remembered(self) -> GreedyProgress:
        """Return a copy of the state in the form that :meth:`put_back` takes."""
        now = self._progress
        return replace(now, values=list(now.values), window=list(now.window))

    def put_back(self, remembered: GreedyProgress) -> None:
        """Restore a state that :meth:`remembered` returned."""
        self._set(_progress=remembered)

    def state_dict(self) -> dict[str, Any]:
        """Return the values, the best metric or None, the counts and the last metrics."""
        return self._progress.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a :class:`Greedy`. If this error is raised,
                nothing is loaded.
        """
        state = arguments.state_of("a greedy schedule", state_dict, vars(self._progress))
        best, total = arguments.loaded_float(state["best"]), arguments.loaded_float(state["window_sum"])
        values, window = state["values"], state["window"]
        if not (best is None or type(best) is float) or not isinstance(values, list) or not isinstance(window, list):
            raise TypeError(
                "the state of Greedy must have a float or None as best, and lists as values and window, given "
                f"{arguments.shown(state)}"
            )
        window = list(map(arguments.loaded_float, window))
        if len(values) != (self.groups or 1) or not all(type(one) is float for one in (*window, total)):
            raise ValueError(
                f"the state of Greedy must have {self.groups or 1} values, and only floats in window and window_sum, "
                f"given {arguments.shown(state)}"
            )
        arguments.number_or_numbers("values", values)
        names = ("num_bad_epochs", "num_good_epochs", "cooldown_counter", "warmup_counter", "reset_counter")
        counts = {name: arguments.whole_number(name, state[name], at_least=0) for name in names}
        self._set(_progress=GreedyProgress(list(values), best, **counts, window=window, window_sum=total))
