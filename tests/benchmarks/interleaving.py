"""Timing contenders side by side: in each round all of them run, one after another, in an order that turns.

A shared machine is slow for a while and fast again, and contenders that alternate are slowed down alike. So a ratio is
taken within each round, and the table shows the median over the rounds. Times are the CPU time of the thread: what
other processes do does not count.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from time import perf_counter, thread_time
from typing import Any

SLICE = 0.002  # seconds of one contender in one round: long for the clock, short for the moods of a machine
FEWEST, MOST = 5, 200  # rounds

Samples = dict[Any, list[float]]  # by contender: one number a round


@dataclass
class Contender:
    """Something to time.

    Args:
        call: what is timed.
        arguments: what it is called with.
        per: how many events, or whatever the time is told of, are in one call.
        multiple: a round has a multiple of so many calls, such as those for which a block is read ahead.
        fresh: makes the arguments of each call anew, while the clock is stopped.
    """

    call: Callable[..., Any]
    arguments: Sequence[Any] = ()
    per: int = 1
    multiple: int = 1
    fresh: Callable[[], Sequence[Any]] | None = None

    def ready(self, calls: int) -> Callable[[], float]:
        """What makes so many calls, and returns the seconds that they take."""
        if self.fresh is None:
            return partial(_timed_alike, self.call, self.arguments, calls)
        return partial(_timed, self.call, [self.fresh() for _ in range(calls)])

    def calls_in(self, seconds: float) -> int:
        """How many calls take about so long."""
        calls, taken = self.multiple, self._time(self.multiple)
        if taken < 20 * seconds:  # it may be what is done once that takes so long
            taken = self._time(calls)
        while taken < seconds / 4:
            calls *= 2
            taken = self._time(calls)
        return max(round(calls * seconds / taken / self.multiple), 1) * self.multiple

    def _time(self, calls: int) -> float:
        return self.ready(calls)()


def _timed(call: Callable[..., Any], all_arguments: Any) -> float:
    """The seconds of these calls, with the garbage that they make, and not that of others."""
    gc.collect()
    start = thread_time()
    for arguments in all_arguments:
        call(*arguments)
    return thread_time() - start


def _timed_alike(call: Callable[..., Any], arguments: Sequence[Any], calls: int) -> float:
    """The same of calls with the same arguments; to unpack one alone takes half as long as a bare loop does."""
    if len(arguments) > 1:
        return _timed(call, repeat(arguments, calls))
    gc.collect()
    if arguments:
        (argument,) = arguments
        start = thread_time()
        for _ in repeat(None, calls):
            call(argument)
    else:
        start = thread_time()
        for _ in repeat(None, calls):
            call()
    return thread_time() - start


def interleaved(
    benchmark: Any, contenders: dict[Any, Contender], seconds: float = 2.0, rounds: int | None = None
) -> Samples:
    """The times of one call, or of one event of it, of each contender in each round, in seconds.

    Args:
        benchmark: the fixture of pytest-benchmark, which times the first contender; the others run before and after.
        contenders: by name, or by name and size: see :func:`of_size`.
        seconds: about how long all of it is to take.
        rounds: how many rounds, if not as many as that gives.
    """
    first, names = next(iter(contenders)), list(contenders)
    calls = {name: one.calls_in(SLICE) for name, one in contenders.items()}
    samples: Samples = {name: [] for name in names}

    def take(name: Any, run: Callable[[], float]) -> None:
        samples[name].append(run() / calls[name] / contenders[name].per)

    def take_all(chosen: Sequence[Any]) -> None:
        for name in chosen:
            take(name, contenders[name].ready(calls[name]))

    def before() -> Any:
        names.append(names.pop(0))
        take_all(names[: names.index(first)])
        return (contenders[first].ready(calls[first]),), {}

    def after(_: Any) -> None:
        take_all(names[names.index(first) + 1 :])

    if rounds is None:
        start = perf_counter()
        take_all(names)
        rounds = min(max(int(seconds / (perf_counter() - start)), FEWEST), MOST)
        for taken in samples.values():
            taken.clear()
    benchmark.pedantic(lambda run: take(first, run), setup=before, teardown=after, rounds=rounds)
    return samples


def of_size(samples: Samples, size: Any) -> Samples:
    """Of contenders that are called (name, size): those of one size, by name."""
    return {name: taken for (name, own), taken in samples.items() if own == size}
