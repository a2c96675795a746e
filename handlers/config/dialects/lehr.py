"""The schedulers of lehr itself, by their names and arguments."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from lehr.handlers.config.argument_checks import text
from lehr.handlers.config.context import Target
from lehr.handlers.config.entries import Entry, entries, entry, located, lookup, refuse_callable, refuse_key
from lehr.handlers.core.as_config import SCHEDULES
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.decay_scheduler import DecayScheduler, Options
from lehr.handlers.schedules.base import checked_schedule
from lehr.handlers.schedules.durations import in_events
from lehr.handlers.targets.group_selection import Groups
from lehr.handlers.targets.param_groups import ParamGroups

from .lehr_classes import BY_KEYWORD, CLASSES, TIMED


def lehr_scheduler(
    target: Target, given: Entry, nested: Callable[[Target, Entry], BaseParamScheduler]
) -> BaseParamScheduler:
    """What an entry without a prefix comes to.

    Args:
        target: what it is for.
        given: the entry.
        nested: makes a scheduler of an entry in it.
    """
    name = lookup(f"{given.where}['type']", given.type, CLASSES)
    cls, signature, names = CLASSES[name], inspect.signature(CLASSES[name].__init__), argument_names(name)
    if "param_name" not in names and "param_name" in given.given:
        target = target.of(text(f"{given.where}['param_name']", given.given["param_name"]))
        given = given.without("param_name")
    if name == "ReduceLROnPlateauScheduler" and target.param_name != "lr":
        raise ValueError(
            f"{given.where}['type'] is for 'lr' alone, given {target.param_name!r}: take ReduceOnPlateauScheduler"
        )
    values: dict[str, Any] = {}
    for key, value in given.without("type").given.items():
        if key not in names or key == "optimizer":
            refuse_key(given.where, key, [one for one in names if one != "optimizer"])
        refuse_callable(given, key, value)
        values[key] = _understood(target, given, key, value, nested)
    if "optimizer" in names:
        if "param_name" in names:
            values.setdefault("param_name", target.param_name)
        values = {"optimizer": target.optimizer, **values}
    if target.epoch_length is not None:
        values = located(given.where, _in_events, name, values, target.epoch_length)
    required = [
        k for k in names if k in signature.parameters and signature.parameters[k].default is inspect.Parameter.empty
    ]
    missing = [key for key in required if key not in values]
    if missing:
        raise ValueError(f"{given.where}: {', '.join(map(repr, missing))} must be given, given {list(given.given)}")
    if name == "ParamGroupScheduler":
        _refuse_two_writers(given, values["schedulers"])
    return located(given.where, cls, **values)  # type: ignore[no-any-return]


def argument_names(name: str) -> list[str]:
    """The arguments of a class, those among them that it only passes on."""
    parameters = inspect.signature(CLASSES[name].__init__).parameters
    names = [key for key, one in parameters.items() if key != "self" and one.kind is not one.VAR_KEYWORD]
    if issubclass(CLASSES[name], DecayScheduler):  # type: ignore[arg-type]
        names += get_type_hints(Options)
    return names + sorted(BY_KEYWORD.get(name, ()))


def _refuse_two_writers(given: Entry, schedulers: list[Any]) -> None:
    """Raise if two members write the same parameter of the same group: only the last value would stay."""
    written: dict[tuple[Any, ...], int] = {}
    for at, writer in enumerate(one for one in schedulers if isinstance(one, ParamScheduler)):
        slot = ParamGroups(writer.optimizer, writer.param_name, writer.param_group_index)
        chosen = set(map(id, slot.groups()))
        for group in [at for at, one in enumerate(slot.optimizer.param_groups) if id(one) in chosen]:
            if (first := written.setdefault((slot.key, slot.item, group), at)) != at:
                raise ValueError(
                    f"{given.where}['schedulers'][{at}] must write another parameter or group than that at {first}, "
                    f"given {writer.param_name!r} of group {group} for both"
                )


def _understood(
    target: Target, given: Entry, key: str, value: Any, nested: Callable[[Target, Entry], BaseParamScheduler]
) -> Any:
    if key == "schedulers":
        inner = entries(f"{given.where}['schedulers']", value, from_file=given.from_file)
        return [nested(target, one) for one in inner]
    if key in ("schedule", "flat") and isinstance(value, Mapping):
        described = given.inner(key, value)
        return located(described.where, checked_schedule, key, schedule_of(described))
    if key == "phases" and isinstance(value, list | tuple):
        return _inner(f"{given.where}['phases']", value, given.from_file)
    if key == "param_group_index" and isinstance(value, Mapping):
        for name in value:
            if name not in ("select", "added"):
                refuse_key(f"{given.where}['param_group_index']", name, ["select", "added"])
        return located(f"{given.where}['param_group_index']", Groups, **value)
    return value


def schedule_of(given: Entry) -> Any:
    """A schedule, or a curve in one, out of its config.

    Raises:
        TypeError, ValueError: it is none.
    """
    name = lookup(f"{given.where}['type']", given.type, SCHEDULES)
    cls = SCHEDULES[name]
    names = list(inspect.signature(cls).parameters)
    values: dict[str, Any] = {}
    for key, value in given.without("type").given.items():
        if key not in names:
            refuse_key(given.where, key, names)
        refuse_callable(given, key, value)
        values[key] = _inner(f"{given.where}[{key!r}]", value, given.from_file)
    return located(given.where, cls, **values)


def _inner(where: str, value: Any, from_file: bool) -> Any:
    if isinstance(value, Mapping):
        return schedule_of(entry(where, value, from_file=from_file))
    if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
        return [_inner(f"{where}[{at}]", one, from_file) for at, one in enumerate(value)]
    return value


def _in_events(name: str, values: dict[str, Any], epoch_length: int) -> dict[str, Any]:
    """The arguments of a class in events, where they are given in epochs."""
    if issubclass(CLASSES[name], DecayScheduler):  # type: ignore[arg-type]
        if values.get("epoch_length") is not None:
            raise ValueError(f"epoch_length must be given once, given {epoch_length} and {values['epoch_length']!r}")
        return {**values, "epoch_length": epoch_length}
    if name in TIMED:
        given_twice = [key for key in ("epochs", "steps_per_epoch") if values.get(key) is not None]
        if given_twice:
            raise ValueError(f"epoch_length must be left out where {given_twice[0]} is given")
        if name == "CyclicScheduler" and "step_size_up" not in values:
            raise ValueError("step_size_up must be given where epoch_length is: its default of 2000 is in events")
        return in_events(TIMED[name], values, epoch_length)
    counts_metrics = (
        "MetricScheduler",
        "ChainedScheduler",
        "ParamGroupScheduler",
        "ReduceLROnPlateauScheduler",
        "ReduceOnPlateauScheduler",
    )
    if name not in counts_metrics:
        raise ValueError(f"epoch_length must be left out: it cannot be said what it means to {name}")
    return values
