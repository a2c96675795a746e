"""How a scheduler resumes if the saved schedule differs from the schedule in the code."""

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.description_as_data import text_of
from lehr.handlers.schedules.stateful import stateful_parts

from .adjustment import Adjustment, checked_handover
from .cooldown_policy import CooldownPolicy, with_cooldown

POLICIES = ("keep_step", "keep_fraction", "keep_value", "keep_end")
ResumePolicy = str | CooldownPolicy


class ResumeWarning(UserWarning):
    """A warning that a resumed run differs, or may differ, from the saved run.

    A schedule may have changed, or the event index of a scheduler may be wrong. To stop the run instead, turn the
    warning into an error, as in the example.

    Example:
        >>> import warnings
        >>> import torch
        >>> from lehr.handlers import CosineAnnealingScheduler
        >>> def make(start_value):
        ...     optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        ...     return CosineAnnealingScheduler(optimizer, "lr", start_value, 0.0, 100)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", ResumeWarning)
        ...     make(0.2).load_state_dict(make(0.1).state_dict())
        Traceback (most recent call last):
        ...
        lehr.handlers.ResumeWarning: the saved schedule differs from this one, ...
    """


# Users filter warnings by this path, so it must not change.
ResumeWarning.__module__ = "lehr.handlers"


def checked_policy(policy: Any) -> ResumePolicy:
    """Check that a policy is one of :data:`POLICIES` or a :class:`CooldownPolicy`, and return it."""
    return policy if isinstance(policy, CooldownPolicy) else arguments.one_of("resume_policy", policy, POLICIES)


def adjusted(
    scheduler: Any,
    state: Mapping[str, Any],
    planned: Schedule | None,
    description: Any,
    policy: ResumePolicy,
    is_same: bool,
) -> Adjustment:
    """Return the adjustment with which a scheduler resumes. A policy name has an effect only for a changed schedule.

    Args:
        scheduler: the scheduler.
        state: the saved state, after its check.
        planned: the schedule in the code, with the base values of the state; None if the schedule cannot be adjusted.
        description: the description of the schedule in the code, for messages.
        policy: one of :data:`POLICIES`, or a :class:`CooldownPolicy`.
        is_same: whether the saved schedule equals the schedule in the code.

    Raises:
        TypeError, ValueError: the policy is unknown, or does not work for this schedule; the state is not valid.
    """
    checked_policy(policy)
    saved, event_index = Adjustment.from_state(state), state["event_index"]
    may_be_adjusted = (
        saved == Adjustment()
        or (planned is not None and planned.is_pure)
        or (saved == Adjustment(cooldown=saved.cooldown) and _may_cool_down(planned))
    )
    if not may_be_adjusted:
        raise ValueError(
            f"the state must not have an adjustment for {_text(description)}, given "
            f"{arguments.shown(saved.state_dict())}"
        )
    goes_on = saved if is_same else _at_same_step(saved, event_index)
    if policy == "keep_step" or (is_same and isinstance(policy, str)):
        return goes_on
    if isinstance(policy, CooldownPolicy) and not _may_cool_down(planned):
        raise ValueError(
            "resume_policy must not be a CooldownPolicy for a schedule with a state of its own or a get_param, given "
            f"{_text(description)}: let a PhaseScheduler begin the decay"
        )
    if isinstance(policy, CooldownPolicy):
        return with_cooldown(policy, scheduler, goes_on, event_index)
    if planned is None or not planned.is_pure:
        raise ValueError(
            f"resume_policy must be 'keep_step' for a schedule that depends on what happens in training, given "
            f"{arguments.shown(policy)} for {_text(description)}"
        )
    if saved.cooldown is not None:
        raise ValueError(
            f"resume_policy must be 'keep_step' for a state in a cool-down, which has begun at event "
            f"{saved.cooldown[0]}, given {arguments.shown(policy)}"
        )
    if planned.length is None:
        raise ValueError(
            "resume_policy must be 'keep_step' for a schedule without a known end, "
            f"given {arguments.shown(policy)} for "
            f"{_text(description)}"
        )
    follow = {"keep_fraction": _at_same_fraction, "keep_end": _towards_same_end, "keep_value": _from_same_value}
    return follow[policy](state, planned.length, saved, description)


def _may_cool_down(planned: Schedule | None) -> bool:
    """Return whether a schedule may cool down. A user's function may, but a schedule with its own state may not."""
    return planned is not None and not stateful_parts(planned)


