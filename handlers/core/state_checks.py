"""Checks of a saved state before anything of it is loaded."""

from collections.abc import Mapping, Sequence
from typing import Any

from lehr.handlers.schedules import StatefulSchedule, arguments

# Entries that older versions did not save, and what they stand for.
LATER: dict[str, Any] = {
    "length": None,
    "value": None,
    "shift": 0,
    "handover": None,
    "param_groups": None,
    "metric": [],
}


def checked_state(state: Mapping[str, Any], own: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """A saved state, if it is that of such a scheduler; what an older version did not save is filled in.

    Args:
        state: what is to be loaded.
        own: the state of the scheduler that is to load it.
        identity: those entries of ``own`` that the saved ones must equal.

    Raises:
        TypeError: not a mapping, or an entry of the wrong type.
        ValueError: entries missing or unknown, or the state of another kind of scheduler or parameter.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state_dict must be a mapping, given {arguments.shown(state)}")
    missing, unknown = (set(own) - set(LATER)) - set(state), set(state) - set(own)
    if missing or unknown:
        given = arguments.shown(sorted(map(str, state)))
        raise ValueError(
            f"state_dict must have the entries {sorted(own)}, given {given}; where it is not that of such a scheduler, "
            "call seek(event_index), for instance with the trainer's state.iteration"
        )
    for key, value in own.items():
        if key not in LATER and type(state[key]) is not type(value):
            raise TypeError(
                f"state_dict[{key!r}] must be of type {type(value).__name__}, given {arguments.shown(state[key])}"
            )
    for key, value in identity.items():
        if state[key] != value:
            raise ValueError(
                f"state_dict must be that of a scheduler with {key} {value!r}, given {arguments.shown(state[key])}; "
                "to take over its position alone, call seek(event_index)"
            )
    checked = {**LATER, **state}
    checked["event_index"] = arguments.whole_number("event_index", state["event_index"], at_least=0)
    checked["shift"] = arguments.whole_number("shift", checked["shift"], at_least=-arguments.MAX_EVENT_INDEX)
    if checked["length"] is not None:
        checked["length"] = arguments.number("length", checked["length"], at_least=0)
    known = checked["param_groups"]
    for one in known if isinstance(known, list) else [] if known is None else [known]:
        arguments.whole_number("param_groups", one, at_least=0)
    value = checked["value"]
    if not isinstance(value, bool | None):
        arguments.number_or_numbers("value", value)
    return checked


def load_progress(schedules: Sequence[StatefulSchedule], progress: Sequence[Any]) -> None:
    """Let stateful schedules remember what was saved of them: all of them or, after an error, none.

    Raises:
        TypeError, ValueError: it is not what these schedules remember.
    """
    if len(progress) != len(schedules):
        raise ValueError(f"state_dict['progress'] must be that of {len(schedules)} schedules, given {len(progress)}")
    loaded: list[tuple[StatefulSchedule, dict[str, Any]]] = []
    try:
        for schedule, state in zip(schedules, progress, strict=True):
            before = schedule.state_dict()
            schedule.load_state_dict(state)
            loaded.append((schedule, before))
    except Exception as error:
        for schedule, before in reversed(loaded):
            schedule.load_state_dict(before)
        raise ValueError(f"state_dict['progress'] is not that of this scheduler: {error}") from error
