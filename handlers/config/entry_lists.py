"""The scheduler of several entries of a config: all at once, or one after another."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.metric_scheduler import MetricScheduler
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.durations import duration_in_events
from lehr.handlers.schedules.stateful import stateful_parts

from .checks import text
from .context import ConfigContext
from .dialects import TYPES
from .dialects.lehr import SCHEDULERS, Nested, arguments_of
from .dialects.torch_nested import chain_of
from .dialects.transformers import by_short_name
from .entries import Entry, build, located
from .entry_schedules import EntrySchedule, combined, one_after_another


def entry_schedule(context: ConfigContext, entry: Entry) -> EntrySchedule:
    """The schedule of an entry of another library."""
    prefix, _, name = entry.type.partition(".")
    if name not in TYPES.get(prefix, {}):
        refuse_type(entry)
    where = entry.where
    if "param_name" in entry.values:
        where = f"{where}['param_name']"
        context = context.of(text(where, entry.values["param_name"]))
        entry = entry.without("param_name")
    located(where, getattr, context, "slot")
    if prefix == "transformers":
        name, entry = by_short_name(name, entry)
    schedule: EntrySchedule = build(TYPES[prefix][name], entry, context)
    return replace(schedule, where=entry.where)


def refuse_type(entry: Entry) -> None:
    """Raise an error for an unknown type, with similar names of all libraries."""
    full: dict[str, list[str]] = {}
    for prefix, types in TYPES.items():
        for name in types:
            full.setdefault(name, []).append(f"{prefix}.{name}")
    for name in SCHEDULERS:
        full.setdefault(name, []).append(name)
    folded = {name.casefold(): name for name in full}
    last = entry.type.rpartition(".")[2].casefold()
    near = [last] if last in folded else difflib.get_close_matches(last, folded, n=3, cutoff=0.6)
    preferred = entry.type.partition(".")[0].lower()
    found = sorted((one for name in near for one in full[folded[name]]), key=lambda one: not one.startswith(preferred))
    hint = f"did you mean {' or '.join(map(repr, found[:4]))}?" if found else "names of other libraries have a prefix"
    raise ValueError(
        f"{entry.where}['type'] must be a known one, with the prefix {', '.join(map(repr, TYPES))} or none for lehr's "
        f"own, given {arguments.shown(entry.type)}; {hint}"
    )


def scheduler_of_list(
    context: ConfigContext, where: str, options: Mapping[str, Any], listed: list[Entry], nested: Nested
) -> BaseParamScheduler:
    """Make the scheduler of several entries.

    Args:
        context: the parameter that they schedule where they name no other.
        where: the path to the list.
        options: the keys beside the list: ``sequential``, ``milestones``, ``durations`` and ``save_history``.
        listed: the entries.
        nested: makes a scheduler of a config, from a context and the path to it.
    """
    sequential = arguments.flag(f"{where}['sequential']", options.get("sequential", False))
    save_history = arguments.flag(f"{where}['save_history']", options.get("save_history", False))
    for entry in listed:
        flag = arguments.flag(f"{entry.where}['save_history']", entry.values.get("save_history", False))
        save_history = save_history or flag
        if "param_name" in entry.values:
            text(f"{entry.where}['param_name']", entry.values["param_name"])
    listed = [entry.without("save_history") for entry in listed]
    if sequential:
        schedules, durations = _in_sequence(context, where, options, listed, nested)
        return scheduler_of(schedules, save_history, lambda some: one_after_another(some, durations))
    for key in ("milestones", "durations"):
        if key in options:
            raise ValueError(f"{where}[{key!r}] is for schedulers one after another: add 'sequential': true")
    _refuse_mixed_steps(context, listed)
    own = [entry for entry in listed if "." not in entry.type]
    if own and len({entry.values.get("param_name", context.param_name) for entry in listed}) < len(listed):
        raise ValueError(
            f"{own[0].where}: lehr's own schedulers cannot change one another's values: put them one after "
            "another with 'sequential': true, or into a ChainedScheduler to multiply them"
        )
    if len(listed) > 1 and all(map(_can_be_chained_by_torch, listed)):
        return scheduler_of([chain_of(context, listed)], save_history)
    return scheduler_of([_schedule_in_list(context, entry, nested) for entry in listed], save_history)


def _schedule_in_list(context: ConfigContext, entry: Entry, nested: Nested) -> EntrySchedule:
    """The schedule of an entry of a list, of another library or of lehr."""
    if "." in entry.type:
        return entry_schedule(context, entry)
    scheduler = nested(context, entry.where, {"type": entry.type, **entry.values})
    if type(scheduler) is ParamGroupScheduler or not isinstance(scheduler, ParamScheduler):
        raise ValueError(
            f"{entry.where}['type'] must be a scheduler of one parameter in a list, given {arguments.shown(entry.type)}"
        )
    if scheduler.param_group_index is not None or stateful_parts(scheduler.schedule):
        raise ValueError(f"{entry.where} must be for all param groups and read no metric, since it is in a list")
    schedule = scheduler.schedule
    return EntrySchedule(context.of(scheduler.param_name), lambda value: schedule, where=entry.where)


def _can_be_chained_by_torch(entry: Entry) -> bool:
    """Whether torch can step an entry in a chain, which it refuses for a plateau."""
    return (
        entry.type.startswith("torch.") and entry.type != "torch.ReduceLROnPlateau" and "param_name" not in entry.values
    )


def _refuse_mixed_steps(context: ConfigContext, listed: list[Entry]) -> None:
    """Raise an error if mmengine's entries count both epochs and iterations, and there is no ``epoch_length``."""
    windowed = [one for one in listed if one.type.startswith(("mmengine.", "mmagic.")) and "Reduce" not in one.type]
    by_epoch = [one.values.get("by_epoch", True) for one in windowed]
    if context.epoch_length is None and True in by_epoch and False in by_epoch:
        first, second = windowed[by_epoch.index(True)], windowed[by_epoch.index(False)]
        raise ValueError(
            f"{first.where} counts epochs and {second.where} counts iterations: epoch_length must be given to combine "
            "them, given None"
        )


