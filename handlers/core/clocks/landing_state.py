"""The state of a landing: the training time so far, the progress of the cool-down and the times of recent steps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

from lehr.handlers.schedules import arguments

MOST_RECENT = 32  # the step time is the mean over at most this number of recent steps
LONGEST = 3.0  # a step longer than 3 times the median, for example with an evaluation, counts as 3 times the median


@dataclass(frozen=True)
class LandingState:
    """The state of a landing as plain numbers. Times are whole microseconds, so that sums are exact.

    Args:
        used: the training time up to the last event, or up to the end of that event's iteration.
        progress: the progress of the cool-down, from 0 to 1.
        recent: the durations of the last steps.
        begun: the time that the current step has taken so far.
    """

    used: int = 0
    progress: float = 0.0
    recent: Sequence[int] = ()
    begun: int = 0

    def after(self, passed: int) -> "LandingState":
        """Return the state after ``passed`` more microseconds of the same step."""
        return replace(self, used=self.used + passed, begun=self.begun + passed)

    def at_next_step(self, is_first: bool) -> "LandingState":
        """Return the state at the next step."""
        return replace(self, recent=self.recent if is_first else (*self.recent, self.begun)[-MOST_RECENT:], begun=0)

    @property
    def step_time(self) -> float | None:
        """The mean duration of the last steps, where each duration counts as at most three times their median."""
        if not self.recent:
            return None
        longest = LONGEST * median(self.recent)
        return sum(min(one, longest) for one in self.recent) / len(self.recent)

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {**vars(self), "recent": list(self.recent)}

    @staticmethod
    def loaded(saved: object) -> "LandingState | None":
        """Return the state that was saved as plain data; None if none was saved.

        Raises:
            TypeError, ValueError: ``saved`` is not the state of a landing.
        """
        if saved is None:
            return None
        state = arguments.state_of("a landing", saved, LandingState().state_dict())
        recent = arguments.list_of("recent", state["recent"], partial(arguments.whole_number, at_least=0))
        progress = arguments.number("progress", state["progress"], at_least=0, at_most=1)
        used, begun = (arguments.whole_number(name, state[name], at_least=0) for name in ("used", "begun"))
        return LandingState(used, progress, recent, begun)
