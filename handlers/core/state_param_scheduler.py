"""``StateParamScheduler``, the base of all schedulers that write a number to an attribute of ``engine.state``."""

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from math import isfinite
from typing import TYPE_CHECKING, Any

from lehr.engine.type_checks_without_import import is_engine
from lehr.handlers.schedules import LiveSchedule, RunLength, Schedule, Shift, arguments
from lehr.handlers.schedules.durations_to_events import resolved
from lehr.handlers.targets.engine_attribute import EngineAttribute
from lehr.handlers.targets.target import Value

from .scheduler import BaseParamScheduler

if TYPE_CHECKING:
    from ignite.engine import Engine
    from ignite.engine.events import RemovableEventHandle

    from .attaching import AnyClock, AnyEvent


class StateParamScheduler(BaseParamScheduler):
    """Writes a schedule to an attribute of ``engine.state``, which the training step or a handler may read.

    At event i, counting from 0, it writes ``schedule(i)``. A subclass may override ``get_param``, as in ignite. Inside
    ``get_param``, ``event_index`` counts from 1. The scheduler writes the number that ``get_param`` returns, unchanged.

    Args:
        param_name: name of the attribute, and of the history if :meth:`attach` gets no ``name``.
        save_history: whether to record the written values in ``engine.state.param_history``, as bare numbers.
        create_new: whether the attribute must be new. If True, :meth:`attach` raises an error for an attribute that
            exists. If False, :meth:`attach` warns of an attribute that is missing.
        schedule: a :class:`Schedule`, or a function that takes the event index and returns a number. A subclass that
            overrides ``get_param`` may leave the schedule out. Keyword only.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: there is neither a schedule nor a ``get_param``; an argument has the wrong type.
        ValueError: the engine itself uses an attribute of this name.

    Example:
        >>> from ignite.engine import Engine, Events
        >>> from lehr.handlers.schedules import LinearInterpolation
        >>> trainer = Engine(lambda engine, batch: print(engine.state.dropout))
        >>> scheduler = StateParamScheduler(
        ...     "dropout", create_new=True, schedule=LinearInterpolation([(0, 0.5), (2, 0.0)])
        ... )
        >>> _ = scheduler.attach(trainer, Events.ITERATION_STARTED)
        >>> _ = trainer.run([0, 1, 2])
        0.5
        0.25
        0.0
    """

    _asked_from_one = False
    _target: EngineAttribute
    _writes_bools = True

    def __init__(
        self,
        param_name: str,
        save_history: bool = False,
        create_new: bool = False,
        *,
        schedule: Schedule | Callable[[int], Value] | None = None,
        run: RunLength | None = None,
    ) -> None:
        schedule, self._run = resolved(schedule, run), run
        target = EngineAttribute(param_name, self._number_type)
        super().__init__(param_name, save_history, schedule=schedule, target=target)
        self.create_new = arguments.flag("create_new", create_new)
        self._register()

    @property
    def param_name(self) -> str:
        """The name of the attribute, and of its history."""
        return self._param_name

    @param_name.setter
    def param_name(self, param_name: str) -> None:
        if "_target" in vars(self):
            self._target = EngineAttribute(param_name, self._number_type)
        self._param_name = param_name

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let an overridden ``get_param`` see an event index that counts from 1, as in ignite."""
        super().__init_subclass__(**kwargs)
        owner = next(base for base in cls.__mro__ if "get_param" in vars(base))
        if owner is cls or not issubclass(owner, BaseParamScheduler):  # the class itself or a mixin overrides it
            cls.get_param = _from_one(cls.get_param)  # type: ignore[assignment, method-assign]

    def attach(
        self,
        engine: "Engine",
        event: "AnyEvent" = "ITERATION_COMPLETED",
        name: str | None = None,
        clock: "AnyClock" = None,
    ) -> "RemovableEventHandle":
        """Write a value at each event of an engine; see :meth:`BaseParamScheduler.attach`.

        If the attribute is missing, the method creates it with a value for the time before the first event. The value
        is ``schedule(0)``. For a scheduler whose first event writes ``f(1)``, the value is ``f(0)``. For a Python
        function or an overridden ``get_param``, the value is None.

        Args:
            engine: the engine, usually the trainer.
            event: an event of the engine, which may have a filter.
            name: the name of the history. If None, the name is ``param_name``.
            clock: the clock whose amounts ``event_index`` counts, such as a :class:`TokenClock`. If None,
                ``event_index`` counts events.

        Raises:
            TypeError: ``engine`` is not an ignite ``Engine``.
            ValueError: ``create_new`` is True, but ``engine.state`` has the attribute already; the engine counts an
                event in the attribute.
        """
        exists = is_engine(engine) and hasattr(engine.state, self.param_name)
        if exists and self.param_name in engine.state.event_to_attr.values():
            raise ValueError(
                "param_name must not be the name of an attribute in which the engine counts an event, given "
                f"{arguments.shown(self.param_name)}"
            )
        if exists and self.create_new:
            raise ValueError(
                "param_name must be the name of a new attribute of engine.state if create_new is True, given "
                f"{arguments.shown(self.param_name)}, which exists: choose another name, or create_new=False"
            )
        if not exists and not self.create_new:
            warnings.warn(
                f"engine.state has no attribute {arguments.shown(self.param_name)}, so attach() creates it; pass "
                "create_new=True if this is intended",
                stacklevel=2,
            )
        handle = super().attach(engine, event, name, clock)
        if not exists:
            self._write_before_first_event(engine, event)
        return handle

    def _write_before_first_event(self, engine: "Engine", event: Any) -> None:
        """Create the attribute, and log a warning if an iteration trains without a value."""
        from lehr.engine.times_fired import is_completion

        schedule, value = self._schedule, self._target.last
        if value is None and schedule is not None and schedule.is_pure and not self._asks_get_param:
            # In ignite's five schedulers, the first event has f(1), so f(0) is the value before it.
            schedule = schedule.schedule if isinstance(schedule, Shift) and schedule.by == 1 else schedule
            value = self._value_of(schedule, self._event_index)
        setattr(engine.state, self.param_name, value)
        if value is None and is_completion(event):
            engine.logger.warning(
                "%s is attached to %s: engine.state.%s is None until its first event. Attach it to ITERATION_STARTED, "
                "or set the attribute before the run",
                arguments.shown(self),
                getattr(event, "name", event),
                arguments.shown_text(self.param_name, 100),
            )

    def _num_groups(self) -> None:
        return None

    def _follow(self, schedule: Schedule | None) -> None:
        super()._follow(schedule)
        self._from_one = None if schedule is None else Shift(schedule, by=-1)  # the schedule inside get_param

    def _check_state(self, state: Mapping[str, Any]) -> None:
        if self._number_type is int and state["value"] is not None:
            arguments.number("value", state["value"])

    def _read(self, index: int) -> Any:
        value: Any
        if self._asks_get_param:
            value, named = self.get_param(), self._named
        elif isinstance(self._schedule, LiveSchedule):
            value, named = self._schedule.value(index), self._schedule.named
        else:
            return super()._read(index)
        if type(value) is float and isfinite(value):
            return value
        if type(value) is not bool:
            arguments.value_at(index, value, named)  # only a check: the value is written unchanged
        return list(value) if isinstance(value, tuple) else value

    def _value_of(self, schedule: Schedule, index: int) -> Any:
        if isinstance(schedule, Shift) and isinstance(schedule.schedule, LiveSchedule):
            return self._value_of(schedule.schedule, index + schedule.by)
        return schedule.value(index) if isinstance(schedule, LiveSchedule) else super()._value_of(schedule, index)


def _from_one(get_param: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(get_param)
    def from_one(scheduler: StateParamScheduler) -> Any:
        if scheduler._asked_from_one:
            return get_param(scheduler)  # a call through super(): event_index counts from 1 already
        schedule, event_index = scheduler._schedule, scheduler._event_index
        scheduler._asked_from_one, scheduler._event_index = True, event_index + 1
        scheduler._schedule = scheduler._from_one
        try:
            return get_param(scheduler)
        finally:
            scheduler._asked_from_one, scheduler._event_index = False, event_index
            scheduler._schedule = schedule

    return from_one
