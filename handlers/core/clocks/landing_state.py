"""What a landing has to remember."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from lehr.handlers.schedules import arguments

MOST_RECENT = 32  # steps whose times make the rate
LONGEST = 3.0  # times their median counts a step at most, such as one with an evaluation


@dataclass(frozen=True)
class LandingState:
    """What a landing has to remember, as plain numbers. Times are whole microseconds, so that sums are exact.

    Args:
        used: the time that was used, up to the last event.
        progress: how far the cool-down is, from 0 to 1.
        recent: how long the last steps took.
    """

    used: int = 0
    progress: float = 0.0
    recent: Sequence[int] = ()

    def after(self, passed: int, is_step: bool) -> "LandingState":
        """The state at the next event, so many microseconds later."""
        recent = (*self.recent, passed)[-MOST_RECENT:] if is_step else self.recent
        return LandingState(self.used + passed, self.progress, recent)

    @property
    def step_time(self) -> float | None:
        """The time of a step: the mean of the last ones, of which none counts more than three times their median."""
        if not self.recent:
            return None
        longest = LONGEST * median(self.recent)
        return sum(min(one, longest) for one in self.recent) / len(self.recent)

    def state_dict(self) -> dict[str, Any]:
        """The state as plain data."""
        return {"used": self.used, "progress": self.progress, "recent": list(self.recent)}

    @staticmethod
    def loaded(saved: object) -> "LandingState | None":
        """The state from plain data; None for None.

        Raises:
            TypeError, ValueError: it is not such a state.
        """
        if saved is None:
            return None
        if not isinstance(saved, Mapping) or set(saved) != {"used", "progress", "recent"}:
            raise ValueError(f"landing must have used, progress and recent, given {arguments.shown(saved)}")
        recent = arguments.listed("recent", saved["recent"])
        checked = tuple(arguments.whole_number("recent", one, at_least=0) for one in recent)
        progress = arguments.number("progress", saved["progress"], at_least=0)
        if progress > 1:
            raise ValueError(f"progress must be at most 1, given {progress}")
        return LandingState(arguments.whole_number("used", saved["used"], at_least=0), progress, checked)
