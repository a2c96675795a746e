"""Functions that save, check and load the state of a scheduler. They load either the whole state or nothing."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from lehr.handlers.schedules import Plateau, Schedule, StatefulSchedule, arguments
from lehr.handlers.schedules.description_as_data import description_of, same_schedule, text_of
from lehr.handlers.schedules.stateful import stateful_parts

from .attached_engines import clock_of, counted_unit
from .clocks.landing_state import LandingState
from .resuming.adjustment import Adjustment
from .resuming.cooldown_policy import CooldownPolicy, refuse_other_unit
from .resuming.policy import ResumePolicy, adjusted, checked_policy, warn_of_change

__all__ = ["Adjustment", "ResumePolicy", "checked_policy", "load_state", "state_of"]

VERSION = 1
NOT_WRITTEN = -1  # the ``_written_at`` of a scheduler with a clock that has written no value since its state was loaded
# Entries that older versions did not save, and their default values.
LATER_ENTRIES: dict[str, Any] = {
    "version": 0,
    "length": None,
    "value": None,
    "shift": 0,
    "handover": None,
    "stretch": None,
    "cooldown": None,
    "param_groups": None,
    "base_values": None,
    "joined": [],
    "metric": [],
    "unfinished": None,
    "readings": [],
    "landing": None,
    "counts": None,
    "before_epoch_completed": False,  # only development versions saved this entry
}
RARE_ENTRIES = {"stretch", "cooldown", "unfinished", "readings", "landing", "counts", "before_epoch_completed"}


def state_of(scheduler: Any) -> dict[str, Any]:
    """Return the state of a scheduler as plain data."""
    planned = scheduler._planned
    length, parts = None if planned is None else planned.length, stateful_parts(planned)
    state = {
        "version": VERSION,
        **scheduler._identity(),
        "schedule": description_of_scheduler(scheduler),
        "length": None if length is None else float(length),
        "event_index": scheduler._event_index,
        "value": scheduler._last_value() if scheduler._event_index or scheduler._written_at is not None else None,
        **scheduler._adjustment.state_dict(),
    }
    if parts:
        from .resuming.metrics_after_save import unfinished_of

        if (left := unfinished_of(scheduler)) is not None:
            state["unfinished"] = left._asdict()
    if (counted := counted_unit(scheduler)) is not None:
        state["counts"] = counted
    if scheduler._readings:
        from .clocks.clock import amount_of

        state["readings"] = [amount_of(clock_of(scheduler), reading) for reading in scheduler._readings]
    if scheduler._landing is not None:
        state["landing"] = scheduler._landing.state_dict()
    return {**state, "progress": [part.state_dict() for part in parts]} if parts else state


def description_of_scheduler(scheduler: Any) -> Any:
    """Return the schedule in the code as plain data, which is the same in every process."""
    planned = None if scheduler._planned is None else description_of(scheduler._planned)
    if not scheduler._asks_get_param:
        return planned
    return {"get_param": f"{type(scheduler).__qualname__}.get_param", "schedule": planned}


def repr_of(scheduler: Any) -> str:
    """Return a scheduler in one line of about 120 characters."""
    name = arguments.shown_text(scheduler.param_name, 40)
    first = f"<{type(scheduler).__name__} of {name!r} at event {scheduler._event_index}: "
    last = f"{arguments.shown_text(str(scheduler._adjustment), 80)}>"
    schedule = text_of(description_of_scheduler(scheduler))
    return f"{first}{arguments.shown_text(schedule, max(120 - len(first) - len(last), 40))}{last}"


def load_state(scheduler: Any, state_dict: Mapping[str, Any], policy: ResumePolicy) -> None:
    """Load a state into a scheduler.

    Raises:
        TypeError, ValueError: the state belongs to another scheduler, or the policy does not work. If this error is
            raised, nothing is loaded.
    """
    own = scheduler.state_dict()
    state = checked_state(state_dict, own, scheduler._identity())
    scheduler._check_state(state)
    planned, restore_base_values = scheduler._planned, scheduler._take_base_values(state)
    try:
        is_as_before = scheduler._planned is planned
        description = own["schedule"] if is_as_before else description_of_scheduler(scheduler)
        _load_checked(scheduler, state, description, policy)
    except BaseException:
        restore_base_values()
        raise


def _load_checked(scheduler: Any, state: Mapping[str, Any], description: Any, policy: ResumePolicy) -> None:
    planned = scheduler._planned
    is_same = is_same_schedule(state["schedule"], description)
    # A schedule under an overridden get_param cannot be adjusted.
    adjustable = None if scheduler._asks_get_param else planned
    if isinstance(policy, CooldownPolicy):
        refuse_other_unit(policy, state["counts"] or counted_unit(scheduler))
    adjustment = adjusted(scheduler, state, adjustable, description, policy, is_same)
    parts = stateful_parts(planned)
    before = [part.state_dict() for part in parts]
    left = None
    if state["unfinished"] is not None:
        from .resuming.metrics_after_save import checked

        left = checked(state["unfinished"], parts)
    if parts:
        _load_progress(parts, state.get("progress", []))
    try:
        for at, event in left.phases if left else ():
            with suppress(ValueError):  # there is no further phase
                parts[at].begin_next(event)  # type: ignore[attr-defined]
        if not is_same:
            warn_of_change(state, description, policy, adjustment)
        scheduler._adjust(adjustment)
    except BaseException:
        _load_progress(parts, before)
        raise
    scheduler._go_to(state["event_index"])
    scheduler._landing, scheduler._counted = state["landing"], state["counts"]
    was_counted = scheduler._written_at is not None
    scheduler._readings, scheduler._written_at = state["readings"], NOT_WRITTEN if was_counted else None
    scheduler._loaded(state)
    scheduler._lost = left.lost if left else []


def last_value(scheduler: Any) -> Any:
    """Return the last value that a scheduler wrote, as plain data; None if it is unknown."""
    if not scheduler._target.is_saved:
        return scheduler._target.last
    last = scheduler._event_index - 1 if scheduler._written_at is None else scheduler._written_at
    if last == NOT_WRITTEN or (scheduler._written_at is None and scheduler._event_index == scheduler._loaded_at):
        return scheduler._loaded_value
    if not scheduler._is_pure or scheduler._asks_get_param:
        return None
    written = scheduler._block_reader.known(last)
    if written is None:
        return scheduler._value_of(scheduler.schedule, last)
    return written if type(written) is list else scheduler._number_type(written)


def follow_adjusted(scheduler: Any, adjustment: Adjustment) -> None:
    """Apply an adjustment to a scheduler's schedule in the code, and let the scheduler follow the result.

    Raises:
        ValueError: the adjusted schedule is for another number of param groups.
    """
    planned = scheduler._planned
    if planned is not None and not stateful_parts(planned):
        schedule = adjustment.applied_to(planned)
        if schedule is not planned and schedule.groups not in (None, planned.groups, groups := scheduler._num_groups()):
            raise ValueError(
                f"resume_policy must be 'keep_step' if the number of param groups has changed, given a change from "
                f"{schedule.groups} to {groups}"
            )
        scheduler._follow(schedule)
    scheduler._adjustment = adjustment


def checked_state(state: Mapping[str, Any], own: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """Check a saved state, and add the entries that an older version did not save.

    Args:
        state: the saved state.
        own: the present state of the scheduler that loads it.
        identity: the entries of ``own`` that must be equal in the saved state.

    Raises:
        TypeError: the state is not a mapping, or an entry has the wrong type.
        ValueError: an entry is missing or unknown, or the state belongs to another class of scheduler or parameter.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state_dict must be a mapping, given {arguments.shown(state)}")
    arguments.within_limits("state_dict", state, depth=300)
    version = state.get("version", 0)
    if type(version) is not int or not 0 <= version <= VERSION:
        raise ValueError(
            f"state_dict['version'] must be a whole number from 0 to {VERSION}, given {arguments.shown(version)}; "
            "a later version of lehr saved this state"
        )
    missing, unknown = own.keys() - state.keys() - LATER_ENTRIES.keys(), state.keys() - own.keys() - RARE_ENTRIES
    if missing or unknown:
        given = arguments.shown(sorted(map(str, state)))
        raise ValueError(
            f"state_dict must have the entries {sorted(own)}, given {given}; to set only the event index, "
            "call seek(event_index), for instance with the trainer's state.iteration"
        )
    for key, value in own.items():
        types = (str, type(value)) if key == "schedule" else (type(value),)  # in version 0, the schedule is a text
        if key not in LATER_ENTRIES and type(state[key]) not in types:
            raise TypeError(
                f"state_dict[{key!r}] must be of type {type(value).__name__}, given {arguments.shown(state[key])}"
            )
    for key, value in identity.items():
        if _differ(state[key], value):
            raise ValueError(
                f"state_dict must be that of a scheduler with {key} {arguments.shown(value)}, given "
                f"{arguments.shown(state[key])}; to set only the event index, call seek(event_index)"
            )
    checked = {**LATER_ENTRIES, **state}
    checked["event_index"] = arguments.whole_number("event_index", state["event_index"], at_least=0)
    readings = partial(arguments.whole_number, at_least=0)
    checked["readings"] = arguments.list_of("readings", checked["readings"], readings)
    if not isinstance(checked["counts"], str | None):
        raise TypeError(f"state_dict['counts'] must be a unit or None, given {arguments.shown(checked['counts'])}")
    checked["landing"] = LandingState.loaded(checked["landing"])
    checked["shift"] = arguments.whole_number("shift", checked["shift"], at_least=-arguments.MAX_EVENT_INDEX)
    if checked["length"] is not None:
        checked["length"] = arguments.number("length", checked["length"], at_least=0)
    known = checked["param_groups"]
    if known is not None:
        all_known = [arguments.whole_number("param_groups", one, at_least=0) for one in _as_list(known)]
        checked["param_groups"] = all_known if isinstance(known, list) else all_known[0]
    value = checked["value"]
    if not isinstance(value, bool | None):
        numbers = arguments.number_or_numbers("value", value)
        # Numbers become built-in types, so that the state can be saved as JSON.
        checked["value"] = list(numbers) if isinstance(numbers, tuple) else value if type(value) is int else numbers
    return checked


