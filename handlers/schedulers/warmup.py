"""``create_lr_scheduler_with_warmup``, which puts a warm-up before any scheduler of the learning rate."""

from functools import partial
from typing import Any

from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.core.base_values import one_or_all, own_base_values, start_from_base_values
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedulers.torch.lr_scheduler import LRScheduler
from lehr.handlers.schedules import LinearInterpolation, RunLength, Schedule, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.durations_to_events import as_events, checked_run
from lehr.handlers.targets.param_groups import ParamGroups

from .concat import ConcatScheduler
from .piecewise_linear import PiecewiseLinear


def create_lr_scheduler_with_warmup(
    lr_scheduler: ParamScheduler | TorchLRScheduler,
    warmup_start_value: Number,
    warmup_duration: int | str,
    warmup_end_value: Number | None = None,
    save_history: bool = False,
    output_simulated_values: list[Any] | None = None,
    *,
    run: RunLength | None = None,
) -> ConcatScheduler:
    """Put a linear warm-up of the learning rate before a scheduler.

    Let d be ``warmup_duration``. At event i < d, the value in each param group is::

        value = warmup_start_value + (warmup_end_value - warmup_start_value) * i / (d - 1)

    At event d, the given scheduler begins with its event 0. But if its first value equals the end value of the warm-up
    in all groups, the scheduler begins at event d - 1, so that this value does not come twice.

    Args:
        lr_scheduler: the scheduler after the warm-up. It is a lehr scheduler of ``"lr"``, or a torch scheduler.
        warmup_start_value: learning rate of the first event; a number, or a list with one per param group.
        warmup_duration: the number of events in the warm-up, at least 2. The last of them has the end value.
        warmup_end_value: learning rate at the end of the warm-up; a number, or a list with one per param group. None
            means each group's present value.
        save_history: whether to record the written values in ``engine.state.param_history``.
        output_simulated_values: a list such as ``[None] * 100``. The function replaces its items with as many rows of
            ``ConcatScheduler.simulate_values``.
        run: the length of the run, needed if ``warmup_duration`` is a text such as ``"10%"``; see :class:`RunLength`.
            Keyword only.

    Returns:
        A :class:`ConcatScheduler`, which you attach to ``Events.ITERATION_STARTED``.

    Raises:
        TypeError: ``lr_scheduler`` is not a scheduler; ``warmup_duration`` is not an int; ``output_simulated_values``
            is not a list.
        ValueError: ``warmup_duration`` is less than 2; the scheduler does not write ``"lr"``; the number of values is
            not the number of param groups.

    Deviations from ignite 0.5.5: all groups of an optimizer warm up in the same number of events. A torch scheduler
    starts from its own values, whereas in ignite, the end value of the warm-up changes its values. If the given
    scheduler writes one param group, only this group warms up.

    Source: Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
    https://arxiv.org/abs/1706.02677 (the gradual warm-up).

    Example:
        >>> import torch
        >>> from torch.optim.lr_scheduler import ExponentialLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> values = [None] * 5
        >>> scheduler = create_lr_scheduler_with_warmup(
        ...     ExponentialLR(optimizer, gamma=0.5), 0.0, warmup_duration=3, output_simulated_values=values
        ... )
        >>> values
        [[0, 0.0], [1, 0.05], [2, 0.1], [3, 0.05], [4, 0.025]]
    """
    if isinstance(lr_scheduler, TorchLRScheduler):
        main: ParamScheduler = LRScheduler(lr_scheduler)
    elif isinstance(lr_scheduler, ParamScheduler):
        main = lr_scheduler
    else:
        raise TypeError(
            f"lr_scheduler must be a ParamScheduler or a torch scheduler, given {arguments.shown(lr_scheduler)}"
        )
    warmup_duration = as_events("warmup_duration", warmup_duration, checked_run(run))
    if isinstance(warmup_duration, bool) or not isinstance(warmup_duration, int):
        raise TypeError(f"warmup_duration must be an int, given {arguments.shown(warmup_duration)}")
    duration = arguments.whole_number("warmup_duration", warmup_duration, at_least=2)
    if not isinstance(output_simulated_values, list | None):
        raise TypeError(
            "output_simulated_values must be a list such as [None] * 100, "
            f"given {arguments.shown(output_simulated_values)}"
        )
    target = ParamGroups(main.optimizer, "lr", main.param_group_index)
    target.refuse_groups_to_come("create_lr_scheduler_with_warmup")
    own = own_base_values(main) if warmup_end_value is None else ()
    present = list(own) or target.read()
    starts = _per_group("warmup_start_value", warmup_start_value, len(present))
    peaks = present if warmup_end_value is None else _per_group("warmup_end_value", warmup_end_value, len(present))
    firsts = main.simulate(1)[0].tolist()
    points = [(0, one_or_all(starts)), (duration - 1, one_or_all(peaks))]
    warmup = PiecewiseLinear(main.optimizer, "lr", points, param_group_index=main.param_group_index)
    if own:
        start_from_base_values(warmup, warmup, partial(_up_to_base_value, one_or_all(starts), duration))
    durations = [duration - 1 if peaks == firsts else duration]
    if output_simulated_values is not None:
        events = len(output_simulated_values)
        output_simulated_values[:] = ConcatScheduler.simulate_values(events, [warmup, main], durations)
    return ConcatScheduler([warmup, main], durations, save_history, run=run)


def _up_to_base_value(start: Number, duration: int, base: Number) -> Schedule:
    return LinearInterpolation([(0, start), (duration - 1, base)])


def _per_group(name: str, value: Number, groups: int) -> list[float]:
    values = arguments.number_or_numbers(name, value)
    if isinstance(values, tuple) and len(values) != groups:
        raise ValueError(f"{name} must have {groups} values, given {arguments.shown(value)}")
    return list(values) if isinstance(values, tuple) else [values] * groups
