"""``Progress``, a progress bar on stderr for long computations."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO

import click

PATIENCE = 2.0  # seconds before a bar appears


class Progress:
    """Shows a progress bar on stderr, if stderr is a terminal and the work takes more than 2 seconds.

    Args:
        total: the amount of work.
        wanted: whether a bar may appear.
        stream: the stream of the bar. If None, the bar appears on stderr.
        clock: a function that returns the time in seconds.
    """

    def __init__(
        self,
        total: int,
        wanted: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._total, self._clock = total, clock
        self._wanted = wanted and self._stream.isatty()
        self._begin, self._done = clock(), 0
        self._bar: Any = None

    def advance(self, amount: int) -> None:
        """Count an amount of work as done, and update the bar."""
        self._done += amount
        if self._bar is not None:
            self._bar.update(amount)
        elif self._wanted and self._done < self._total and self._clock() - self._begin >= PATIENCE:
            self._bar = click.progressbar(length=self._total, label="simulating", file=self._stream)
            self._bar.__enter__()
            self._bar.update(self._done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, traceback)
