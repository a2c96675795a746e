"""The contract of every scheduler: a schedule, a place to write, and one integer of progress."""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from ignite.engine.events import RemovableEventHandle
from torch.optim import Optimizer

from lehr.engine.history_recorder import Recorder
from lehr.handlers.schedules import FunctionSchedule, Schedule, arguments
from lehr.handlers.schedules.base import describe
from lehr.handlers.schedules.stateful import stateful_parts
from lehr.handlers.targets.param_groups import Value
from lehr.handlers.targets.places import Writer

from .as_config import Configurable
from .attaching import AnyEvent, attached
from .copying import private_copy
from .reading import NO_BLOCK, EventReader, block_ahead
from .saving import Resumable
from .simulating import Simulable

# What ParamScheduler.__call__ finds where nothing is prepared: no groups that it knows.
NOTHING: tuple[Any, ...] = (SimpleNamespace(param_groups=[{}]), "", None, 0, False, 0, [], None, None)


class BaseParamScheduler(Simulable, Resumable, Configurable, Writer, ABC):
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

    _lent = False  # whether something else writes its values
    _writes_bools = False  # whether a function may give True or False
    _forgotten = frozenset({"_block", "_prepared", "_reader", "_recorder"})  # attributes that a copy makes anew

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
        self._save_history = arguments.flag("save_history", save_history)
        self._schedule = schedule if isinstance(schedule, Schedule | None) else FunctionSchedule(schedule)
        self._planned = self._schedule
        self._ahead = self._schedule is not None and self._schedule.ahead
        self._event_index = 0
        self._forget()

    def _forget(self) -> None:
        """Forget what is kept only for speed: the block read ahead, and the open column of the history."""
        self._block = NO_BLOCK
        self._prepared: Any = NOTHING  # for the next event, by a subclass
        self._reader = EventReader()
        self._recorder = Recorder()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self._forgotten}

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
        value = self._next()
        record = None
        if self._save_history and engine is not None:
            groups = len(value) if isinstance(value, list) else 0
            record = self._recorder.appender(engine, name or self.param_name, self, value, groups)
        self._write(engine, value)
        # Count, then record: an interrupt is handled after a call, and so finds both done or neither.
        self._event_index = index + 1
        if record is not None:
            record(value)

    def _writing(self, engine: Engine | None, value: Value) -> Callable[[], None]:
        """What :meth:`_write` does once it has raised what it may raise."""
        return partial(self._write, engine, value)

    @abstractmethod
    def _write(self, engine: Engine | None, value: Value) -> None:
        """Put the value of an event where it belongs, or raise and leave everything as it was."""

    @property
    def schedule(self) -> Schedule:
        """The schedule; where ``get_param`` is overridden, one that asks this scheduler."""
        if self._schedule is None or self._asks_get_param:
            return FunctionSchedule(_GetParam(self))
        return self._schedule

    @property
    def save_history(self) -> bool:
        """Whether what is written is recorded."""
        return self._save_history

    @save_history.setter
    def save_history(self, save_history: bool) -> None:
        self._save_history, self._prepared = arguments.flag("save_history", save_history), NOTHING

    @property
    def event_index(self) -> int:
        """How many events have been counted, which is the index of the next one; assigning it seeks."""
        return self._event_index

    @event_index.setter
    def event_index(self, event_index: int) -> None:
        self.seek(event_index)

    def seek(self, event_index: int) -> None:
        """Go to an event: the next one writes ``schedule(event_index)``. Takes the same time at any index.

        It also says that the scheduler is meant to be there, whatever the engine's count is.

        Raises:
            TypeError: ``event_index`` is not a number.
            ValueError: it is negative or not whole.
        """
        self._go_to(arguments.whole_number("event_index", event_index, at_least=0))
        self._sought = True

    def _go_to(self, event_index: int) -> None:
        self._event_index, self._block, self._prepared, self._repeats = event_index, NO_BLOCK, NOTHING, 0

    def _stepping_optimizer(self) -> Optimizer | None:
        """The optimizer whose steps are meant by :class:`OptimizerEvents`; None where there is not one alone."""
        return None

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
        value = self._block.at(self._event_index)
        return self._read(self._event_index) if value is None else value

    def _read(self, index: int) -> Value:
        """The value for an event that comes now and lies outside the block read ahead, if there is one."""
        if self._asks_get_param:
            return arguments.value_at(index, self.get_param(), self._named)
        assert self._schedule is not None
        if not self._ahead:
            return self._reader.read(self._schedule, index)
        self._block = block_ahead(self._schedule, index)
        return self._next()

    def _named(self, index: int) -> str:
        """What an error calls the value of ``get_param`` at an event."""
        return f"the value of {type(self).__name__}.get_param at event {index}"

    def attach(
        self, engine: Engine, event: AnyEvent = Events.ITERATION_STARTED, name: str | None = None
    ) -> RemovableEventHandle:
        """Write at every such event of an engine.

        When a run is resumed and the count of the scheduler is not the engine's, there is a :class:`ResumeWarning`.

        Args:
            engine: the engine, usually the trainer.
            event: the event, with filters if any; the scheduler counts the events that pass them. Those of
                :class:`~lehr.engine.OptimizerEvents` are the real steps of the scheduler's own optimizer.
            name: name of the history to record under; ``param_name`` where None.

        Returns:
            A handle whose ``remove()`` detaches the scheduler.

        Raises:
            TypeError: ``engine`` is no engine, or ``name`` no string.
            ValueError: the engine has no such event; with ``save_history``, another scheduler that is attached
                to the engine records under the name.
        """
        return attached(self, engine, event, name)

    def _recording_engine(self, engine: Engine) -> Engine:
        """The engine in whose history an event of this one is recorded."""
        return engine

    def _register(self) -> None:
        """Be one of those alive; the last thing that the constructor of a class that says where it writes does.

        One whose arguments were refused may live on in a traceback, and has neither a place nor a count.
        """
        _ALIVE[id(self)] = self

    @staticmethod
    def _alive() -> "list[BaseParamScheduler]":
        """All schedulers that there are, copies apart."""
        return list(_ALIVE.values())

    def _history_names(self, name: str | None) -> list[str]:
        """The names that it records under if it is attached with this one."""
        return [name or self.param_name]

    def _description(self) -> str:
        """The schedule in words that are the same in every process."""
        own = f"{type(self).__qualname__}.get_param"
        if not self._asks_get_param:
            return describe(self._planned)
        return own if self._planned is None else f"{own} over {describe(self._planned)}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.param_name!r} at event {self._event_index}: {self._description()}>"


# All that were made, to find those left unattached. By their ids: a subclass may compare by value, and have no hash.
_ALIVE: "weakref.WeakValueDictionary[int, BaseParamScheduler]" = weakref.WeakValueDictionary()


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
def undoing(scheduler: BaseParamScheduler, undo: Callable[[], None]) -> Iterator[None]:
    """Undo what was done for an event if it is not counted in the end, because of an error or an interrupt."""
    index = scheduler._event_index
    try:
        yield
    except BaseException:
        if scheduler._event_index == index:
            undo()
        raise


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
