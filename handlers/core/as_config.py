"""Schedulers and schedules as plain data: the names of their classes, and their arguments."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any

from lehr.handlers import schedules
from lehr.handlers.schedules import Curve, Schedule, Turn
from lehr.handlers.schedules.recursion import Rule

SCHEDULES = {name: getattr(schedules, name) for name in schedules.__all__}


def copied(arguments: Any) -> Any:
    """Arguments as they are now, whatever is put into their lists later."""
    if isinstance(arguments, list | tuple) and type(arguments) in (list, tuple):
        return type(arguments)(map(copied, arguments))
    return {key: copied(one) for key, one in arguments.items()} if type(arguments) is dict else arguments


def remember_config(scheduler: Any, config: dict[str, Any]) -> None:
    """Let ``scheduler.config()`` return the config that the scheduler was made from."""
    scheduler._config = config


def config_of(scheduler: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a scheduler that was made with these arguments.

    Raises:
        TypeError: an argument is no data.
    """
    bound = _signature(type(scheduler)).bind(*args, **kwargs)
    config: dict[str, Any] = {"type": type(scheduler).__name__}
    for name, value in bound.arguments.items():
        parameter = bound.signature.parameters[name]
        if parameter.kind is parameter.VAR_KEYWORD:
            config |= {key: as_data(key, one) for key, one in value.items() if key != "optimizer"}
        elif name != "optimizer" and not _same(value, parameter.default):
            config[name] = as_data(name, value)
    return config


def _signature(cls: type) -> inspect.Signature:
    """The arguments of a class; of the one it stands upon, where it only passes them on."""
    for one in cls.__mro__:
        if "__init__" in vars(one):
            _, *rest = inspect.signature(one.__init__).parameters.values()  # type: ignore[misc]
            if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in rest):
                return inspect.Signature(rest)
    return inspect.Signature()


def copied_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config of its own, which may be changed.

    Raises:
        TypeError: something in it is no data.
    """
    return {key: as_data(key, value) for key, value in config.items()}


def as_data(name: str, value: Any) -> Any:
    """Something in a config as plain data: numbers, strings, None, lists and mappings of these.

    Args:
        name: where it stands, for errors.
        value: plain data, or a schedule, a curve or a scheduler, or lists and mappings of them.

    Raises:
        TypeError: it is something else.

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
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: as_data(f"{name}.{key}", item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return as_data(name, value.tolist())
    if callable(getattr(value, "config", None)):
        return value.config()
    if isinstance(value, Schedule | Curve | Rule | Turn) and SCHEDULES.get(type(value).__name__) is type(value):
        return _schedule_as_data(name, value)
    raise TypeError(f"{name} is no data, and cannot be put into a config: {value!r}")


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
