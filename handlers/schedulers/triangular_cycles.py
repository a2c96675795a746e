"""``CyclicScheduler``: triangular cycles between two bounds, for any parameter."""

from collections.abc import Callable, Sequence
from typing import Literal

from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import Cyclic, RunLength
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups


class CyclicScheduler(ParamScheduler):
    """Cycles from ``base_value`` up to ``max_value`` and down again. The height may change from cycle to cycle.

    Let u be ``step_size_up`` and d be ``step_size_down``. Event i is in cycle ``k = 1 + floor(i / (u + d))``, at
    position ``j = i mod (u + d)``. The height is ``j / u`` on the way up and ``(u + d - j) / d`` on the way down. The
    value at event i is::

        value = base_value + (max_value - base_value) * height * scale
        value = max_value - (max_value - base_value) * height * scale      if inverse

    The scale is 1 with the mode ``"triangular"``, ``2**(1 - k)`` with ``"triangular2"``, and ``gamma**i`` with
    ``"exp_range"``. If ``scale_fn`` is given, the scale is ``scale_fn(k)`` or ``scale_fn(i)``.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        base_value: the lower bound; a number, or a list with one per param group.
        max_value: the upper bound of the first cycle; a number, or a list with one per param group.
        step_size_up: the number of events from the lower to the upper bound, at least 1, such as 2000 or 2.5.
        step_size_down: the number of events from the upper to the lower bound, at least 1. If None, it is
            ``step_size_up``.
        mode: how the height changes: ``"triangular"``, ``"triangular2"`` or ``"exp_range"``. If ``scale_fn`` is given,
            ``mode`` has no effect.
        gamma: the factor per event for ``"exp_range"``; it must be more than 0.
        scale_fn: a function of k or i that replaces ``mode``. The scheduler calls it at the event, never in advance.
        scale_mode: the argument of ``scale_fn``: ``"cycle"`` for k, or ``"iterations"`` for i.
        inverse: whether to start at ``max_value`` and go down first, as for momentum and betas[0].
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        relative: whether ``base_value`` and ``max_value`` are factors of each group's base value; see
            :class:`ParamScheduler`. Keyword only.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range; the number of values is not the number of param groups.

    Deviations from torch 2.13's CyclicLR: this scheduler writes only ``param_name``. To cycle the momentum as well,
    attach a second scheduler with ``inverse=True``. A step size below 1 raises an error, whereas in torch, the value
    jumps between the bounds. The values equal torch's.

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
        step_size_up: float | str = 2000,
        step_size_down: float | str | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        inverse: bool = False,
        save_history: bool = False,
        param_group_index: Selection = None,
        *,
        relative: bool = False,
        run: RunLength | None = None,
    ) -> None:
        schedule = Cyclic(
            base_value, max_value, step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode, inverse
        )
        super().__init__(
            optimizer, param_name, save_history, param_group_index, schedule=schedule, relative=relative, run=run
        )
