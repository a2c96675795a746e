"""The present progress of a torch scheduler, and copies of its earlier states, to which it can go back."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from .optimizer_values import all_copied
from .snapshot import Snapshot

# FIRST_DISTANCE is the number of steps between two copied states. It doubles when there are more than MOST_STATES
# copies.
FIRST_DISTANCE, MOST_STATES = 1024, 64


@dataclass
class TorchProgress:
    """The number of steps of a torch scheduler, and its learning rate and momentum in each param group.

    Args:
        rates: the learning rate of each group that the scheduler knows.
        momenta: the momentum of each group that the scheduler knows, or an empty list if the scheduler writes no
            momentum.
        position: the number of steps.
        lost: whether a step failed half-way, so the state of the torch scheduler is unknown.
        added: a tuple for each group that was added later: the event, the group's learning rate at this event, and the
            group's factor; see :func:`factor_of`. The scheduler knows the groups that were added up to event
            ``position``.
        from_start: whether the scheduler took all its steps itself, and loaded no state.
    """

    rates: list[Any]
    momenta: list[Any]
    position: int = 0
    lost: bool = False
    added: tuple[tuple[int, Any, float], ...] = ()
    from_start: bool = True


class State(NamedTuple):
    """A copy of a torch scheduler after ``position`` steps, with the learning rate and momentum of each param group."""

    position: int
    snapshot: Snapshot
    rates: list[Any]
    momenta: list[Any]


class Remembered:
    """Keeps copies of the state of a torch scheduler at equal distances, so that it can go back in few steps.

    A deep copy of this object contains no states.
    """

    def __init__(self) -> None:
        self._states: list[State] = []
        self._distance = self.next_position = FIRST_DISTANCE

    def __deepcopy__(self, memo: object) -> Self:
        return type(self)()

    def add(self, scheduler: TorchLRScheduler, rates: list[Any], momenta: list[Any]) -> None:
        """Copy the state of the scheduler, which has taken ``next_position`` steps."""
        snapshot = Snapshot(scheduler)
        if snapshot.is_complete:
            self._states.append(State(self.next_position, snapshot, all_copied(rates), list(momenta)))
            if len(self._states) > MOST_STATES:
                self._states, self._distance = self._states[1::2], 2 * self._distance
            self.next_position = (len(self._states) + 1) * self._distance

    def before(self, position: int) -> State | None:
        """Return the last copied state up to a position, or None if no state has been copied up to there."""
        at = min(position // self._distance, len(self._states))
        return self._states[at - 1] if at else None
