"""Functions with which integrations run a scheduler without an engine."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from lehr.engine.history_recorder import remove_last_events
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.metric_driven_parts import metric_parts
from lehr.handlers.schedules.stateful import stateful_parts

from .param_group_scheduler import ParamGroupScheduler
from .param_scheduler import ParamScheduler
from .simulation.private_copies import private_copy

AnyScheduler = ParamScheduler | ParamGroupScheduler


def one_of_all(schedulers: Any) -> AnyScheduler:
    """Return one scheduler that writes the values of one or several schedulers. Call only the returned scheduler.

    Raises:
        TypeError: an item is not a scheduler of the param groups of an optimizer.
        ValueError: there is no scheduler; the schedulers have different optimizers; two schedulers write the same
            number; a scheduler has already counted events.
    """
    given: list[Any] = list(schedulers) if isinstance(schedulers, list | tuple) else [schedulers]
    if not given:
        raise ValueError(f"schedulers must be one or more, given {arguments.shown(schedulers)}")
    for at, scheduler in enumerate(given):
        name = f"schedulers[{at}]" if isinstance(schedulers, list | tuple) else "schedulers"
        if not all(isinstance(one, ParamScheduler) for one in _each_of(scheduler)):
            raise TypeError(
                f"{name} must be a scheduler of a parameter of an optimizer, given {arguments.shown(scheduler)}"
            )
        if scheduler.event_index:
            raise ValueError(f"{name} must be at event 0, given {arguments.shown(scheduler)}: load its state later")
    numbers = Counter(
        (location.param_name, location.identity)
        for scheduler in given
        for rows in scheduler._locations(None).values()
        for location in rows
    )
    if twice := sorted({name for (name, _), times in numbers.items() if times > 1}):
        raise ValueError(f"schedulers must write different numbers, given several that write {arguments.shown(twice)}")
    every = [one for scheduler in given for one in _each_of(scheduler)]
    made: AnyScheduler = given[0] if len(given) == 1 else ParamGroupScheduler(every)
    if made._stepping_optimizer() is None:
        kinds = arguments.shown([type(one.optimizer).__name__ for one in every])
        raise ValueError(f"schedulers must have one torch.optim.Optimizer in common, given {kinds}")
    for scheduler in (*given, made):
        scheduler._is_called_by_another = True
    return made


def _each_of(scheduler: Any) -> Sequence[Any]:
    return scheduler.schedulers if isinstance(scheduler, ParamGroupScheduler) else [scheduler]


def optimizer_of(scheduler: AnyScheduler) -> Optimizer:
    """Return the optimizer to which a scheduler of :func:`one_of_all` writes."""
    optimizer = scheduler._stepping_optimizer()
    assert optimizer is not None
    return optimizer


def written_params(scheduler: AnyScheduler) -> set[str]:
    """Return the names of the entries of the param groups that a scheduler writes, such as ``lr`` and ``betas[0]``."""
    rows = scheduler._locations(None).values()  # type: ignore[arg-type]
    return {location.param_name for row in rows for location in row}


def metric_driven_parts(scheduler: AnyScheduler) -> list[Any]:
    """Return the parts of a scheduler's schedule that metrics drive."""
    return [part.schedule for part in metric_parts(scheduler.schedule)]


def parts_changed_by_reading(scheduler: AnyScheduler) -> list[Any]:
    """Return the parts of a schedule that change when their value at an event is read."""
    return [part for part in stateful_parts(scheduler.schedule) if part.changed_by_reading != ()]


def progress_of(part: Any) -> dict[str, Any]:
    """Return the entries of a part's state that change when the part's value at an event is read."""
    state: dict[str, Any] = part.state_dict()
    names = part.changed_by_reading
    return state if names is None else {name: state[name] for name in names}


def put_back(part: Any, progress: Any) -> None:
    """Load the entries that :func:`progress_of` returned into a part.

    Raises:
        TypeError, ValueError: ``progress`` does not have the entries of the part. If this error is raised, the part
            does not change.
    """
    present = part.state_dict()
    if not isinstance(progress, Mapping) or not set(progress) <= set(present):
        raise ValueError(
            f"progress must have entries of the state of {arguments.shown(part)}, given {arguments.shown(progress)}"
        )
    part.load_state_dict({**present, **progress})


def write_event(scheduler: AnyScheduler, event_index: int) -> None:
    """Go to an event with :func:`go_to_event`, and write its values."""
    go_to_event(scheduler, event_index)
    scheduler(None)


def go_to_event(scheduler: AnyScheduler, event_index: int) -> None:
    """Make an event the next event, and remove this event and later events from the history."""
    if (later := scheduler.event_index - event_index) != 0:
        scheduler._go_to(event_index)
        scheduler._loaded_at = -1  # a metric may change the value, so the value in the loaded state is not valid
        for name in scheduler._history_names(None) if later > 0 and scheduler.history is not None else ():
            remove_last_events(scheduler._plain_loop, name, later)  # type: ignore[arg-type]


def write_last_event_again(scheduler: AnyScheduler) -> None:
    """Write the values of the last event again, without counting it."""
    value = scheduler._last_value() if scheduler.event_index == scheduler._loaded_at else None
    if value is None:
        value = scheduler._value_of(private_copy(scheduler.schedule), scheduler.event_index - 1)
    if isinstance(scheduler, ParamGroupScheduler):
        value = scheduler._row(value)
    scheduler._target.write(value, None)
