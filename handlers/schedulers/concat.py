"""One scheduler after another."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

from lehr.handlers.core.copying import private_copy
from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.reading import random_state_kept
from lehr.handlers.schedules import Concatenation, arguments
from lehr.handlers.targets.param_groups import ParamGroups

from .members import same_target


class ConcatScheduler(ParamScheduler):
    """The schedules of several schedulers, one after another; the last one goes on for ever.

    With durations d_0, d_1, ... and the starts ``t_k = d_0 + ... + d_{k-1}``, at event i::

        value = schedules[k](i - t_k)    for the last k with t_k <= i

    The schedulers lend their schedules, each from its event 0; they are not called and do not change.

    Args:
        schedulers: two or more, all of one optimizer, parameter and param group index; or a
            :class:`ParamGroupScheduler` that has each group of the optimizer once.
        durations: events of each scheduler but the last, at least 0; one of 0 events is passed over.
        save_history: whether to record what is written in ``engine.state.param_history``.

    Raises:
        TypeError: ``schedulers`` or ``durations`` is not a list or tuple, or a member of the wrong kind.
        ValueError: too few schedulers; durations that do not fit them, are negative or not whole; schedulers
            of different optimizers, parameters or groups.

    Deviations from ignite 0.5.5: members with different ``param_group_index`` are refused; their
    ``save_history`` and ``event_index`` are neither read nor changed; a duration of 0 passes over its member, where
    ignite stays on one that is not the first.

    Example:
        >>> import torch
        >>> from lehr.handlers import CosineAnnealingScheduler, LinearCyclicalScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> warmup = LinearCyclicalScheduler(optimizer, "lr", 0.0, 1.0, cycle_size=4, monotonic=True)
        >>> annealing = CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, cycle_size=4)
        >>> ConcatScheduler([warmup, annealing], durations=[4]).simulate(8)[:, 0].round(4).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0, 0.8536, 0.5, 0.1464]
    """

    def __init__(
        self,
        schedulers: Sequence[ParamScheduler | ParamGroupScheduler],
        durations: Sequence[int],
        save_history: bool = False,
    ) -> None:
        if not isinstance(durations, list | tuple):
            raise TypeError(f"durations must be a list or tuple, given {durations!r}")
        members = same_target(schedulers, at_least=2)
        for at, duration in enumerate(durations):
            if isinstance(duration, bool) or not isinstance(duration, int | float | Integral):
                raise ValueError(f"durations[{at}] must be a whole number of events, given {duration!r}")
        schedule = Concatenation([member.schedule for member in members], durations)
        first = members[0]
        super().__init__(first.optimizer, first.param_name, save_history, first.param_group_index, schedule=schedule)
        self.schedulers = tuple(schedulers)
        self.durations = schedule.durations

    @classmethod
    def simulate_values(
        cls,
        num_events: int,
        schedulers: Sequence[ParamScheduler | ParamGroupScheduler] = (),
        durations: Sequence[int] = (),
        param_names: Sequence[str] | None = None,
        **scheduler_kwargs: Any,
    ) -> list[list[float]]:
        """The values that the first events would leave in the param groups; nothing is touched.

        Args:
            num_events: how many events.
            schedulers: two or more.
            durations: events of each scheduler but the last.
            param_names: which parameters of the param groups to tell; the one that is scheduled where None. Others
                are what the optimizer holds, or what a torch scheduler writes besides.
            scheduler_kwargs: the other arguments of the class, by name.

        Returns:
            ``[[0, value_0, ..., value_G-1], ...]``, a value for each of the G groups, name after name.

        Raises:
            TypeError: ``param_names`` is not a list or tuple; or as the class and :meth:`simulate`.
            ValueError: a name is not a string, or no parameter; or as the class and :meth:`simulate`.
        """
        given = {"schedulers": schedulers, "durations": durations, **scheduler_kwargs}
        if param_names is None:
            return super().simulate_values(num_events, **given)
        if not isinstance(param_names, list | tuple):
            raise TypeError(f"param_names must be a list or tuple, given {param_names!r}")
        for at, name in enumerate(param_names):
            if not isinstance(name, str):
                raise ValueError(f"param_names[{at}] must be a string, given {name!r}")
        num_events = arguments.whole_number("num_events", num_events, at_least=0)
        rehearsal = private_copy(cls(**given))
        slots = [ParamGroups(rehearsal.optimizer, name, rehearsal.param_group_index) for name in param_names]
        rows: list[list[float]] = []
        with random_state_kept():
            for event in range(num_events):
                rehearsal(None)
                rows.append([event, *(value for slot in slots for value in slot.read())])
        return rows

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        # The members bring their optimizer, to which neither making nor simulating a scheduler writes.
        return cls(**scheduler_kwargs)
