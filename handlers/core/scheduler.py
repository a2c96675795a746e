"""``BaseParamScheduler``: at each event, it reads a value of a schedule, writes it to a target and counts the event."""

import copy
import inspect
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from lehr.engine.history import ParamHistory
from lehr.engine.history_recorder import Recorder
from lehr.engine.plain_loop_placeholder import PlainLoop
from lehr.handlers.schedules import Constant, FunctionSchedule, Schedule, arguments
from lehr.handlers.schedules.base import Array
from lehr.handlers.targets.target import Location, Target, Value

from . import as_config, saving
from .clocks.stepping_by_amounts import apply_amount
from .duration_unit_checks import checked_reader
from .illegal_values import checked_value, limits_of, read_in_block
from .notebook import html_of
from .overridden_get_param import GetParam, value_of_schedule
from .schedule_reading import BlockReader, EventReader, read_values
from .simulation.private_copies import private_copy
from .simulation.values_without_optimizer import SimulateValues
from .unsupported_torch_names import without_torch_names

if TYPE_CHECKING:
    from ignite.engine import Engine
    from ignite.engine.events import RemovableEventHandle
    from torch.optim import Optimizer
    from torch.utils.hooks import RemovableHandle

    from .attaching import AnyClock, AnyEvent

NOTHING_READ, NO_EVENT_READER = BlockReader(Constant(0.0)), EventReader()  # placeholders that are never called


