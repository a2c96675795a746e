"""A value that rises while a metric improves, and falls while it does not."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from . import arguments
from .arguments import Number
from .plateau import checked_metric, improves
from .stateful import StatefulSchedule


@dataclass
class GreedyProgress:
    """What it remembers from metric to metric."""

    values: list[float] = field(default_factory=list)
    best: float | None = None
    num_bad_epochs: int = 0
    num_good_epochs: int = 0
    cooldown_counter: int = 0
    warmup_counter: int = 0
    reset_counter: int = 0
    window: list[float] = field(default_factory=list)
    window_sum: float = 0.0


@dataclass(frozen=True, repr=False)
class Greedy(StatefulSchedule):
    """A value that is divided by a factor after metrics that improve, and multiplied by it after some that do not.

    It does not depend on the event index, but on the metrics that it is given by :meth:`observe`. What an improvement
    is says :class:`Plateau`. After more than ``patience`` improvements in a row: ``value = min(value / factor,
    max_value)``, and the next ``warmup`` metrics are not counted. After more than ``patience`` metrics in a row that
    are none: ``value = max(value * factor, min_value)``, and the next ``cooldown`` are not counted. When it would have
    fallen ``reset_start`` times with all groups at ``min_value``, everything begins anew.

    Args:
        initial_value: the value to begin with; a list for one value per group.
        mode: ``"min"`` or ``"max"``: whether a smaller or a larger metric is better.
        factor: above 0 and less than 1.
        patience: how many metrics in a row change nothing, at least 0.
        threshold: by how much a metric must be better to count.
        threshold_mode: ``"rel"`` or ``"abs"``.
        cooldown: how many metrics after a fall are not counted, at least 0.
        warmup: how many metrics after a rise are not counted, at least 0.
        min_value: the value does not fall below it; a list for one value per group.
        max_value: the value does not rise above it, likewise.
        eps: a change by no more than this is not made.
        smooth: whether to look at the mean of the last metrics instead of the last one.
        window_size: of how many metrics, at least 1.
        reset_start: see above, at least 0.

    Shapes: one value, or one for each of G groups.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: an argument is out of its range; lists of different lengths.

    Source: Subramanian et al., "Zeroth-Order GreedyLR: An Adaptive Learning Rate Scheduler for Deep Neural Network
    Training", 2025; the rule is that of transformers 5.23.

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

    initial_value: Number
    mode: str = "min"
    factor: float = 0.95
    patience: int = 10
    threshold: float = 1e-6
    threshold_mode: str = "abs"
    cooldown: int = 0
    warmup: int = 0
    min_value: Number = 1e-3
    max_value: Number = 1.0
    eps: float = 1e-8
    smooth: bool = False
    window_size: int = 50
    reset_start: int = 500
    _progress: GreedyProgress = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the arguments, and begin with nothing remembered."""
        self._set(
            initial_value=arguments.number_or_numbers("initial_value", self.initial_value),
            mode=arguments.one_of("mode", self.mode, ("min", "max")),
            factor=arguments.number("factor", self.factor, above=0.0, below=1.0),
            patience=arguments.whole_number("patience", self.patience, at_least=0),
            threshold=arguments.number("threshold", self.threshold),
            threshold_mode=arguments.one_of("threshold_mode", self.threshold_mode, ("rel", "abs")),
            cooldown=arguments.whole_number("cooldown", self.cooldown, at_least=0),
            warmup=arguments.whole_number("warmup", self.warmup, at_least=0),
            min_value=arguments.number_or_numbers("min_value", self.min_value),
            max_value=arguments.number_or_numbers("max_value", self.max_value),
            eps=arguments.number("eps", self.eps, at_least=0.0),
            smooth=arguments.flag("smooth", self.smooth),
            window_size=arguments.whole_number("window_size", self.window_size, at_least=1),
            reset_start=arguments.whole_number("reset_start", self.reset_start, at_least=0),
        )
        arguments.same_groups(initial_value=self.initial_value, min_value=self.min_value, max_value=self.max_value)
        self._begin_anew()

    @property
    def groups(self) -> int | None:
        """One value a group where an argument is a list."""
        return arguments.groups_of(self.initial_value, self.min_value, self.max_value)

    def value(self, index: int) -> float | list[float]:
        """The value as it is now, at whatever event."""
        values = self._progress.values
        return values[0] if self.groups is None else list(values)

    def observe(self, metric: float) -> None:
        """Count a metric, and change the value if it is time to.

        Raises:
            TypeError: the metric is no number.
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
            # It is counted before a reset, which begins everything anew, and the cool-down after it.
            if all(value <= low for value, low in zip(now.values, self._each(self.min_value), strict=True)):
                now.reset_counter += 1
                if now.reset_counter >= self.reset_start:
                    self._begin_anew()
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

    def _begin_anew(self) -> None:
        self._set(_progress=GreedyProgress(values=list(self._each(self.initial_value))))

    def state_dict(self) -> dict[str, Any]:
        """The values, the best metric (None before the first), the counts and the window of the mean."""
        return asdict(self._progress)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            TypeError, ValueError: it is not the state of such a schedule; nothing is loaded then.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != set(self.state_dict()):
            raise ValueError(
                f"the state of a greedy schedule must have "
                f"{sorted(self.state_dict())}, given {arguments.shown(state_dict)}"
            )
        best, values, window = (state_dict[name] for name in ("best", "values", "window"))
        if not (best is None or type(best) is float) or not isinstance(values, list) or not isinstance(window, list):
            raise TypeError(
                "a greedy schedule's best must be a float, its values and window lists, given "
                f"{arguments.shown(state_dict)}"
            )
        floats = [*window, state_dict["window_sum"]]
        if len(values) != (self.groups or 1) or not all(type(metric) is float for metric in floats):
            raise ValueError(
                f"a greedy schedule's values must be {self.groups or 1} floats, given {arguments.shown(state_dict)}"
            )
        arguments.number_or_numbers("values", values)
        names = ("num_bad_epochs", "num_good_epochs", "cooldown_counter", "warmup_counter", "reset_counter")
        counts = {name: arguments.whole_number(name, state_dict[name], at_least=0) for name in names}
        self._set(
            _progress=GreedyProgress(
                values=list(values), best=best, window=list(window), window_sum=floats[-1], **counts
            )
        )
