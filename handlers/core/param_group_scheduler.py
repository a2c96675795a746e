"""``ParamGroupScheduler``, which runs several schedulers at the same event, usually one per param group."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from itertools import accumulate
from operator import call
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

from lehr.engine.history_recorder import Recorder, num_recorded, remove_last_events
from lehr.handlers.schedules import SideBySide
from lehr.handlers.schedules.arguments import shown
from lehr.handlers.schedules.base import Array
from lehr.handlers.targets.group_selection import Group
from lehr.handlers.targets.several import Several
from lehr.handlers.targets.target import Location

from .illegal_values import read_in_block
from .member_states import (
    groups_state,
    history_row,
    member_like,
    num_saved,
    side_by_side,
    split_adjustment,
    take_base_values_of,
)
from .param_scheduler import ParamScheduler
from .resuming.adjustment import Adjustment
from .scheduler import BaseParamScheduler
from .state_param_scheduler import StateParamScheduler
from .stepping_optimizer import common_optimizer

if TYPE_CHECKING:
    from ignite.engine import Engine
    from ignite.engine.events import RemovableEventHandle
    from torch.optim import Optimizer

    from .attaching import AnyClock, AnyEvent


class ParamGroupScheduler(BaseParamScheduler):
    """Writes the schedules of several schedulers at one event, each to its own parameter and groups.

    At event i, counting from 0, it writes ``schedules[k](i)`` to the target of scheduler k. It reads the schedule of
    each given scheduler from event 0. The given schedulers are not called, and their ``event_index`` does not change.

    Args:
        schedulers: one or more schedulers, of any optimizers, parameters and param groups.
        names: the name of each scheduler's history. If None, the names are the ``param_name`` of each scheduler.
            Schedulers with the same name share a history, which contains the values of all these schedulers for each
            event.
        save_history: whether to record the written values in ``engine.state.param_history``. The ``save_history`` of
            the given schedulers has no effect.

    Shapes: one column per value: each scheduler has one value, or one per param group.

    Raises:
        TypeError: ``schedulers`` or ``names`` is not a list or tuple.
        ValueError: an item is not a scheduler; a name is not a string; the number of names is not the number of
            schedulers.

    Deviations from ignite 0.5.5: the given schedulers' ``save_history`` and ``event_index`` have no effect and do not
    change; two schedulers with the same name record one list per event, but ignite appends two lists.

    Example:
        >>> import torch
        >>> from lehr.handlers import CosineAnnealingScheduler
        >>> body, head = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
        >>> optimizer = torch.optim.SGD([{"params": [body]}, {"params": [head]}], lr=0.1)
        >>> members = [CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, 4, param_group_index=0),
        ...            CosineAnnealingScheduler(optimizer, "lr", 8.0, 0.0, 4, param_group_index=1)]
        >>> scheduler = ParamGroupScheduler(members, names=["lr of the body", "lr of the head"])
        >>> scheduler.seek(2)
        >>> scheduler(None)
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.5, 4.0]
    """

    def __init__(
        self, schedulers: Sequence[BaseParamScheduler], names: Sequence[str] | None = None, save_history: bool = False
    ) -> None:
        if not isinstance(schedulers, list | tuple):
            raise TypeError(f"schedulers must be a list or tuple, given {shown(schedulers)}")
        if not schedulers:
            raise ValueError(f"schedulers must be one or more, given {shown(schedulers)}")
        for at, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, BaseParamScheduler) or isinstance(scheduler, ParamGroupScheduler):
                raise ValueError(
                    f"schedulers[{at}] must be a ParamScheduler, a BatchSizeScheduler or a StateParamScheduler, "
                    f"given {shown(scheduler)}"
                )
        names = [scheduler.param_name for scheduler in schedulers] if names is None else names
        if not isinstance(names, list | tuple):
            raise TypeError(f"names must be a list or tuple, given {shown(names)}")
        for at, name in enumerate(names):
            if not isinstance(name, str):
                raise ValueError(f"names[{at}] must be a string, given {shown(name)}")
        if len(names) != len(schedulers):
            raise ValueError(f"names must have one name for each of {len(schedulers)} schedulers, given {shown(names)}")
        self._members = [member_like(scheduler) for scheduler in schedulers]
        params = ", ".join(dict.fromkeys(scheduler.param_name for scheduler in schedulers))
        schedule = SideBySide([member.schedule for member in self._members])
        super().__init__(params, save_history, schedule=schedule, target=self._common_target())
        self.schedulers, self.names = list(schedulers), list(names)
        self._admits = any(member._admits for member in self._param_schedulers())
        self._register()

    def _common_target(self) -> Several:
        return Several([member._target for member in self._members])

    def _admit_groups(self) -> bool:
        members = self._at_event(self._param_schedulers())
        before = [member._joined for member in members]
        try:
            have_joined = [member._admit_groups() for member in members]
            if is_new := any(have_joined):
                self._follow(SideBySide([member.schedule for member in self._members]))
        except BaseException:  # after an interrupt, the next event lets the groups join again
            for member, joined in zip(members, before, strict=True):
                member._joined, member._num_groups_seen = joined, -1
            raise
        return is_new

    def _at_event(self, members: list[Any]) -> list[Any]:
        """Give members the event index of this scheduler, because an overridden ``get_param`` reads it."""
        for member in members:
            member._event_index, member._written_at = self._event_index, self._written_at
        return members

    _caches = BaseParamScheduler._caches | {"_recorders", "_columns"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_members": [copy(member) for member in state["_members"]]})
        self._target = self._common_target()

    def _forget(self) -> None:
        super()._forget()
        groups = [member.schedule.groups for member in self._members]
        starts = accumulate((count or 1 for count in groups), initial=0)
        # The columns of each scheduler in a row of values: one index, or a slice with an index for each group.
        self._columns = [
            start if count is None else slice(start, start + count)
            for start, count in zip(starts, groups, strict=False)
        ]
        self._has_a_value_each = set(groups) == {None}  # whether each scheduler has one value for all its groups
        self._recorders: dict[str, Recorder] = {}
        for member in self._members:
            member._event_reader = self._event_reader

    @property
    def optimizer(self) -> list[Any]:
        """The optimizer of each scheduler."""
        return [member.optimizer for member in self._param_schedulers()]

    @property
    def optimizer_param_groups(self) -> list[Group]:
        """The param groups that are written, as they are now."""
        return [group for member in self._param_schedulers() for group in member.optimizer_param_groups]

    def _param_schedulers(self) -> list[ParamScheduler]:
        return [member for member in self._members if isinstance(member, ParamScheduler)]

    def _read(self, index: int) -> Any:
        """Return the values of all schedulers in one row.

        If values are read event by event, return a tuple with the value of each scheduler instead.
        """
        if self._is_pure:
            return read_in_block(self, index)
        self._at_event(self._members)
        with self._event_reader.one_event():
            return self._rows_of_members([member._read(index) for member in self._members])

    def _row(self, value: Any) -> Any:
        """Split the values that :meth:`_read` returned into the value of each scheduler."""
        if type(value) is tuple:
            return value
        row = value if type(value) is list else value.tolist()
        if self._has_a_value_each:
            return row
        return self._rows_of_members([row[columns] for columns in self._columns])

    def _rows_of_members(self, values: list[Any]) -> tuple[Any, ...]:
        pairs = zip(self._members, values, strict=True)
        return tuple([value if type(value) is float else member._row(value) for member, value in pairs])

    def _recording(self, engine: "Engine", name: str | None, value: Any) -> tuple[Callable[[Any], Any], Any]:
        rows: dict[str, list[float]] = {}
        for own_name, member, its_value in zip(self.names, self._members, value, strict=True):
            rows.setdefault(name or own_name, []).extend(history_row(member, its_value))
        appends = []
        for own_name, row in rows.items():
            recorder = self._recorders.setdefault(own_name, Recorder())
            appends.append(recorder.appender(engine, own_name, self, row, len(row)))
        if all(isinstance(append, BuiltinFunctionType) for append in appends):
            # One call of C code records all histories, so no interrupt can stop the recording half-way.
            return deque(maxlen=0).extend, map(call, appends, rows.values())
        return self._record_all_or_nothing(engine, list(rows)), zip(appends, rows.values(), strict=True)

    def _record_all_or_nothing(self, engine: "Engine", names: list[str]) -> Callable[[Any], None]:
        lengths, index = {name: num_recorded(engine, name) for name in names}, self._event_index

        def record(rows: Iterable[tuple[Callable[[Any], None], list[float]]]) -> None:
            try:
                for append, row in rows:
                    append(row)
            except BaseException:  # undo the event
                self._event_index = index
                for name, length in lengths.items():
                    remove_last_events(engine, name, num_recorded(engine, name) - length)
                raise

        return record

    def attach(
        self,
        engine: "Engine",
        event: "AnyEvent" = "ITERATION_STARTED",
        name: str | None = None,
        clock: "AnyClock" = None,
    ) -> "RemovableEventHandle":
        """Write the values at each event of an engine; see :meth:`BaseParamScheduler.attach`.

        The method creates missing attributes of ``engine.state``; see :meth:`StateParamScheduler.attach`.

        Args:
            engine: the engine, usually the trainer.
            event: an event of the engine, which may have a filter.
            name: the name of one history for all values. If None, each scheduler's history has its name in ``names``.
            clock: the clock whose amounts ``event_index`` counts, such as a :class:`TokenClock`. If None,
                ``event_index`` counts events.

        Raises:
            TypeError, ValueError: see :meth:`BaseParamScheduler.attach`.
        """
        handle = super().attach(engine, event, name, clock)
        for member in self._members:
            if isinstance(member, StateParamScheduler) and not hasattr(engine.state, member.param_name):
                member._write_before_first_event(engine, event)
        return handle

    def simulate(self, num_events: int, start: int = 0) -> Array:
        """Return the values that events ``start`` to ``start + num_events - 1`` would write.

        See :meth:`BaseParamScheduler.simulate`.

        Args:
            num_events: the number of events, at least 0.
            start: the index of the first event, at least 0.

        Shapes: the array is ``(num_events, values)``, with the values of each scheduler side by side.

        Raises:
            TypeError, ValueError: see :meth:`BaseParamScheduler.simulate`.
        """
        table = super().simulate(num_events, start)
        if table.shape[1] == sum(member.schedule.groups or 1 for member in self._members):
            for member, columns in zip(self._members, self._columns, strict=True):
                columns = slice(columns, columns + 1) if isinstance(columns, int) else columns
                table[:, columns] = member._target.as_held(table[:, columns])
        return table

    def _go_to(self, event_index: int) -> None:
        super()._go_to(event_index)
        for member in self._members:
            member._go_to(event_index)

    def _num_groups(self) -> None:
        return None

    def _stepping_optimizer(self) -> "Optimizer | None":
        return common_optimizer(self._members)

    def _last_value(self) -> list[float] | None:
        if self._event_index == self._loaded_at:
            return list(self._loaded_value) if isinstance(self._loaded_value, list) else None
        rows = [member._last_value() for member in self._at_event(self._members)]
        if any(row is None for row in rows):
            return None
        return [float(value) for row in rows for value in (row if isinstance(row, list) else [row])]

    def state_dict(self) -> dict[str, Any]:
        """Return the state with the param groups of each scheduler; see :meth:`ParamScheduler.state_dict`."""
        own = [groups_state(member) for member in self._members]
        return super().state_dict() | {key: [state[key] for state in own] for key in own[0]}

    def _take_base_values(self, state: Mapping[str, Any]) -> Callable[[], None]:
        is_new = isinstance(state["base_values"], list)  # earlier versions did not save base values
        return take_base_values_of(self, state) if is_new else super()._take_base_values(state)

    def _loaded(self, state: Mapping[str, Any]) -> None:
        # Look the groups up first, because an error after the next lines would load half a state.
        widths = [num_saved(member) for member in self._members]
        super()._loaded(state)
        self._target = self._common_target()  # the new target looks up all groups again
        known, values = state["param_groups"], state["value"]
        for at, member in enumerate(self._members):
            if isinstance(member, ParamScheduler) and isinstance(known, list) and at < len(known):
                member._target.known_groups = known[at]
        if isinstance(values, list) and len(values) == sum(widths):
            for member, end in zip(self._members, accumulate(widths), strict=True):
                if not member._target.is_saved:
                    member._target.last = values[end - 1]

    def _adjust(self, adjustment: Adjustment) -> None:
        for member, its_own in zip(self._members, split_adjustment(adjustment, self._members), strict=True):
            member._adjust(its_own)
        self._follow(SideBySide([member.schedule for member in self._members]))
        self._adjustment = adjustment

    def _locations(self, engine: "Engine") -> dict[str, list[Location]]:
        locations: dict[str, list[Location]] = {}
        for name, member in zip(self.names, self._members, strict=True):
            for own_name, its_own in member._locations(engine).items():
                locations.setdefault(name if own_name == member.param_name else own_name, []).extend(its_own)
        return locations

    def _history_names(self, name: str | None) -> list[str]:
        return [name] if name else list(dict.fromkeys(self.names))

    def _labels(self) -> list[str]:
        widths = [member.schedule.groups or 1 for member in self._members]
        names = [name for name, width in zip(self.names, widths, strict=True) for _ in range(width)]
        alone = [names.count(name) == 1 for name in names]
        return [name if alone[at] else f"{name}, group {names[:at].count(name)}" for at, name in enumerate(names)]

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "names": list(self.names)}

    def as_param_scheduler(self) -> ParamScheduler:
        """Return one scheduler with a value for each param group, for use in a :class:`ConcatScheduler`.

        Raises:
            ValueError: the schedulers have different optimizers or param names; or a param group has no scheduler, or
                has several schedulers.
        """
        return side_by_side(self._members, self.schedulers)

    @classmethod
    def simulate_values(  # type: ignore[override]
        cls,
        num_events: int,
        schedulers: Sequence[BaseParamScheduler] = (),
        names: Sequence[str] | None = None,
        save_history: bool = False,
    ) -> list[list[float]]:
        """Return the values that the first events would write. Schedulers and optimizers do not change.

        Args:
            num_events: the number of events.
            schedulers: one or more schedulers.
            names: the name of each scheduler's history. If None, the names are the ``param_name`` of each scheduler.
            save_history: has no effect.

        Shapes: a list of ``num_events`` rows, each with the event index and a value, or with a value for each group.

        Returns:
            ``[[0, value_0, value_1, ...], ...]``, where each row contains the values of all schedulers.

        Raises:
            TypeError, ValueError: see the constructor and :meth:`simulate`.
        """
        return cls._simulated_rows(num_events, {"schedulers": schedulers, "names": names})
