"""Converts a config of one library to a config of another library, and checks that both give the same values."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from lehr.handlers.config.configure import Config
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.description_as_data import description_of
from lehr.handlers.targets.param_groups import HasParamGroups

from . import to_lehr, to_mmengine, to_torch, to_transformers
from .schedules_of_config import Planned, planned, stand_in
from .unsayable import UnsayableError

TARGETS: dict[str, Callable[[Planned], Iterator[Any]]] = {
    "hf": to_transformers.training_arguments,
    "lehr": to_lehr.configs,
    "mmengine": to_mmengine.configs,
    "torch": to_torch.configs,
    "transformers": to_transformers.configs,
}
OTHER = 0.5  # a result is also tested with an optimizer whose values are multiplied by this factor
RELATIVE, OF_LARGEST = 1e-9, 1e-12
MOST_EVENTS, LEAST_EVENTS = 1_000_000, 2_000


def convert_config(
    config: Config,
    *,
    to: str,
    optimizer: HasParamGroups | None = None,
    param_name: str = "lr",
    epoch_length: int | None = None,
    max_epochs: int | None = None,
    total_steps: int | None = None,
    dialect: str | None = None,
    section: str | None = None,
    root: str | os.PathLike[str] | None = None,
) -> Any:
    """Convert a config to a config of another library that gives the same values.

    The result is complete, so ``configure_scheduler(optimizer, result)`` needs no other arguments to give the same
    values as the config. Before the function returns the result, it compares the values of the result with the values
    of the config at each event of the run. If the length of the run is unknown, it compares twice as many events as the
    longest schedule has, and at least 2,000 events. The relative difference may be 1e-9, and the absolute difference
    1e-12 of the largest value. If there are more than 1,000,000 events, the function compares 1,000,000 evenly spaced
    events. If a scheduler reads a metric, the function compares the arguments of the schedules, which must be equal.

    Args:
        config: a config, as :func:`configure_scheduler` accepts it.
        to: the library: ``"lehr"``, ``"torch"``, ``"mmengine"``, ``"transformers"`` (the name of one of its functions,
            and its arguments) or ``"hf"`` (the ``TrainingArguments`` of its Trainer).
        optimizer: the optimizer from whose present values the config starts. It does not change. If the library cannot
            express the config for all values, the result may be right only for the values of this optimizer. If None,
            the result is right for any value that all param groups share.
        param_name: as in :func:`configure_scheduler`.
        epoch_length: iterations of an epoch, as in :func:`configure_scheduler`.
        max_epochs: epochs of the run, as in :func:`configure_scheduler`. The result has no schedules for events after
            the run.
        total_steps: steps of the whole run, as in :func:`configure_scheduler`.
        dialect: the library to which names without a prefix in ``config`` belong, as in :func:`configure_scheduler`.
        section: as in :func:`configure_scheduler`.
        root: as in :func:`configure_scheduler`.

    Returns:
        A dict of plain data, or a list for mmengine. Steps are events. If the steps of torch or mmengine are epochs and
        the events are iterations, the result is a dict with the key ``epoch_length``.

    Raises:
        TypeError, ValueError, FileNotFoundError, ImportError: see :func:`configure_scheduler`; ``to`` is unknown; the
            other library cannot express a part of the config, which the error names.

    Example:
        >>> convert_config({"type": "torch.StepLR", "step_size": 30}, to="lehr")
        {'type': 'StepScheduler', 'step_size': 30, 'gamma': 0.1}
        >>> trainer = {"lr_scheduler_type": "linear", "warmup_steps": 20, "max_steps": 100}
        >>> convert_config(trainer, to="torch", total_steps=100)["milestones"]
        [1, 20]
        >>> convert_config({"type": "torch.StepLR", "step_size": 30}, to="transformers")
        Traceback (most recent call last):
        ...
        ValueError: transformers cannot express the schedule of 'lr' at event 0 and later, from 1, times 0.1 every 30 \
