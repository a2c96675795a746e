"""Simulates a scheduler from its arguments alone, without an optimizer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, overload

from lehr.engine.plots import draw_values
from lehr.handlers.schedules import RunLength
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.durations_to_events import as_events, checked_run

from .simulated_rows import rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from torch.optim import Optimizer
    from torch.utils.data import DataLoader

    class AnyTarget(Optimizer, DataLoader[Any]):
        """Anything that the first argument of a scheduler may be, if the scheduler can be simulated without it."""


P = ParamSpec("P")


class SimulateValues:
    """The class methods of a scheduler that take the arguments of its constructor, by name.

    The annotation of ``cls`` is the constructor, so that a type checker knows the arguments. One overload has all
    arguments of the constructor. The other overload leaves out the optimizer or the data loader.
    """

    _run: RunLength | None = None

    @property
    def run_length(self) -> RunLength | None:
        """The length of the run that converted durations such as ``"10%"`` to events; None if there was no ``run``."""
        return self._run

    @overload
    @classmethod
    def simulate_values(
        cls: "Callable[Concatenate[AnyTarget, P], Any]", num_events: int | str, *args: P.args, **kwargs: P.kwargs
    ) -> list[list[float]]: ...

    @overload
    @classmethod
    def simulate_values(
        cls: Callable[P, Any], num_events: int | str, *args: P.args, **kwargs: P.kwargs
    ) -> list[list[float]]: ...

    @classmethod  # type: ignore[misc] # arguments are given by name, which no annotation says
    def simulate_values(cls, num_events: int | str, **scheduler_kwargs: Any) -> list[list[float]]:
        """Return the values that the first events would write, without an optimizer.

        Args:
            num_events: the number of events. If you give ``run``, the number may also be a text such as ``"100%"``.
            scheduler_kwargs: the arguments of the class, by name. ``optimizer``, ``param_group_index`` and
                ``save_history`` have no effect and may be left out.

        Shapes: a list of ``num_events`` rows, each with the event index and a value, or with a value for each group.

        Returns:
            ``[[0, value], [1, value], ...]``. If the schedule has one value for each of G groups, ``[[0, value_0, ...,
            value_G-1], ...]``.

        Raises:
            TypeError, ValueError: see the constructor and :meth:`simulate`.
        """
        return cls._simulated_rows(num_events, scheduler_kwargs)

    @overload
    @classmethod
    def plot_values(
        cls: "Callable[Concatenate[AnyTarget, P], Any]",
        num_events: int | str,
        ax: "Axes | None" = None,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> "list[Line2D]": ...

    @overload
    @classmethod
    def plot_values(
        cls: Callable[P, Any], num_events: int | str, ax: "Axes | None" = None, *args: P.args, **kwargs: P.kwargs
    ) -> "list[Line2D]": ...

    @classmethod  # type: ignore[misc]
    def plot_values(cls, num_events: int | str, ax: "Axes | None" = None, **scheduler_kwargs: Any) -> "list[Line2D]":
        """Draw the values of :meth:`simulate_values` into ``ax`` or the current axes, and return the lines.

        To show or save the figure, call ``matplotlib.pyplot.show()`` or ``Figure.savefig``.

        Args:
            num_events: the number of events, at least 0.
            ax: the axes to draw into. If None, the lines are drawn into the current axes of pyplot.
            scheduler_kwargs: as in :meth:`simulate_values`.

        Raises:
            TypeError, ValueError: see :meth:`simulate_values`.
        """
        return cls._plotted(num_events, ax, scheduler_kwargs)

    @classmethod
    def _simulated_rows(cls, num_events: int | str, scheduler_kwargs: dict[str, Any]) -> list[list[float]]:
        """Return the rows of ``simulate_values``. A subclass may call this in a ``simulate_values`` of its own."""
        scheduler, table = cls._simulated(_in_events(num_events, scheduler_kwargs), scheduler_kwargs)
        return rows_of(table, scheduler._number_type)

    @classmethod
    def _plotted(cls, num_events: int | str, ax: "Axes | None", scheduler_kwargs: dict[str, Any]) -> "list[Line2D]":
        scheduler, table = cls._simulated(_in_events(num_events, scheduler_kwargs), scheduler_kwargs)
        labels = scheduler._labels()
        return draw_values(range(len(table)), table, scheduler.param_name, ax, labels, cls.__name__)

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> tuple[Any, Array]:
        """Return a scheduler with these arguments but without an optimizer, and the values of its first events."""
        without = ("optimizer", "param_group_index", "save_history")
        scheduler: Any = cls._without_optimizer(
            **{key: one for key, one in scheduler_kwargs.items() if key not in without}
        )
        return scheduler, scheduler.simulate(num_events)

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        """Return a scheduler with these arguments that has no optimizer to write to."""
        return cls(**scheduler_kwargs)


def _in_events(num_events: int | str, scheduler_kwargs: dict[str, Any]) -> int:
    return as_events("num_events", num_events, checked_run(scheduler_kwargs.get("run")))  # type: ignore[no-any-return]
