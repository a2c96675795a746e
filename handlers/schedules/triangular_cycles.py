"""Triangular cycles between two bounds, whose height may shrink: cyclical learning rates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from . import arguments
from .arguments import Number
from .base import Array, Schedule
from .durations import counts_itself, events, per_event

MODES = ("triangular", "triangular2", "exp_range")


@dataclass(frozen=True, repr=False)
class Cyclic(Schedule):
    """Up from ``base_value`` to ``max_value`` and down again, for ever, at a height that may change.

    With u = ``step_size_up``, d = ``step_size_down``, at event i, in cycle ``k = 1 + floor(i / (u + d))`` at
    position ``j = i mod (u + d)``::

        height = j / u              for j <= u
        height = (u + d - j) / d    after
        value = base_value + (max_value - base_value) * height * scale

    where scale is 1 (``"triangular"``), ``2**(1 - k)`` (``"triangular2"``), ``gamma**i`` (``"exp_range"``), or
    what ``scale_fn`` says of k (``scale_mode="cycle"``) or of i (``"iterations"``). With ``inverse``, for
    momentum or betas[0] beside a cycled learning rate::

        value = max_value - (max_value - base_value) * height * scale

    Args:
        base_value: the lower bound; a float, or one for each of G parameter groups.
        max_value: the upper bound of the first cycle, likewise.
        step_size_up: events from lower to upper bound, above 0, not necessarily whole.
        step_size_down: events back; as many as up where None.
        mode: ``"triangular"``, ``"triangular2"`` or ``"exp_range"``; of no effect beside ``scale_fn``.
        gamma: base of the exponential of ``"exp_range"``, above 0.
        scale_fn: a function of k or i instead of ``mode``. It is called when the event comes, never before.
        scale_mode: ``"cycle"`` or ``"iterations"``: what ``scale_fn`` is called with.
        inverse: whether to start at ``max_value`` and go down first.

    Shapes: ``(n,)``, or ``(n, G)`` where a bound has one value per group.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: an argument is out of its range; the bounds have values for different numbers of groups.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017,
    https://arxiv.org/abs/1506.01186.

    Example:
        >>> Cyclic(0.0, 1.0, step_size_up=2, mode="triangular2")(np.arange(8)).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]
        >>> Cyclic(0.75, 1.0, step_size_up=2, inverse=True)([0, 1, 2, 3]).tolist()
        [1.0, 0.875, 0.75, 0.875]
    """

    base_value: Number
    max_value: Number
    step_size_up: float = events(default=2000)
    step_size_down: float | None = events(default=None)
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: float = per_event(default=1.0)
    scale_fn: Callable[[int], float] | None = counts_itself(default=None)  # noqa: RUF009
    scale_mode: Literal["cycle", "iterations"] = "cycle"
    inverse: bool = False

    def __post_init__(self) -> None:
        """Check the arguments."""
        down = self.step_size_up if self.step_size_down is None else self.step_size_down
        self._set(
            base_value=arguments.number_or_numbers("base_value", self.base_value),
            max_value=arguments.number_or_numbers("max_value", self.max_value),
            step_size_up=arguments.number("step_size_up", self.step_size_up, above=0),
            step_size_down=arguments.number("step_size_down", down, above=0),
            mode=arguments.one_of("mode", self.mode, MODES),
            gamma=arguments.number("gamma", self.gamma, above=0),
            scale_mode=arguments.one_of("scale_mode", self.scale_mode, ("cycle", "iterations")),
            inverse=arguments.flag("inverse", self.inverse),
        )
        if self.scale_fn is not None and not callable(self.scale_fn):
            raise TypeError(f"scale_fn must be a function or None, given {self.scale_fn!r}")
        arguments.same_groups(base_value=self.base_value, max_value=self.max_value)

    @property
    def groups(self) -> int | None:
        """One value a group where a bound is a tuple."""
        return arguments.groups_of(self.base_value, self.max_value)

    @property
    def length(self) -> float:
        """The first cycle."""
        assert self.step_size_down is not None
        return self.step_size_up + self.step_size_down

    @property
    def ahead(self) -> bool:
        """Not ahead of its event where a user's ``scale_fn`` takes part."""
        return self.scale_fn is None

    def values(self, indices: Array) -> Array:
        """The formula of the class docstring."""
        up, down = self.step_size_up, self.step_size_down
        assert down is not None
        cycle, position = np.divmod(indices, up + down)
        height = np.minimum(position / up, (up + down - position) / down) * self._scale(cycle + 1, indices)
        bounds = np.asarray(self.base_value), np.asarray(self.max_value)
        start, far = bounds[::-1] if self.inverse else bounds
        # Not a blend: a scale above 1 goes beyond the bounds.
        return np.asarray(start + (far - start) * (height if self.groups is None else height[:, None]))

    def _scale(self, cycle: Array, indices: Array) -> float | Array:
        if self.scale_fn is not None:
            asked = map(int, cycle if self.scale_mode == "cycle" else indices)
            return np.array([arguments.number(f"scale_fn({x})", self.scale_fn(x)) for x in asked])
        if self.mode == "triangular2":
            return 2.0 ** (1 - cycle)
        if self.mode == "exp_range":
            return self.gamma**indices
        return 1.0
