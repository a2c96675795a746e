"""The amounts, such as tokens or seconds, that each iteration of a simulated run adds to the clocks of schedulers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ignite.engine import Engine

from lehr.handlers.core.clocks.clock import Clock
from lehr.handlers.core.clocks.simulated_clocks import PlannedClock, PlannedTime, planned_time
from lehr.handlers.core.clocks.time_clock import TimeClock
from lehr.handlers.core.for_plans_and_cli import ClockedAttachment, counting_function
from lehr.handlers.schedules import arguments

if TYPE_CHECKING:
    from .simulated_scheduler import SimulatedScheduler
    from .timeline import Timeline

Amounts = float | Sequence[float] | Mapping[Clock, Any] | None
Seconds = float | Sequence[float] | None


@dataclass(frozen=True, eq=False)
class PlannedAmounts:
    """The amount that each iteration adds to a clock, and the seconds that each iteration takes.

    Args:
        default: the amounts for a clock that is not in ``by_clock``, or None if they are unknown.
        by_clock: maps a clock to its amounts.
        seconds: the time of each iteration, or None if it is unknown.
        start: the first iteration of the simulated run, from 0.
    """

    default: Sequence[int] | None
    by_clock: Mapping[Clock, Sequence[int]]
    seconds: Sequence[float] | None
    start: int = 0

    def planned(self, clock: Clock) -> Clock | None:
        """Return a clock that counts the planned amounts, or None if they are unknown."""
        if isinstance(clock, TimeClock):
            return None if self.seconds is None else planned_time(clock, PlannedTime(self.seconds, self.start))
        amounts = self.by_clock.get(clock, self.default)
        return None if amounts is None else PlannedClock(clock, amounts)


class PlannedCounting:
    """Makes functions that count planned amounts, in place of the handlers of schedulers that have a clock.

    Args:
        timeline: the timeline of the simulated run.
        amounts: the amount that each iteration adds to a clock.
    """

    def __init__(self, timeline: "Timeline", amounts: PlannedAmounts) -> None:
        self._timeline, self._amounts = timeline, amounts
        self._planned: dict[int, Any] = {}  # the key is the id of the handler
        self.failed: tuple[Any, Engine] | None = None  # the scheduler that raised the error, and its engine

    def function(
        self, scheduler: "SimulatedScheduler", attachment: ClockedAttachment, add: Callable[[int], None]
    ) -> Callable[[], None]:
        """Return the function that the simulated run calls instead of a handler.

        Args:
            scheduler: the scheduler.
            attachment: how the scheduler is attached.
            add: a function that is called with the iteration of each event that writes.
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
    """Check the arguments ``amounts`` and ``seconds_per_step`` of :func:`~lehr.handlers.dry_run`, and return them.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is out of its range, or there is not one number for each iteration.
    """
    by_clock = {}
    for clock, amounts in given.items() if isinstance(given, Mapping) else ():
        if not isinstance(clock, Clock) or isinstance(clock, TimeClock):
            raise TypeError(f"amounts must have clocks that count batches as keys, given {arguments.shown(clock)}")
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
    """Return a number for each iteration, from one number for all iterations or a list of numbers."""
    if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str | bytes):
        if len(given) != iterations:
            raise ValueError(
                f"{name} must be one number, or one for each of the {iterations} iterations, given {len(given)} numbers"
            )
        return [arguments.number(name, value, at_least=0) for value in np.asarray(given).tolist()]
    return [arguments.number(name, given, at_least=0)] * iterations
