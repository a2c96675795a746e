"""The cyclical schedulers of ignite: linear cycles, cosine annealing and their base class."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from lehr.handlers.core.overridden_get_param import temporarily
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import CosineAnnealing, Cyclical, LinearCyclical, RunLength, Shift
from lehr.handlers.schedules.ignite_cycles import Cycles
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups
from lehr.handlers.targets.target import Value


class CyclicalScheduler(ParamScheduler):
    """The base class of schedulers that go from ``start_value`` towards ``end_value`` in each cycle.

    At position j of a cycle with c events, a start value and an end value, the value is::

        value = start_value + (end_value - start_value) * curve(j / c)

    A subclass sets ``schedule_type`` to a subclass of :class:`~lehr.handlers.schedules.Cyclical` that takes the same
    arguments and defines the curve of a cycle. Or a subclass overrides ``get_param``, as in ignite. Inside
    ``get_param``, the attributes describe the present cycle: ``event_index`` counts from the start of the cycle, and
    ``start_value``, ``end_value``, ``cycle_size``, ``warmup_duration`` and ``cycle`` are those of the cycle. Outside of
    ``get_param``, ``event_index`` counts all events.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        start_value: value at the start of the first cycle.
        end_value: value at the end of the first cycle.
        cycle_size: the number of events in the first cycle, at least 2; often the number of batches per epoch.
        cycle_mult: the ratio of one cycle's size to the previous cycle's size, at least 1.
        start_value_mult: the ratio of one cycle's start value to the previous cycle's start value.
        end_value_mult: the ratio of one cycle's end value to the previous cycle's end value.
        warmup_duration: the number of events from one cycle's end value to the next cycle's start value.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        relative: whether ``start_value`` and ``end_value`` are factors of each group's base value; see
            :class:`ParamScheduler`. Keyword only.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range; the parameter or the param group does not exist.

    Example:
        >>> class QuadraticCycles(CyclicalScheduler):
        ...     def get_param(self):
        ...         progress = self.event_index / self.cycle_size
        ...         return self.start_value + (self.end_value - self.start_value) * progress**2
        >>> QuadraticCycles.simulate_values(5, param_name="lr", start_value=1.0, end_value=0.0, cycle_size=4)
        [[0, 1.0], [1, 0.9375], [2, 0.75], [3, 0.4375], [4, 1.0]]
    """

    schedule_type: Callable[..., Cyclical] = Cycles

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        start_value: float,
        end_value: float,
        cycle_size: int | str,
        cycle_mult: float = 1.0,
        start_value_mult: float = 1.0,
        end_value_mult: float = 1.0,
        warmup_duration: int | str = 0,
        save_history: bool = False,
        param_group_index: Selection = None,
        *,
        relative: bool = False,
        run: RunLength | None = None,
    ) -> None:
        schedule = self.schedule_type(
            start_value, end_value, cycle_size, cycle_mult, start_value_mult, end_value_mult, warmup_duration
        )
        super().__init__(
            optimizer, param_name, save_history, param_group_index, schedule=schedule, relative=relative, run=run
        )
        if self.schedule_type is Cycles and not self._asks_get_param:
            raise TypeError(f"{type(self).__name__} must set schedule_type or override get_param")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the attributes describe the present cycle inside an overridden ``get_param``, as in ignite."""
        super().__init_subclass__(**kwargs)
        if "get_param" in vars(cls):
            cls.get_param = _in_present_cycle(cls.get_param)  # type: ignore[assignment, method-assign]


def _in_present_cycle(get_param: Callable[[Any], Value]) -> Callable[[Any], Value]:
    @wraps(get_param)
    def in_its_cycle(self: CyclicalScheduler) -> Value:
        schedule = self._schedule
        if not isinstance(schedule, Cyclical):
            return get_param(self)  # called through super(), so the attributes describe the cycle already
        index = self.event_index
        cycle = schedule.cycle_at(index)
        if cycle.position > cycle.cycle_size:
            return schedule(index)  # the event belongs to a warm-up between two cycles
        from_its_start = Shift(schedule, index - cycle.position)
        seen = {**vars(schedule), **cycle._asdict(), "_event_index": cycle.position, "_schedule": from_its_start}
        with temporarily(self, **seen):
            return get_param(self)

    return in_its_cycle


