"""The schedule :class:`Plateau`, whose value is reduced when a metric stops improving."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import arguments, fields
from .arguments import Number
from .stateful import StatefulSchedule


def checked_metric(metric: object) -> float:
    """Check a metric and return it as a float.

    Raises:
        TypeError: the metric is not a number, or is an int that is too large for a float.
    """
    try:
        if not isinstance(metric, str | bytes | bytearray):  # float() would accept a text such as "0.5"
            return float(metric)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        pass
    except OverflowError:
        raise TypeError(f"the metric must be a number of at most 1.8e308, given {arguments.shown(metric)}") from None
    raise TypeError(f"the metric must be a number, given {arguments.shown(metric)}")


def improves(metric: float, best: float | None, mode: str, threshold: float, threshold_mode: str) -> bool:
    """Return whether a metric is an improvement over the best metric, by the rule of :class:`Plateau`.

    If ``best`` is None, any finite metric is an improvement.
    """
    sign = 1.0 if mode == "min" else -1.0
    best = sign * math.inf if best is None else best
    bound = best * (1.0 - sign * threshold) if threshold_mode == "rel" else best - sign * threshold
    return metric < bound if mode == "min" else metric > bound


@dataclass(slots=True)
class PlateauProgress:
    """The state of a :class:`Plateau`. A new list may replace ``values``, but the list itself never changes."""

    values: list[float] = field(default_factory=list)  # a value for each group, or one value for all groups
    best: float | None = None
    num_bad_epochs: int = 0
    cooldown_counter: int = 0
    num_metrics: int = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {
            "values": list(self.values),
            "best": arguments.saved_float(self.best),
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "num_metrics": self.num_metrics,
        }


def _checked_initial_value(name: str, value: object) -> Number | None:
    return None if value is None else arguments.number_or_numbers(name, value)


def _checked_eps(name: str, value: object) -> Number:
    eps = arguments.number_or_numbers(name, value)
    for one in eps if type(eps) is tuple else [eps]:
        arguments.number(name, one, at_least=0.0)
    return eps


@dataclass(frozen=True, repr=False)
class Plateau(StatefulSchedule):
    """A value that falls by a factor after more than ``patience`` metrics without an improvement.

    The value depends on the metrics that you pass to :meth:`observe`, and not on the event index. Let b be the best
    metric so far. A metric a is an improvement if::

        a < b * (1 - threshold)   mode="min", threshold_mode="rel"        a > b * (1 + threshold)   mode="max"
        a < b - threshold         mode="min", threshold_mode="abs"        a > b + threshold         mode="max"

    After more than ``patience`` metrics in a row without an improvement, ``max(value * factor, min_value)`` replaces
    the value, except in groups where the reduction would be ``eps`` or less. After a reduction, the next ``cooldown``
    metrics are not counted.

    Args:
        mode: ``"min"`` if a smaller metric is better, or ``"max"`` if a larger metric is better.
        factor: the factor by which a reduction multiplies the value, at least 0 and less than 1.
        patience: the largest number of metrics in a row without an improvement that causes no reduction.
        threshold: how much better than the best metric a metric must be to count as an improvement; see the formula
            above.
        threshold_mode: ``"rel"`` if ``threshold`` is a fraction of the best metric, or ``"abs"`` if it is a difference.
            Use ``"abs"`` for a metric that may be negative, because with ``"rel"``, a negative metric counts as an
            improvement even if it is slightly worse.
        cooldown: the number of metrics after a reduction that are not counted.
        min_value: the lower bound of the value; a float, or a list of G floats, one for each param group.
        eps: a reduction by ``eps`` or less is skipped; a float, or a list of G floats.
        initial_value: the value before the first reduction; a float, or a list of G floats. With the default of 1, the
            plateau is a factor for another schedule. If None, a scheduler sets the value later.
        nan_policy: the effect of a NaN metric. With ``"worse"``, NaN counts as no improvement, as in torch. With
            ``"ignore"``, NaN is not counted. With ``"raise"``, NaN raises a ValueError.
        begin: the index of the first metric that is counted, starting from 0.
        end: the index of the first metric that is not counted any more. If None, all metrics from ``begin`` on are
            counted.
        initial_best: the metric with which the first metric is compared. If None, any finite first metric is an
            improvement.
        eps_before_floor: whether ``eps`` is compared with the reduction by ``factor`` alone, before ``min_value`` is
            applied. If True, a reduction raises a value below ``min_value`` to ``min_value``.

    Shapes: the result is one value, or a list of G values, one for each group, if ``initial_value`` or ``min_value`` is
    a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; two arguments are lists of different lengths.

    Example:
        >>> plateau = Plateau(factor=0.5, patience=1)
        >>> for loss in [3.0, 2.0, 2.5, 2.5, 1.0]:
        ...     plateau.observe(loss)
        ...     print(loss, plateau.value(0))
        3.0 1.0
        2.0 1.0
        2.5 1.0
        2.5 0.5
        1.0 0.5
    """

    mode: str = fields.one_of(("min", "max"), "min")
    factor: float = fields.number(0.1, at_least=0.0, below=1.0)
    patience: int = fields.whole_number(10)
    threshold: float = fields.number(1e-4)
    threshold_mode: str = fields.one_of(("rel", "abs"), "rel")
    cooldown: int = fields.whole_number(0)
    min_value: Number = fields.value(0.0)
    eps: Number = fields.argument(_checked_eps, 1e-8, groups=arguments.groups_of)
    initial_value: Number | None = fields.argument(_checked_initial_value, 1.0, groups=arguments.groups_of)
    nan_policy: str = fields.one_of(("worse", "ignore", "raise"), "worse")
    begin: int = fields.whole_number(0)
    end: int | None = fields.whole_number(None)
    initial_best: float | None = fields.number(None)
    eps_before_floor: bool = fields.flag(False)
    changed_by_reading = ()
    _progress: PlateauProgress = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the arguments and start without metrics."""
        super().__post_init__()
        if self.end is not None and self.end < self.begin:
            raise ValueError(f"end must be at least begin={self.begin}, given {self.end}")
        self._set(_progress=PlateauProgress())
        if self.initial_value is not None:
            self.go_on_from(self.initial_value)

    @property
    def is_metric_driven(self) -> bool:
        """True, since the values depend on metrics."""
        return True

    @property
    def groups(self) -> int | None:
        """The number of groups with a value of their own, or None if there is one value for all groups."""
        return len(self._progress.values) if len(self._progress.values) > 1 else None

    def value(self, index: int) -> float | list[float]:
        """Return the present value, which does not depend on the event index."""
        values = self._progress.values
        return values[0] if len(values) == 1 else list(values)

    @property
    def present_values(self) -> list[float]:
        """The present values. Do not change this list. A reduction replaces it."""
        return self._progress.values

    def go_on_from(self, values: Number) -> None:
        """Replace the present values.

        Raises:
            ValueError: ``min_value`` or ``eps`` is a list with another number of values.
        """
        if type(values) is list or isinstance(values, Sequence):  # list first, because isinstance is slow
            own = list(values)
        else:
            own = [values] * (self._own_groups() or 1)
        if len(own) != len(self._progress.values):
            self._check_groups(len(own))
        self._progress.values = own

    def observe(self, metric: float) -> None:
        """Count a metric. After too many metrics without an improvement, reduce the value.

        Args:
            metric: the metric, a number.

        Raises:
            TypeError: the metric is not a number.
            ValueError: the metric is NaN, and ``nan_policy`` is ``"raise"``.
        """
        metric = metric if type(metric) is float else checked_metric(metric)
        if metric != metric and self.nan_policy != "worse":  # only NaN differs from itself
            if self.nan_policy == "ignore":
                return
            raise ValueError("the metric must not be NaN if nan_policy is 'raise', given nan")
        now = self._progress
        now.num_metrics += 1
        if now.num_metrics <= self.begin or (self.end is not None and now.num_metrics > self.end):
            return
        best = self.initial_best if now.best is None else now.best
        if improves(metric, best, self.mode, self.threshold, self.threshold_mode):
            now.best, now.num_bad_epochs = metric, 0
        else:
            now.num_bad_epochs += 1
        if now.cooldown_counter > 0:
            now.cooldown_counter -= 1
            now.num_bad_epochs = 0
        if now.num_bad_epochs > self.patience:
            now.values = self._reduced(now.values)
            now.cooldown_counter, now.num_bad_epochs = self.cooldown, 0

    @property
    def in_cooldown(self) -> bool:
        """Whether the next metric will not be counted because of the cooldown after a reduction."""
        return self._progress.cooldown_counter > 0

    def reset(self) -> None:
        """Forget the best metric, the count of bad metrics and the cooldown, but keep the value.

        Call this method if you cannot compare the next metrics with earlier metrics, such as after a change of the loss
        function.

        Example:
            >>> plateau = Plateau(factor=0.5, patience=0, cooldown=3)
            >>> for loss in [1.0, 2.0]:
            ...     plateau.observe(loss)
            >>> plateau.value(0), plateau.in_cooldown
            (0.5, True)
            >>> plateau.reset()
            >>> plateau.observe(5.0)  # the first metric after the reset is the best
            >>> plateau.value(0), plateau.in_cooldown
            (0.5, False)
        """
        now = self._progress
        now.best, now.num_bad_epochs, now.cooldown_counter = None, 0, 0

    def _reduced(self, values: list[float]) -> list[float]:
        floors, eps = (one if type(one) is tuple else (one,) * len(values) for one in (self.min_value, self.eps))
        lower = [max(value * self.factor, floor) for value, floor in zip(values, floors, strict=True)]
        taken_off = [value * self.factor for value in values] if self.eps_before_floor else lower
        rows = zip(values, lower, taken_off, eps, strict=True)
        return [new if old - less > least else old for old, new, less, least in rows]

    def _check_groups(self, num_values: int | None) -> None:
        counts = {"min_value": arguments.groups_of(self.min_value), "eps": arguments.groups_of(self.eps)}
        arguments.same_groups({**counts, "values": num_values})

    def _own_groups(self) -> int | None:
        return arguments.groups_of(self.min_value, self.eps)

    def remembered(self) -> tuple[Any, ...]:
        """Return the state in the form that :meth:`put_back` takes."""
        now = self._progress
        return now.values, now.best, now.num_bad_epochs, now.cooldown_counter, now.num_metrics

    def put_back(self, remembered: tuple[Any, ...]) -> None:
        """Restore a state that :meth:`remembered` returned."""
        self._set(_progress=PlateauProgress(*remembered))

    def state_dict(self) -> dict[str, Any]:
        """Return the values, the best metric or None, and the counts of metrics."""
        return self._progress.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a :class:`Plateau`. If this error is raised,
                nothing is loaded.
        """
        state = arguments.state_of("a plateau", state_dict, self._progress.state_dict())
        best, values = arguments.loaded_float(state["best"]), state["values"]
        if not (best is None or (type(best) is float and not math.isnan(best))) or not isinstance(values, list):
            raise TypeError(
                "the state of a plateau must have a float or None as best, and a list as values, given "
                f"{arguments.shown(state)}"
            )
        if len(values) == 1:  # saved when min_value was one number for all groups
            values = values * (self._own_groups() or 1)
        numbers = arguments.number_or_numbers("values", values)
        self._check_groups(arguments.groups_of(numbers))
        names = ("num_bad_epochs", "cooldown_counter", "num_metrics")
        counts = {name: arguments.whole_number(name, state[name], at_least=0) for name in names}
        self._set(_progress=PlateauProgress(list(numbers), best, **counts))  # type: ignore[arg-type]
