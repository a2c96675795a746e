"""Several schedulers at one event, usually one for each parameter group."""

from collections.abc import Mapping, Sequence
from copy import copy
from itertools import accumulate
from operator import call
from typing import Any

from ignite.engine import Engine, Events
from ignite.engine.events import RemovableEventHandle
from torch.optim import Optimizer

from lehr.engine.history_recorder import Recorder, num_recorded, remove_last_events
from lehr.handlers.core.attaching import AnyEvent
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.prepared_event import prepared
from lehr.handlers.core.resume_policy import Adjustment
from lehr.handlers.core.scheduler import NOTHING, BaseParamScheduler
from lehr.handlers.core.state_param_scheduler import StateParamScheduler
from lehr.handlers.core.unsaved_place import UnsavedPlaceScheduler
from lehr.handlers.core.writers import num_saved, row_of, side_by_side, writer_like
from lehr.handlers.schedules import SideBySide
from lehr.handlers.targets.group_selection import Group
from lehr.handlers.targets.param_groups import Value
from lehr.handlers.targets.places import Places


class ParamGroupScheduler(BaseParamScheduler):
    """Writes the schedules of several schedulers at one event, each to its own parameter and groups.

    At event i, counting from 0, it writes ``schedules[k](i)`` where scheduler k would. The schedulers lend their
    schedules, each from its event 0; they are not called and do not change.

    Args:
        schedulers: one or more, of any optimizers, parameters and param groups.
        names: name of the history of each; ``param_name`` of each where None. Schedulers that share a name
            have one history, in which an event has the values of all of them.
        save_history: whether to record what is written in ``engine.state.param_history``.

    Shapes: as many columns as the schedulers have values: one each, or one a group.

    Raises:
        TypeError: ``schedulers`` or ``names`` is not a list or tuple.
        ValueError: a member that is no ``ParamScheduler``, a name that is no string, not as many names as schedulers.

    Deviations from ignite 0.5.5: the members' ``save_history`` and ``event_index`` are neither read nor changed; two
    schedulers under one name give one list an event, where ignite appends one list after the other.

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
            raise TypeError(f"schedulers must be a list or tuple, given {schedulers!r}")
        if not schedulers:
            raise ValueError(f"schedulers must be one or more, given {schedulers!r}")
        for at, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, BaseParamScheduler) or isinstance(scheduler, ParamGroupScheduler):
                raise ValueError(
                    f"schedulers[{at}] must be a ParamScheduler, a BatchSizeScheduler or a StateParamScheduler, "
                    f"given {scheduler!r}"
                )
        names = [scheduler.param_name for scheduler in schedulers] if names is None else names
        if not isinstance(names, list | tuple):
            raise TypeError(f"names must be a list or tuple, given {names!r}")
        for at, name in enumerate(names):
            if not isinstance(name, str):
                raise ValueError(f"names[{at}] must be a string, given {name!r}")
        if len(names) != len(schedulers):
            raise ValueError(f"names must be as many as the {len(schedulers)} schedulers, given {names!r}")
        # Each writes through a scheduler of our own on the same schedule, so that the members stay as they are.
        self._writers = [writer_like(scheduler) for scheduler in schedulers]
        params = ", ".join(dict.fromkeys(scheduler.param_name for scheduler in schedulers))
        super().__init__(params, save_history, schedule=SideBySide([writer.schedule for writer in self._writers]))
        self.schedulers, self.names = list(schedulers), list(names)

    def _write(self, engine: Engine | None, value: Value) -> None:
        """What has no place of its own writes nothing: :meth:`__call__` writes where the schedulers would."""

    _forgotten = BaseParamScheduler._forgotten | {"_recorders"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_writers": [copy(writer) for writer in state["_writers"]]})

    def _forget(self) -> None:
        super()._forget()
        self._recorders: dict[str, Recorder] = {}
        for writer in self._writers:
            writer._reader = self._reader
        self._register()

    @property
    def optimizer(self) -> list[Any]:
        """The optimizer of each scheduler."""
        return [writer.optimizer for writer in self._writers if isinstance(writer, ParamScheduler)]

    @property
    def optimizer_param_groups(self) -> list[Group]:
        """The param groups that are written, as they are now."""
        own = [writer for writer in self._writers if isinstance(writer, ParamScheduler)]
        return [group for writer in own for group in writer.optimizer_param_groups]

    def __call__(self, engine: Engine | None, name: str | None = None) -> None:
        """Write the values of this event, record them, and count the event.

        Args:
            engine: the engine whose event it is; None in a plain loop, where nothing is recorded.
            name: name of one history for all; those of the class where None.
        """
        index, known = self._event_index, self._prepared
        ready = None if known is NOTHING else known.ready(index, engine, name)
        if ready is None:
            self._write_and_prepare(engine, name)
            return
        writes, appends, rows = ready
        for groups, key, values in writes:
            for group, value in zip(groups, values):  # noqa: B905 -- strict takes longer, and it was checked
                group[key] = value
        # Count, then record: an interrupt is handled after a call, and so finds both done or neither; all histories
        # are recorded in by one call.
        recording = map(call, appends, rows)
        self._event_index = index + 1
        list(recording)

    def _write_and_prepare(self, engine: Engine | None, name: str | None) -> None:
        """Do the same in any case that there may be, and prepare the next event if it is likely to be a common one."""
        writers = self._writers_here()
        if self._ahead:
            values = [writer._next() for writer in writers]
        else:
            with self._reader.one_event():
                values = [writer._next() for writer in writers]
        # All that may be refused is, before anything is written.
        writings = [writer._writing(engine, value) for writer, value in zip(writers, values, strict=True)]
        names = [name or own_name for own_name in self.names]
        rows: dict[str, list[float]] = {}
        if self._save_history and engine is not None:
            for own_name, writer, value in zip(names, writers, values, strict=True):
                rows.setdefault(own_name, []).extend(row_of(writer, value))
        records = [self._appender(engine, own_name, row) for own_name, row in rows.items() if engine is not None]
        index = self._event_index
        lengths = {own_name: num_recorded(engine, own_name) for own_name in rows}
        try:
            for write in writings:
                write()
            self._event_index = index + 1
            for record, row in zip(records, rows.values(), strict=True):
                record(row)
        except BaseException:  # as if the event had not come
            self._event_index = index
            for own_name, length in lengths.items():
                remove_last_events(engine, own_name, num_recorded(engine, own_name) - length)
            raise
        self._prepared = NOTHING
        if rows or not self._save_history:
            runs = [(own_name, self._recorders[own_name].section) for own_name in rows]
            self._prepared = prepared(writers, name, names, runs, records) or NOTHING

    def _writers_here(self) -> list[BaseParamScheduler]:
        """Those who write, at the event where this scheduler is."""
        for writer in self._writers:
            writer._event_index = self._event_index
        return self._writers

    def attach(
        self, engine: Engine, event: AnyEvent = Events.ITERATION_STARTED, name: str | None = None
    ) -> RemovableEventHandle:
        """Write at every such event of an engine: see :meth:`BaseParamScheduler.attach`.

        Attributes of ``engine.state`` that are to be written are made now, as None, where they are missing.
        """
        handle = super().attach(engine, event, name)
        for writer in self._writers:
            if isinstance(writer, StateParamScheduler) and not hasattr(engine.state, writer.param_name):
                setattr(engine.state, writer.param_name, None)
        return handle

    def _appender(self, engine: Engine, name: str, row: list[float]) -> Any:
        return self._recorders.setdefault(name, Recorder()).appender(engine, name, self, row, len(row))

    def _go_to(self, event_index: int) -> None:
        super()._go_to(event_index)
        for writer in self._writers:
            writer._go_to(event_index)

    def _stepping_optimizer(self) -> Optimizer | None:
        optimizers = [writer._stepping_optimizer() for writer in self._writers]
        own = {id(optimizer): optimizer for optimizer in optimizers if optimizer is not None}
        return next(iter(own.values())) if len(own) == 1 else None

    def _present(self) -> list[float] | None:
        if self._event_index == self._loaded_at:
            return list(self._loaded_value) if isinstance(self._loaded_value, list) else None
        rows = [writer._present() for writer in self._writers_here()]
        if any(row is None for row in rows):
            return None
        return [float(value) for row in rows for value in (row if isinstance(row, list) else [row])]

    def state_dict(self) -> dict[str, Any]:
        """The progress as plain data, with the param groups that each member knows: see :class:`ParamScheduler`."""
        known = [writer._slot.known_groups if isinstance(writer, ParamScheduler) else 0 for writer in self._writers]
        return {**super().state_dict(), "param_groups": known}

    def _loaded(self, state: Mapping[str, Any]) -> None:
        super()._loaded(state)
        known, values = state["param_groups"], state["value"]
        for at, writer in enumerate(self._writers):
            if isinstance(writer, ParamScheduler) and isinstance(known, list) and at < len(known):
                writer._slot.known_groups = known[at]
        widths = [num_saved(writer) for writer in self._writers]
        if not isinstance(values, list) or len(values) != sum(widths):
            return
        for writer, end in zip(self._writers, accumulate(widths), strict=True):
            if isinstance(writer, UnsavedPlaceScheduler):
                writer._last = values[end - 1]

    def _held(self) -> list[Any]:
        rows = [writer._held() for writer in self._writers]
        return [value for row in rows for value in (row if isinstance(row, list) else [row])]

    def _write_again(self, engine: Engine) -> None:
        for writer in self._writers:
            writer._write_again(engine)

    def _adjust(self, adjustment: Adjustment) -> None:
        if adjustment.handover is None:
            own = [adjustment] * len(self._writers)
        else:
            begin, duration, values = adjustment.handover
            widths = [writer.schedule.groups or 1 for writer in self._writers]
            if not isinstance(values, tuple) or len(values) != sum(widths):
                raise ValueError(f"handover must have {sum(widths)} values, given {values!r}")
            values, own = list(values), []
            for writer in self._writers:
                groups = writer.schedule.groups
                value = values[0] if groups is None else tuple(values[:groups])
                own.append(Adjustment(adjustment.shift, (begin, duration, value)))
                del values[: groups or 1]
        for writer, its_own in zip(self._writers, own, strict=True):
            writer._adjust(its_own)
        self._schedule = SideBySide([writer.schedule for writer in self._writers])
        self._adjustment = adjustment

    def _places(self, engine: Engine) -> Places:
        places: Places = {}
        for name, writer in zip(self.names, self._writers, strict=True):
            for own_name, its_own in writer._places(engine).items():
                places.setdefault(name if own_name == writer.param_name else own_name, []).extend(its_own)
        return places

    def _history_names(self, name: str | None) -> list[str]:
        return [name] if name else list(dict.fromkeys(self.names))

    def _labels(self) -> list[str]:
        widths = [writer.schedule.groups or 1 for writer in self._writers]
        names = [name for name, width in zip(self.names, widths, strict=True) for _ in range(width)]
        alone = [names.count(name) == 1 for name in names]
        return [name if alone[at] else f"{name}, group {names[:at].count(name)}" for at, name in enumerate(names)]

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "names": list(self.names)}

    def as_param_scheduler(self) -> ParamScheduler:
        """The same as one scheduler with a value for each param group, to be concatenated with others.

        Raises:
            ValueError: they are not of one optimizer and parameter, or do not have each of its groups once.
        """
        return side_by_side(self._writers, self.schedulers)

    @classmethod
    def simulate_values(
        cls, num_events: int, schedulers: Sequence[BaseParamScheduler] = (), **scheduler_kwargs: Any
    ) -> list[list[float]]:
        """The values that the first events would write; neither schedulers nor optimizers are touched.

        Args:
            num_events: how many events.
            schedulers: one or more.
            scheduler_kwargs: the other arguments of the class, by name.

        Returns:
            ``[[0, value_0, value_1, ...], ...]``, with the values of each scheduler.

        Raises:
            TypeError, ValueError: as the class and :meth:`simulate`.
        """
        return super().simulate_values(num_events, schedulers=schedulers, **scheduler_kwargs)
