"""``ConcatScheduler``, which runs the schedules of several schedulers one after another."""

from collections.abc import Sequence
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np

from lehr.engine.type_checks_without_import import is_tensor
from lehr.handlers.core.base_values import combined
from lehr.handlers.core.illegal_values import warn_in_table
from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.simulation.keep_random_state import random_state_kept
from lehr.handlers.core.simulation.private_copies import private_copy
from lehr.handlers.core.simulation.simulated_rows import rows_of
from lehr.handlers.schedules import Concatenation, RunLength, Schedule, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.durations_to_events import as_events, checked_run, in_events
from lehr.handlers.targets.param_groups import ParamGroups

from .same_target import same_target


class ConcatScheduler(ParamScheduler):
    """Writes the schedules of several schedulers one after another; the last schedule never ends.

    With durations d_0, d_1, ... and the starts ``t_k = d_0 + ... + d_{k-1}``, the value at event i is::

        value = schedules[k](i - t_k)    for the last k with t_k <= i

    This scheduler reads the schedules of the given schedulers, from event 0 on. It does not call the given schedulers,
    so their ``event_index`` does not change.

    Args:
        schedulers: two or more schedulers with the same optimizer, param name and param group index. A
            :class:`ParamGroupScheduler` must have exactly one scheduler for each group of the optimizer.
        durations: the number of events for each scheduler except the last, at least 0. A scheduler with 0 events is
            skipped.
        save_history: whether to record the written values in ``engine.state.param_history``. The ``save_history`` of
            the given schedulers has no effect.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: ``schedulers`` is not a list or tuple of schedulers; ``durations`` is not a list or tuple.
        ValueError: there are fewer than two schedulers; the number of durations is wrong; a duration is negative or not
            whole; the schedulers differ in optimizer, param name or groups.

    Deviations from ignite 0.5.5: schedulers with different ``param_group_index`` raise an error; the ``save_history``
    of the given schedulers has no effect, and their ``event_index`` does not change; a duration of 0 skips any
    scheduler, whereas in ignite it skips only the first scheduler.

    Example:
        >>> import torch
        >>> from lehr.handlers import CosineAnnealingScheduler, LinearCyclicalScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> warmup = LinearCyclicalScheduler(optimizer, "lr", 0.0, 1.0, cycle_size=4, monotonic=True)
        >>> annealing = CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, cycle_size=4)
        >>> ConcatScheduler([warmup, annealing], durations=[4]).simulate(8)[:, 0].round(4).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0, 0.8536, 0.5, 0.1464]
    """

    def __init__(
        self,
        schedulers: Sequence[ParamScheduler | ParamGroupScheduler],
        durations: Sequence[int | str],
        save_history: bool = False,
        *,
        run: RunLength | None = None,
    ) -> None:
        if not isinstance(durations, list | tuple):
            raise TypeError(f"durations must be a list or tuple, given {arguments.shown(durations)}")
        self._run = checked_run(run)
        in_run = _in_events(durations, run)
        members = same_target(schedulers, at_least=2)
        for at, duration in enumerate(in_run):
            if isinstance(duration, bool) or not isinstance(duration, int | float | Integral):
                raise ValueError(f"durations[{at}] must be a whole number of events, given {arguments.shown(duration)}")
        first = members[0]
        schedule, base = combined(members, partial(_concatenation, in_run[:]))
        target = ParamGroups(first.optimizer, first.param_name, first.param_group_index)
        self._write_to(target, first.param_name, save_history, schedule, base)
        self.schedulers = tuple(schedulers)
        self.durations: tuple[int, ...] = schedule.durations  # type: ignore[attr-defined]

    @classmethod
    def simulate_values(  # type: ignore[override]
        cls,
        num_events: int | str,
        schedulers: Sequence[ParamScheduler | ParamGroupScheduler] = (),
        durations: Sequence[int | str] = (),
        param_names: Sequence[str] | None = None,
        save_history: bool = False,
        *,
        run: RunLength | None = None,
    ) -> list[list[float]]:
        """Return the values that the param groups would have after each of the first events, without writing them.

        Args:
            num_events: the number of events.
            schedulers: two or more schedulers.
            durations: the number of events of each scheduler except the last.
            param_names: the names of the parameters whose values to return. If None, the values of the scheduled
                parameter are returned. For another parameter, the rows contain its present value in the optimizer, or
                the value that a wrapped torch scheduler writes to it, such as a momentum.
            save_history: has no effect.
            run: as in the constructor.

        Shapes: a list of ``num_events`` rows. Each row has the event index and a value, or a value for each group.

        Returns:
            ``[[0, value_0, ..., value_G-1], ...]``: the G values of the first name, then those of the next name.

        Raises:
            TypeError: ``param_names`` is not a list or tuple; see also the constructor and :meth:`simulate`.
            ValueError: a name is not the name of a parameter; see also the constructor and :meth:`simulate`.
        """
        given = {"schedulers": schedulers, "durations": durations, "run": run}
        if param_names is None:
            return cls._simulated_rows(num_events, given)
        if not isinstance(param_names, list | tuple):
            raise TypeError(f"param_names must be a list or tuple, given {arguments.shown(param_names)}")
        for at, name in enumerate(param_names):
            if not isinstance(name, str):
                raise ValueError(f"param_names[{at}] must be a string, given {arguments.shown(name)}")
        num_events = as_events("num_events", num_events, run)
        num_events = arguments.whole_number("num_events", num_events, at_least=0)
        scheduler = cls(schedulers, durations, run=run)
        is_at_once = scheduler.schedule.is_pure and not _has_tensors(scheduler)
        if not is_at_once:
            scheduler = private_copy(scheduler)
        targets = [ParamGroups(scheduler.optimizer, name, scheduler.param_group_index) for name in param_names]
        if is_at_once:
            return _rows_at_once(scheduler, num_events, targets)
        rows: list[list[float]] = []
        with random_state_kept(scheduler):
            for event in range(num_events):
                scheduler(None)
                rows.append([event, *(value for target in targets for value in target.read())])
        return rows

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        # The given schedulers have an optimizer, to which constructing and simulating write nothing.
        return cls(**scheduler_kwargs)


def _in_events(durations: Sequence[int | str], run: RunLength | None) -> Sequence[int]:
    return in_events(Concatenation, {"durations": durations}, run=run)["durations"]  # type: ignore[no-any-return]


def _concatenation(durations: Sequence[int], schedules: list[Schedule], base: Number) -> Schedule:
    return Concatenation(schedules, durations)


def _has_tensors(scheduler: ParamScheduler) -> bool:
    """Return whether any hyper-parameter is a tensor. Several parameters or groups may share a tensor."""
    values = (value for group in scheduler.optimizer_param_groups for value in group.values())
    return any(map(is_tensor, values))


def _rows_at_once(scheduler: ParamScheduler, num_events: int, targets: list[ParamGroups]) -> list[list[float]]:
    """Return the rows of ``simulate_values`` for a pure schedule, which changes only the scheduled parameter."""
    table, own = scheduler.simulate(num_events), ParamGroups(scheduler.optimizer, scheduler.param_name)
    warn_in_table(scheduler, table)
    columns = [
        table if (target.key, target.item) == (own.key, own.item) else np.tile(target.read(), (num_events, 1))
        for target in targets
    ]
    return rows_of(np.hstack([np.empty((num_events, 0)), *columns]), float)
