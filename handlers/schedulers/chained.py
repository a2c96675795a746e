"""Several schedulers at once, multiplied."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import Constant, Product, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.targets.param_groups import ParamGroups

from .decay_scheduler import own_value
from .members import same_target


class ChainedScheduler(ParamScheduler):
    """The product of what several schedulers make of one initial value.

    With each scheduler's factor ``f_k(i) = schedules[k](i) / initial_value``::

        value(i) = initial_value * f_0(i) * f_1(i) * ...

    It is the initial value that is multiplied, never the present one. The schedulers lend their schedules, each from
    its event 0; they are not called and do not change. One that is driven by a metric is given it by its ``observe``.

    Args:
        schedulers: one or more, all of one optimizer, parameter and param group index.
        initial_value: what their values are multiples of, not 0; one for all param groups, or a list with one for
            each. None for each group's own value, which decays without an initial value begin with, too.
        save_history: whether to record what is written in ``engine.state.param_history``.

    Raises:
        TypeError: ``schedulers`` is not a list or tuple, or a member of the wrong kind.
        ValueError: no schedulers; schedulers of different optimizers, parameters or groups; an initial value of 0.

    Deviations from torch 2.13's ChainedScheduler: a member that writes values of its own, such as
    ``CosineAnnealingWarmRestarts``, is a factor like the others, where in torch it wipes out what those before it did.

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
        slot = ParamGroups(first.optimizer, first.param_name, first.param_group_index)
        initial = own_value(slot, "initial_value") if initial_value is None else initial_value
        numbers = arguments.number_or_numbers("initial_value", initial)
        if isinstance(numbers, tuple) and len(numbers) != len(slot.groups()):
            raise ValueError(f"initial_value must have {len(slot.groups())} values, given {initial!r}")
        if not np.all(numbers):
            raise ValueError(f"initial_value must not be 0, of which nothing is a multiple, given {initial!r}")
        with np.errstate(all="ignore"):
            scale = np.asarray(numbers) ** (1 - len(members))
        if not np.isfinite(scale).all():
            raise ValueError(
                f"initial_value must not be so near to 0 that a value divided by it is infinite, given {initial!r}"
            )
        product = Product([Constant(scale.tolist()), *(member.schedule for member in members)])
        super().__init__(first.optimizer, first.param_name, save_history, first.param_group_index, schedule=product)
        self.schedulers = tuple(schedulers)

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        # The members bring their optimizer, to which neither making nor simulating a scheduler writes.
        return cls(**scheduler_kwargs)
