"""``TimeClock``, which counts the training time, and can cool a schedule down by a deadline."""

import math
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine

from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.duration_texts import EVENTS, MILLISECONDS, PERCENT, STEPS, milliseconds, quantity
from lehr.handlers.schedules.warmup_stable_decay import curve_of_type

from .clock import Clock

COOLDOWN = {"cooldown": "15%", "end_value": 0.0, "curve": "1-sqrt"}  # the default arguments of the cool-down
CURVES = ("linear", "cosine", "1-sqrt", "quadratic")


class Stopwatch:
    """Measures the time of one run of an engine, in seconds.

    Args:
        now: a function that returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self.elapsed = now, 0.0
        self._last = self._highest = now()
        self._below = 0.0  # the seconds that were counted since the clock went back
        self._read_at: tuple[Any, Any] | None = None

    def read(self, engine: Engine) -> float:
        """Return the seconds of the run so far. The number is the same for all schedulers of an event and all ranks."""
        at = engine.state.iteration, engine.last_event_name
        if at != self._read_at:
            self._count_to(self._now())
            self.elapsed = of_rank_0(self.elapsed)
            self._read_at = at
        return self.elapsed

    def _count_to(self, now: float) -> None:
        """Count the time since the last reading. If the clock went back, do not count the same seconds twice."""
        if not math.isfinite(now):
            return
        is_back = self._last < self._highest <= now  # subtract the seconds that were counted below the highest time
        passed = max(now - self._highest - self._below if is_back else now - self._last, 0.0)
        self._below = 0.0 if now >= self._highest else self._below + passed
        self._last, self._highest = now, max(self._highest, now)
        self.elapsed += passed


def of_rank_0(number: float) -> float:
    """Return rank 0's number on every rank."""
    if idist.get_world_size() == 1:
        return number
    told: Any = idist.broadcast(torch.tensor([number], dtype=torch.float64), src=0)
    return float(told.item())


