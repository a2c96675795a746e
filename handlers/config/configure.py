"""One scheduler out of a config: a mapping, a list of mappings, or a file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lehr.handlers.config.dialects.lehr import lehr_scheduler
from lehr.handlers.config.dialects.lehr_classes import CLASSES
from lehr.handlers.core.as_config import copied_config
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import arguments
from lehr.handlers.targets.param_groups import HasParamGroups

from .context import Target
from .entries import Entry, entries, entry
from .entry_lists import of_list, piece_of, refuse_type, save_history_of, written
from .entry_schedules import together
from .files import read

MAX_EVENT_INDEX, DEEPEST = 100_000, 50
Config = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str]


def configure_scheduler(
    optimizer: HasParamGroups, config: Config, *, param_name: str = "lr", epoch_length: int | None = None
) -> BaseParamScheduler:
    """A scheduler out of a config of lehr's own, or of another library, with that library's names and arguments.

    ``{"type": "torch.StepLR", "step_size": 30}`` is a scheduler whose value at event i is what torch's ``StepLR`` has
    in effect for step i of the optimizer. The prefix is ``torch``, ``mmengine``, ``mmagic``, ``cerebras``, ``timm`` or
    ``transformers``; without a prefix it is a class of :mod:`lehr.handlers`. The other entries are the arguments of
    that class, without the optimizer; schedulers in schedulers are mappings of the same kind.

    Args:
        optimizer: the optimizer. What its param groups hold now are the initial values.
        config: one of these:
            a mapping with ``type`` and arguments;
            a list of mappings, all in force at once, each working upon what the others leave, as in mmengine; those
            for different parameters go into one :class:`ParamGroupScheduler`;
            ``{"sequential": True, "schedulers": [...]}``, or a list in which each mapping has ``"sequential": True``:
            one after another, each for its own ``duration`` (or, where that is left out, for as long as its own
            arguments say), or from ``milestones`` to milestone;
            the path of a ``.yaml``, ``.yml`` or ``.json`` file with one of these in it.
            Beside a class's own arguments an entry may have ``param_name`` and ``save_history``; what is driven by a
            metric may have ``metric_name``, by default ``"loss"``, which is read from ``engine.state.metrics`` at
            each event but the first, where it may still be missing.
        param_name: the parameter to schedule where an entry does not say.
        epoch_length: events in an epoch. lehr's own classes and lists then have their durations in epochs; torch's,
            and mmengine's and timm's that count epochs, hold each value for an epoch; Cerebras' and transformers'
            count steps, and refuse it. It may also stand in the mapping.

    Returns:
        A scheduler, to be attached to ``Events.ITERATION_STARTED``, or to ``Events.EPOCH_STARTED`` where the config
        counts epochs and ``epoch_length`` is None.

    Raises:
        TypeError: something is of the wrong kind; a function where data belongs.
        ValueError: an unknown type or argument, one that is missing or out of its range; two entries for one parameter
            that cannot be in force at once. Every error says where in the config it is.
        FileNotFoundError, ImportError: there is no such file; a YAML file without PyYAML.

    Nothing is imported or evaluated from a config: names stand in tables. Functions such as ``lr_lambda`` may stand in
    a mapping made in Python, never in a file.

    Deviations from the libraries, where they contradict their own documentation or fail: one-cycle schedules hold
    their last value, where torch, mmengine and Cerebras extrapolate; torch's ``ConstantLR`` and ``LinearLR`` with
    ``total_iters=0`` are at their end at once; a ``SequentialLR`` in another one beyond its first member, which torch
    does not support, begins anew; Cerebras' ``CosineAnnealingWarmRestarts`` restarts, ``cycle=True`` cycles, several
    lambdas multiply the initial value once, ``scale_mode`` counts, compound schedulers advance what is in them, and a
    warm-up of 0 steps does not divide by 0; timm's ``Tanh`` and ``MultiStep`` follow their formula from step 0 on.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        >>> scheduler = configure_scheduler(optimizer, {"type": "torch.StepLR", "step_size": 2, "gamma": 0.5})
        >>> scheduler.simulate(5)[:, 0].tolist()
        [0.5, 0.5, 0.25, 0.25, 0.125]
        >>> scheduler.config()
        {'type': 'torch.StepLR', 'step_size': 2, 'gamma': 0.5}
        >>> warmup = {"type": "mmengine.LinearLR", "start_factor": 0.5, "end": 3}
        >>> annealing = {"type": "mmengine.CosineAnnealingLR", "begin": 3, "end": 7}
        >>> configure_scheduler(optimizer, [warmup, annealing]).simulate(7)[:, 0].round(4).tolist()
        [0.25, 0.375, 0.5, 0.5, 0.4268, 0.25, 0.0732]
    """
    if not isinstance(param_name, str):
        raise TypeError(f"param_name must be a string, given {param_name!r}")
    where, from_file = "config", False
    if isinstance(config, str | os.PathLike):
        where, from_file, config = os.fspath(config), True, read(Path(config))
    if not isinstance(config, Mapping | list | tuple):
        raise TypeError(f"{where} must be a mapping, a list of mappings or the path of a file, given {config!r}")
    _refuse_too_much(where, config)
    whole, listed = _parts(where, config, from_file)
    scheduler = _of_parts(Target(optimizer, param_name, checked_epoch_length(epoch_length)), whole, listed)
    scheduler._config = _as_config(whole, config, param_name, epoch_length)
    return scheduler


def checked_epoch_length(epoch_length: object) -> int | None:
    """The length of an epoch, if there is one."""
    return None if epoch_length is None else arguments.whole_number("epoch_length", epoch_length, at_least=1)


def _refuse_too_much(where: str, config: Any) -> None:
    """Raise for a config that holds itself, or so much that nobody can have meant it."""
    level, count = [config], 0
    for _ in range(DEEPEST):
        level = [item for one in level for item in (one.values() if isinstance(one, Mapping) else one)]
        level = [item for item in level if isinstance(item, Mapping | list | tuple)]
        count += len(level)
        if count > MAX_EVENT_INDEX:
            raise ValueError(f"{where} must have at most {MAX_EVENT_INDEX} lists and mappings in it, given more")
        if not level:
            return
    raise ValueError(f"{where} must be nested at most {DEEPEST} deep, given more")


def _of_parts(target: Target, whole: Entry, listed: list[Entry] | None) -> BaseParamScheduler:
    """The scheduler of a mapping, or of a list of them."""
    epoch_length = whole.given.get("epoch_length")
    if epoch_length is not None:
        here = arguments.whole_number(f"{whole.where}['epoch_length']", epoch_length, at_least=1)
        if target.epoch_length not in (None, here):
            raise ValueError(f"{whole.where}: epoch_length must be given once, given {target.epoch_length} and {here}")
        target = replace(target, epoch_length=here)
    if listed is None:
        return _of_entry(target, whole.without("epoch_length"))
    param_name = whole.given.get("param_name", target.param_name)
    if not isinstance(param_name, str):
        raise TypeError(f"{whole.where}['param_name'] must be a string, given {param_name!r}")
    return of_list(target.of(param_name), whole, listed, _nested)


def _nested(target: Target, given: Entry) -> BaseParamScheduler:
    """The scheduler of a mapping in another one."""
    return _of_parts(target, *_parts(given.where, given.given, given.from_file))


def _parts(where: str, config: Any, from_file: bool) -> tuple[Entry, list[Entry] | None]:
    """The whole as an entry; and the list of entries in it, if it is one."""
    if isinstance(config, Mapping):
        whole = entry(where, config, from_file=from_file)
        if "type" in config or "schedulers" not in config:
            return whole, None
        for key in config:
            known = (
                "schedulers",
                "sequential",
                "milestones",
                "durations",
                "param_name",
                "epoch_length",
                "save_history",
            )
            if key not in known:
                raise ValueError(
                    f"{where}[{key!r}] is not known beside a list of schedulers, where there may be {known}"
                )
        return whole, entries(f"{where}['schedulers']", config["schedulers"], from_file=from_file)
    listed = entries(where, config, from_file=from_file)
    marks = [one.given.get("sequential", False) for one in listed]
    sequential = arguments.flag(f"{where}[0]['sequential']", marks[0])
    for at, mark in enumerate(marks):
        if arguments.flag(f"{where}[{at}]['sequential']", mark) != sequential:
            raise ValueError(f"{where}[{at}]['sequential'] must be the same in all entries, given {mark}")
    return Entry(where, {"sequential": sequential}, from_file), [one.without("sequential") for one in listed]


def _of_entry(target: Target, given: Entry) -> BaseParamScheduler:
    if given.type not in CLASSES and "." not in given.type:
        refuse_type(given)
    if "." not in given.type:
        return lehr_scheduler(target, given, _nested)
    save_history = save_history_of(given)
    return written([piece_of(target, given.without("save_history"))], together, save_history)


def _as_config(whole: Entry, config: Any, param_name: str, epoch_length: int | None) -> dict[str, Any]:
    """A mapping that says all that there is to say."""
    if isinstance(config, Mapping):
        given = dict(config)
    else:
        sequential = whole.given["sequential"]
        given = {"schedulers": [{k: v for k, v in one.items() if k != "sequential"} for one in config]}
        given |= {"sequential": True} if sequential else {}
    if param_name != "lr":
        given.setdefault("param_name", param_name)
    if epoch_length is not None:
        given["epoch_length"] = epoch_length
    try:
        return copied_config(given)  # a copy, which nobody changes
    except TypeError:
        return given
