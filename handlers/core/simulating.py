"""Seeing what a scheduler will write, without writing it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lehr.engine.plots import draw_values
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.base import Array

from .copying import private_copy
from .reading import read_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


class Simulable:
    """The part of every scheduler that simulates and draws; it reads the schedule and touches nothing."""

    _kind: type[float] | type[int] = float  # of the numbers that it writes
    param_name: str

    @property
    def schedule(self) -> Schedule:
        """The schedule."""
        raise NotImplementedError

    def _num_groups(self) -> int | None:
        """How many parameter groups the scheduler writes; None where the place has none."""
        return None

    @classmethod
    def _on_stand_in(cls, **scheduler_kwargs: Any) -> Self:
        """A scheduler of these arguments that writes nowhere, for simulation."""
        return cls(**scheduler_kwargs)

    def simulate(self, num_events: int, start: int = 0) -> Array:
        """The values that events ``start`` to ``start + num_events - 1`` write, without writing them.

        Neither the scheduler nor the optimizer, the disk or the random numbers are touched. A Python function,
        or an overridden ``get_param``, is called on a copy of the object that it belongs to, which shares with it
        only engines, optimizers, modules, tensors and data loaders; what it changes in a closure or a global, it
        changes.

        Returns:
            An array ``(num_events, groups)``, bit for bit what training writes.

        Raises:
            TypeError: an argument is not a number; a Python function cannot be copied.
            ValueError: an argument is negative or not whole.
        """
        num_events = arguments.whole_number("num_events", num_events, at_least=0)
        start = arguments.whole_number("start", start, at_least=0)
        schedule = self.schedule if self.schedule.is_pure else private_copy(self.schedule)
        return read_values(schedule, start, num_events, self._num_groups())

    @classmethod
    def simulate_values(cls, num_events: int, **scheduler_kwargs: Any) -> list[list[float]]:
        """The values that the first events would write, without an optimizer.

        Args:
            num_events: how many events.
            scheduler_kwargs: the arguments of the class, by name. ``optimizer``, ``param_group_index`` and
                ``save_history`` are of no effect and may be left out.

        Returns:
            ``[[0, value], [1, value], ...]``; where the schedule has one value for each of G groups, they
            follow one another: ``[[0, value_0, ..., value_G-1], ...]``.

        Raises:
            TypeError, ValueError: as the class and :meth:`simulate`.
        """
        scheduler, table = cls._simulated(num_events, scheduler_kwargs)
        rows: list[list[Any]] = scheduler._rows(table)
        return rows

    @classmethod
    def plot_values(cls, num_events: int, ax: "Axes | None" = None, **scheduler_kwargs: Any) -> "list[Line2D]":
        """Draw what :meth:`simulate_values` returns, into ``ax`` or the current axes, and return the lines.

        Nothing is shown or saved: that is up to ``matplotlib.pyplot.show()`` or ``Figure.savefig``.
        """
        scheduler, table = cls._simulated(num_events, scheduler_kwargs)
        return draw_values(np.arange(len(table)), table, scheduler.param_name, ax, scheduler._labels())

    def _labels(self) -> list[str] | None:
        """What the lines of a picture are called, if not by the parameter and its groups."""
        return None

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> tuple[Any, Array]:
        """A scheduler of these arguments that writes and records nowhere, and the values of its first events."""
        without = ("optimizer", "param_group_index", "save_history")
        given = {name: value for name, value in scheduler_kwargs.items() if name not in without}
        scheduler = cls._on_stand_in(**given)
        return scheduler, scheduler.simulate(num_events)

    def _rows(self, table: Array) -> list[list[Any]]:
        """The values of the first events as ``simulate_values`` returns them."""
        columns = table.T.tolist() if self._kind is float else [map(int, column) for column in table.T.tolist()]
        with _without_collecting():
            return list(map(list, zip(range(len(table)), *columns, strict=True)))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Make many lists without the garbage collector, which would go through all of them again for every few hundred.

    That is most of the time it takes, and none of them is garbage.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
