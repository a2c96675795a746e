"""Times contenders in interleaved rounds: in each round all of them run, in an order that rotates.

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

SLICE = 0.002  # seconds of one contender in one round: long for the clock, short for changes in the load
FEWEST, MOST = 5, 200  # rounds

Measured = dict[Any, list[float]]  # one number for each round, by contender


@dataclass
class Contender:
    """A call to time.

    Args:
        call: the call.
        arguments: its arguments.
        per: how many events one call has; times are per event.
        multiple: a round has a multiple of so many calls, such as the events of a block.
        fresh: makes the arguments of each call while the clock is stopped.
    """

    call: Callable[..., Any]
    arguments: Sequence[Any] = ()
    per: int = 1
    multiple: int = 1
    fresh: Callable[[], Sequence[Any]] | None = None

    def ready(self, calls: int) -> Callable[[], float]:
        """A function that makes so many calls and returns their seconds."""
        if self.fresh is None:
            return partial(_timed_alike, self.call, self.arguments, calls)
        return partial(_timed, self.call, [self.fresh() for _ in range(calls)])

    def calls_in(self, seconds: float) -> int:
        """How many calls take about so many seconds."""
        calls, taken = self.multiple, self._time(self.multiple)
        if taken < 20 * seconds:  # the first calls may be slower
            taken = self._time(calls)
        while taken < seconds / 4:
            calls *= 2
            taken = self._time(calls)
        return max(round(calls * seconds / taken / self.multiple), 1) * self.multiple

    def _time(self, calls: int) -> float:
        return self.ready(calls)()


def _timed(call: Callable[..., Any], all_arguments: Any) -> float:
    """The seconds of calls, including the collection of the garbage that they make."""
    gc.collect()
    start = thread_time()
    for arguments in all_arguments:
        call(*arguments)
    return thread_time() - start


def _timed_alike(call: Callable[..., Any], arguments: Sequence[Any], calls: int) -> float:
    """The seconds of calls with equal arguments. A single argument is not unpacked, which takes half of a bare loop."""
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
) -> Measured:
    """The seconds of one call, or of one event, by contender and round.

    Args:
        benchmark: the fixture of pytest-benchmark. It times the first contender, and the others run before and after.
        contenders: by name, or by name and size: see :func:`of_size`.
        seconds: about how long all rounds take together.
        rounds: how many rounds; None for as many as take ``seconds``.
    """
    first, names = next(iter(contenders)), list(contenders)
    calls = {name: one.calls_in(SLICE) for name, one in contenders.items()}
    measured: Measured = {name: [] for name in names}

    def take(name: Any, run: Callable[[], float]) -> None:
        measured[name].append(run() / calls[name] / contenders[name].per)

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
        for taken in measured.values():
            taken.clear()
    benchmark.pedantic(lambda run: take(first, run), setup=before, teardown=after, rounds=rounds)
    return measured


def of_size(measured: Measured, size: Any) -> Measured:
    """The contenders of one size, by name, where the keys are (name, size)."""
    return {name: taken for (name, own), taken in measured.items() if own == size}
