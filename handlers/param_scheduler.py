"""The hot path: read a value, write it to an optimizer, record it, count one event."""

from collections.abc import Callable
from typing import Any, Self

from ignite.engine import Engine

from .base import BaseParamScheduler
from .param_groups import Group, HasParamGroups, ParamSlot, StandInOptimizer, Value
from .schedules import Schedule


class ParamScheduler(BaseParamScheduler):
    """Writes a schedule to a parameter of an optimizer.

    Attach it to an engine with ``scheduler.attach(trainer)``, or call ``scheduler(None)`` before each step of a
    plain loop.

    Args:
        optimizer: a torch optimizer, or any object with its ``param_groups``.
        param_name: ``"lr"``, ``"weight_decay"``, ``"betas[0]"`` or another numeric entry of the param groups;
            ``"momentum"`` means ``betas[0]`` in an optimizer that has betas and no momentum.
        save_history: whether to record what is written in ``engine.state.param_history``.
        param_group_index: index of the only param group to write; None for all of them.
        schedule: a :class:`Schedule`, or a function from the event index to a number or a list of numbers; may
            be left out in a subclass that overrides ``get_param``.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: the optimizer has no such parameter or group, or not as many as the schedule has values.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event_index: 0.5**event_index)
        >>> for _ in range(3):
        ...     scheduler(None)
        ...     print(optimizer.param_groups[0]["lr"])
        1.0
        0.5
        0.25
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        save_history: bool = False,
        param_group_index: int | None = None,
        *,
        schedule: Schedule | Callable[[int], Value] | None = None,
    ) -> None:
        super().__init__(param_name, save_history, schedule=schedule)
        self.optimizer = optimizer
        self.param_group_index = param_group_index
        self._slot = ParamSlot(optimizer, param_name, param_group_index)
        self._key = self._slot.key
        # Whether each value is a float for all groups: then the hot path need not look at it.
        given = self._schedule
        self._one_value = not self._asks_get_param and given is not None and given.groups is None and given.ahead
        self._plain_groups: list[Group] | None = None
        if given is not None and given.groups not in (None, self._num_groups()):
            raise ValueError(f"the schedule must have values for {self._num_groups()} param groups, given {given!r}")

    @property
    def optimizer_param_groups(self) -> list[Group]:
        """The param groups that are written, as they are now."""
        return self._slot.groups()

    def __call__(self, engine: Engine | None, name: str | None = None) -> None:
        """Write the value of this event, record it, and count the event.

        Args:
            engine: the engine whose event it is; None in a plain loop, where nothing is recorded.
            name: name of the history to record under; ``param_name`` where None.
        """
        index = self._event_index
        try:
            value = self._block[index - self._block_start]
        except IndexError:
            value = self._read(index)
        groups = self.optimizer.param_groups
        key = self._key
        # The list is replaced by load_state_dict and its last group is the one added last. Looking into every
        # group for a tensor would double the cost of writing to many of them.
        if groups is self._plain_groups and type(groups[-1][key]) is float:
            for group in groups:
                group[key] = value
        else:
            groups = self._slot.write(value)
            if self._one_value:
                self._plain_groups = groups if self._slot.all_plain() else None
        if self.save_history and engine is not None:
            self._record(engine, name or self.param_name, value, len(groups))
        self._event_index = index + 1

    def _num_groups(self) -> int:
        if isinstance(self.optimizer, StandInOptimizer):
            return self.schedule.groups or 1
        return len(self.optimizer_param_groups)

    @classmethod
    def _on_stand_in(cls, **scheduler_kwargs: Any) -> Self:
        for name in ("optimizer", "save_history", "param_group_index"):
            scheduler_kwargs.pop(name, None)
        return cls(optimizer=StandInOptimizer(), **scheduler_kwargs)
