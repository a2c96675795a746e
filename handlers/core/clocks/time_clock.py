"""A clock that counts the time of training."""

import math
import time
import weakref
from collections.abc import Callable
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine

from lehr.handlers.schedules import arguments

from .clock import Clock


class Stopwatch:
    """The time of one run of an engine, in seconds.

    Args:
        now: a function that tells the time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self.elapsed = now, 0.0
        self._last = self._highest = now()
        self._read_at: tuple[Any, Any] | None = None

    def read(self, engine: Engine) -> float:
        """The seconds of the run so far; the same for all schedulers of one event, and on all ranks."""
        at = engine.state.iteration, engine.last_event_name
        if at != self._read_at:
            self._count_to(self._now())
            if idist.get_world_size() > 1:
                told: Any = idist.broadcast(torch.tensor([self.elapsed], dtype=torch.float64), src=0)
                self.elapsed = float(told.item())
            self._read_at = at
        return self.elapsed

    def _count_to(self, now: float) -> None:
        """Count the time since the last reading; none where the clock went back, or comes to where it was before."""
        if not math.isfinite(now):
            return
        since = self._highest if self._last < self._highest <= now else self._last
        self._last, self._highest = now, max(self._highest, now)
        self.elapsed += max(now - since, 0.0)


class TimeClock(Clock):
    """Counts the time of training: the event index of a scheduler is in whole milliseconds.

    It counts while the engine runs, from the start of each run, with evaluations and checkpoints in between. The time
    between two runs does not count, nor the time between a checkpoint and a run that resumes from it. All ranks count
    the time of rank 0.

    Args:
        now: a function that tells the time in seconds, from any origin. The default, ``time.monotonic``, does not jump
            where the time of the system is changed. If it goes back, no time counts.

    Raises:
        TypeError: ``now`` cannot be called.

    Example:
        >>> import torch
        >>> from lehr.handlers import LinearScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: print(f"{optimizer.param_groups[0]['lr']:.2f}"))
        >>> scheduler = LinearScheduler(optimizer, "lr", 10_000, start_value=1.0, end_value=0.0)
        >>> seconds = iter([100.0, 100.0, 102.0, 107.5])
        >>> handle = scheduler.attach(trainer, clock=TimeClock(now=lambda: next(seconds)))
        >>> _ = trainer.run([0] * 3)
        1.00
        0.80
        0.25
        >>> scheduler.event_index
        7500
    """

    unit = "ms"
    counts_batches = False

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.now = arguments.function("now", now, "a function that tells the time in seconds")
        self._watches: weakref.WeakKeyDictionary[Engine, Stopwatch] = weakref.WeakKeyDictionary()

    def __deepcopy__(self, memo: Any) -> "TimeClock":
        return self  # it has no state of a scheduler

    def reading(self, engine: Engine) -> int:
        """The milliseconds of the run so far."""
        return self.milliseconds(engine)[1]

    def begin(self, engine: Engine) -> None:
        """Begin to count the time of a run."""
        self._watches[engine] = Stopwatch(self.now)

    def milliseconds(self, engine: Engine) -> tuple[object, int]:
        """The run, and its milliseconds so far."""
        watch = self._watches.get(engine)
        if watch is None:
            watch = self._watches[engine] = Stopwatch(self.now)
        return watch, round(watch.read(engine) * 1000)