def _in_sequence(
    context: ConfigContext, where: str, options: Mapping[str, Any], listed: list[Entry], nested: Nested
) -> tuple[list[EntrySchedule], list[int]]:
    """The schedules of a sequence of entries, and the duration in events of each but the last."""
    schedules = []
    for entry in listed:
        takes_duration = entry.type in SCHEDULERS and "duration" in arguments_of(entry.type)
        given = entry if takes_duration else entry.without("duration")
        schedules.append(_schedule_in_list(context, given, nested))
    durations = _durations(context, where, options, listed, schedules)
    for one in schedules:
        if one.context.param_name != schedules[0].context.param_name:
            raise ValueError(
                f"{one.where} must be for {arguments.shown(schedules[0].context.param_name)} like the first entry"
            )
        if one.groups is not None or schedules[0].groups is not None:
            raise ValueError(f"{one.where}: param_group_tags cannot be in a sequence: put it into a SequentialLR")
        if one.momentum is not None:
            raise ValueError(f"{one.where}: cycle_momentum must be false in a sequence: put it into a SequentialLR")
    return schedules, durations


def _durations(
    context: ConfigContext,
    where: str,
    options: Mapping[str, Any],
    listed: Sequence[Entry],
    schedules: Sequence[EntrySchedule],
) -> list[int]:
    """The duration of each entry but the last, from the list, from the entries or from their schedules."""

    def events(name: str, value: object) -> int:
        if context.epoch_length is None:
            return arguments.whole_number(name, value, at_least=0)
        arguments.number(name, value, at_least=0)
        return int(duration_in_events(name, value, context.epoch_length))

    own = [
        events(f"{entry.where}['duration']", entry.values["duration"])
        if "duration" in entry.values
        else (one.window.duration if one.duration is None else one.duration)
        for entry, one in zip(listed, schedules, strict=True)
    ][:-1]
    given = [key for key in ("durations", "milestones") if key in options]
    of_entries = any("." in entry.type and "duration" in entry.values for entry in listed[:-1])
    if len(given) + of_entries > 1:
        names = [*given, "duration of an entry"] if of_entries else given
        raise ValueError(f"{where}: lengths must be given once, given {' and '.join(names)}")
    if given:
        path, values = f"{where}[{given[0]!r}]", options[given[0]]
        if not isinstance(values, list | tuple) or len(values) != len(own):
            raise ValueError(f"{path} must be a list of {len(own)} numbers, given {arguments.shown(values)}")
        numbers = [events(f"{path}[{at}]", value) for at, value in enumerate(values)]
        if given == ["durations"]:
            return numbers
        if numbers != sorted(numbers):
            raise ValueError(f"{path} must rise, given {arguments.shown(values)}")
        return [int(one) for one in np.diff([0, *numbers])]
    for entry, duration in zip(listed, own, strict=False):
        if duration is None:
            raise ValueError(f"{entry.where}: 'duration' must be given, the number of events until the next one begins")
    return [int(duration) for duration in own if duration is not None]


def scheduler_of(
    entries: Sequence[EntrySchedule],
    save_history: bool,
    schedule_of: Callable[[Sequence[EntrySchedule]], Schedule] = combined,
) -> BaseParamScheduler:
    """Make one scheduler for the schedules of some entries.

    Args:
        entries: the schedules. There is one scheduler for each parameter, in a ``ParamGroupScheduler`` where there are
            several.
        save_history: whether to record the values.
        schedule_of: combines the schedules of one parameter.
    """
    where, optimizer = entries[0].where, entries[0].context.optimizer
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
