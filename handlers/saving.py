"""Checking what a scheduler is to go on from, before anything is loaded."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from . import arguments
from .schedules import StatefulSchedule


def checked_event_index(state: Mapping[str, Any], own: Mapping[str, Any], identity: Mapping[str, Any]) -> int:
    """The event index of a saved state, if it is the state of such a scheduler.

    Args:
        state: what is to be loaded.
        own: the state of the scheduler that is to load it.
        identity: those entries of ``own`` that the saved ones must equal.

    Raises:
        TypeError: not a mapping, or an entry of the wrong type.
        ValueError: entries missing or unknown, or the state of another kind of scheduler or parameter.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state_dict must be a mapping, given {state!r}")
    if set(state) != set(own):
        raise ValueError(
            f"state_dict must have the entries {sorted(own)}, given {sorted(map(str, state))}; where it is not that of "
            "such a scheduler, call seek(event_index), for instance with the trainer's state.iteration"
        )
    for key, value in own.items():
        if type(state[key]) is not type(value):
            raise TypeError(f"state_dict[{key!r}] must be of type {type(value).__name__}, given {state[key]!r}")
    for key, value in identity.items():
        if state[key] != value:
            raise ValueError(
                f"state_dict must be that of a scheduler with {key} {value!r}, given {state[key]!r}; "
                "to take over its position alone, call seek(event_index)"
            )
    event_index = arguments.whole_number("event_index", state["event_index"], at_least=0)
    if state["schedule"] != own["schedule"]:
        warnings.warn(
            f"the saved schedule differs from this one, which goes on from event {event_index}:\n"
            f"  saved: {state['schedule']}\n  now:   {own['schedule']}",
            stacklevel=3,
        )
    return event_index


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