class LinearCyclicalScheduler(CyclicalScheduler):
    """Writes straight lines from ``start_value`` to ``end_value`` and, unless ``monotonic``, back to ``start_value``.

    At position j of a cycle with c events, the value is::

        value = start_value + (end_value - start_value) * (1 - |2j / c - 1|)
        value = start_value + (end_value - start_value) * j / c                 if monotonic

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        start_value: value at the start of the first cycle.
        end_value: value at the middle of the first cycle; if ``monotonic``, at its end.
        cycle_size: the number of events in the first cycle, at least 2; often the number of batches per epoch.
        cycle_mult: the ratio of one cycle's size to the previous cycle's size, at least 1. Sizes are rounded down to
            whole events.
        start_value_mult: the ratio of one cycle's start value to the previous cycle's start value.
        end_value_mult: the ratio of one cycle's end value to the previous cycle's end value.
        warmup_duration: the number of events from the end value of a cycle to the start value of the next cycle. It
            must be 0 unless ``monotonic`` is True.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        monotonic: whether each cycle goes one way only. The next cycle then starts with a jump, or with a warm-up.
            Keyword only.
        relative: whether ``start_value`` and ``end_value`` are factors of each group's base value; see
            :class:`ParamScheduler`. Keyword only.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range; the parameter or the param group does not exist; ``warmup_duration`` is
            given, but ``monotonic`` is False.

    Deviations from ignite 0.5.5: ``event_index`` counts all events; a ``cycle_mult`` below 1 raises an error, since
    cycles would shrink to 0 events.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, https://arxiv.org/abs/1506.01186 (the
    triangular cycle).

    Example:
        >>> LinearCyclicalScheduler.simulate_values(5, param_name="lr", start_value=0, end_value=1, cycle_size=4)
        [[0, 0.0], [1, 0.5], [2, 1.0], [3, 0.5], [4, 0.0]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        start_value: float,
        end_value: float,
        cycle_size: int | str,
        cycle_mult: float = 1.0,
        start_value_mult: float = 1.0,
        end_value_mult: float = 1.0,
        warmup_duration: int | str = 0,
        save_history: bool = False,
        param_group_index: Selection = None,
        *,
        monotonic: bool = False,
        relative: bool = False,
        run: RunLength | None = None,
    ) -> None:
        self.schedule_type = partial(LinearCyclical, monotonic=monotonic)
        super().__init__(
            optimizer,
            param_name,
            start_value,
            end_value,
            cycle_size,
            cycle_mult,
            start_value_mult,
            end_value_mult,
            warmup_duration,
            save_history,
            param_group_index,
            relative=relative,
            run=run,
        )


class CosineAnnealingScheduler(CyclicalScheduler):
    """Writes half a cosine wave from ``start_value`` to ``end_value`` in each cycle.

    At position j of a cycle with c events, the value is::

        value = start_value + (end_value - start_value) * (1 - cos(pi * j / c)) / 2

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        start_value: value at the start of the first cycle.
        end_value: value at the end of the first cycle.
        cycle_size: the number of events in the first cycle, at least 2; often the number of batches per epoch.
        cycle_mult: the ratio of one cycle's size to the previous cycle's size, at least 1. Sizes are rounded down to
            whole events.
        start_value_mult: the ratio of one cycle's start value to the previous cycle's start value.
        end_value_mult: the ratio of one cycle's end value to the previous cycle's end value.
        warmup_duration: the number of events from one cycle's end value to the next cycle's start value.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        relative: whether ``start_value`` and ``end_value`` are factors of each group's base value; see
            :class:`ParamScheduler`. Keyword only.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range; the parameter or the param group does not exist.

    Deviations from ignite 0.5.5: ``event_index`` counts all events; a ``cycle_mult`` below 1 raises an error, since
    cycles would shrink to 0 events.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, cycle_size=4)
        >>> for _ in range(5):
        ...     scheduler(None)
        ...     print(round(optimizer.param_groups[0]["lr"], 4))
        1.0
        0.8536
        0.5
        0.1464
        1.0
    """

    schedule_type = CosineAnnealing
