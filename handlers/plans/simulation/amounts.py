"""How much each iteration of a simulated run counts, for schedulers with a clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ignite.engine import Engine

from lehr.handlers.core.clocks.clock import Clock
from lehr.handlers.core.clocks.simulated_clocks import PlannedClock, PlannedTime, planned_time
from lehr.handlers.core.clocks.time_clock import TimeClock
from lehr.handlers.core.inspection import ClockedAttachment, counting_function
from lehr.handlers.schedules import arguments

if TYPE_CHECKING:
    from .schedulers import SimulatedScheduler
    from .timeline import Timeline

Amounts = float | Sequence[float] | Mapping[Clock, Any] | None
Seconds = float | Sequence[float] | None


@dataclass(frozen=True, eq=False)
class PlannedAmounts:
    """How much each iteration counts, and how long it takes.

    Args:
        default: the amounts for a clock that ``by_clock`` does not have; None if they are unknown.
        by_clock: the amounts for a clock.
        seconds: the time of each iteration; None if it is unknown.
        start: the first iteration of the simulated run, from 0.
    """

    default: Sequence[int] | None
    by_clock: Mapping[Clock, Sequence[int]]
    seconds: Sequence[float] | None
    start: int = 0

    def planned(self, clock: Clock) -> Clock | None:
        """A clock that tells the planned amounts; None if they are unknown."""
        if isinstance(clock, TimeClock):
            return None if self.seconds is None else planned_time(clock, PlannedTime(self.seconds, self.start))
        amounts = self.by_clock.get(clock, self.default)
        return None if amounts is None else PlannedClock(clock, amounts)


class PlannedCounting:
    """Counts with planned amounts in the place of the handlers of schedulers with a clock.

    Args:
        timeline: the timeline of the simulated run.
        amounts: how much each iteration counts.
    """

    def __init__(self, timeline: "Timeline", amounts: PlannedAmounts) -> None:
        self._timeline, self._amounts = timeline, amounts
        self._planned: dict[int, Any] = {}  # by the ids of the handlers
        self.failed: tuple[Any, Engine] | None = None  # the scheduler that raised, and its engine

    def function(
        self, scheduler: "SimulatedScheduler", attachment: ClockedAttachment, add: Callable[[int], None]
    ) -> Callable[[], None]:
        """What the simulated run calls in the place of a handler.

        Args:
            scheduler: the scheduler.
            attachment: how it is attached.
            add: is told the iteration of each event that writes.
        """
        key, clock, timeline = id(attachment.handler), self._amounts.planned(attachment.clock), self._timeline
        assert clock is not None
        if key not in self._planned:
            planned = self._planned[key] = attachment.planned(scheduler.copy, clock)

            def told(event_index: int) -> None:
                scheduler.event_indices.append(event_index)
                add(timeline.iteration)

            planned.tell = told
        function, engine = counting_function(attachment, self._planned[key]), timeline.engine

        def count() -> None:
            try:
                function(engine)
            except Exception:
                self.failed = scheduler, engine
                raise

        return count


def planned_amounts(given: object, seconds: object, iterations: int) -> PlannedAmounts:
    """The arguments ``amounts`` and ``seconds_per_step`` of :func:`~lehr.handlers.dry_run`, after a check.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is out of its range; there are not as many as iterations.
    """
    by_clock = {}
    for clock, amounts in given.items() if isinstance(given, Mapping) else ():
        if not isinstance(clock, Clock) or isinstance(clock, TimeClock):
            raise TypeError(f"amounts must have clocks of batches as keys, given {arguments.shown(clock)}")
        by_clock[clock] = _whole(f"amounts[{arguments.shown(clock)}]", amounts, iterations)
    default = None if given is None or isinstance(given, Mapping) else _whole("amounts", given, iterations)
    times = None if seconds is None else _each("seconds_per_step", seconds, iterations)
    return PlannedAmounts(default, by_clock, times)


def _whole(name: str, given: object, iterations: int) -> Sequence[int]:
    each = _each(name, given, iterations)
    for value in set(each):
        arguments.whole_number(name, value, at_least=0)
    return list(map(int, each))


def _each(name: str, given: object, iterations: int) -> list[float]:
    """A number for each iteration: one for all, or one of each."""
    if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str | bytes):
        if len(given) != iterations:
            raise ValueError(
                f"{name} must be one number, or one for each of the {iterations} iterations, given {len(given)} of them"
            )
        return [arguments.number(name, value, at_least=0) for value in np.asarray(given).tolist()]
    return [arguments.number(name, given, at_least=0)] * iterations
