"""``ChainedScheduler``, which multiplies an initial value by the factors of several schedulers."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np

from lehr.handlers.core.base_values import combined, one_or_all, read_base_values
from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import Constant, Product, Schedule, arguments
from lehr.handlers.schedules.arguments import Number, shown
from lehr.handlers.targets.param_groups import ParamGroups

from .same_target import same_target


class ChainedScheduler(ParamScheduler):
    """Multiplies an initial value by the factors of several schedulers.

    With the factor ``f_k(i) = schedules[k](i) / initial_value`` of scheduler k, the value at event i is::

        value(i) = initial_value * f_0(i) * f_1(i) * ...

    The factors multiply the initial value, never the present value. This scheduler reads the schedules of the given
    schedulers, from event 0 on. It does not call the given schedulers, so their ``event_index`` does not change. To
    pass a metric to a given scheduler, call its ``observe``.

    Args:
        schedulers: one or more schedulers with the same optimizer, param name and param group index.
        initial_value: the initial value of all schedulers, not 0; a number, or a list with one per param group. None
            means each group's present value. A given decay that has no initial value starts from this initial value,
            too.
        save_history: whether to record the written values in ``engine.state.param_history``. The ``save_history`` of
            the given schedulers has no effect.

    Raises:
        TypeError: ``schedulers`` is not a list or tuple of schedulers.
        ValueError: ``schedulers`` is empty; the schedulers differ in optimizer, param name or groups; an initial value
            is 0.

    Deviations from torch 2.13's ChainedScheduler: here, a scheduler that computes absolute values, such as
    ``CosineAnnealingWarmRestarts``, is a factor like the others. In torch, a scheduler that computes absolute values
    overwrites the values of the schedulers before it in the list.

    Example:
        >>> import torch
        >>> from lehr.handlers import ExponentialScheduler, LinearScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=8.0)
        >>> warmup = LinearScheduler(optimizer, "lr", 2, start_value=0.5, end_value=1.0, relative=True)
        >>> ChainedScheduler([warmup, ExponentialScheduler(optimizer, "lr", gamma=0.5)]).simulate(4)[:, 0].tolist()
        [4.0, 3.0, 2.0, 1.0]
    """

    def __init__(
        self,
        schedulers: Sequence[ParamScheduler | ParamGroupScheduler],
        initial_value: Number | None = None,
        save_history: bool = False,
    ) -> None:
        members = same_target(schedulers, at_least=1)
        first = members[0]
        target = ParamGroups(first.optimizer, first.param_name, first.param_group_index)
        target.refuse_groups_to_come(type(self).__name__)
        base = read_base_values(target, "initial_value") if initial_value is None else ()
        initial = one_or_all(base) if initial_value is None else initial_value
        numbers = arguments.number_or_numbers("initial_value", initial)
        if isinstance(numbers, tuple) and len(numbers) != len(target.groups()):
            raise ValueError(f"initial_value must have {len(target.groups())} values, given {arguments.shown(initial)}")
        if not np.all(numbers):
            raise ValueError(f"initial_value must not be 0, since factors do not change 0, given {shown(initial)}")
        product, base_values = combined(members, partial(_product, initial_value), base)
        self._write_to(target, first.param_name, save_history, product, base_values)
        self.schedulers = tuple(schedulers)

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        # The given schedulers bring their optimizer. A constructor and a simulation write nothing to it.
        return cls(**scheduler_kwargs)


def _product(initial_value: Number | None, schedules: list[Schedule], base: Number) -> Schedule:
    """Multiply the initial value, or the base values if it is None, by the factor of each schedule."""
    initial = base if initial_value is None else initial_value
    with np.errstate(all="ignore"):
        scale = np.asarray(initial, dtype=np.float64) ** (1 - len(schedules))
    if not np.isfinite(scale).all():
        raise ValueError(
            f"initial_value must be so far from 0 that values divided by it are finite, given {shown(initial)}"
        )
    return Product([Constant(scale.tolist()), *schedules])
