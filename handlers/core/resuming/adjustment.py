"""The adjustment of a schedule when a run resumes: a shift, a stretch, a handover or a cool-down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lehr.handlers.schedules import Cooldown, Handover, Schedule, Shift, arguments
from lehr.handlers.schedules.stretched_rest import StretchedRest
from lehr.handlers.schedules.warmup_stable_decay import TYPES, curve_of_type


@dataclass(frozen=True)
class Adjustment:
    """A change of the schedule in the code, so that a run that started with another schedule can continue.

    The handover is applied after the shift or stretch, and the cool-down is applied last.

    Args:
        shift: the number that is added to the event index.
        handover: the begin, duration and start value of a :class:`~lehr.handlers.schedules.Handover`. If None, there is
            no handover.
        stretch: the begin, position and end of a :class:`StretchedRest`. If None, the schedule is not stretched. If
            there is a stretch, the shift is 0.
        cooldown: the begin, duration, end value and name of the curve of a :class:`~lehr.handlers.schedules.Cooldown`.
            If None, there is no cool-down. If the end value is None, the value follows the schedule without a
            cool-down. A scheduler of several parameters has a tuple with an end value for each parameter.
    """

    shift: int = 0
    handover: tuple[int, float, Any] | None = None
    stretch: tuple[int, float, float] | None = None
    cooldown: tuple[int, float, Any, str] | None = None

    def __str__(self) -> str:
        """Return a text that describes the change, and that can follow the text of the schedule."""
        text = f", read {abs(self.shift)} events {'later' if self.shift > 0 else 'earlier'}" if self.shift else ""
        if self.stretch is not None:
            first, position, end = self.stretch
            text += f", stretched from its event {position:g} at event {first} to its end at event {end:g}"
        if self.handover is not None:
            begin, duration, value = self.handover
            text += f", approached from {value} over {duration:g} events from event {begin} on"
        if self.cooldown is not None:
            begin, duration, end_value, curve = self.cooldown
            text += f", cools down to {end_value} over {duration:g} events from event {begin} on ({curve})"
        return text

    def position_at(self, event_index: int) -> int:
        """Return the index at which the schedule in the code is read for an event."""
        if self.stretch is None:
            return max(event_index + self.shift, 0)
        return int(StretchedRest(_ANY, *self.stretch).position_at(np.array([float(event_index)]))[0])

    def applied_to(self, schedule: Schedule) -> Schedule:
        """Return the adjusted schedule."""
        if self.shift:
            schedule = Shift(schedule, self.shift)
        if self.stretch is not None:
            schedule = StretchedRest(schedule, *self.stretch)
        if self.handover is not None:
            schedule = Handover(schedule, *self.handover)
        if self.cooldown is None or self.cooldown[2] is None:
            return schedule
        begin, duration, end_value, curve = self.cooldown
        return Cooldown(schedule, begin, duration, end_value, curve_of_type(curve, duration))

    def state_dict(self) -> dict[str, Any]:
        """Return the adjustment as plain data, with entries for the stretch and the cool-down only if it has them."""
        state: dict[str, Any] = {
            "shift": self.shift,
            "handover": None if self.handover is None else list(self.handover),
        }
        if self.stretch is not None:
            state["stretch"] = list(self.stretch)
        if self.cooldown is not None:
            begin, duration, end_value, curve = self.cooldown
            state["cooldown"] = [begin, duration, _as_lists(end_value), curve]
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Adjustment":
        """Return the adjustment in a state that :meth:`state_dict` returned.

        Raises:
            TypeError, ValueError: the state does not contain an adjustment.
        """
        handover = _items("handover", state.get("handover"), "[begin, duration, value]")
        stretch = _items("stretch", state.get("stretch"), "[begin, position, end]")
        cooldown = _items("cooldown", state.get("cooldown"), "[begin, duration, end_value, curve]")
        if stretch and state["shift"]:
            raise ValueError(f"shift must be 0 beside a stretch, given {arguments.shown(state['shift'])}")
        return cls(
            state["shift"],
            handover and checked_handover(*handover),
            stretch and _checked_stretch(*stretch),
            cooldown and _checked_cooldown(*cooldown),
        )


def _items(name: str, saved: Any, form: str) -> Any:
    """Check that there are as many saved items as in ``form``, and return them. Return None if nothing was saved."""
    if saved is not None and not (isinstance(saved, list | tuple) and len(saved) == form.count(",") + 1):
        raise ValueError(f"{name} must be {form} or None, given {arguments.shown(saved)}")
    return saved


def _as_lists(value: Any) -> Any:
    return [_as_lists(one) for one in value] if isinstance(value, tuple) else value


def checked_handover(begin: Any, duration: Any, value: Any) -> tuple[int, float, Any]:
    """Return a handover with its checked items."""
    checked = Handover(Shift(_ANY, 0), begin, duration, value)
    return checked.begin, checked.duration, checked.start_value


def _checked_stretch(begin: Any, position: Any, end: Any) -> tuple[int, float, float]:
    checked = StretchedRest(_ANY, begin, position, end)
    return checked.begin, checked.position, checked.end


def _checked_cooldown(begin: Any, duration: Any, end_value: Any, curve: Any) -> tuple[int, float, Any, str]:
    checked = Cooldown(_ANY, begin, duration)
    own = arguments.one_of("cooldown[3]", curve, TYPES)
    return checked.begin, checked.duration, _checked_end("cooldown[2]", end_value), own


def _checked_end(name: str, value: Any, depth: int = 2) -> Any:
    """Check an end value. It is a number, None, or a tuple whose items are numbers, None or tuples of numbers."""
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        return arguments.number(name, value)
    if not value or not depth:
        raise ValueError(f"{name} must be a number or a list of numbers, given {arguments.shown(value)}")
    return tuple(_checked_end(f"{name}[{at}]", one, depth - 1) for at, one in enumerate(value))


class _Any(Schedule):
    """A placeholder schedule, used to check the arguments of other schedules."""

    def values(self, indices: Any) -> Any:
        return indices


_ANY = _Any()
