"""The hot path: read a value, write it to an optimizer, record it, count one event."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from ignite.engine import Engine
from torch.optim import Optimizer

from lehr.handlers.schedules import Plateau, Schedule
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.stateful import stateful_parts
from lehr.handlers.targets.group_selection import Group, Selection
from lehr.handlers.targets.param_groups import HasParamGroups, ParamSlot, StandInOptimizer, Value
from lehr.handlers.targets.places import Places, places_in_groups

from .scheduler import NOTHING, BaseParamScheduler


class ParamScheduler(BaseParamScheduler):
    """Writes a schedule to a parameter of an optimizer.

    Attach it to an engine with ``scheduler.attach(trainer)``, or call ``scheduler(None)`` before each step of a
    plain loop.

    A tensor is filled in place, so it stays the same one. A float that is replaced by a tensor in mid-run, or taken
    away, is noticed in the first param group that is written, or in all of them.

    Args:
        optimizer: a torch optimizer, or any object with its ``param_groups``.
        param_name: ``"lr"``, ``"weight_decay"``, ``"betas[0]"`` or another numeric entry of the param groups;
            ``"momentum"`` means ``betas[0]`` in an optimizer that has betas and no momentum.
        save_history: whether to record what is written in ``engine.state.param_history``.
        param_group_index: the only param group to write, by its index or name, or several by a predicate; None for
            all of them; see :class:`Groups`.
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
        param_group_index: Selection = None,
        *,
        schedule: Schedule | Callable[[int], Value] | None = None,
    ) -> None:
        super().__init__(param_name, save_history, schedule=schedule)
        self._slot = ParamSlot(optimizer, param_name, param_group_index)
        given = self._schedule
        if given is not None and given.groups is not None:
            self._slot.leave_to_be_added(given.groups)
        groups = self._num_groups()
        if given is not None and groups is not None and given.groups not in (None, groups):
            raise ValueError(
                f"the schedule must have values for {groups} param groups, given {given.groups} in {given!r}"
            )
        if param_group_index is not None or (given is not None and given.groups is not None):
            self._slot.refuse_shared_tensors()
        self._register()

    @property
    def optimizer(self) -> HasParamGroups:
        """The optimizer."""
        return self._slot.optimizer

    @property
    def param_group_index(self) -> Selection:
        """Which param groups are written, an index counted from the first; None for all of them."""
        return self._slot.param_group_index

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
        # What the event before has found. One tuple takes less time to read than nine attributes, and is replaced as a
        # whole or not at all, whatever interrupts.
        optimizer, key, known, count, alone, start, values, run, append = self._prepared
        groups = optimizer.param_groups
        try:
            first = groups[0]
            # load_state_dict replaces the list, and add_param_group makes it longer. To look for a tensor in every
            # group would take as long as writing to it, so the first one stands for all.
            if groups is known and len(groups) == count and type(first[key]) is float:
                value = values[index - start]
                if append is None or engine.state.param_history.columns[name or self.param_name].section is run:  # type: ignore[union-attr]
                    if alone:  # as it mostly is, and a loop takes longer to begin than one write
                        first[key] = value
                    elif type(value) is float:
                        for group in groups:
                            group[key] = value
                    else:
                        value = value.tolist()
                        for group, own in zip(groups, value):  # noqa: B905 -- strict takes longer, and it was checked
                            group[key] = own
                    # Count, then record: an interrupt is handled after a call, and so finds both done or neither.
                    self._event_index = index + 1
                    if append is not None:
                        append(value)
                    return
        except (LookupError, AttributeError):  # the block has come to its end, or there is no such history now
            pass
        self._write_and_prepare(engine, name)

    def _write_and_prepare(self, engine: Engine | None, name: str | None) -> None:
        """Do the same in any case that there may be, and prepare the next event if it is likely to be a common one."""
        value = self._next()
        groups = self._slot.groups()
        if isinstance(value, list):
            value = self._slot.fitted(value, groups)
        record = None
        if self._save_history and engine is not None:
            record = self._recorder.appender(engine, name or self.param_name, self, value, len(groups))
        self._slot.write(value)
        self._event_index += 1
        if record is not None:
            record(value)
        start, values, own = self._block
        is_recorded = record is not None or not self._save_history
        if is_recorded and len(values) and own in (0, len(groups)) and self._slot.is_plain():
            place = self._slot.optimizer, self._slot.key, groups, len(groups), len(groups) == 1 and not own
            self._prepared = (*place, start, values, self._recorder.section, record)
        else:
            self._prepared = NOTHING

    def _places(self, engine: Engine) -> Places:
        places = {
            self.param_name: places_in_groups(self.optimizer, self._slot.groups(), self._slot.key, self._slot.item)
        }
        if any("momentum" in part.other_params for part in stateful_parts(self._planned)):
            groups = self.optimizer.param_groups
            key, item = ("betas", 0) if "betas" in groups[0] else ("momentum", None)
            places.setdefault("momentum", places_in_groups(self.optimizer, groups, key, item))
        return places

    def _holders(self, engine: Engine) -> list[Group]:
        return self._slot.groups() if self._ahead else self.optimizer.param_groups  # of which torch may write others

    def _writing(self, engine: Engine | None, value: Value) -> Callable[[], None]:
        return self._slot.writing(value)

    def _write(self, engine: Engine | None, value: Value) -> None:
        self._slot.write(value)

    def _stepping_optimizer(self) -> Optimizer | None:
        return self.optimizer if isinstance(self.optimizer, Optimizer) else None

    def _present(self) -> Any:
        if (self._ahead and not self._asks_get_param) or self._event_index == self._loaded_at:
            return super()._present()
        try:
            held = self._slot.read()
        except ValueError:  # a group was added that lacks the parameter, or is refused: the next event says so
            return None
        return held if held and all(map(math.isfinite, held)) else None

    def _held(self) -> list[float]:
        return self._slot.read()

    def state_dict(self) -> dict[str, Any]:
        """The progress as plain data, with the number of param groups that are known: see :class:`BaseParamScheduler`.

        Others have been added since.
        """
        return {**super().state_dict(), "param_groups": self._slot.known_groups}

    def _check_state(self, state: Mapping[str, Any]) -> None:
        groups = self._num_groups()
        for part, progress in zip(stateful_parts(self._planned), state.get("progress", ()), strict=False):
            values = progress.get("values") if isinstance(part, Plateau) and isinstance(progress, Mapping) else None
            if isinstance(values, list | tuple) and groups is not None and len(values) not in (1, groups):
                raise ValueError(f"values must be one or {groups}, as many as the param groups, given {len(values)}")

    def _loaded(self, state: Mapping[str, Any]) -> None:
        super()._loaded(state)
        if isinstance(state["param_groups"], int):
            self._slot.known_groups = state["param_groups"]

    def simulate(self, num_events: int, start: int = 0) -> Array:
        """The values that the next events would write: see :meth:`BaseParamScheduler.simulate`."""
        table = super().simulate(num_events, start)
        more = 0 if isinstance(self.optimizer, StandInOptimizer) else len(self._slot.groups()) - table.shape[1]
        return np.column_stack([table, *[table[:, -1:]] * more]) if self._slot.adopts else table

    def _num_groups(self) -> int | None:
        if isinstance(self.optimizer, StandInOptimizer):
            return None
        groups = len(self.optimizer_param_groups)
        own = None if self._schedule is None else self._schedule.groups
        return own if self._slot.adopts and own is not None and own < groups else groups

    @classmethod
    def _on_stand_in(cls, **scheduler_kwargs: Any) -> Self:
        return cls(optimizer=StandInOptimizer(), **scheduler_kwargs)