steps: it has no such schedule
    """
    arguments.one_of("to", to, list(TARGETS))
    options: dict[str, Any] = {"param_name": param_name, "epoch_length": epoch_length, "max_epochs": max_epochs}
    options |= {"total_steps": total_steps, "dialect": dialect, "section": section, "root": root}
    at_first = planned(stand_in(optimizer, param_name), config, **options)
    other = _other(optimizer, param_name, at_first)
    try:
        return _converted(to, optimizer, param_name, at_first, other)
    except UnsayableError as error:
        raise ValueError(arguments.shortened(f"{to} cannot express {error}{_hint(to, at_first, other)}")) from None


def _hint(to: str, at_first: Planned, other: Planned | None) -> str:
    """Return a hint with the value of the optimizer for which the library can express the config, or an empty text."""
    [name, *others] = at_first.schedules
    if other is None or others or not at_first.schedules[name].is_pure:
        return ""
    events = _events(at_first.events, at_first.schedules[name])
    here, there = (_table(one.schedules[name], events, len(at_first.bases[name])) for one in (at_first, other))
    peak = float(here.max())
    if peak <= 0 or not np.array_equal(here, there) or set(at_first.bases[name]) == {peak}:
        return ""
    needed = SimpleNamespace(param_groups=[{"params": [], name: peak} for _ in at_first.bases[name]])
    try:
        plan = planned(stand_in(needed, name), at_first.config)
        _converted(to, needed, name, plan, planned(stand_in(needed, name, OTHER), at_first.config))
    except (TypeError, ValueError, UnsayableError):
        return ""
    return f"; it can do so for an optimizer whose {name!r} is {peak:.6g}"


def _other(optimizer: Any, param_name: str, at_first: Planned) -> Planned | None:
    """Return the plan of the config for an optimizer with other values, or None if the config refuses the values."""
    try:
        return planned(stand_in(optimizer, param_name, OTHER), at_first.config)
    except (TypeError, ValueError):
        return None


def _converted(to: str, optimizer: Any, param_name: str, at_first: Planned, other: Planned | None) -> Any:
    """Return the first result that is right for any optimizer, or else the first that is right for ``optimizer``."""
    kept: list[Any] = []
    error: UnsayableError | None = None
    try:
        for made in TARGETS[to](at_first):
            wrong = _difference(at_first, partial(planned, stand_in(optimizer, param_name)), made)
            if wrong is not None:
                error = error or UnsayableError(wrong)
                continue
            if (
                other is None
                or _difference(other, partial(planned, stand_in(optimizer, param_name, OTHER)), made) is None
            ):
                return made
            kept.append(made)
    except UnsayableError as unsayable:
        error = error or unsayable
    if kept and optimizer is not None:
        return kept[0]
    if _is_of(to, at_first.config):
        return dict(at_first.config)
    if kept:
        raise UnsayableError(
            f"{_which(at_first)} for every optimizer, since it depends on the optimizer's values: pass the optimizer"
        )
    raise error or UnsayableError(_which(at_first))


def _is_of(to: str, config: Any) -> bool:
    """Return whether a plain config already belongs to the library ``to``."""
    if isinstance(config, list):
        return all(_is_of(to, one) for one in config)
    name = str(config.get("type", to))
    is_named = (name == to or name.startswith(f"{to}.")) and "param_name" not in config
    return is_named and _is_of(to, config.get("schedulers", []))


def _which(at_first: Planned) -> str:
    return f"the schedule of {' and '.join(map(repr, at_first.schedules))}"


def _difference(wanted: Planned, make: Callable[[Any], Planned], result: Any) -> str | None:
    """Return a text that says how the values of a result differ from the wanted values, or None if they are equal."""
    try:
        made = make(result)
    except (TypeError, ValueError) as error:
        return f"{_which(wanted)}: {error}"
    for name, schedule in wanted.schedules.items():
        own = made.schedules.get(name)
        if own is None or set(made.schedules) != set(wanted.schedules) or made.metric != wanted.metric:
            return _which(wanted)
        if not (schedule.is_pure and own.is_pure):
            if description_of(schedule) != description_of(own):
                return f"the schedule of {name!r}, which depends on what happens in training"
            continue
        events = _events(wanted.events, schedule, own)
        groups = len(wanted.bases[name])
        here, there = (_table(one, events, groups) for one in (schedule, own))
        differ = ~np.isclose(here, there, rtol=RELATIVE, atol=OF_LARGEST * np.abs(here).max(initial=0), equal_nan=True)
        if differ.any():
            at, group = np.argwhere(differ)[0]
            return (
                f"the schedule of {name!r} at event {int(events[at])}: it would be {there[at, group]:.6g} instead of "
                f"{here[at, group]:.6g}"
            )
    return None


def _events(known: int | None, *schedules: Schedule) -> "np.ndarray[Any, np.dtype[np.float64]]":
    longest = max((one.length or 0 for one in schedules), default=0)
    total = known or int(min(max(2 * longest, LEAST_EVENTS), MOST_EVENTS))
    if total <= MOST_EVENTS:
        return np.arange(total, dtype=np.float64)
    return np.unique(np.linspace(0, total - 1, MOST_EVENTS).round())


def _table(schedule: Schedule, events: Any, groups: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return the values of a schedule at n events in each param group, ``(n, groups)``."""
    values = schedule(events)
    return np.broadcast_to(values[:, None] if values.ndim == 1 else values, (len(events), groups))
