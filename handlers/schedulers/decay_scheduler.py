"""``DecayScheduler``, the base of all decay schedulers, and the options that all decay schedulers have."""

import difflib
from collections.abc import Callable
from functools import partial
from typing import Any, TypedDict

from lehr.handlers.core.base_values import BaseValues, multiple_of, read_base_values
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import RunLength, Schedule, Window, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.base import Array
from lehr.handlers.schedules.duration_texts import has_unit
from lehr.handlers.schedules.durations_to_events import checked_run, in_events, with_epoch_length
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups, PlaceholderOptimizer


class Options(TypedDict, total=False):
    """The keyword arguments of every :class:`DecayScheduler`."""

    relative: bool
    begin: int | str
    end: int | str | None
    interval: int | str
    epoch_length: int | None
    run: RunLength | None
    save_history: bool
    param_group_index: Selection


class DecayScheduler(ParamScheduler):
    """Writes a decay, which may start from the present value of each param group, within a window of events.

    ``value(i) = schedule(i)``, or with ``relative``, ``value(i) = base * schedule(i)`` in each group.

    A param group's present value is its value when you construct the scheduler. If the initial value is None, each
    group starts from its present value. Before the window begins, each group keeps its present value. A group that you
    add later has no present value. A config does not contain present values. A scheduler that is made from a config
    reads the values of the groups again.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        schedule_type: a class or function that takes ``values`` and returns the schedule.
        options: the keyword arguments of every decay:
            ``relative``: whether the given values are factors of each group's present value; default False.
            ``begin``: the first event of the schedule, default 0; each group keeps its present value until then.
            ``end``: the event from which the value stays constant. If None, the schedule has no end. ``interval``: the
            number of events from one change of the value to the next, default 1. ``epoch_length``: the number of events
            in an epoch. If it is given, durations, ``begin``, ``end`` and ``interval`` are in epochs, and a decay
            factor applies to an epoch. If it is None, all of these are in events. ``run``: the length of the run, which
            durations such as ``"10%"``, ``"3 epochs"`` or ``"2B tokens"`` need; see :class:`RunLength`.
            ``save_history``, ``param_group_index``: see :class:`ParamScheduler`.
        own: the name of the argument that may be None, which means each group's present value.
        values: the arguments of the schedule, by name.

    Raises:
        TypeError: an argument has the wrong type, or an option is unknown.
        ValueError: an argument is out of range; the parameter or the param group does not exist; a duration in epochs
            is not a whole number of events.

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
        _check_option_names(type(self).__name__, options)
        target = ParamGroups(optimizer, param_name, options.get("param_group_index"))
        self._run = checked_run(options.get("run"))
        schedule, base = _schedule_and_base(target, schedule_type, options, own, values)
        self._write_to(target, param_name, options.get("save_history", False), schedule, base)

    @classmethod
    def _simulated(cls, num_events: int, scheduler_kwargs: dict[str, Any]) -> "tuple[Any, Array]":
        """Simulate with the given optimizer, if one is given, because its groups have the present values."""
        if scheduler_kwargs.get("optimizer") is None:
            return super()._simulated(num_events, scheduler_kwargs)
        scheduler = cls(**scheduler_kwargs)
        return scheduler, scheduler.simulate(num_events)


def _schedule_and_base(
    target: ParamGroups,
    schedule_type: Callable[..., Schedule],
    options: Options,
    own: str | None,
    values: dict[str, Any],
) -> tuple[Schedule, BaseValues | None]:
    """Return the schedule, and the base values of the groups if the schedule depends on them."""
    relative = arguments.flag("relative", options.get("relative", False))
    starts_from_base = own is not None and values[own] is None
    if own is not None and not starts_from_base and not isinstance(target.optimizer, PlaceholderOptimizer):
        given = arguments.number_or_numbers(own, values[own])
        if isinstance(given, tuple) and len(given) != len(target.groups()):
            raise ValueError(f"{own} must have {len(target.groups())} values, given {arguments.shown(values[own])}")
    window = _window(options)
    epoch_length, run = options.get("epoch_length"), options.get("run")
    begin = options.get("begin", 0) if epoch_length is None else window.get("begin", 0)
    values = in_events(schedule_type, values, epoch_length, run, begin)
    schedule_of = partial(_schedule_of, schedule_type, values, own if starts_from_base else None, relative, window)
    if not (relative or starts_from_base or window.get("begin", 0)):
        return schedule_of(0.0), None
    argument = own if own is not None and starts_from_base else "relative" if relative else "begin"
    base = BaseValues(read_base_values(target, argument), schedule_of, is_own=relative or starts_from_base)
    return base.schedule(), base


def _schedule_of(
    schedule_type: Callable[..., Schedule],
    values: dict[str, Any],
    own: str | None,
    relative: bool,
    window: dict[str, Any],
    base: Number,
) -> Schedule:
    """Make the schedule, with the base values as the argument that ``own`` names."""
    given = values if own is None else {**values, own: 1.0 if relative else base}
    schedule = schedule_type(**given)
    if relative:
        schedule = multiple_of(schedule, base)
    if window.get("begin", 0) == 0 and window.get("end") is None and window.get("interval", 1) == 1:
        return schedule
    return Window(schedule, **window, before=base if window.get("begin", 0) else None)


def _window(options: Options) -> dict[str, Any]:
    """Convert the arguments of the window to events."""
    window: dict[str, Any] = {name: options[name] for name in ("begin", "end", "interval") if name in options}
    for name, value in window.items():
        if value is not None or name != "end":
            arguments.number(name, 0 if has_unit(value) else value, at_least=0)
    return in_events(Window, window, options.get("epoch_length"), options.get("run"))


def run_of(options: Options) -> RunLength | None:
    """Return the length of the run, which converts texts such as ``"10%"`` to events."""
    run, length = checked_run(options.get("run")), options.get("epoch_length")
    return run if length is None else with_epoch_length(run, arguments.whole_number("epoch_length", length, at_least=1))


def _check_option_names(name: str, options: Options) -> None:
    names = list(Options.__annotations__)
    for given in options:
        if given not in names:
            near = difflib.get_close_matches(given, names, n=1)
            raise TypeError(
                f"{name} has no argument {arguments.shown(given)}; its keyword arguments include {', '.join(names)}"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
