"""The schedule :class:`Cyclic`: triangular cycles between two bounds. The height may change from cycle to cycle."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule
from .duration_annotations import Duration, OptionalDuration

MODES = ("triangular", "triangular2", "exp_range")


@dataclass(frozen=True, repr=False)
class Cyclic(Schedule):
    """Cycles up from ``base_value`` to ``max_value`` and down again, for ever. The height of the cycles may change.

    Let u be ``step_size_up`` and d be ``step_size_down``. Event i is in cycle ``k = 1 + floor(i / (u + d))``, at
    position ``j = i mod (u + d)``. The value is::

        height = j / u              for j <= u
        height = (u + d - j) / d    for j > u
        value = base_value + (max_value - base_value) * height * scale

    The scale is 1 (``mode="triangular"``), ``2**(1 - k)`` (``mode="triangular2"``) or ``gamma**i``
    (``mode="exp_range"``). With a ``scale_fn``, the scale is ``scale_fn(k)`` (``scale_mode="cycle"``) or
    ``scale_fn(i)`` (``scale_mode="iterations"``). Use ``inverse=True`` for the momentum or ``betas[0]`` of an optimizer
    whose learning rate follows such cycles. With ``inverse=True``, the value is::

        value = max_value - (max_value - base_value) * height * scale

    Args:
        base_value: the lower bound; a float, or a list of G floats, one for each param group.
        max_value: the upper bound of the first cycle; a float, or a list of G floats.
        step_size_up: the number of events from the lower to the upper bound, at least 1. It need not be whole.
        step_size_down: the number of events from the upper to the lower bound, at least 1. It need not be whole. If
            None, it is ``step_size_up``.
        mode: how the height changes: ``"triangular"``, ``"triangular2"`` or ``"exp_range"``. If ``scale_fn`` is given,
            ``mode`` has no effect.
        gamma: the factor per event for ``"exp_range"``, above 0.
        scale_fn: a function of k or i that replaces ``mode``. It is called when the event comes, never before.
        scale_mode: the argument of ``scale_fn``: ``"cycle"`` for k, or ``"iterations"`` for i.
        inverse: whether to start at ``max_value`` and go down first.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if a bound is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; the bounds have values for different numbers of groups.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017,
    https://arxiv.org/abs/1506.01186.

    Example:
        >>> Cyclic(0.0, 1.0, step_size_up=2, mode="triangular2")(np.arange(8)).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]
        >>> Cyclic(0.75, 1.0, step_size_up=2, inverse=True)([0, 1, 2, 3]).tolist()
        [1.0, 0.875, 0.75, 0.875]
    """

    base_value: Number = fields.value()
    max_value: Number = fields.value()
    step_size_up: Duration = fields.duration(2000, above=0, unit=fields.PHASES)
    step_size_down: OptionalDuration = fields.duration(None, above=0, unit=fields.PHASES)
    mode: Literal["triangular", "triangular2", "exp_range"] = fields.one_of(MODES, "triangular")
    gamma: float = fields.number(1.0, above=0, unit=fields.PER_EVENT)
    scale_fn: Callable[[int], float] | None = fields.function("a function or None", None, unit=fields.AMBIGUOUS)
    scale_mode: Literal["cycle", "iterations"] = fields.one_of(("cycle", "iterations"), "cycle")
    inverse: bool = fields.flag(False)

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.step_size_down is None:
            self._set(step_size_down=self.step_size_up)

    @property
    def length(self) -> float:
        """The number of events in the first cycle."""
        assert self.step_size_down is not None
        return self.step_size_up + self.step_size_down

    @property
    def is_pure(self) -> bool:
        """Whether there is no ``scale_fn``, which must be called only when the event comes."""
        return self.scale_fn is None

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        up, down = self.step_size_up, self.step_size_down
        assert down is not None
        cycle, position = np.divmod(indices, up + down)
        height = np.minimum(position / up, (up + down - position) / down) * self._scale(cycle + 1, indices)
        bounds = np.asarray(self.base_value), np.asarray(self.max_value)
        start, far = bounds[::-1] if self.inverse else bounds
        # Do not use ``blend``, which limits values to the bounds: a scale above 1 leads to values beyond the bounds.
        return np.asarray(start + (far - start) * (height if self.groups is None else height[:, None]))

    def _scale(self, cycle: Array, indices: Array) -> float | Array:
        if self.scale_fn is not None:
            called_with = map(int, cycle if self.scale_mode == "cycle" else indices)
            return np.array([arguments.number(f"scale_fn({x})", self.scale_fn(x)) for x in called_with])
        if self.mode == "triangular2":
            return 2.0 ** (1 - cycle)
        if self.mode == "exp_range":
            return self.gamma**indices
        return 1.0
