"""Makes one scheduler from several entries of a config, which apply at the same time or one after another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.metric_scheduler import MetricScheduler
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.stateful import stateful_parts

from .argument_validators import text
from .consecutive_entries import check_sequence, durations_of, in_sequence
from .context import ConfigContext
from .dialects import entry_schedule, refuse_type
from .dialects.lehr import SCHEDULERS, Nested, arguments_of
from .dialects.torch_nested import chain_of
from .entries import Entry, located
from .entry_schedules import EntrySchedule
from .simultaneous_entries import combined


def scheduler_of_list(
    context: ConfigContext, where: str, options: Mapping[str, Any], listed: list[Entry], nested: Nested
) -> BaseParamScheduler:
    """Make one scheduler from several entries.

    Args:
        context: the context, with the parameter for entries that have no ``param_name``.
        where: the path to the list.
        options: the keys beside the list, which are ``sequential``, ``milestones``, ``durations`` and ``save_history``.
        listed: the entries.
        nested: a function that makes a scheduler from a context, the path to a config, and the config.
    """
    sequential = arguments.flag(f"{where}['sequential']", options.get("sequential", False))
    given = {where: options, **{entry.where: entry.values for entry in listed}}
    flags = [(f"{path}['save_history']", one["save_history"]) for path, one in given.items() if "save_history" in one]
    save_history = True in [arguments.flag(path, flag) for path, flag in flags]
    if flags:
        listed = [entry.without("save_history") for entry in listed]
    for entry in listed:
        if "param_name" in entry.values:
            text(f"{entry.where}['param_name']", entry.values["param_name"])
    if sequential:
        # For some of lehr's own types, `duration` is an argument. For other types, it belongs to the list.
        bare = [entry if _takes_duration(entry) else entry.without("duration") for entry in listed]
        schedules = [_schedule_in_list(context, entry, nested) for entry in bare]
        durations = durations_of(context, where, options, listed, schedules)
        check_sequence(schedules)
        return scheduler_of(schedules, save_history, lambda some: in_sequence(some, durations))
    for key in ("milestones", "durations"):
        if key in options:
            raise ValueError(f"{where}[{key!r}] is for schedulers that follow one another: add 'sequential': true")
    _refuse_mixed_steps(context, listed)
    for entry in listed:
        if "." not in entry.type and entry.type not in SCHEDULERS:
            refuse_type(entry)
    own = [entry for entry in listed if "." not in entry.type]
    if own and len({entry.values.get("param_name", context.param_name) for entry in listed}) < len(listed):
        raise ValueError(
            f"{own[0].where}: lehr's own schedulers cannot change one another's values: put them one after "
            "another with 'sequential': true, or into a ChainedScheduler to multiply them"
        )
    if len(listed) > 1 and all(map(_can_be_chained_by_torch, listed)):
        return scheduler_of([chain_of(context, listed)], save_history)
    shared = replace(context, left={})
    schedules = [_schedule_in_list(context if entry in own else shared, entry, nested) for entry in listed]
    return scheduler_of(schedules, save_history)


def _takes_duration(entry: Entry) -> bool:
    return entry.type in SCHEDULERS and "duration" in arguments_of(entry.type)


def _schedule_in_list(context: ConfigContext, entry: Entry, nested: Nested) -> EntrySchedule:
    if "." in entry.type:
        return entry_schedule(context, entry)
    scheduler = nested(context, entry.where, {"type": entry.type, **entry.values})
    if type(scheduler) is ParamGroupScheduler or not isinstance(scheduler, ParamScheduler):
        raise ValueError(
            f"{entry.where}['type'] must be a scheduler of one parameter, given {arguments.shown(entry.type)} in a list"
        )
    if scheduler.param_group_index is not None or stateful_parts(scheduler.schedule):
        raise ValueError(f"{entry.where} must schedule all param groups and read no metric, since it is in a list")
    schedule = scheduler.schedule
    return EntrySchedule(context.of(scheduler.param_name), lambda value: schedule, where=entry.where)


def _can_be_chained_by_torch(entry: Entry) -> bool:
    """Return whether torch's ``ChainedScheduler`` accepts an entry. It refuses a plateau."""
    return (
        entry.type.startswith("torch.") and entry.type != "torch.ReduceLROnPlateau" and "param_name" not in entry.values
    )


def _refuse_mixed_steps(context: ConfigContext, listed: list[Entry]) -> None:
    """Without an ``epoch_length``, raise an error if mmengine's entries count both epochs and iterations."""
    windowed = [one for one in listed if one.type.startswith(("mmengine.", "mmagic.")) and "Reduce" not in one.type]
    by_epoch = [one.values.get("by_epoch", True) for one in windowed]
    if context.epoch_length is None and True in by_epoch and False in by_epoch:
        first, second = windowed[by_epoch.index(True)], windowed[by_epoch.index(False)]
        raise ValueError(
            f"{first.where} counts epochs and {second.where} counts iterations, so epoch_length must be a number, "
            "given None"
        )


def scheduler_of(
    entries: Sequence[EntrySchedule],
    save_history: bool,
    schedule_of: Callable[[list[EntrySchedule]], Schedule] = combined,
) -> BaseParamScheduler:
    """Make one scheduler from the schedules of several entries.

    Args:
        entries: the schedules. Each parameter gets one scheduler. If there are several schedulers, they go into a
            ``ParamGroupScheduler``.
        save_history: whether to record the values.
        schedule_of: a function that combines the schedules of one parameter.
    """
    where, optimizer = entries[0].where, entries[0].context.optimizer
    entries = [one for entry in entries for one in (entry, *(replace(other, where=where) for other in entry.others))]
    of_param: dict[tuple[str, int | None], list[EntrySchedule]] = {}
    for entry in entries:
        of_param.setdefault(entry.context.key, []).append(entry)
    names = {key: some[-1].context.param_name for key, some in of_param.items()}
    schedules = {key: located(some[0].where, schedule_of, some) for key, some in of_param.items()}
    for entry in entries:
        if entry.momentum is not None and entry.context.param_name == "lr":
            key = _momentum_key(entry)
            if key in schedules:
                raise ValueError(f"{entry.where}: another entry writes the momentum too: set 'cycle_momentum' to false")
            schedules[key], names[key] = entry.momentum, "momentum"
    with_metric = [entry for entry in entries if entry.metric_name is not None]
    if with_metric and len(schedules) > 1:
        raise ValueError(f"{with_metric[0].where}: a scheduler that reads a metric must be the only one in its config")
    [(key, schedule), *others] = schedules.items()
    if with_metric:
        metric_name, every = with_metric[0].metric_name, with_metric[0].metric_every
        given = (optimizer, names[key], metric_name, schedule, save_history)
        return located(where, MetricScheduler, *given, every=every)  # type: ignore[no-any-return]
    if not others:
        return located(where, ParamScheduler, optimizer, names[key], save_history, schedule=schedule)  # type: ignore[no-any-return]
    schedulers = [located(where, ParamScheduler, optimizer, names[key], schedule=one) for key, one in schedules.items()]
    return ParamGroupScheduler(schedulers, save_history=save_history)


def _momentum_key(entry: EntrySchedule) -> tuple[str, int | None]:
    try:
        return entry.context.of("momentum").key
    except ValueError as error:
        raise ValueError(
            f"{entry.where}['cycle_momentum'] must be false for an optimizer without momentum or betas, given true"
        ) from error
