"""``ParamScheduler``, the base of all schedulers that write to the param groups of an optimizer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lehr.handlers.schedules import RunLength, Schedule, arguments
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.durations_to_events import resolved
from lehr.handlers.schedules.stateful import stateful_parts
from lehr.handlers.targets.group_selection import Group, Selection
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups, PlaceholderOptimizer, put_floats
from lehr.handlers.targets.target import Location, Value

from . import base_values
from .late_groups import JoinedGroup, joined_groups
from .resuming.adjustment import Adjustment
from .saving import check_plateau_values, finite_values
from .scheduler import BaseParamScheduler
from .stepping_optimizer import torch_optimizer
from .usual_event import UsualEvent, usual_event_of

if TYPE_CHECKING:
    from ignite.engine import Engine
    from torch.optim import Optimizer


class ParamScheduler(BaseParamScheduler):
    """Writes a schedule to a parameter of an optimizer.

    At event i, counting from 0, it writes ``schedule(i)``. If ``relative`` is True, it writes ``base * schedule(i)`` to
    each param group, where base is the base value of the group.

    Attach it to an engine with ``scheduler.attach(trainer)``, or call ``scheduler(None)`` before each step of a
    plain loop.

    The scheduler fills a tensor in place, so the tensor stays the same object. If you replace a float by a tensor
    during a run, or delete the float, do this in all param groups, because the scheduler checks only the first group
    that it writes.

    Args:
        optimizer: a torch optimizer, or any object with ``param_groups`` like those of an optimizer.
        param_name: ``"lr"``, ``"weight_decay"``, ``"betas[0]"`` or another numeric entry of the param groups.
            ``"momentum"`` means ``betas[0]`` in an optimizer that has betas and no momentum.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        schedule: a :class:`Schedule`, or a function that takes the event index and returns a number or a list of
            numbers. A subclass that overrides ``get_param`` may leave the schedule out.
        relative: whether the values of the schedule are factors of each group's base value. The base value of ``lr`` is
            the group's entry ``initial_lr``, as in torch. Other parameters have the entry ``initial_`` and their name.
            If the group has no such entry, the base value is its value when you construct the scheduler. Keyword only.
        run: the length of the run, which durations such as ``"10%"``, ``"3 epochs"`` or ``"2B tokens"`` need; see
            :class:`RunLength`. Keyword only.

    Raises:
        TypeError: an argument has the wrong type; ``relative`` is True, but ``get_param`` is overridden.
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
        relative: bool = False,
        run: RunLength | None = None,
    ) -> None:
        target, self._run = ParamGroups(optimizer, param_name, param_group_index), run
        schedule, base = resolved(schedule, run), None
        if arguments.flag("relative", relative):
            is_overridden = type(self).get_param is not BaseParamScheduler.get_param
            base = base_values.relative_to_groups(target, None if is_overridden else schedule, type(self).__name__)
            schedule = base.schedule()
        self._write_to(target, param_name, save_history, schedule, base)

    def _write_to(
        self,
        target: ParamGroups,
        param_name: str,
        save_history: bool,
        schedule: Schedule | Callable[[int], Value] | None,
        base: base_values.BaseValues | None = None,
    ) -> None:
        """Construct the scheduler for a target. ``base`` contains the base values of the schedule."""
        super().__init__(param_name, save_history, schedule=schedule, target=target)
        given = self._planned
        added = target.selection.added
        if added == "own" and base is None and given is not None:
            base = base_values.BaseValues(tuple(target.base_values()), partial(base_values.independent_of_base, given))
        self._base = base
        self._admits = added == "own" or (added is None and base is not None and base.is_own)
        self._num_groups_seen = len(target.optimizer.param_groups)
        self._began_trained = base is not None and base.is_own and base_values.has_trained(target)
        if given is not None and given.groups is not None:
            target.expect_added_groups(given.groups)
            if (groups := self._num_groups()) not in (None, given.groups):
                raise ValueError(
                    f"the schedule must have values for {groups} param groups, given {given.groups} in "
                    f"{arguments.shown(given)}"
                )
        if not target.writes_all or (given is not None and given.groups is not None):
            target.refuse_shared_tensors(self._distinct_values())
        self._register()

    def _distinct_values(self) -> Iterable[Any]:
        """Return an object for each group that is written. Groups with equal objects always get equal values."""
        return count()

    _base: base_values.BaseValues | None = None
    _joined: Sequence[JoinedGroup] = ()
    _began_trained = False  # whether the optimizer had trained when the scheduler was constructed
    _usual: UsualEvent | None = None
    _caches = BaseParamScheduler._caches | {"_usual"}

    def __call__(self, engine: "Engine | None", name: str | None = None, amount: int = 1) -> None:
        """Write the value of this event, record it, and count the event.

        Args:
            engine: the engine that fires the event; None in a plain loop.
            name: the name of the history. If None, the name is ``param_name``.
            amount: the amount that the event adds to ``event_index``; see :class:`BaseParamScheduler`.
        """
        value, usual = None, self._usual
        if usual is not None:
            # The usual event writes floats to groups that have floats.
            index = self._event_index
            optimizer, known, length, key, first_index, indices, values, first_event, section, append = usual
            if values is None:  # read the value before the groups, because a user's function may change the groups
                if self._admits:
                    self._admit_groups()
                value = self._read(index)
                if type(value) is not float or self._usual is not usual:  # a user's function may seek, for instance
                    return self._write_value(value, index, engine, name, amount)
            groups = optimizer.param_groups
            try:
                first = groups[first_index]
                # load_state_dict replaces the list of groups, and add_param_group extends it. A check of every group
                # would take as much time as writing, so only the first group is checked.
                if groups is known and len(groups) == length and type(first[key]) is float:
                    if values is not None:
                        value = values[index - first_event]
                    if append is not None:
                        columns = (engine or self._plain_loop).state.param_history.columns  # type: ignore[union-attr]
                        if columns[name or self.param_name].section is not section:
                            raise LookupError  # the event records in another history than the last event
                    if indices is None:  # there is one group
                        first[key] = value
                    else:
                        written = groups if len(indices) == length else [groups[at] for at in indices]
                        if type(value) is list:
                            put_floats(written, key, value)
                        else:
                            for group in written:
                                group[key] = value
                    # Count first, then record. Python handles an interrupt only after the call of append, so an
                    # interrupted event is both counted and recorded, or neither.
                    self._event_index = index + amount
                    if append is not None:
                        append(value)
                    return None
            except (LookupError, AttributeError):  # the block has no more values, or the history has changed
                pass
        if value is not None:
            self._write_value(value, index, engine, name, amount)
        else:
            BaseParamScheduler.__call__(self, engine, name, amount)
        self._usual = usual_event_of(self)
        return None

    def _admit_groups(self) -> bool:
        """Let new groups continue from their own values. Return whether there are new groups."""
        if not self._admits or len(self.optimizer.param_groups) == self._num_groups_seen:
            return False
        before, joined = self._joined, joined_groups(self)
        if is_new := len(joined) > len(before):
            try:
                self._joined = joined
                if self._base is not None and not self._base.values:
                    self._planned = self._base.schedule(joined)
                self._follow(self._schedule_of_first(joined))
            except BaseException:  # after an interrupt, the next event lets the groups join again
                self._joined = before
                raise
        self._num_groups_seen = len(self.optimizer.param_groups)
        return is_new

    def _schedule_of_first(self, joined: Sequence[JoinedGroup]) -> Schedule:
        """Return the schedule of the first groups, or of the first group that joined if all groups joined later."""
        if self._base is None or self._base.values:
            return self._first_schedule  # type: ignore[no-any-return]
        return self._adjustment.applied_to(self._base.schedule(joined))

    def _follow(self, schedule: Schedule | None) -> None:
        """Let the first groups follow a schedule, and let the groups that joined follow multiples of its values."""
        self._first_schedule: Any = schedule
        if schedule is not None and self._base is not None:
            schedule = self._base.for_all_groups(schedule, self._joined)
        super()._follow(schedule)

    def _forget(self) -> None:
        self._usual = None  # first: after an interrupt, the next event must not write a value of the old block
        super()._forget()

    def seek(self, event_index: int) -> None:
        """Go to an event; see :meth:`BaseParamScheduler.seek`.

        The method warns with a :class:`ResumeWarning` if the schedule starts from the values of an optimizer that had
        trained before the scheduler was constructed.

        Args:
            event_index: the index of the next event, at least 0.

        Raises:
            TypeError: ``event_index`` is not a number.
            ValueError: ``event_index`` is negative or not whole.
        """
        super().seek(event_index)
        if self._began_trained and event_index > 0:
            self._began_trained = False
            base_values.warn_of_trained_base_values(self)

    def _go_to(self, event_index: int) -> None:
        self._usual = None  # first, as in _forget
        super()._go_to(event_index)

    @property
    def optimizer(self) -> HasParamGroups:
        """The optimizer whose param groups are written."""
        return self._target.optimizer

    @property
    def param_group_index(self) -> Selection:
        """The selection of param groups. An index counts from the first group. None selects all groups."""
        return self._target.param_group_index

    @property
    def optimizer_param_groups(self) -> list[Group]:
        """The param groups that are written, as they are now."""
        return self._target.groups()

    def _row(self, value: Any) -> Any:
        if type(value) is np.ndarray and not self._save_history and self._target.are_floats(len(value)):
            # A block for many groups. A new float of this view takes the memory of the float that it replaces.
            return value.data
        value = value if type(value) is list else super()._row(value)
        return self._target.fitted(value, self._target.groups()) if isinstance(value, list) else value

    def _recording(self, engine: "Engine", name: str | None, value: Any) -> tuple[Callable[[Any], Any], Any]:
        if not self._target.groups():  # the selected group is not added yet
            return lambda row: None, value
        if self._target.float_groups() is None:
            value = self._target.as_held(value)
        return super()._recording(engine, name, value)

    def _locations(self, engine: "Engine") -> dict[str, list[Location]]:
        locations = super()._locations(engine)
        if any("momentum" in part.other_params for part in stateful_parts(self._planned)):
            groups = self._target.groups()
            key, item = ("betas", 0) if "betas" in groups[0] else ("momentum", None)
            locations.setdefault("momentum", [Location(group, key, item, self.optimizer) for group in groups])
        return locations

    def _holders(self, engine: "Engine") -> list[Any]:
        # A torch scheduler may write any group.
        return super()._holders(engine) if self._is_pure else self.optimizer.param_groups

    def _stepping_optimizer(self) -> "Optimizer | None":
        return torch_optimizer(self.optimizer)

    def _last_value(self) -> Any:
        if (self._is_pure and not self._asks_get_param) or self._event_index == self._loaded_at:
            return super()._last_value()
        return finite_values(self._target.read)

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data; see :meth:`BaseParamScheduler.state_dict`.

        ``param_groups`` is the number of param groups. Groups with higher indices were added later. ``base_values``
        contains the values from which the schedule started, or None. ``joined`` has an entry for each group that was
        added later and continues from its own value. An entry contains the index of the event before which the group
        was added, the value of the group, and the value of the reference group.
        """
        return {**super().state_dict(), **self._groups_state()}

    def _groups_state(self) -> dict[str, Any]:
        values, joined = None if self._base is None else list(self._base.values), [list(one) for one in self._joined]
        return {"param_groups": self._target.known_groups, "base_values": values, "joined": joined}

    def _check_state(self, state: Mapping[str, Any]) -> None:
        if "progress" in state:
            check_plateau_values(self._planned, state, self._num_groups(), self._admits)

    def _take_base_values(self, state: Mapping[str, Any]) -> Callable[[], None]:
        return base_values.take_base_values(self, state)

    def _adjust(self, adjustment: Adjustment) -> None:
        if self._base is not None:
            adjustment, self._joined = self._base.handed_over(adjustment, self._joined)
        super()._adjust(adjustment)

    def _loaded(self, state: Mapping[str, Any]) -> None:
        super()._loaded(state)
        if isinstance(state["param_groups"], int):
            self._target.known_groups = state["param_groups"]

    def simulate(self, num_events: int, start: int = 0) -> Array:
        """Return the values that events ``start`` to ``start + num_events - 1`` would write.

        See :meth:`BaseParamScheduler.simulate`.

        Args:
            num_events: the number of events, at least 0.
            start: the index of the first event, at least 0.

        Shapes: the array is ``(num_events, groups)``.

        Raises:
            TypeError, ValueError: see :meth:`BaseParamScheduler.simulate`.
        """
        if self._admits and len(joined := joined_groups(self)) > len(self._joined):
            simulated = copy(self)
            simulated._joined = joined
            simulated._follow(self._schedule_of_first(joined))
            return BaseParamScheduler.simulate(simulated, num_events, start)
        table = super().simulate(num_events, start)
        is_placeholder = isinstance(self.optimizer, PlaceholderOptimizer)
        more = len(self._target.groups()) - table.shape[1] if self._target.adopts and not is_placeholder else 0
        return np.column_stack([table, *[table[:, -1:]] * more]) if more else table

    def _num_groups(self) -> int | None:
        groups = None if isinstance(self.optimizer, PlaceholderOptimizer) else len(self.optimizer_param_groups)
        own = self._schedule.groups if self._schedule is not None and self._target.adopts else None
        return groups if groups is None or own is None else min(own, groups)

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> tuple[Any, Array]:
        """Simulate the first events. If the schedule is relative, read the base values from the given optimizer."""
        if not scheduler_kwargs.get("relative") or scheduler_kwargs.get("optimizer") is None:
            return super()._simulated(num_events, scheduler_kwargs)
        scheduler = cls(**scheduler_kwargs)
        return scheduler, scheduler.simulate(num_events)

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        return cls(optimizer=PlaceholderOptimizer(), **scheduler_kwargs)
