"""The schedule :class:`OneCycle` of the 1cycle policy, which goes up to a peak and down to a much lower final value."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from . import arguments, fields
from .arguments import Number
from .base import Array, Schedule
from .curves import CURVES, blend
from .duration_annotations import Events


@dataclass(frozen=True)
class OneCycle(Schedule):
    """One cycle from an initial value up to ``max_value`` and down to a final value, at which it stays.

    N is ``total_steps``, p is ``pct_start``, initial is ``max_value / div_factor`` and final is
    ``initial / final_div_factor``. The value moves along ``curve`` from each of these points, given as event: value, to
    the next::

        two phases:    0: initial,  pN - 1: max_value,  N - 1: final
        three phases:  0: initial,  pN - 1: max_value,  2pN - 2: initial,  N - 1: final

    ``curve(q)`` is ``(1 - cos(pi * q)) / 2``, or ``q`` if ``anneal_strategy`` is ``"linear"``. If pN is not whole, the
    peak lies between two events. After event N - 1, the value stays the same.

    With ``inverse=True``, the cycle goes down and up again. Use it for the momentum or ``betas[0]`` of an optimizer
    whose learning rate follows a cycle::

        two phases:    0: max_value,  pN - 1: base_value,  N - 1: max_value
        three phases:  0: max_value,  pN - 1: base_value,  2pN - 2: max_value,  N - 1: max_value

    Args:
        max_value: the highest value; a float, or a list of G floats, one for each param group.
        total_steps: N, the number of events in the cycle, at least 1.
        pct_start: p in [0, 1], the fraction of the cycle before the peak.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        div_factor: ``max_value`` divided by the initial value, above 0.
        final_div_factor: the initial value divided by the final value, above 0.
        three_phase: whether the value goes down to the initial value in the second phase, and to the final value in a
            third phase.
        base_value: the lowest value of an inverse cycle; a float, or a list of G floats. It must be None unless
            ``inverse`` is True.
        inverse: whether to go down first and up again. If True, ``div_factor`` and ``final_div_factor`` have no effect.

    Shapes: the result is ``(n,)``, or ``(n, G)`` if ``max_value`` or ``base_value`` is a list.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; ``base_value`` is given, but ``inverse`` is False; ``max_value``
            and ``base_value`` are lists of different lengths.

    Source: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    Rates", 2018, https://arxiv.org/abs/1708.07120.

    Example:
        >>> OneCycle(1.0, total_steps=10, div_factor=10)(np.arange(12)).round(4).tolist()
        [0.1, 0.55, 1.0, 0.9505, 0.8117, 0.6113, 0.3887, 0.1883, 0.0495, 0.0, 0.0, 0.0]
        >>> OneCycle(0.95, total_steps=10, base_value=0.85, inverse=True)([0, 2, 9]).tolist()
        [0.95, 0.85, 0.95]
    """

    max_value: Number = fields.value()
    total_steps: Events = fields.whole_number(at_least=1, unit=fields.EVENTS)
    pct_start: float = fields.number(0.3, at_least=0, at_most=1)
    anneal_strategy: Literal["cos", "linear"] = fields.one_of(CURVES, "cos")
    div_factor: float = fields.number(25.0, above=0)
    final_div_factor: float = fields.number(1e4, above=0)
    three_phase: bool = fields.flag(False)
    base_value: Number | None = fields.value(None)
    inverse: bool = fields.flag(False)
    _points: tuple[Array, Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.inverse and self.base_value is None:
            raise TypeError("base_value must be a number if inverse is True, given None")
        if self.base_value is not None and not self.inverse:
            raise ValueError(
                f"base_value must be left out if inverse is False, given {arguments.shown(self.base_value)}"
            )
        with np.errstate(over="ignore"):
            self._set(_points=self._path())
        if not np.isfinite(self._points[1]).all():
            raise ValueError(f"max_value / div_factor / final_div_factor must be finite, given {arguments.shown(self)}")

    @property
    def length(self) -> float:
        """The number of events in the cycle, which is ``total_steps``."""
        return self.total_steps

    def values(self, indices: Array) -> Array:
        """Return the values by the formula of the class docstring."""
        knots, levels = self._points
        indices = np.minimum(indices, self.total_steps - 1)
        # An index belongs to the first phase that ends at this index or later. If pN < 1, a phase ends before it
        # starts. The running maximum skips this phase.
        ends = np.maximum.accumulate(knots[1:-1])
        phase: Any = np.searchsorted(ends, (indices.min(initial=np.inf), indices.max(initial=0)))
        phase = phase[0] if phase[0] == phase[1] else np.searchsorted(ends, indices)
        start, end = knots[phase], knots[phase + 1]
        # If a phase has 0 events (pN = 1), its progress is 1.
        progress = np.divide(indices - start, end - start, out=np.ones_like(indices), where=end != start)
        fraction = CURVES[self.anneal_strategy](progress)
        return blend(levels[phase], levels[phase + 1], fraction if levels.ndim == 1 else fraction[:, None])

    def _path(self) -> tuple[Array, Array]:
        """Return the events ``(K,)`` and the values ``(K,)`` or ``(K, G)`` of the points in the class docstring."""
        peak = self.pct_start * self.total_steps
        peak_value = np.asarray(self.max_value, dtype=np.float64)
        if self.base_value is None:
            initial = peak_value / self.div_factor
            final = initial / self.final_div_factor
        else:
            initial = final = peak_value
            peak_value = np.asarray(self.base_value, dtype=np.float64)
        knots, levels = [0, peak - 1, self.total_steps - 1], [initial, peak_value, final]
        if self.three_phase:
            knots.insert(2, 2 * peak - 2)
            levels.insert(2, initial)
        return np.array(knots, dtype=np.float64), np.stack(np.broadcast_arrays(*levels))


def cycle_length(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """Return the number of events in a cycle: ``total_steps``, or ``epochs * steps_per_epoch``.

    >>> cycle_length(None, epochs=3, steps_per_epoch=100)
    300
    """
    if (total_steps is None) == (epochs is None) or (epochs is None) != (steps_per_epoch is None):
        lengths = {"total_steps": total_steps, "epochs": epochs, "steps_per_epoch": steps_per_epoch}
        given = ", ".join(f"{name}={arguments.shown(length, 80)}" for name, length in lengths.items())
        raise ValueError(f"either total_steps or both epochs and steps_per_epoch must be given, given {given}")
    if epochs is None:
        return arguments.whole_number("total_steps", total_steps, at_least=1)
    return arguments.whole_number("epochs", epochs, at_least=1) * arguments.whole_number(
        "steps_per_epoch", steps_per_epoch, at_least=1
    )