@without_torch_names
class BaseParamScheduler(SimulateValues, ABC):
    """The base of all schedulers: a schedule, a target and one integer, the event index.

    At event i, counting from 0, a scheduler writes ``schedule(i)`` to its target and adds one to ``event_index``. The
    constructor writes nothing. Only the event index changes from event to event, so :meth:`seek` can move the scheduler
    to any event. A stateful schedule, such as a plateau, also has its own state, which is saved with the scheduler.

    A subclass defines a target, and either passes a schedule or overrides :meth:`get_param`.

    Args:
        param_name: name of the parameter, and of its history unless :meth:`attach` gets another ``name``.
        save_history: whether to record the written values in ``engine.state.param_history``.
        schedule: a :class:`Schedule`, or a function from the event index to a number or a list of numbers.
        target: the target of the values.

    Raises:
        TypeError: there is neither a schedule nor a ``get_param``; an argument has the wrong type.

    Example:
        >>> import torch
        >>> from lehr.handlers import LinearScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> scheduler = LinearScheduler(optimizer, "lr", 4, start_value=1.0, end_value=0.0)
        >>> isinstance(scheduler, BaseParamScheduler)
        True
        >>> scheduler.seek(2)
        >>> scheduler(None)
        >>> optimizer.param_groups[0]["lr"], scheduler.event_index
        (0.5, 3)
    """

    _resume_policy: saving.ResumePolicy = "keep_step"
    _adjustment = saving.Adjustment()
    _admits = False  # whether param groups that are added continue from their own values
    _admit_groups: Callable[[], bool]
    _sought = False  # whether seek() was called since the last run
    _reads_metric = False  # whether a metric is read at the scheduler's own events
    _is_called_by_another = False  # whether another object writes the scheduler's values
    _repeats = 0  # the number of coming events that the engine fires a second time
    _loaded_at = -1  # the event index in the loaded state
    _loaded_value: Any = None  # the value in the loaded state
    _readings: tuple[Any, ...] = ()  # readings of a clock that are not yet added to the event index
    # None if events are counted; otherwise the event index of the last written value, or -1 if nothing was written yet.
    _written_at: int | None = None
    _counted: str | None = None  # the unit of the event index: the unit of a clock, "amounts", or "events"
    _landing: Any = None  # a LandingState, if the clock has a deadline
    _reader_type: type[BlockReader] = BlockReader
    _writes_bools = False  # whether get_param may return True or False
    _number_type: type[float] | type[int] = float
    _config: dict[str, Any] | None = None  # the config that made the scheduler
    _plain_loop: PlainLoop | None = None
    # Attributes that a copy does not have: caches, and the history of a plain loop.
    _caches: ClassVar[set[str]] = {"_block_reader", "_event_reader", "_recorder", "_plain_loop"}

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the arguments of the constructor for :meth:`config`."""
        made = super().__new__(cls)
        made._given = as_config.kept_arguments(args, kwargs)
        return made

    def __init__(
        self,
        param_name: str,
        save_history: bool = False,
        *,
        schedule: Schedule | Callable[[int], Value] | None = None,
        target: Target,
    ) -> None:
        self._asks_get_param = type(self).get_param is not BaseParamScheduler.get_param
        if schedule is None and not self._asks_get_param:
            raise TypeError(f"schedule must be given unless {type(self).__name__} overrides get_param, given None")
        if not isinstance(param_name, str):
            raise TypeError(f"param_name must be a string, given {arguments.shown(param_name)}")
        self.param_name = param_name
        self._save_history = arguments.flag("save_history", save_history)
        self._planned = schedule if isinstance(schedule, Schedule | None) else FunctionSchedule(schedule)
        self._target, self._event_index = target, 0
        self._follow(self._planned)

    def _register(self) -> None:
        """Add the scheduler to :data:`EXISTING`. The constructor of a subclass calls this method at its end."""
        EXISTING[id(self)] = self

    _given: tuple[tuple[Any, ...], dict[str, Any]]

    def _follow(self, schedule: Schedule | None) -> None:
        """Read values from this schedule from now on."""
        self._schedule = schedule
        self._is_pure = schedule is not None and schedule.is_pure
        self._forget()

    def _forget(self) -> None:
        """Clear the caches: the values that were read, and the column of the history."""
        is_read_in_blocks = self._is_pure and not self._asks_get_param
        self._block_reader = self._reader_type(self._schedule, limits_of(self)) if is_read_in_blocks else NOTHING_READ  # type: ignore[arg-type]
        self._event_reader = NO_EVENT_READER if self._is_pure else EventReader()
        self._recorder = Recorder()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self._caches}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _target=copy.copy(state["_target"]))
        self._forget()

    def __call__(self, engine: "Engine | None", name: str | None = None, amount: int = 1) -> None:
        """Write the value of this event, record it, and count the event.

        Args:
            engine: the engine that fires the event; None in a plain loop.
            name: the name of the history. If None, the name is ``param_name``.
            amount: the amount that the event adds to ``event_index``: 1, or the amount of a :class:`Clock`.
        """
        if self._admits:
            self._admit_groups()
        index, block = self._event_index, self._block_reader
        values, at = block.values, index - block.first_event
        value = values[at] if 0 <= at < len(values) else (self._read if self._counted else checked_reader(self))(index)
        self._write_value(value, index, engine, name, amount)

    def _write_value(self, value: Any, index: int, engine: "Engine | None", name: str | None, amount: int) -> None:
        """Write the value of the event ``index`` to the target, record it, and count the event."""
        record = None
        if type(value) is not float:
            value = self._row(value)
        if self._save_history and (engine is not None or self._plain_loop is not None):
            record, row = self._recording(engine or self._plain_loop, name, value)  # type: ignore[arg-type]
        self._target.write(value, engine)
        # Count, then record. Python handles an interrupt only after a call, so both happen, or neither.
        self._event_index = index + amount
        if record is not None:
            record(row)

    def apply(self, amount: int | None = None) -> None:
        """Write the value of this event, and count the event.

        Call this method in your own loop before the optimizer's step.

        Args:
            amount: the amount that the event adds to ``event_index``, at least 0, such as the number of tokens in this
                batch, summed over all ranks. If None, the amount is 1. If you count tokens, the schedule is a function
                of the number of tokens before the batch.

        Raises:
            ValueError: ``amount`` is not a whole number of at least 0; the schedule must be read event by event, like
                torch's schedulers; durations were converted to tokens, but ``amount`` is None; or durations were
                converted to steps, but ``amount`` is more than 1.

        Example:
            >>> import torch
            >>> from lehr.handlers import LinearScheduler
            >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
            >>> scheduler = LinearScheduler(optimizer, "lr", 1000, start_value=1.0, end_value=0.0)
            >>> for tokens in (300, 100, 200):
            ...     scheduler.apply(amount=tokens)
            ...     print(scheduler.event_index, optimizer.param_groups[0]["lr"])
            300 1.0
            400 0.7
            600 0.6
        """
        if amount is None and self._written_at is None:
            self(None)
        else:
            apply_amount(self, 1 if amount is None else amount)

    def apply_at_steps(self) -> "RemovableHandle":
        """Let the optimizer call :meth:`apply` before each step that it really takes, until ``handle.remove()``.

        If you accumulate gradients, or a ``GradScaler`` skips steps, the scheduler does not count the iterations
        without a step.

        Raises:
            ValueError: the scheduler does not write to exactly one optimizer of torch.

        Example:
            >>> import torch
            >>> from lehr.handlers import StepScheduler
            >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
            >>> handle = StepScheduler(optimizer, "lr", 1, gamma=0.5).apply_at_steps()
            >>> for iteration in range(6):
            ...     if iteration % 2:
            ...         optimizer.step()
            ...         print(optimizer.param_groups[0]["lr"])
            0.1
            0.05
            0.025
        """
        from .attaching import attached_to_steps

        return attached_to_steps(self)

    def _read(self, index: int) -> Any:
        """Return the value of the schedule, or of ``get_param``, at an event."""
        if self._block_reader is not NOTHING_READ:
            return read_in_block(self, index)
        value = self.get_param() if self._asks_get_param else self._event_reader.read(self._schedule, index)  # type: ignore[arg-type]
        legal = self._target.legal
        if legal is not None and type(value) is float and legal[1] <= value <= legal[2]:
            return value  # a legal value is also finite
        return checked_value(self, index, value)

    def _row(self, value: Any) -> Any:
        """Convert a value that is not a float to plain data."""
        return value.tolist() if isinstance(value, np.ndarray) else value

    def _recording(self, engine: "Engine", name: str | None, value: Any) -> tuple[Callable[[Any], Any], Any]:
        """Return a function that records the value of this event in the history, and the argument to call it with."""
        width = self._target.history_width(value)
        return self._recorder.appender(engine, name or self.param_name, self, value, width), value

    def _named(self, index: int) -> str:
        """Return the name that an error gives to the value of ``get_param``."""
        return f"the value of {type(self).__name__}.get_param at event {index}"

    @property
    def schedule(self) -> Schedule:
        """The schedule. If ``get_param`` is overridden, this is a schedule that calls ``get_param``."""
        if self._schedule is None or self._asks_get_param:
            return FunctionSchedule(GetParam(self))
        return self._schedule

    @property
    def save_history(self) -> bool:
        """Whether the written values are recorded."""
        return self._save_history

    @save_history.setter
    def save_history(self, save_history: bool) -> None:
        self._forget()  # first: after an interrupt, the next event must not follow the old setting
        self._save_history = arguments.flag("save_history", save_history)

    @property
    def history(self) -> ParamHistory | None:
        """The history in which :meth:`apply` records the values of a plain loop; None if there is no history.

        An engine has its own history, in which a scheduler records if ``save_history`` is True.
        """
        return None if self._plain_loop is None else self._plain_loop.state.param_history

    @history.setter
    def history(self, history: ParamHistory | None) -> None:
        from .attaching import recording_loop

        self._plain_loop = recording_loop(self, history)
        self.save_history = history is not None

    @property
    def event_index(self) -> int:
        """The index of the next event, which is the number of events so far. To set it is to call :meth:`seek`."""
        return self._event_index

    @event_index.setter
    def event_index(self, event_index: int) -> None:
        self.seek(event_index)

    def seek(self, event_index: int) -> None:
        """Go to an event, so that the next call writes ``schedule(event_index)``.

        This takes the same time for any event index. When a run resumes next, the scheduler does not warn that its
        event index differs from the engine's number of events.

        Args:
            event_index: the index of the next event, at least 0.

        Raises:
            TypeError: ``event_index`` is not a number.
            ValueError: ``event_index`` is negative or not whole.
        """
        self._go_to(arguments.whole_number("event_index", event_index, at_least=0))
        self._sought, self._landing = True, self._landing if event_index else None

    def _go_to(self, event_index: int) -> None:
        self._event_index, self._repeats, self._readings = event_index, 0, ()
        if self._block_reader is not NOTHING_READ:  # a block is checked from its event on
            self._block_reader = self._reader_type(self._schedule, limits_of(self))  # type: ignore[arg-type]

    def get_param(self) -> Value:
        """Return the value of the next event: a float, or a list with one float for each param group.

        A subclass may override this method, and read ``self.event_index`` in it. The scheduler calls the method of the
        subclass at each event, and never earlier. The method may return any number, or a list of numbers.
        """
        return value_of_schedule(self)

    def _value_of(self, schedule: Schedule, index: int) -> Value:
        value = schedule(index)
        return value.tolist() if isinstance(value, np.ndarray) else self._number_type(value)

    def attach(
        self,
        engine: "Engine",
        event: "AnyEvent" = "ITERATION_STARTED",
        name: str | None = None,
        clock: "AnyClock" = None,
    ) -> "RemovableEventHandle":
        """Write a value at each of the given events of an engine.

        If a resumed run starts and the event index does not match the engine's events, the scheduler warns with a
        :class:`ResumeWarning`.

        Args:
            engine: the engine, usually the trainer.
            event: the event, or its name, such as ``"EPOCH_STARTED"``. If the event has a filter, the scheduler counts
                only events that pass the filter. An event of :class:`~lehr.engine.OptimizerEvents` is a real step of
                the scheduler's optimizer.
            name: the name of the history. If None, the name is ``param_name``.
            clock: the clock whose amounts ``event_index`` counts, such as a :class:`TokenClock`. If None,
                ``event_index`` counts the events.

        Returns:
            A handle whose ``remove()`` detaches the scheduler.

        Raises:
            TypeError: ``engine`` is not an engine, or ``name`` is not a string.
            ValueError: the engine has no such event; with ``save_history``, another attached scheduler has a history of
                this name; the clock does not work with the event or the scheduler.
        """
        from .attaching import attached

        return attached(self, engine, event, name, clock)

    def simulate(self, num_events: int, start: int = 0) -> Array:
        """Return the values that events ``start`` to ``start + num_events - 1`` write, without writing them.

        The scheduler, the optimizer, the disk and the random states stay as they are. A Python function or an
        overridden ``get_param`` runs on a copy of its object. The copy shares only engines, modules, data loaders and
        trained or very large tensors with the original. Changes that a function makes to a closure or a global remain.

        If the simulation calls a function of yours, the random state of Python, NumPy and torch's CPU is restored
        afterwards. If another thread draws random numbers in the meantime, the same numbers are then drawn again. If
        the simulation calls no function of yours, the random state is neither read nor set.

        Args:
            num_events: the number of events, at least 0.
            start: the index of the first event, at least 0.

        Shapes: the array is ``(num_events, groups)``.

        Returns:
            An array, bit-identical to the values that training writes. A tensor of less than 64 bits rounds the values,
            here and in training.

        Raises:
            TypeError: an argument is not a number; a Python function cannot be copied.
            ValueError: an argument is negative or not whole.
        """
        num_events = arguments.whole_number("num_events", num_events, at_least=0)
        start = arguments.whole_number("start", start, at_least=0)
        is_pure = self._is_pure and not self._asks_get_param
        schedule = self.schedule if is_pure else private_copy(self.schedule)
        return self._target.as_held(read_values(schedule, start, num_events, self._num_groups()))  # type: ignore[no-any-return]

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data: the event index, and entries that identify the scheduler and its schedule.

        ``schedule``, ``length`` and ``value`` are the schedule, its length and the last value. A run that resumes with
        another schedule needs these entries. ``shift``, ``handover``, ``stretch`` and ``cooldown`` are the effect of an
        earlier resume policy. ``counts`` is the unit of a clock. ``progress`` is a list with the state of each stateful
        schedule. ``version`` is the version of the format.
        """
        return saving.state_of(self)

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: saving.ResumePolicy | None = None) -> None:
        """Load a state, so that the next event follows the last event before it was saved.

        The schedule comes from the code, never from the state. If the two differ, a :class:`ResumeWarning` shows both,
        and the policy decides how this scheduler continues:

        - ``"keep_step"``, the default: at the same event of the new schedule.
        - ``"keep_fraction"``: at the same fraction of the new schedule as of the saved schedule. Use this policy if the
          batch size has changed.
        - ``"keep_end"``: at the same fraction, too. The rest of the new schedule is stretched, so that it ends at the
          event that equals its length. Use this policy for a longer or shorter run.
        - ``"keep_value"``: at the same event, but from the saved value. The value approaches the new schedule over the
          rest of its length; see :class:`~lehr.handlers.schedules.Handover`.

        A :class:`CooldownPolicy` begins a cool-down, whether or not the schedule has changed.

        ``event_index`` always counts all events. If the policy is not the default, :attr:`schedule` is a
        :class:`~lehr.handlers.schedules.Shift`, a ``Handover``, a ``Cooldown`` or a stretch of the new schedule. The
        state of the scheduler contains the arguments of this change for the next time that the run resumes.

        If an error is raised, nothing is loaded.

        Args:
            state_dict: a state from :meth:`state_dict`, also of an older version.
            resume_policy: the policy. If None, the policy is :attr:`resume_policy`. ignite's ``Checkpoint`` passes no
                policy.

        Raises:
            TypeError: the state is not a mapping, or an entry has the wrong type.
            ValueError: an entry is missing or unknown; the state belongs to another class of scheduler or parameter;
                the policy does not work, such as ``"keep_fraction"`` for a schedule without an end.
        """
        saving.load_state(self, state_dict, self._resume_policy if resume_policy is None else resume_policy)

    @property
    def resume_policy(self) -> saving.ResumePolicy:
        """The policy that :meth:`load_state_dict` follows if you pass no policy."""
        return self._resume_policy

    @resume_policy.setter
    def resume_policy(self, policy: saving.ResumePolicy) -> None:
        self._resume_policy = saving.checked_policy(policy)

    def config(self) -> dict[str, Any]:
        """Return a mapping of plain data that :func:`configure_scheduler` turns back into an equal scheduler.

        A scheduler that was made from a config returns that config. For any other scheduler, ``type`` is the name of
        the class, and the other entries are the arguments that differ from their defaults. The state, not the config,
        contains the effect of a resume policy, such as a cool-down. The config does not contain values from the param
        groups. The new scheduler reads these values again, so the groups should hold the same values.

        Raises:
            TypeError: an argument is not plain data, such as a function or an engine.
        """
        return as_config.copied_config(self._config) if self._config else as_config.config_of(self, *self._given)

    # Methods that a subclass may override.

    @abstractmethod
    def _num_groups(self) -> int | None:
        """Return the number of param groups that are written; None if the target has none."""

    def _labels(self) -> list[str] | None:
        """Return the labels of the lines in a plot; None if the names of the param groups are the labels."""
        return None

    def _history_names(self, name: str | None) -> list[str]:
        """Return the names of the histories if the scheduler is attached with this name."""
        return [name or self.param_name]

    def _recording_engine(self, engine: "Engine") -> "Engine":
        """Return the engine whose history records the events of this engine."""
        return engine

    def _stepping_optimizer(self) -> "Optimizer | None":
        """Return the torch optimizer to which the scheduler writes; None if there is not exactly one."""
        return None

    def _locations(self, engine: "Engine") -> dict[str, list[Location]]:
        """Return the locations that are written at the events of an engine. The keys are the names of histories."""
        return {self.param_name: self._target.locations(engine)}

    def _holders(self, engine: "Engine") -> list[Any]:
        """Return the objects that hold the written numbers. The list may contain further objects."""
        return self._target.holders(engine)

    def _identity(self) -> dict[str, Any]:
        """Return the entries that a saved state must share with this scheduler."""
        return {"scheduler": type(self).__name__, "param_name": self.param_name}

    def _check_state(self, state: Mapping[str, Any]) -> None:
        """Raise an error if the values in a state do not fit this scheduler. The entries were checked before."""

    def _loaded(self, state: Mapping[str, Any]) -> None:
        """Load the last value and the event index at which the state was saved."""
        self._sought = False
        self._loaded_at, self._loaded_value = state["event_index"], state["value"]
        if not self._target.is_saved:
            self._target.last = state["value"]

    def _take_base_values(self, state: Mapping[str, Any]) -> Callable[[], None]:
        """Take the base values from a checked state, and follow their schedule. Return a function that undoes this."""
        return lambda: None

    def _adjust(self, adjustment: saving.Adjustment) -> None:
        """Apply an adjustment to the schedule in the code, and read values from the adjusted schedule."""
        saving.follow_adjusted(self, adjustment)

    def _last_value(self) -> Any:
        """Return the last value that was written, as plain data; None if it is unknown."""
        return saving.last_value(self)

    def __repr__(self) -> str:
        return saving.repr_of(self)

    def _repr_html_(self) -> str:
        """Return the scheduler in a notebook: its repr, and a picture of its values."""
        return html_of(self)


# inspect and editors show these arguments for this class, as for its subclasses.
BaseParamScheduler.__new__.__signature__ = inspect.signature(BaseParamScheduler.__init__)  # type: ignore[attr-defined]

# All schedulers, so that checks find schedulers that are not attached. The keys are ids, because a subclass may have no
# hash.
EXISTING: "weakref.WeakValueDictionary[int, BaseParamScheduler]" = weakref.WeakValueDictionary()