class TimeClock(Clock):
    """Counts the time of training, so that the event index of a scheduler is a number of milliseconds.

    The clock counts while the engine runs, from the start of each run, including evaluations and checkpoints. The time
    between two runs, or between a checkpoint and a run that resumes from it, does not count. All ranks count the time
    of rank 0.

    If you give a deadline with ``budget`` or ``land_by``, the scheduler counts events as usual, and cools down by the
    deadline. The scheduler follows its schedule until the cool-down must begin. The clock measures the time of a step
    to find this event. During the cool-down, the progress p grows from 0 to 1, and each event writes::

        value(i) = schedule(i) + (end_value - schedule(i)) * curve(p)

    Each event plans the rest of the cool-down again. The last step before the deadline trains with the end value.
    After this step, the engine terminates. The values depend on the time, so they are not known in advance. The state
    of the scheduler contains the training time so far.

    Args:
        budget: the training time until the last step: a text such as ``"8 h"``, or a positive number of seconds.
        land_by: the date and time of the last step, with a time zone, such as ``"2026-12-01T06:00+01:00"``.
        cooldown: the length of the cool-down, which is a text such as ``"15%"`` (of the steps of the whole run), a time
            such as ``"30 min"``, or a number of steps.
        end_value: the value of the last step.
        curve: the curve of the cool-down: ``"linear"``, ``"cosine"``, ``"1-sqrt"`` or ``"quadratic"``.
        now: a function that returns the time in seconds, from any origin. The default, ``time.monotonic``, does not
            jump when the system's time is changed. If the returned time is earlier than before, the clock adds nothing.
        unix_time: a function that returns the seconds since 1970. If you give ``land_by``, the clock calls this
            function at the start of each run.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range; both ``budget`` and ``land_by`` are given; the date has no time
            zone; a cool-down is given without a deadline, or is longer than the budget.

    Example:
        >>> import torch
        >>> from lehr.handlers import ConstantScheduler, LinearScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> values = []
        >>> trainer = Engine(lambda engine, batch: values.append(round(optimizer.param_groups[0]["lr"], 2)))
        >>> scheduler = LinearScheduler(optimizer, "lr", 10_000, start_value=1.0, end_value=0.0)
        >>> seconds = iter([100.0, 100.0, 102.0, 102.0, 107.5, 107.5, 108.0])  # at each start and end of a step
        >>> handle = scheduler.attach(trainer, clock=TimeClock(now=lambda: next(seconds)))
        >>> _ = trainer.run([0] * 3)
        >>> values, scheduler.event_index
        ([1.0, 0.8, 0.25], 8000)

        A run of one minute, in which a step takes 5 seconds:

        >>> handle.remove()
        >>> clock = TimeClock(budget="1 min", cooldown="40%", curve="linear", now=lambda: 5.0 * trainer.state.iteration)
        >>> handle = ConstantScheduler(optimizer, "lr", 1.0).attach(trainer, clock=clock)
        >>> values.clear()
        >>> state = trainer.run([0] * 1000)
        >>> values, state.iteration
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0], 11)
    """

    unit = "ms"

    def __init__(
        self,
        *,
        budget: str | float | None = None,
        land_by: str | datetime | None = None,
        cooldown: str | int = "15%",
        end_value: float = 0.0,
        curve: str = "1-sqrt",
        now: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.now = arguments.function("now", now, "a function that returns the time in seconds")
        self.unix_time = arguments.function("unix_time", unix_time, "a function that returns the seconds since 1970")
        if budget is not None and land_by is not None:
            raise ValueError(f"land_by must be None if budget is not None, given {arguments.shown(land_by)}")
        self.budget = None if budget is None else _checked_seconds("budget", budget)
        self.land_by = None if land_by is None else _date("land_by", land_by)
        self._cooldown = _cooldown("cooldown", cooldown)
        self.end_value = arguments.number("end_value", end_value)
        self.curve = curve_of_type(arguments.one_of("curve", curve, CURVES), 1)
        self._check_cooldown({"cooldown": cooldown, "end_value": end_value, "curve": curve})
        self._forget_runs()
        self._planned: Callable[[Engine], float] | None = None
        if self.has_deadline:
            self.unit = "events"  # type: ignore[misc]

    def _check_cooldown(self, given: Mapping[str, Any]) -> None:
        """Raise an error for a cool-down without a deadline, or for a cool-down that is longer than the budget."""
        other = next((name for name, default in COOLDOWN.items() if given[name] != default), None)
        if not self.has_deadline and other is not None:
            raise ValueError(
                f"{other} must be left out without a deadline, given {arguments.shown(given[other])}: give a budget or "
                "land_by"
            )
        amount, unit = self._cooldown
        if self.budget is not None and unit == MILLISECONDS and amount > self.budget * 1000:
            raise ValueError(
                f"cooldown must be at most the budget, {self.budget:g} seconds, given "
                f"{arguments.shown(given['cooldown'])}"
            )

    def _forget_runs(self) -> None:
        self._watches: weakref.WeakKeyDictionary[Engine, Stopwatch] = weakref.WeakKeyDictionary()
        self._left: weakref.WeakKeyDictionary[Engine, float] = weakref.WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_watches", "_left")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget_runs()

    def __deepcopy__(self, memo: Any) -> "TimeClock":
        return self  # a clock contains no state of a scheduler, so copies of a scheduler share the clock

    @property
    def has_deadline(self) -> bool:
        """Whether the scheduler cools down by a deadline."""
        return self.budget is not None or self.land_by is not None

    def reading(self, engine: Engine) -> int:
        """Return the number of milliseconds of the run so far."""
        return self._milliseconds(engine)[1]

    def _begin(self, engine: Engine) -> None:
        self._watches[engine] = Stopwatch(self.now)
        self._left.pop(engine, None)
        if self.land_by is not None:
            self._left[engine] = self._until_date()

    def _check_date(self, engine: Engine) -> None:
        """Raise a ValueError if the date was past when this run started."""
        if self.land_by is not None and (left := self._left_at(engine, 0, 0)) <= 0:
            raise ValueError(
                f"land_by must be after the start of the run, given {self.land_by.isoformat()}, which is "
                f"{-left / 1e6:g} seconds before it"
            )

    def _until_date(self) -> float:
        assert self.land_by is not None
        left = self.land_by.timestamp() - self.unix_time()
        return left if self._planned is not None else of_rank_0(left)

    def _milliseconds(self, engine: Engine) -> tuple[object, int]:
        """Return the run, and its milliseconds so far."""
        run, seconds = self._seconds(engine)
        return run, round(seconds * 1000)

    def _seconds(self, engine: Engine) -> tuple[object, float]:
        """Return the run, and its seconds so far."""
        if self._planned is not None:
            return self, self._planned(engine)
        watch = self._watches.get(engine)
        if watch is None:
            self._begin(engine)
            watch = self._watches[engine]
        return watch, watch.read(engine)

    def _left_at(self, engine: Engine, used: int, of_run: int) -> int:
        """Return the microseconds until the deadline.

        Args:
            engine: the engine.
            used: the microseconds of all runs so far.
            of_run: the microseconds of this run so far.
        """
        if self.budget is not None:
            return round(self.budget * 1e6) - used
        if engine not in self._left:
            self._left[engine] = self._until_date()
        return round(self._left[engine] * 1e6) - of_run

    def _must_cool_down(self, event_index: int, steps: int, left: int) -> bool:
        """Return whether the cool-down must begin.

        Args:
            event_index: the number of steps so far.
            steps: the number of steps that are left.
            left: the number of microseconds that are left.
        """
        amount, unit = self._cooldown
        if unit == PERCENT:
            return steps * 100 <= amount * (event_index + steps)
        return left <= amount * 1000 if unit == MILLISECONDS else steps <= amount


def _checked_seconds(name: str, given: Any) -> float:
    if isinstance(given, str):
        given = milliseconds(name, given) / 1000
    return arguments.number(name, given, above=0)


def _date(name: str, given: Any) -> datetime:
    try:
        date = given if isinstance(given, datetime) else datetime.fromisoformat(given)
    except (TypeError, ValueError) as error:
        message = f"{name} must be a date such as '2026-12-01T06:00+01:00', given {arguments.shown(given)}"
        raise type(error)(message) from error
    if date.utcoffset() is None:
        raise ValueError(
            f"{name} must have a time zone, such as '2026-12-01T06:00+01:00' or '2026-12-01T05:00Z', "
            f"given {arguments.shown(given)}"
        )
    return date


def _cooldown(name: str, given: Any) -> tuple[Fraction | int, str]:
    """Return the length of a cool-down, with its unit: a percentage, milliseconds or steps."""
    if not isinstance(given, str):
        return arguments.whole_number(name, given, at_least=1), STEPS
    read = quantity(name, given)
    is_known = read.unit in (PERCENT, MILLISECONDS, STEPS, EVENTS)
    if not is_known or not read.amount or (read.unit == PERCENT and read.amount > 100):
        raise ValueError(
            f"{name} must be a percentage above 0% and at most 100%, a time such as '30 min' or a number of steps, "
            f"given {arguments.shown(given)}"
        )
    return read.amount, STEPS if read.unit == EVENTS else read.unit
