"""The contract of every scheduler: a schedule, a place to write, and one integer of progress."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from ignite.engine import CallableEventWithFilter, Engine, Events, EventsList
from ignite.engine.events import RemovableEventHandle

from lehr.engine.plots import draw_values
from lehr.engine.recording import Recorder, claim, refuse_clash

from . import arguments
from .blocks import EventReader, read_block, read_values
from .configuration import Configurable
from .param_groups import Value
from .private_copies import private_copy
from .saving import checked_event_index, load_progress
from .schedules import FunctionSchedule, LiveSchedule, Schedule
from .schedules.base import Array, describe
from .schedules.live import stateful_parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

AnyEvent = str | Events | CallableEventWithFilter | EventsList


class BaseParamScheduler(Configurable, ABC):
    """What all schedulers are: a schedule, a place to write, and one integer, the event index.

    At event i, counting from 0, a scheduler writes ``schedule(i)`` and adds one to ``event_index``. Nothing is
    written when it is made, and nothing else is remembered: :meth:`seek` makes it what it would be after any
    number of events. (What a stateful schedule, such as a plateau, remembers is its own, and is saved with it.)

    Subclasses say where to write. To say what to write, give a schedule, or override :meth:`get_param`.

    Args:
        param_name: name of the parameter; also the name of its history, where attaching gives no other.
        save_history: whether to record what is written in ``engine.state.param_history``.
        schedule: a :class:`Schedule`, or a function from the event index to a number or a list of numbers.

    Raises:
        TypeError: there is neither a schedule nor a ``get_param``; an argument is of the wrong kind.
    """

    _kind: type[float] | type[int] = float  # of the numbers that it writes
    _writes_bools = False  # and whether a function may give True or False

    def __init__(
        self,
        param_name: str,
        save_history: bool = False,
        *,
        schedule: Schedule | Callable[[int], Value] | None = None,
    ) -> None:
        self._asks_get_param = type(self).get_param is not BaseParamScheduler.get_param
        if schedule is None and not self._asks_get_param:
            raise TypeError(f"schedule must be given unless {type(self).__name__} overrides get_param, given None")
        if not isinstance(param_name, str):
            raise TypeError(f"param_name must be a string, given {param_name!r}")
        self.param_name = param_name
        self.save_history = arguments.flag("save_history", save_history)
        self._schedule = schedule if isinstance(schedule, Schedule | None) else FunctionSchedule(schedule)
        self._ahead = self._schedule is not None and self._schedule.ahead
        self._live = self._schedule if isinstance(self._schedule, LiveSchedule) else None
        self._event_index = 0
        self._forget()

    def _forget(self) -> None:
        """Forget what is kept only for speed: the block read ahead, and the open column of the history."""
        self._block: list[Any] = []
        self._block_start = 0
        self._reader = EventReader()
        self._recorder = Recorder()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_block", "_reader", "_recorder")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

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
        record = None
        if self.save_history and engine is not None:
            groups = len(value) if isinstance(value, list) else 0
            record = self._recorder.appender(engine, name or self.param_name, self, value, groups)
        self._write(engine, value)
        if record is not None:
            record(value)
        self._event_index = index + 1

    @abstractmethod
    def _write(self, engine: Engine | None, value: Value) -> None:
        """Put the value of an event where it belongs, or raise and leave everything as it was."""

    def _num_groups(self) -> int | None:
        """How many parameter groups the scheduler writes; None where the place has none."""
        return None

    @classmethod
    def _on_stand_in(cls, **scheduler_kwargs: Any) -> "BaseParamScheduler":
        """A scheduler of these arguments that writes nowhere, for simulation."""
        return cls(**scheduler_kwargs)

    @property
    def schedule(self) -> Schedule:
        """The schedule; where ``get_param`` is overridden, one that asks this scheduler."""
        if self._schedule is None or self._asks_get_param:
            return FunctionSchedule(_GetParam(self))
        return self._schedule

    @property
    def event_index(self) -> int:
        """How many events have been counted, which is the index of the next one; assigning it seeks."""
        return self._event_index

    @event_index.setter
    def event_index(self, event_index: int) -> None:
        self.seek(event_index)

    def seek(self, event_index: int) -> None:
        """Go to an event: the next one writes ``schedule(event_index)``. Takes the same time at any index.

        Raises:
            TypeError: ``event_index`` is not a number.
            ValueError: it is negative or not whole.
        """
        self._event_index = arguments.whole_number("event_index", event_index, at_least=0)
        self._block = []

    def get_param(self) -> Value:
        """The value for the next event: a float, or a list with one for each parameter group.

        A subclass may override it, and read ``self.event_index``. It is then called at each event and not
        before, and may return any number, or a list of them.
        """
        if self._schedule is None:
            raise TypeError(f"{type(self).__name__} has no schedule for super().get_param() to read")
        schedule = private_copy(self._schedule) if stateful_parts(self._schedule) else self._schedule
        return self._asked(schedule, self._event_index)

    def _asked(self, schedule: Schedule, index: int) -> Value:
        value = schedule(index)
        return value.tolist() if isinstance(value, np.ndarray) else self._kind(value)

    def _next(self) -> Value:
        """The value for the event that comes now."""
        at = self._event_index - self._block_start
        return self._block[at] if 0 <= at < len(self._block) else self._read(self._event_index)

    def _read(self, index: int) -> Value:
        """The value for an event that comes now and lies outside the block read ahead, if there is one."""
        if self._asks_get_param:
            return arguments.value_at(index, self.get_param(), self._named)
        assert self._schedule is not None
        if self._live is not None:
            return self._live.checked(index)
        if not self._ahead:
            return self._reader.read(self._schedule, index)
        self._block_start, values = read_block(self._schedule, index)
        self._block = values.tolist()
        return self._block[index - self._block_start]  # type: ignore[no-any-return]

    def _named(self, index: int) -> str:
        """What an error calls the value of ``get_param`` at an event."""
        return f"the value of {type(self).__name__}.get_param at event {index}"

    def attach(
        self, engine: Engine, event: AnyEvent = Events.ITERATION_STARTED, name: str | None = None
    ) -> RemovableEventHandle:
        """Write at every such event of an engine.

        Args:
            engine: the engine, usually the trainer.
            event: the event, with filters if any; the scheduler counts the events that pass them.
            name: name of the history to record under; ``param_name`` where None.

        Returns:
            A handle whose ``remove()`` detaches the scheduler.

        Raises:
            TypeError: ``engine`` is no engine, or ``name`` no string.
            ValueError: the engine has no such event; with ``save_history``, another scheduler that is attached
                to the engine records under the name.
        """
        if not isinstance(engine, Engine):
            raise TypeError(f"engine must be an ignite Engine, given {engine!r}")
        if not isinstance(name, str | None):
            raise TypeError(f"name must be a string or None, given {name!r}")
        names = self._history_names(name) if self.save_history else []
        recording = self._recording_engine(engine)
        for history_name in names:
            refuse_clash(recording, history_name, self)
        handle = engine.add_event_handler(event, self, **({} if name is None else {"name": name}))
        for history_name in names:
            claim(recording, history_name, self)
        return handle

    def _recording_engine(self, engine: Engine) -> Engine:
        """The engine in whose history an event of this one is recorded."""
        return engine

    def _history_names(self, name: str | None) -> list[str]:
        """The names that it records under if it is attached with this one."""
        return [name or self.param_name]

    def simulate(self, num_events: int, start: int = 0) -> Array:
        """The values that events ``start`` to ``start + num_events - 1`` write, without writing them.

        Neither the scheduler nor the optimizer, the disk or the random numbers are touched. A Python function,
        or an overridden ``get_param``, is called on a copy of the object that it belongs to, which shares with it
        only engines, optimizers, modules, tensors and data loaders; what it changes in a closure or a global, it
        changes.

        Returns:
            An array ``(num_events, groups)``, bit for bit what training writes.

        Raises:
            TypeError: an argument is not a number; a Python function cannot be copied.
            ValueError: an argument is negative or not whole.
        """
        num_events = arguments.whole_number("num_events", num_events, at_least=0)
        start = arguments.whole_number("start", start, at_least=0)
        schedule = self.schedule if self.schedule.ahead else private_copy(self.schedule)
        return read_values(schedule, start, num_events, self._num_groups())

    @classmethod
    def simulate_values(cls, num_events: int, **scheduler_kwargs: Any) -> list[list[float]]:
        """The values that the first events would write, without an optimizer.

        Args:
            num_events: how many events.
            scheduler_kwargs: the arguments of the class, by name. ``optimizer``, ``param_group_index`` and
                ``save_history`` are of no effect and may be left out.

        Returns:
            ``[[0, value], [1, value], ...]``; where the schedule has one value for each of G groups, they
            follow one another: ``[[0, value_0, ..., value_G-1], ...]``.

        Raises:
            TypeError, ValueError: as the class and :meth:`simulate`.
        """
        scheduler, table = cls._simulated(num_events, scheduler_kwargs)
        return scheduler._rows(table)

    @classmethod
    def plot_values(cls, num_events: int, ax: "Axes | None" = None, **scheduler_kwargs: Any) -> "list[Line2D]":
        """Draw what :meth:`simulate_values` returns, into ``ax`` or the current axes, and return the lines.

        Nothing is shown or saved: that is up to ``matplotlib.pyplot.show()`` or ``Figure.savefig``.
        """
        scheduler, table = cls._simulated(num_events, scheduler_kwargs)
        return draw_values(np.arange(len(table)), table, scheduler.param_name, ax, scheduler._labels())

    def _labels(self) -> list[str] | None:
        """What the lines of a picture are called, if not by the parameter and its groups."""
        return None

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> "tuple[BaseParamScheduler, Array]":
        """A scheduler of these arguments that writes and records nowhere, and the values of its first events."""
        without = ("optimizer", "param_group_index", "save_history")
        given = {name: value for name, value in scheduler_kwargs.items() if name not in without}
        scheduler = cls._on_stand_in(**given)
        return scheduler, scheduler.simulate(num_events)

    def _rows(self, table: Array) -> list[list[Any]]:
        """The values of the first events as ``simulate_values`` returns them."""
        columns = table.T.tolist() if self._kind is float else [map(int, column) for column in table.T.tolist()]
        return [list(row) for row in zip(range(len(table)), *columns, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """The progress as plain data: the event index, and beside it whose it is, to be compared on loading.

        Where stateful schedules take part, what they remember is in the further entry ``progress``, a list.
        """
        own = {**self._identity(), "schedule": self._description(), "event_index": self._event_index}
        parts = stateful_parts(self._schedule)
        return {**own, "progress": [part.state_dict() for part in parts]} if parts else own

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where the scheduler that gave the state had stopped.

        The schedule itself comes from the code, never from the state. Where the two differ there is a warning
        that shows both, and this scheduler goes on from the saved event index.

        Raises:
            TypeError: not a mapping, or an entry of the wrong type; nothing is loaded.
            ValueError: entries missing or unknown, or the state of another kind of scheduler or parameter;
                nothing is loaded.
        """
        event_index = checked_event_index(state_dict, self.state_dict(), self._identity())
        load_progress(stateful_parts(self._schedule), state_dict.get("progress", []))
        self.seek(event_index)

    def _identity(self) -> dict[str, Any]:
        return {"scheduler": type(self).__name__, "param_name": self.param_name}

    def _description(self) -> str:
        """The schedule in words that are the same in every process."""
        own = f"{type(self).__qualname__}.get_param"
        if not self._asks_get_param:
            return describe(self._schedule)
        return own if self._schedule is None else f"{own} over {describe(self._schedule)}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.param_name!r} at event {self._event_index}: {self._description()}>"


class _GetParam:
    """The overridden ``get_param`` of a scheduler, as a function of the event index."""

    def __init__(self, scheduler: BaseParamScheduler) -> None:
        self._scheduler = scheduler

    def __call__(self, event_index: int) -> Value:
        with temporarily(self._scheduler, _event_index=event_index):
            value = self._scheduler.get_param()
        return int(value) if self._scheduler._writes_bools and isinstance(value, bool) else value

    def __repr__(self) -> str:
        return self._scheduler._description()


@contextmanager
def temporarily(scheduler: BaseParamScheduler, **attributes: object) -> Iterator[None]:
    """Give a scheduler other attributes, and its own ones back afterwards."""
    kept = {name: vars(scheduler)[name] for name in attributes if name in vars(scheduler)}
    vars(scheduler).update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            vars(scheduler).pop(name, None)
        vars(scheduler).update(kept)
