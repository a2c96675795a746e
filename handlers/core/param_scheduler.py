"""A scheduler of an optimizer's parameter."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from ignite.engine import Engine
from torch.optim import Optimizer

from lehr.engine.optimizer_events import wrapped_optimizer
from lehr.handlers.schedules import Plateau, Schedule
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.stateful import stateful_parts
from lehr.handlers.targets.group_selection import Group, Selection
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups, PlaceholderOptimizer
from lehr.handlers.targets.target import Location, Value

from .saving import finite_values
from .scheduler import NOTHING_READ, BaseParamScheduler

# What the usual event needs, as one tuple: it takes less time to read than attributes, and is replaced as a whole. The
# first six are those of FloatGroups; then the values of a block of events, its first event, the part of the history
# that is added to and what adds to it (None where nothing is recorded).
UsualEvent = tuple[Any, list[Group], int, str, int, Any, list[float], int, Any, Callable[[Any], None] | None]


class ParamScheduler(BaseParamScheduler):
    """Writes a schedule to a parameter of an optimizer.

    Attach it to an engine with ``scheduler.attach(trainer)``, or call ``scheduler(None)`` before each step of a
    plain loop.

    A tensor is filled in place, so it stays the same tensor. If you replace a float by a tensor or delete it in
    mid-run, do so in all param groups: the scheduler checks only the first one that it writes.

    Args:
        optimizer: a torch optimizer, or any object with its ``param_groups``.
        param_name: ``"lr"``, ``"weight_decay"``, ``"betas[0]"`` or another numeric entry of the param groups;
            ``"momentum"`` means ``betas[0]`` in an optimizer that has betas and no momentum.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        schedule: a :class:`Schedule`, or a function from the event index to a number or a list of numbers. A subclass
            that overrides ``get_param`` may leave it out.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the parameter or the param group does not exist; the schedule has values for another number of
            groups.

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

    _target: ParamGroups

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        save_history: bool = False,
        param_group_index: Selection = None,
        *,
        schedule: Schedule | Callable[[int], Value] | None = None,
    ) -> None:
        self._write_to(ParamGroups(optimizer, param_name, param_group_index), param_name, save_history, schedule)

    def _write_to(
        self,
        target: ParamGroups,
        param_name: str,
        save_history: bool,
        schedule: Schedule | Callable[[int], Value] | None,
    ) -> None:
        """Construct the scheduler for a given target."""
        super().__init__(param_name, save_history, schedule=schedule, target=target)
        given = self._planned
        if given is not None and given.groups is not None:
            target.expect_added_groups(given.groups)
            groups = self._num_groups()
            if groups not in (None, given.groups):
                raise ValueError(
                    f"the schedule must have values for {groups} param groups, given {given.groups} in {given!r}"
                )
        if not target.writes_all or (given is not None and given.groups is not None):
            target.refuse_shared_tensors()
        self._register()

    _usual: UsualEvent | None = None
    _caches = BaseParamScheduler._caches | {"_usual"}

    def __call__(self, engine: Engine | None, name: str | None = None) -> None:
        """Write the value of this event, record it, and count the event.

        Args:
            engine: the engine that fires the event; None in a plain loop, without history.
            name: name of the history; None for ``param_name``.
        """
        usual = self._usual
        if usual is not None:
            # The usual event writes a float that was read before to groups that hold floats. Any other event calls the
            # method of the base class.
            index = self._event_index
            optimizer, known, length, key, first_index, indices, values, first_event, run, append = usual
            groups = optimizer.param_groups
            try:
                first = groups[first_index]
                # load_state_dict replaces the list, and add_param_group extends it. To check every group would take as
                # long as to write to it, so only the first group is checked.
                if groups is known and len(groups) == length and type(first[key]) is float:
                    value = values[index - first_event]
                    if append is None or engine.state.param_history.columns[name or self.param_name].section is run:  # type: ignore[union-attr]
                        first[key] = value
                        if indices is not None:  # there is more than one group
                            for group in groups if len(indices) == length else [groups[at] for at in indices]:
                                group[key] = value
                        # Count, then record: Python handles an interrupt after a call, so both are done or neither.
                        self._event_index = index + 1
                        if append is not None:
                            append(value)
                        return
            except (LookupError, AttributeError):  # no more values were read, or the history is gone
                pass
        BaseParamScheduler.__call__(self, engine, name)
        if self._block_reader is not NOTHING_READ:
            self._usual = self._next_usual()

    def _next_usual(self) -> UsualEvent | None:
        groups, reader = self._target.float_groups(), self._block_reader
        if groups is None or type(reader.values) is not list:
            return None
        if self._save_history:
            return (*groups, reader.values, reader.first_event, self._recorder.section, self._recorder.append)
        return (*groups, reader.values, reader.first_event, None, None)

    def _forget(self) -> None:
        super()._forget()
        self._usual = None

    def _go_to(self, event_index: int) -> None:
        super()._go_to(event_index)
        self._usual = None

    @property
    def optimizer(self) -> HasParamGroups:
        """The optimizer."""
        return self._target.optimizer

    @property
    def param_group_index(self) -> Selection:
        """The selection of param groups; an index counts from the first group, None selects all."""
        return self._target.param_group_index

    @property
    def optimizer_param_groups(self) -> list[Group]:
        """The param groups that are written, as they are now."""
        return self._target.groups()

    def _row(self, value: Any) -> Any:
        value = super()._row(value)
        return self._target.fitted(value, self._target.groups()) if isinstance(value, list) else value

    def _locations(self, engine: Engine) -> dict[str, list[Location]]:
        locations = super()._locations(engine)
        if any("momentum" in part.other_params for part in stateful_parts(self._planned)):
            groups = self.optimizer.param_groups
            key, item = ("betas", 0) if "betas" in groups[0] else ("momentum", None)
            locations.setdefault("momentum", [Location(group, key, item, self.optimizer) for group in groups])
        return locations

    def _holders(self, engine: Engine) -> list[Any]:
        return super()._holders(engine) if self._is_pure else self.optimizer.param_groups  # torch may write any

    def _stepping_optimizer(self) -> Optimizer | None:
        optimizer = wrapped_optimizer(self.optimizer)
        return optimizer if isinstance(optimizer, Optimizer) else None

    def _last_value(self) -> Any:
        if (self._is_pure and not self._asks_get_param) or self._event_index == self._loaded_at:
            return super()._last_value()
        return finite_values(self._target.read)

    def state_dict(self) -> dict[str, Any]:
        """The state as plain data, with the number of param groups; see :meth:`BaseParamScheduler.state_dict`.

        Groups beyond that number were added later.
        """
        return {**super().state_dict(), "param_groups": self._target.known_groups}

    def _check_state(self, state: Mapping[str, Any]) -> None:
        groups = self._num_groups()
        for part, progress in zip(stateful_parts(self._planned), state.get("progress", ()), strict=False):
            values = progress.get("values") if isinstance(part, Plateau) and isinstance(progress, Mapping) else None
            if isinstance(values, list | tuple) and groups is not None and len(values) not in (1, groups):
                raise ValueError(f"values must be one or {groups}, as many as the param groups, given {len(values)}")

    def _loaded(self, state: Mapping[str, Any]) -> None:
        super()._loaded(state)
        if isinstance(state["param_groups"], int):
            self._target.known_groups = state["param_groups"]

    def simulate(self, num_events: int, start: int = 0) -> Array:
        """The values that the next events would write; see :meth:`BaseParamScheduler.simulate`."""
        table = super().simulate(num_events, start)
        is_placeholder = isinstance(self.optimizer, PlaceholderOptimizer)
        more = len(self._target.groups()) - table.shape[1] if self._target.adopts and not is_placeholder else 0
        return np.column_stack([table, *[table[:, -1:]] * more]) if more else table

    def _num_groups(self) -> int | None:
        if isinstance(self.optimizer, PlaceholderOptimizer):
            return None
        groups = len(self.optimizer_param_groups)
        own = None if self._schedule is None else self._schedule.groups
        return own if self._target.adopts and own is not None and own < groups else groups

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        return cls(optimizer=PlaceholderOptimizer(), **scheduler_kwargs)
