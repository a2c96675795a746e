"""How to go on from a state whose schedule is no longer the one that the code gives."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lehr.handlers.schedules import Handover, Schedule, Shift, arguments
from lehr.handlers.schedules.description import same_schedule

POLICIES = ("keep_step", "keep_fraction", "keep_value")


class ResumeWarning(UserWarning):
    """A resumed run goes on otherwise than it was saved, or may do so.

    A schedule may have changed, or a scheduler may have been left behind. To stop instead of going on, make it an error
    before the run begins, as in the example.

    Example:
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
        lehr.handlers.core.resume_policy.ResumeWarning: the saved schedule differs from this one, ...
    """


@dataclass(frozen=True)
class Adjustment:
    """What a schedule from the code is changed by, so that a run which began with another one goes on with it.

    Args:
        shift: how many events it is ahead of the events that were counted.
        handover: where it takes over from a value, how long that takes, and the value: the arguments of a
            :class:`~lehr.handlers.schedules.Handover` but the schedule; None where it does not.
    """

    shift: int = 0
    handover: tuple[int, float, Any] | None = None

    def applied_to(self, schedule: Schedule) -> Schedule:
        """The schedule in force."""
        if self.shift:
            schedule = Shift(schedule, self.shift)
        return schedule if self.handover is None else Handover(schedule, *self.handover)

    def state_dict(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {"shift": self.shift, "handover": None if self.handover is None else list(self.handover)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Adjustment":
        """What :meth:`state_dict` gave.

        Raises:
            TypeError, ValueError: it is not that.
        """
        handover = state["handover"]
        if handover is not None and not (isinstance(handover, list | tuple) and len(handover) == 3):
            raise ValueError(
                f"handover must be its begin, its duration and a value, or None, given {arguments.shown(handover)}"
            )
        made = cls(state["shift"], None if handover is None else (handover[0], handover[1], _as_value(handover[2])))
        if made.handover is not None:
            Handover(Shift(_ANY, 0), *made.handover)  # which checks them
        return made


def adjusted(state: Mapping[str, Any], planned: Schedule | None, described: str, policy: str) -> Adjustment:
    """How a scheduler is to go on from a saved state, by the policy where its schedule is no longer the saved one.

    Args:
        state: the saved state, checked.
        planned: the schedule that the code gives now.
        described: it in words, to be compared with those of the state.
        policy: one of :data:`POLICIES`.

    Raises:
        TypeError, ValueError: the policy is unknown or cannot be followed; the state is not what was saved.
    """
    arguments.one_of("resume_policy", policy, POLICIES)
    saved, event_index = Adjustment.from_state(state), state["event_index"]
    if saved != Adjustment() and (planned is None or not planned.is_pure):
        raise ValueError(f"shift and handover must not be given for {described}, given {arguments.shown(saved)}")
    if same_schedule(state["schedule"], described):
        return saved
    position = max(event_index + saved.shift, 0)
    if policy == "keep_step":
        return Adjustment(saved.shift)
    if planned is None or not planned.is_pure:
        raise ValueError(
            f"resume_policy must be 'keep_step' for a schedule that depends on what happens in training, given "
            f"{policy!r} for {described}"
        )
    if planned.length is None:
        raise ValueError(
            f"resume_policy must be 'keep_step' for a schedule without an end that is known, given {policy!r} for "
            f"{described}"
        )
    if policy == "keep_fraction":
        if not state["length"]:
            raise ValueError(
                "resume_policy must not be 'keep_fraction' where the saved schedule has no end that is known: "
                f"{state['schedule']}"
            )
        there = arguments.number(
            "length", position / state["length"] * planned.length, at_most=arguments.MAX_EVENT_INDEX
        )
        return Adjustment(round(there) - event_index)
    if state["value"] is None:
        return Adjustment(saved.shift)  # nothing was written so far
    if position >= planned.length:
        raise ValueError(
            f"resume_policy must not be 'keep_value' at event {position} of a schedule whose length is "
            f"{planned.length:g}, given {described}"
        )
    return Adjustment(saved.shift, (event_index, planned.length - position, _as_value(state["value"])))


def tell_of_change(state: Mapping[str, Any], described: str, policy: str, adjustment: Adjustment) -> None:
    """Warn where the saved schedule is not the one that goes on."""
    if same_schedule(state["schedule"], described):
        return
    event_index = state["event_index"]
    how = {
        "keep_step": f"at its event {event_index + adjustment.shift}",
        "keep_fraction": f"as far through it as before, at its event {event_index + adjustment.shift}",
        "keep_value": f"from the present value {state['value']}, towards the new schedule",
    }[policy]
    if state["handover"] is not None:
        how += "; the handover that was under way is given up"
    if state.get("progress"):
        how += "; what it remembers is that of the saved one"
    warnings.warn(
        f"the saved schedule differs from this one, which goes on from event {event_index}, {how} "
        f"(resume_policy {policy!r}):\n  saved: {state['schedule']}\n  now:   {described}",
        ResumeWarning,
        stacklevel=3,
    )


def _as_value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _Any(Schedule):
    """A schedule of any value, to check the arguments of others with."""

    def values(self, indices: Any) -> Any:
        return indices


_ANY = _Any()
