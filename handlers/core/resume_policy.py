"""How a scheduler resumes if the saved schedule differs from the schedule in the code."""

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lehr.handlers.schedules import Handover, Schedule, Shift, arguments
from lehr.handlers.schedules.description import text_of

POLICIES = ("keep_step", "keep_fraction", "keep_value")


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


@dataclass(frozen=True)
class Adjustment:
    """A change of the schedule in the code, so that a run that started with another schedule can continue.

    Args:
        shift: the number that is added to the event index.
        handover: the begin, duration and start value of a :class:`~lehr.handlers.schedules.Handover`; None for no
            handover.
    """

    shift: int = 0
    handover: tuple[int, float, Any] | None = None

    def __str__(self) -> str:
        """The change in words, to follow the text of the schedule; empty for no change."""
        text = f", read {abs(self.shift)} events {'later' if self.shift > 0 else 'earlier'}" if self.shift else ""
        if self.handover is not None:
            begin, duration, value = self.handover
            text += f", approached from {value} over {duration:g} events from event {begin} on"
        return text

    def applied_to(self, schedule: Schedule) -> Schedule:
        """The schedule after the change."""
        if self.shift:
            schedule = Shift(schedule, self.shift)
        return schedule if self.handover is None else Handover(schedule, *self.handover)

    def state_dict(self) -> dict[str, Any]:
        """The adjustment as plain data."""
        return {"shift": self.shift, "handover": None if self.handover is None else list(self.handover)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Adjustment":
        """The adjustment that :meth:`state_dict` returned as plain data.

        Raises:
            TypeError, ValueError: the state does not contain an adjustment.
        """
        handover = state["handover"]
        if handover is not None and not (isinstance(handover, list | tuple) and len(handover) == 3):
            raise ValueError(f"handover must be [begin, duration, value] or None, given {arguments.shown(handover)}")
        if handover is None:
            return cls(state["shift"])
        return cls(state["shift"], _checked_handover(*handover))


def adjusted(
    state: Mapping[str, Any], planned: Schedule | None, description: Any, policy: str, is_same: bool
) -> Adjustment:
    """The adjustment with which a scheduler resumes; the policy matters if the saved schedule differs.

    Args:
        state: the saved state, after its check.
        planned: the schedule in the code.
        description: the description of that schedule, for messages.
        policy: one of :data:`POLICIES`.
        is_same: whether the saved schedule is that schedule.

    Raises:
        TypeError, ValueError: the policy is unknown, or does not work for this schedule; the state is not valid.
    """
    arguments.one_of("resume_policy", policy, POLICIES)
    saved, event_index = Adjustment.from_state(state), state["event_index"]
    is_pure = planned is not None and planned.is_pure
    if saved != Adjustment() and not is_pure:
        raise ValueError(
            f"shift and handover must not be given for {_text(description)}, given {arguments.shown(saved)}"
        )
    if is_same:
        return saved
    position = max(event_index + saved.shift, 0)
    if policy == "keep_step":
        return Adjustment(saved.shift)
    if planned is None or not is_pure:
        raise ValueError(
            f"resume_policy must be 'keep_step' for a schedule that depends on what happens in training, given "
            f"{arguments.shown(policy)} for {_text(description)}"
        )
    if planned.length is None:
        raise ValueError(
            "resume_policy must be 'keep_step' for a schedule without a known end, "
            f"given {arguments.shown(policy)} for "
            f"{_text(description)}"
        )
    if policy == "keep_fraction":
        if not state["length"]:
            raise ValueError(
                "resume_policy must not be 'keep_fraction' where the saved schedule has no known end: "
                f"{_text(state['schedule'])}"
            )
        there = arguments.number(
            "length", position / state["length"] * planned.length, at_most=arguments.MAX_EVENT_INDEX
        )
        return Adjustment(round(there) - event_index)
    if state["value"] is None:
        return Adjustment(saved.shift)  # no value was written before
    if position >= planned.length:
        raise ValueError(
            f"resume_policy must not be 'keep_value' at event {position} of a schedule whose length is "
            f"{planned.length:g}, given {_text(description)}"
        )
    return Adjustment(saved.shift, _checked_handover(event_index, planned.length - position, state["value"]))


def warn_of_change(state: Mapping[str, Any], description: Any, policy: str, adjustment: Adjustment) -> None:
    """Warn that the saved schedule differs from the schedule in the code."""
    event_index = state["event_index"]
    how = {
        "keep_step": f"at its event {event_index + adjustment.shift}",
        "keep_fraction": f"as far through it as before, at its event {event_index + adjustment.shift}",
        "keep_value": f"from the present value {arguments.shown(state['value'], 50)}, towards the new schedule",
    }[policy]
    if state["handover"] is not None:
        how += "; the handover in the state is dropped"
    if state.get("progress"):
        how += "; its state is that of the saved schedule"
    saved, now = _beginning_near_difference(_full_text(state["schedule"]), _full_text(description))
    warnings.warn(
        f"the saved schedule differs from this one, which goes on from event {event_index}, {how} "
        f"(resume_policy {policy!r}):\n  saved: {saved}\n  now:   {now}",
        ResumeWarning,
        stacklevel=level_of_caller(),
    )


def level_of_caller() -> int:
    """The ``stacklevel`` with which ``warnings.warn`` points to the user's code, outside of this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("lehr."):
        frame, level = frame.f_back, level + 1
    return level


def _text(description: Any) -> str:
    """The beginning of a description as text."""
    return arguments.shown_text(_full_text(description))


def _full_text(description: Any) -> str:
    """A description as text for a message; version 0 saved the text itself."""
    return description if isinstance(description, str) else text_of(description)


def _beginning_near_difference(*texts: str) -> list[str]:
    """Parts of long texts from just before they differ, of at most 130 characters each."""
    pairs = zip(*texts, strict=False)
    common = next((at for at, pair in enumerate(pairs) if len(set(pair)) > 1), min(map(len, texts)))
    start = max(common - 60, 0) if any(len(text) > 130 for text in texts) else 0
    return [arguments.shown_text("..." * (start > 0) + text[start:], 130) for text in texts]


def _checked_handover(begin: Any, duration: Any, value: Any) -> tuple[int, float, Any]:
    checked = Handover(Shift(_ANY, 0), begin, duration, value)
    return checked.begin, checked.duration, checked.start_value


class _Any(Schedule):
    """A placeholder schedule, used to check the arguments of :class:`Handover`."""

    def values(self, indices: Any) -> Any:
        return indices


_ANY = _Any()
