"""What the schedulers of decays have in common: values of each group's own, windows, and durations in epochs."""

import difflib
import math
from collections.abc import Callable
from typing import Any, TypedDict

from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import Constant, Product, Schedule, Window, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.durations import in_events
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups, PlaceholderOptimizer


class Options(TypedDict, total=False):
    """The arguments that every :class:`DecayScheduler` takes by name."""

    relative: bool
    begin: int
    end: int | None
    interval: int
    epoch_length: int | None
    save_history: bool
    param_group_index: Selection


class DecayScheduler(ParamScheduler):
    """A scheduler whose values may be multiples of what each param group holds, within a window of events.

    Each param group's own value is what it holds when the scheduler is made. It stands for an initial value that is
    not given, and for the value before the window; a group that is added later has none. A config does not hold it:
    a scheduler that is made from one begins with what the groups hold then.

    Args:
        optimizer: a torch optimizer, or any object with its ``param_groups``.
        param_name: name of the parameter to write.
        schedule_type: what makes the schedule out of ``values``; usually a class.
        options: all of these, which every scheduler of a decay takes by name:
            ``relative``: whether the values given are multiples of each group's own value. False by default.
            ``begin``: the first event of the schedule, 0 by default; before, each group keeps its own value.
            ``end``: the first event after it, from which on the value of the event before is held. None for no end.
            ``interval``: every how many events the value moves, 1 by default.
            ``epoch_length``: events in an epoch, where durations, ``begin``, ``end`` and ``interval`` are given in
            epochs, and decays by a factor are for an epoch. None where they are in events.
            ``save_history``, ``param_group_index``: as in :class:`ParamScheduler`.
        own: the name of the argument that is each group's own value where it is None.
        values: the arguments of the schedule, by name.

    Raises:
        TypeError: an argument is of the wrong kind, or there is no such option.
        ValueError: an argument is out of its range; there is no such parameter or group; a duration in epochs is no
            whole number of events.

    Example:
        >>> import torch
        >>> from lehr.handlers import LinearScheduler
        >>> body, head = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
        >>> optimizer = torch.optim.SGD([{"params": [body], "lr": 1.0}, {"params": [head], "lr": 8.0}])
        >>> warmup = LinearScheduler(optimizer, "lr", 2, start_value=0.5, end_value=1.0, relative=True, begin=1)
        >>> warmup.simulate(4).tolist()
        [[1.0, 8.0], [0.5, 4.0], [0.75, 6.0], [1.0, 8.0]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        schedule_type: Callable[..., Schedule],
        options: Options,
        own: str | None = None,
        **values: Any,
    ) -> None:
        _check_names(type(self).__name__, options)
        target = ParamGroups(optimizer, param_name, options.get("param_group_index"))
        schedule = _within_window(_scheduled(target, schedule_type, options, own, values), target, options)
        self._write_to(target, param_name, options.get("save_history", False), schedule)

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> "tuple[Any, Array]":
        """As for all schedulers, but that an optimizer is looked at, which has the groups' own values."""
        if scheduler_kwargs.get("optimizer") is None:
            return super()._simulated(num_events, scheduler_kwargs)
        scheduler = cls(**scheduler_kwargs)
        return scheduler, scheduler.simulate(num_events)


def _scheduled(
    target: ParamGroups,
    schedule_type: Callable[..., Schedule],
    options: Options,
    own: str | None,
    given: dict[str, Any],
) -> Schedule:
    relative = arguments.flag("relative", options.get("relative", False))
    if own is not None and given[own] is None:
        given = {**given, own: 1.0 if relative else own_value(target, own)}
    if own is not None and not isinstance(target.optimizer, PlaceholderOptimizer):
        values = arguments.number_or_numbers(own, given[own])
        if isinstance(values, tuple) and len(values) != len(target.groups()):
            raise ValueError(f"{own} must have {len(target.groups())} values, given {given[own]!r}")
    epoch_length = options.get("epoch_length")
    if epoch_length is not None:
        given = in_events(schedule_type, given, epoch_length)
    schedule = schedule_type(**given)
    return Product([Constant(own_value(target, "relative")), schedule]) if relative else schedule


def _within_window(schedule: Schedule, target: ParamGroups, options: Options) -> Schedule:
    window: dict[str, Any] = {name: options[name] for name in ("begin", "end", "interval") if name in options}
    for name, value in window.items():
        if name != "end" or value is not None:
            arguments.number(name, value, at_least=0)
    epoch_length = options.get("epoch_length")
    if epoch_length is not None:
        window = in_events(Window, window, epoch_length)
    if window.get("begin", 0) == 0 and window.get("end") is None and window.get("interval", 1) == 1:
        return schedule
    return Window(schedule, **window, before=own_value(target, "begin") if window.get("begin", 0) else None)


def own_value(target: ParamGroups, wanted_for: str) -> Number:
    """What the param groups hold now: one number where it is the same in all of them.

    Raises:
        ValueError: there is no optimizer to read it from.
    """
    held = target.read()
    if any(map(math.isnan, held)):
        raise ValueError(f"{wanted_for} must not be left to an optimizer's own values where there is no optimizer")
    return held[0] if len(set(held)) == 1 else held


def _check_names(name: str, options: Options) -> None:
    names = list(Options.__annotations__)
    for given in options:
        if given not in names:
            near = difflib.get_close_matches(given, names, n=1)
            raise TypeError(
                f"{name} has no argument {given!r}, beside its own ones it has {', '.join(names)}"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
