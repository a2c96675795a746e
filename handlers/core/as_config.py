"""Converts schedulers and schedules to plain data: the name of the class and the arguments of its constructor."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any

from lehr.handlers import schedules
from lehr.handlers.schedules import Curve, Schedule, Turn, arguments
from lehr.handlers.schedules.arguments import shown
from lehr.handlers.schedules.awaiting_run_length import InUnits
from lehr.handlers.schedules.chainable_rules import Rule

CONTAINERS = {list, tuple, dict}
MAX_DEPTH = 50  # lists and dicts in arguments are copied down to this depth


def kept_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a constructor. Lists, tuples and dicts are copied, because they may change later."""
    if CONTAINERS.isdisjoint(map(type, args)) and CONTAINERS.isdisjoint(map(type, kwargs.values())):
        return args, kwargs
    return copied(args), copied(kwargs)


def copied(arguments: Any, copies: dict[int, Any] | None = None, depth: int = 0) -> Any:
    """Copy the lists, tuples and dicts in arguments, so that later changes to the originals have no effect.

    Args:
        arguments: the arguments. A list that occurs several times is copied once.
        copies: the copies that were made so far. Each key is the id of an original.
        depth: how deeply ``arguments`` is nested. Objects deeper than :data:`MAX_DEPTH` are not copied.
    """
    kind = type(arguments)
    if kind not in CONTAINERS or depth > MAX_DEPTH:
        return arguments
    copies = {} if copies is None else copies
    if id(arguments) not in copies:
        copies[id(arguments)] = arguments  # ends the recursion for a list that contains itself
        # Call the function only for containers, because most items of a long list are numbers.
        items = [
            copied(one, copies, depth + 1) if type(one) in CONTAINERS else one
            for one in (arguments.values() if kind is dict else arguments)
        ]
        copies[id(arguments)] = dict(zip(arguments, items, strict=True)) if kind is dict else kind(items)
    return copies[id(arguments)]


def remember_config(scheduler: Any, config: dict[str, Any]) -> None:
    """Let ``scheduler.config()`` return the config from which the scheduler was made."""
    scheduler._config = config


def config_of(scheduler: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a scheduler that was constructed with these arguments.

    Raises:
        TypeError: an argument is not plain data.
        ValueError: an argument is nested too deeply.
    """
    bound = _signature(type(scheduler)).bind(*args, **kwargs)
    config: dict[str, Any] = {"type": type(scheduler).__name__}
    arguments.within_limits("config", bound.arguments)
    for name, value in bound.arguments.items():
        parameter = bound.signature.parameters[name]
        if parameter.kind is parameter.VAR_KEYWORD:
            config |= {key: as_data(key, one) for key, one in value.items() if key != "optimizer"}
        elif name != "optimizer" and not _same(value, parameter.default):
            config[name] = as_data(name, value)
    return config


def _signature(cls: type) -> inspect.Signature:
    """Return the signature of a class's constructor. If it takes ``*args``, use the constructor of the base class."""
    for one in cls.__mro__:
        if "__init__" in vars(one):
            _, *rest = inspect.signature(one.__init__).parameters.values()  # type: ignore[misc]
            if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in rest):
                return inspect.Signature(rest)
    return inspect.Signature()


def copied_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of a config.

    Raises:
        TypeError: a value is not plain data.
    """
    return {key: as_data(key, value) for key, value in config.items()}


def as_data(name: str, value: Any) -> Any:
    """Convert a value of a config to plain data: numbers, strings, None, and lists and dicts of these.

    Args:
        name: the name of the value in an error.
        value: plain data, a schedule, a curve, a scheduler, or a list or mapping of these.

    Raises:
        TypeError: the value cannot be converted.

    Example:
        >>> from lehr.handlers.schedules import Anneal, Cosine
        >>> as_data("schedule", Anneal(1.0, 0.0, duration=10, curve=Cosine()))
        {'type': 'Anneal', 'start_value': 1.0, 'end_value': 0.0, 'duration': 10.0, 'curve': {'type': 'Cosine'}}
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, list | tuple | range):
        return [as_data(f"{name}[{at}]", item) for at, item in enumerate(value)]
    if isinstance(value, Mapping) and all(type(key) is int or isinstance(key, str) for key in value):
        return {str(key): as_data(f"{name}.{key}", item) for key, item in value.items()}  # as in JSON
    if hasattr(value, "tolist"):
        return as_data(name, value.tolist())
    if callable(getattr(value, "config", None)):
        return value.config()
    if isinstance(value, Schedule | Curve | Rule | Turn) and _is_public(type(value)):
        return _schedule_as_data(name, value)
    if isinstance(value, InUnits) and _is_public(value.schedule_type):
        given = {key: as_data(f"{name}.{key}", one) for key, one in value.given.items()}
        return {"type": value.schedule_type.__name__, **given}
    raise TypeError(f"{name} must be plain data to be in a config, given {shown(value)}")


def _schedule_as_data(name: str, schedule: Any) -> dict[str, Any]:
    assert is_dataclass(schedule)
    given = {
        field.name: getattr(schedule, field.name)
        for field in fields(schedule)
        if field.init and not _same(getattr(schedule, field.name), field.default)
    }
    return {"type": type(schedule).__name__} | {key: as_data(f"{name}.{key}", value) for key, value in given.items()}


def _same(value: Any, default: Any) -> bool:
    try:
        return bool(value == default) and type(value) is type(default)
    except (TypeError, ValueError, RuntimeError):
        return False


def _is_public(cls: type) -> bool:
    """Return whether ``lehr.handlers.schedules`` exports a class, so that a config can name the class."""
    return cls.__name__ in schedules.__all__ and getattr(schedules, cls.__name__) is cls
