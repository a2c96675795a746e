"""``OneCycleScheduler``: the 1cycle policy for any parameter."""

from collections.abc import Sequence
from typing import Literal

from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import OneCycle, RunLength
from lehr.handlers.schedules.durations_to_events import as_events, checked_run
from lehr.handlers.schedules.one_cycle import cycle_length
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups


class OneCycleScheduler(ParamScheduler):
    """Writes a cycle up to ``max_value`` and down far below the initial value, or an inverse cycle for momentum.

    With N = ``total_steps``, p = ``pct_start``, initial = max_value / div_factor and final = initial /
    final_div_factor, half cosine waves or straight lines connect these points, given as event: value::

        two phases:    0: initial,  pN - 1: max_value,  N - 1: final
        three phases:  0: initial,  pN - 1: max_value,  2pN - 2: initial,  N - 1: final
        inverse:       as above, with max_value in place of initial and final, and base_value in place of max_value

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        max_value: the highest value; a number, or a list with one per param group.
        total_steps: N, the number of events in the cycle, at least 1.
        epochs: the number of epochs. If you give ``epochs`` and ``steps_per_epoch`` instead of ``total_steps``, N is
            ``epochs * steps_per_epoch``.
        steps_per_epoch: the number of events in an epoch.
        pct_start: p in [0, 1], the fraction of the cycle before the peak.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        div_factor: ``max_value / initial``, a number more than 0.
        final_div_factor: ``initial / final``, a number more than 0.
        three_phase: whether to return to the initial value before the descent to the final value.
        base_value: the lowest value of an inverse cycle; a number, or a list with one per param group. It must be None
            unless ``inverse`` is True.
        inverse: whether to go from high to low and back, as for momentum and betas[0]. If True, ``div_factor`` and
            ``final_div_factor`` have no effect.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        relative: whether ``max_value`` and ``base_value`` are factors of each group's base value; see
            :class:`ParamScheduler`. Keyword only.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range; the number of steps is missing, or given in both ways; ``base_value``
            is given without ``inverse``; the number of values is not the number of param groups.

    Deviations from torch 2.13's OneCycleLR: from event N - 1 on, the value is constant, but torch extrapolates and
    later raises an error. If pN = 1, the cycle starts at the peak, but torch divides by zero. If both ``total_steps``
    and ``epochs`` are given, this class raises an error.

    Source: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    Rates", 2018, https://arxiv.org/abs/1708.07120.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        >>> lr = OneCycleScheduler(optimizer, "lr", max_value=1.0, total_steps=10)
        >>> momentum = OneCycleScheduler(
        ...     optimizer, "momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=10
        ... )
        >>> lr.simulate(10)[[0, 2, 9], 0].tolist()
        [0.04, 1.0, 4e-06]
        >>> momentum.simulate(10)[[0, 2, 9], 0].tolist()
        [0.95, 0.85, 0.95]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        max_value: float | Sequence[float],
        total_steps: int | str | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        base_value: float | Sequence[float] | None = None,
        inverse: bool = False,
        save_history: bool = False,
        param_group_index: Selection = None,
        *,
        relative: bool = False,
        run: RunLength | None = None,
    ) -> None:
        schedule = OneCycle(
            max_value,
            cycle_length(as_events("total_steps", total_steps, checked_run(run)), epochs, steps_per_epoch),
            pct_start,
            anneal_strategy,
            div_factor,
            final_div_factor,
            three_phase,
            base_value,
            inverse,
        )
        super().__init__(
            optimizer, param_name, save_history, param_group_index, schedule=schedule, relative=relative, run=run
        )
