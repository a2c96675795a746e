"""Triangular cycles between two bounds, for any parameter."""

from collections.abc import Callable, Sequence
from typing import Literal

from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import Cyclic
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups


class CyclicScheduler(ParamScheduler):
    """Up from ``base_value`` to ``max_value`` and down again, for ever, at a height that may change.

    With u = ``step_size_up``, d = ``step_size_down``, at event i, in cycle ``k = 1 + floor(i / (u + d))`` at
    position ``j = i mod (u + d)``, and height = j / u on the way up or (u + d - j) / d on the way down::

        value = base_value + (max_value - base_value) * height * scale
        value = max_value - (max_value - base_value) * height * scale      if inverse

    where scale is 1 (``"triangular"``), ``2**(1 - k)`` (``"triangular2"``), ``gamma**i`` (``"exp_range"``), or
    what ``scale_fn`` says of k or of i.

    Args:
        optimizer: a torch optimizer, or any object with its ``param_groups``.
        param_name: name of the parameter to write.
        base_value: the lower bound; one for all param groups, or a list with one for each.
        max_value: the upper bound of the first cycle, likewise.
        step_size_up: events from lower to upper bound, above 0, not necessarily whole.
        step_size_down: events back; as many as up where None.
        mode: ``"triangular"``, ``"triangular2"`` or ``"exp_range"``; of no effect beside ``scale_fn``.
        gamma: base of the exponential of ``"exp_range"``, above 0.
        scale_fn: a function of k or i instead of ``mode``. It is called when the event comes, never before.
        scale_mode: ``"cycle"`` or ``"iterations"``: what ``scale_fn`` is called with, k or i.
        inverse: whether to start at ``max_value`` and go down first, as momentum and betas[0] do beside the lr.
        save_history: whether to record what is written in ``engine.state.param_history``.
        param_group_index: the only param group to write, by its index or name, or several by a predicate; None for
            all of them; see :class:`Groups`.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: an argument is out of its range; not as many values as param groups.

    Deviations from torch 2.13's CyclicLR: none in the values; momentum is cycled by a second scheduler.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017,
    https://arxiv.org/abs/1506.01186.

    Example:
        >>> CyclicScheduler.simulate_values(4, param_name="lr", base_value=0, max_value=1, step_size_up=2)
        [[0, 0.0], [1, 0.5], [2, 1.0], [3, 0.5]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        base_value: float | Sequence[float],
        max_value: float | Sequence[float],
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        inverse: bool = False,
        save_history: bool = False,
        param_group_index: Selection = None,
    ) -> None:
        schedule = Cyclic(
            base_value, max_value, step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode, inverse
        )
        super().__init__(optimizer, param_name, save_history, param_group_index, schedule=schedule)