def _at_same_step(saved: Adjustment, event_index: int) -> Adjustment:
    """Return the adjustment for another schedule that continues at the event that the saved run had reached."""
    shift = saved.shift if saved.stretch is None else saved.position_at(event_index) - event_index
    return Adjustment(shift, cooldown=saved.cooldown)


def _at_same_fraction(state: Mapping[str, Any], length: float, saved: Adjustment, description: Any) -> Adjustment:
    event_index = state["event_index"]
    there = _fraction(state, saved, "keep_fraction") * length
    return Adjustment(round(arguments.number("length", there, at_most=arguments.MAX_EVENT_INDEX)) - event_index)


def _towards_same_end(state: Mapping[str, Any], length: float, saved: Adjustment, description: Any) -> Adjustment:
    event_index, fraction = state["event_index"], _fraction(state, saved, "keep_end")
    if fraction >= 1:
        raise ValueError(
            f"resume_policy must not be 'keep_end' where the saved run is past the end of its schedule, "
            f"{state['length']:g} events: {_text(state['schedule'])}"
        )
    _refuse_end("keep_end", event_index, length, description)
    return Adjustment(stretch=(event_index, fraction * length, length))


def _from_same_value(state: Mapping[str, Any], length: float, saved: Adjustment, description: Any) -> Adjustment:
    event_index, adjustment = state["event_index"], _at_same_step(saved, state["event_index"])
    if state["value"] is None:
        return adjustment  # the saved run had written no value
    position = saved.position_at(event_index)
    _refuse_end("keep_value", position, length, description)
    return Adjustment(adjustment.shift, checked_handover(event_index, length - position, state["value"]))


def _fraction(state: Mapping[str, Any], saved: Adjustment, policy: str) -> float:
    """Return the fraction of its schedule that the saved run had completed, which is 1 at the end."""
    if not state["length"]:
        raise ValueError(
            f"resume_policy must not be {policy!r} where the saved schedule has no known end: "
            f"{_text(state['schedule'])}"
        )
    return float(saved.position_at(state["event_index"]) / state["length"])


def _refuse_end(policy: str, position: float, length: float, description: Any) -> None:
    if position >= length:
        raise ValueError(
            f"resume_policy must not be {policy!r} at event {position}, since the schedule has ended after "
            f"{length:g} events: {_text(description)}"
        )


def warn_of_change(state: Mapping[str, Any], description: Any, policy: ResumePolicy, adjustment: Adjustment) -> None:
    """Warn that the saved schedule differs from the schedule in the code."""
    event_index = state["event_index"]
    at = f"at its event {adjustment.position_at(event_index)}"
    name = "CooldownPolicy" if isinstance(policy, CooldownPolicy) else policy
    how = {
        "CooldownPolicy": f"{at}, and cools down",
        "keep_step": at,
        "keep_fraction": f"at the same fraction as before, {at}",
        "keep_value": f"from the present value {arguments.shown(state['value'], 50)}, towards the new schedule",
        "keep_end": f"at the same fraction as before, {at}, and ends at the event that equals its length",
    }[name]
    if state["handover"] is not None:
        how += "; the handover in the state is dropped"
    if state.get("cooldown") is not None:
        how += "; the cool-down in the state goes on"
    if state.get("progress"):
        how += "; its state comes from the saved schedule"
    saved, now = _beginning_near_difference(_full_text(state["schedule"]), _full_text(description))
    warnings.warn(
        f"the saved schedule differs from this one, which goes on from event {event_index}, {how} "
        f"(resume_policy {name!r}):\n  saved: {saved}\n  now:   {now}",
        ResumeWarning,
        stacklevel=level_of_caller(),
    )


def level_of_caller() -> int:
    """Return the ``stacklevel`` with which ``warnings.warn`` points to the user's code, outside of this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("lehr."):
        frame, level = frame.f_back, level + 1
    return level


def _text(description: Any) -> str:
    """Return the text of a description, shortened for an error."""
    return arguments.shown_text(_full_text(description))


def _full_text(description: Any) -> str:
    """Return the text of a description. A state of version 0 contains the text itself."""
    return description if isinstance(description, str) else text_of(description)


def _beginning_near_difference(*texts: str) -> list[str]:
    """Return the part of each text that begins just before the texts differ, in at most 130 characters."""
    pairs = zip(*texts, strict=False)
    common = next((at for at, pair in enumerate(pairs) if len(set(pair)) > 1), min(map(len, texts)))
    start = max(common - 60, 0) if any(len(text) > 130 for text in texts) else 0
    return [arguments.shown_text("..." * (start > 0) + text[start:], 130) for text in texts]
