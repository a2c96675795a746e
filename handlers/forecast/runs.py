"""The runs to which a forecast is fitted: the learning rate of each event, and the losses at some events."""

from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lehr.engine import ParamHistory
from lehr.handlers.schedules.arguments import shown, whole_number
from lehr.handlers.schedules.base import Array

from .check_losses import check_measured, check_units, numbers
from .lr_values import lr_values, warmup_of
from .run_files import read_rows, spread


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A training run: its learning rates, and the losses that were measured in it.

    Args:
        schedule: a schedule or a scheduler of the learning rate, or an array with the learning rate of each event,
            ``(events,)`` or ``(events, groups)``. Event 0 is the first event of the run, even if the run has a warm-up.
        steps: the event indices ``(n,)`` at which losses were measured. They are whole numbers and rise, with any
            spacing. One step is enough: the step of the final loss.
        losses: the loss at each step ``(n,)``, above 0.
        name: a name of the run for error messages and tables, or None.
        group: the index of the param group whose learning rate is used. If None, the mean of all groups is used.
        num_warmup_events: the number of events in the warm-up. Losses in the warm-up are not fitted. If None, the
            warm-up ends where the learning rate first reaches a peak.

    The attributes ``lrs``, ``steps`` and ``losses`` are arrays. ``lrs`` has the learning rate of each event up to the
    last step.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: steps are not whole, rising and within the schedule; a loss is not finite and above 0; or a learning
            rate is negative.

    Example:
        >>> from lehr.handlers.schedules import WarmupStableDecay
        >>> run = Run(WarmupStableDecay(3e-4, 10, 70, 20), steps=[49, 99], losses=[3.2, 2.9], name="wsd")
        >>> run
        <Run 'wsd': 2 losses, 3.2 to 2.9, at steps 49 to 99, lr up to 0.0003>
        >>> run.lrs.shape
        (100,)
    """

    schedule: Any
    steps: Any
    losses: Any
    name: str | None = field(default=None, kw_only=True)
    group: int | None = field(default=None, kw_only=True)
    num_warmup_events: int | None = field(default=None, kw_only=True)
    lrs: Array = field(init=False)

    def __post_init__(self) -> None:
        """Check the arguments, and convert them to arrays."""
        if not isinstance(self.name, str | None):
            raise TypeError(f"name must be a string or None, given {shown(self.name)}")
        steps, losses = numbers("steps", self.steps), numbers("losses", self.losses)
        check_measured(steps, losses)
        last = int(steps[-1])
        check_units(last, self.schedule)
        lrs = lr_values("schedule", self.schedule, last + 1, self.group)
        for name, array in (("lrs", lrs), ("steps", steps.astype(np.int64)), ("losses", losses)):
            kept = np.array(array)
            kept.flags.writeable = False
            object.__setattr__(self, name, kept)
        warm = warmup_of(lrs) if self.num_warmup_events is None else self.num_warmup_events
        object.__setattr__(self, "num_warmup_events", whole_number("num_warmup_events", warm, at_least=0))

    @classmethod
    def from_history(
        cls,
        history: ParamHistory,
        param_name: str,
        losses: ArrayLike | str,
        *,
        steps: ArrayLike | None = None,
        group: int | None = None,
        name: str | None = None,
    ) -> "Run":
        """Return a run from a history, such as ``engine.state.param_history``.

        Args:
            history: the recorded values.
            param_name: the name of the learning rate in the history, such as ``"lr"``.
            losses: the losses, or the name of a metric in the history. Events without a value of the metric are left
                out.
            steps: the event indices of the losses. If None, there must be one loss for each event in the history.
            group: the index of a param group. If None, the mean of all groups is used.
            name: a name of the run for error messages and tables.

        Between the events of a thinned history, the learning rate is interpolated linearly.

        Raises:
            TypeError: ``history`` is not a history.
            ValueError: ``param_name`` or ``losses`` is not a name in the history; there are not as many losses as
                events; or a loss comes after the last event.

        Example:
            >>> history = ParamHistory({"lr": [0.1, 0.1, 0.05, 0.05]})
            >>> Run.from_history(history, "lr", [3.0, 2.5, 2.2, 2.1])
            <Run: 4 losses, 3 to 2.1, at steps 0 to 3, lr up to 0.1>
        """
        if not isinstance(history, ParamHistory):
            raise TypeError(f"history must be a ParamHistory, given {shown(history)}")
        column = _column(history, "param_name", param_name)
        indices, values = np.asarray(column.event_indices), column.to_numpy()
        if isinstance(losses, str):
            if steps is not None:
                raise ValueError("steps must be left out if losses is the name of a metric in the history")
            metric = _column(history, "losses", losses)
            measured = metric.to_numpy().mean(axis=1)
            kept = np.asarray(metric.event_indices, dtype=np.float64)[~np.isnan(measured)]
            measured = measured[~np.isnan(measured)]
            if len(kept) and kept[-1] >= indices[-1] + column.stride:
                raise ValueError(
                    f"param_name must be recorded as long as losses, given events up to {indices[-1]} of "
                    f"{shown(param_name)} and up to {kept[-1]:.0f} of {shown(losses)}: when you resume a run, load the "
                    "state of its history, too"
                )
        else:
            measured, kept = numbers("losses", losses), numbers("steps", indices if steps is None else steps)
            if steps is None and len(measured) != len(indices):
                raise ValueError(
                    f"losses must have one loss for each of {len(indices)} recorded events, given {len(measured)}: "
                    "give steps, the event index of each loss"
                )
        lrs = spread(indices, values, int(indices[-1]) + column.stride)
        return cls(lrs, kept, measured, name=name, group=group)

    @classmethod
    def from_csv(
        cls,
        path: str | PathLike[str],
        *,
        num_warmup_events: int | None = None,
        group: int | None = None,
        name: str | None = None,
    ) -> "Run":
        """Return a run from a table with the columns ``step``, ``lr`` and ``loss``, such as the table of a history.

        The column ``event_index`` may replace ``step``, and ``lr[0]``, ``lr[1]``, ... may replace ``lr``. The cell of a
        loss may be empty. Between two rows, the learning rate is interpolated linearly.

        Args:
            path: the file.
            num_warmup_events: the number of events in a linear warm-up from 0 before the first row. Give 0 if the run
                began with the learning rate of the first row, and None if the first row is at the beginning of the run.
            group: the index of a param group. If None, the mean of all groups is used.
            name: a name of the run for error messages and tables. If None, it is the path of the file.

        Raises:
            ValueError: a column is missing; a cell is not a number; or the rows do not begin at the beginning of the
                run, and ``num_warmup_events`` is not given.
        """
        steps, lrs, losses = read_rows(path)
        known = ~np.isnan(losses)
        values = spread(steps, lrs, int(steps[-1]) + 1, num_warmup_events=num_warmup_events, path=path)
        try:
            return cls(values, steps[known], losses[known], name=name or str(path), group=group)
        except ValueError as error:
            raise ValueError(f"{shown(str(path), 100)}: {error}") from None

    @property
    def num_events(self) -> int:
        """The number of events up to the last step."""
        return len(self.lrs)

    @property
    def warmup(self) -> int:
        """The number of events in the warm-up."""
        return int(self.num_warmup_events or 0)

    @property
    def fitted_steps(self) -> NDArray[np.int64]:
        """The steps after the warm-up whose losses are fitted.

        Shapes: ``(m,)``.
        """
        return np.asarray(self.steps[self._is_fitted])

    @property
    def fitted_losses(self) -> Array:
        """The losses at the fitted steps.

        Shapes: ``(m,)``.
        """
        return np.asarray(self.losses[self._is_fitted], dtype=np.float64)

    @property
    def _is_fitted(self) -> NDArray[np.bool_]:
        begun = int(np.argmax(self.lrs > 0))
        return np.asarray(self.steps >= max(self.warmup, begun))

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {shown(self.name)}"
        first, last = self.losses[0], self.losses[-1]
        losses = f"{len(self.losses)} losses, {first:.4g} to {last:.4g}, at steps {self.steps[0]} to {self.steps[-1]}"
        if len(self.losses) == 1:
            losses = f"loss {last:.4g} at step {self.steps[-1]}"
        return f"<Run{name}: {losses}, lr up to {self.lrs.max():.3g}>"


def _column(history: ParamHistory, argument: str, name: str) -> Any:
    if not isinstance(name, str) or name not in history or not len(history[name]):
        raise ValueError(f"{argument} must be a name in the history, one of {shown([*history])}, given {shown(name)}")
    return history[name]