def _differ(saved: Any, own: Any) -> bool:
    try:
        return bool(saved != own)
    except Exception:  # arrays have no single truth value
        return True


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_same_schedule(saved: Any, own: Any) -> bool:
    """Return whether a saved description describes the schedule in the code, whose description is ``own``.

    Raises:
        ValueError: ``saved`` is not the description of a schedule.
    """
    try:
        if not isinstance(saved, str) and saved != own:
            text_of(saved)  # this raises an error unless it is a description
        return same_schedule(saved, own)
    except Exception as error:
        given = arguments.shown(saved)
        raise ValueError(f"state_dict['schedule'] must be the description of a schedule, given {given}") from error


def check_plateau_values(
    planned: Schedule | None, state: Mapping[str, Any], groups: int | None, may_be_fewer: bool
) -> None:
    """Check the number of values of each plateau in a state.

    Args:
        planned: the schedule with the plateaus.
        state: the state.
        groups: the number of param groups; None if it is unknown.
        may_be_fewer: whether there may be fewer values than groups. If True, the other groups keep their own values.

    Raises:
        ValueError: there are too many or too few values.
    """
    for part, progress in zip(stateful_parts(planned), state.get("progress", ()), strict=False):
        values = progress.get("values") if isinstance(part, Plateau) and isinstance(progress, Mapping) else None
        if not isinstance(values, list | tuple) or groups is None or len(values) in (1, groups):
            continue
        if len(values) > groups or not may_be_fewer:
            raise ValueError(f"values must have 1 item, or {groups} for the param groups, given {len(values)}")


def _load_progress(schedules: Sequence[StatefulSchedule], progress: Sequence[Any]) -> None:
    """Load the states of all stateful schedules. If an error is raised, no state is loaded.

    Raises:
        ValueError: ``progress`` does not contain states of these schedules.
    """
    if len(progress) != len(schedules):
        raise ValueError(
            f"state_dict['progress'] must have {len(schedules)} entries, one per schedule, given {len(progress)}"
        )
    loaded: list[tuple[StatefulSchedule, dict[str, Any]]] = []
    try:
        for schedule, state in zip(schedules, progress, strict=True):
            before = schedule.state_dict()
            schedule.load_state_dict(state)
            loaded.append((schedule, before))
    except Exception as error:
        for schedule, before in reversed(loaded):
            schedule.load_state_dict(before)
        message = f"state_dict['progress'] must fit the schedules of this scheduler: {error}"
        raise ValueError(arguments.shortened(message)) from error


def finite_values(read: Any) -> list[float] | None:
    """Return the values that a target holds; None if the target cannot be read, or if a value is not finite."""
    try:
        held: list[float] = read()
    except ValueError:  # an added group lacks the parameter or is not allowed; the next event raises the error
        return None
    return held if held and all(map(math.isfinite, held)) else None
