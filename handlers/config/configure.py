"""Makes one scheduler from a config, which is a mapping, a list of mappings, or a file."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lehr.handlers.core.as_config import copied_config, remember_config
from lehr.handlers.core.base_values import start_from_base_values
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.core.scheduler_introspection import members_of, target_of
from lehr.handlers.schedules import RunLength, Schedule, arguments
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups

from . import run_length_arguments
from .argument_validators import text
from .context import ConfigContext, Key
from .dialects import TYPES, entry_schedule, refuse_type
from .dialects.cerebras_optimizer import as_section
from .dialects.lehr import SCHEDULERS, lehr_scheduler
from .entries import Entry, in_interval, read_entries, read_entry
from .entry_lists import scheduler_of, scheduler_of_list
from .files import name_of, read
from .plain_containers import Failed, as_containers, is_container
from .recognition import plain_config
from .sections import completed, find_section, run_of_file

LIST_KEYS = ("schedulers", "sequential", "milestones", "durations", "param_name", "epoch_length", "run", "save_history")
Config = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str]


def configure_scheduler(
    optimizer: HasParamGroups,
    config: Config,
    *,
    param_name: str = "lr",
    epoch_length: int | None = None,
    max_epochs: int | None = None,
    total_steps: int | None = None,
    dialect: str | None = None,
    section: str | None = None,
    root: str | os.PathLike[str] | None = None,
    run: RunLength | Mapping[str, Any] | None = None,
) -> ParamScheduler | Any:
    """Make a scheduler from a config of lehr or of another library. The names and arguments are those of the library.

    ``{"type": "torch.StepLR", "step_size": 30}`` makes a scheduler whose value at event i is the value of torch's
    ``StepLR`` at step i of the optimizer. The prefix is ``torch``, ``mmengine`` or another prefix that ``lehr list``
    shows. A type without a prefix is a class of ``lehr.handlers``. If there is no such class, it is a type of the only
    library that has this type with these arguments. The other keys are the arguments of the class, without the
    optimizer. If an argument is itself a scheduler, write it as a mapping of the same form.

    You may also write the config as other tools do. The type may be an import path such as
    ``torch.optim.lr_scheduler.StepLR``, a name with a scope such as ``mmdet.LinearLR``, or a class. The keys may be
    ``_target_`` (Hydra), ``class_path`` and ``init_args`` (Lightning's command line), ``class`` and ``params``,
    ``_component_`` (torchtune), ``{"StepLR": {...}}``, or Lightning's
    ``{"scheduler": {...}, "interval": "step", "monitor": "val_loss"}``. Configs of OmegaConf, mmengine and
    ml_collections are read as mappings and lists. A config of transformers' Trainer is recognised by its key
    ``lr_scheduler_type``.

    Args:
        optimizer: the optimizer. The present values of its param groups are the initial values.
        config: one of these:
            a mapping with ``type`` and arguments;
            a list of mappings, which apply at the same time. As in mmengine, each mapping changes the value that the
            others produce. Entries for different parameters go into one :class:`ParamGroupScheduler`;
            ``{"sequential": True, "schedulers": [...]}``, or a list in which each mapping has ``"sequential": True``.
            The schedulers follow one another. Each scheduler lasts for its ``duration`` (by default, the length from
            its arguments), or from one of the ``milestones`` to the next;
            the path of a ``.yaml``, ``.yml``, ``.json`` or ``.toml`` file that contains such a config, or of a ``.py``
            file in mmengine's form, which is read and not executed;
            a mapping or a file that contains such a config at any depth.
            Each entry may also have ``param_name`` and ``save_history``. An entry that reads a metric may have
            ``metric_name``, by default ``"loss"``. The scheduler reads the metric from ``engine.state.metrics`` at each
            event except the first, when the metric may still be missing.
        param_name: the parameter of the entries that have no ``param_name``.
        epoch_length: events in an epoch. If you pass this argument, the durations of lehr's own classes and of lists
            are in epochs. Schedulers of torch, mmengine and timm that count epochs keep each value for one epoch.
            Cerebras and transformers count steps, so their types refuse this argument. A config that is a mapping may
            have the key ``epoch_length`` instead.
        max_epochs: epochs of the run. If a config leaves out a length that the library's own trainer takes from the
            run, this argument gives the length. Such lengths are the ``end`` of mmengine's entries and
            ``num_training_steps`` of transformers. A mapping may also have a key ``run``, a mapping with any arguments
            of :class:`RunLength`.
        total_steps: iterations of the run. With ``epoch_length``, either ``max_epochs`` or ``total_steps`` is enough.
            Both arguments override the numbers in a training file.
        dialect: the library to which names without a prefix belong, such as ``"mmengine"``; ``"lehr"`` allows only
            lehr's own names.
        section: the path to the schedulers, such as ``"train.lr_scheduler"``, if several sections of a config have
            schedulers.
        root: a folder. A ``.py`` file names other files under ``_base_``, and a YAML file of detectron2 under
            ``_BASE_``. These files are also read, and must be below this folder. If None, they are not read.
        run: a :class:`RunLength`, or a mapping of its arguments. With the length of the run, a duration of lehr's own
            classes and of lists may be a string such as ``"10%"``, ``"3 epochs"`` or ``"2B tokens"``. A
            :class:`RunLength` does not change the unit of numbers. A mapping with ``epoch_length`` and without
            ``counts`` changes the unit of numbers to epochs.

    Returns:
        A :class:`ParamScheduler`, or another scheduler that the config names. Attach it to
        ``Events.ITERATION_STARTED``. If the config counts epochs and ``epoch_length`` is None, attach it to
        ``Events.EPOCH_STARTED``. If you attach a scheduler that reads a metric to an event after an epoch, attach it to
        ``Events.EPOCH_STARTED(once=1)`` as well, so that the first epoch trains with the first value.

    Raises:
        TypeError: a value has the wrong type, such as a function in place of data.
        ValueError: a type or an argument is unknown; an argument is missing or out of its range; two entries for one
            parameter cannot be combined. Every error gives the path in the config.
        FileNotFoundError, ImportError: the file does not exist; the file is a YAML file, and PyYAML is not installed.

    No name in a config is imported, and no text is evaluated. Names are looked up in tables. A mapping made in Python
    may have functions such as ``lr_lambda``, but a file cannot have them.

    If a library contradicts its own documentation or fails, lehr's values differ from the library's values. One-cycle
    schedules keep their last value, while torch, mmengine and Cerebras extrapolate. torch's ``ConstantLR`` and
    ``LinearLR`` with ``total_iters=0`` have their end value from step 0 on. A nested ``SequentialLR`` that is not the
    first scheduler starts from its step 0; torch does not support it. Cerebras' ``CosineAnnealingWarmRestarts``
    restarts, ``cycle=True`` cycles, several lambdas multiply the initial value once, ``scale_mode`` has an effect,
    nested schedulers are stepped, and a warm-up of 0 steps does not divide by 0. timm's ``Tanh`` and ``MultiStep``
    follow their formula from step 0 on.

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
    where, is_file = "config", isinstance(config, str | os.PathLike)
    if not isinstance(param_name, str):
        raise TypeError(f"param_name must be a string, given {arguments.shown(param_name)}")
    if dialect is not None:
        arguments.one_of("dialect", dialect, ["lehr", *TYPES])
    if isinstance(config, str | os.PathLike):
        where, config = name_of(config), read(Path(config), None if root is None else Path(root))
    config = as_section(config, dialect)
    if not is_container(config):
        # The content of a file may be secret.
        given = f"a file with one {type(config).__name__} in it" if is_file else arguments.shown(config)
        raise TypeError(f"{where} must be a mapping, a list of mappings or the path of a file, given {given}")
    whole = as_containers(where, config)
    if isinstance(whole, Failed):
        raise ValueError(f"{where} cannot be read: {whole}")
    of_run, in_epochs = run_length_arguments.of_arguments(epoch_length, max_epochs, total_steps, run)
    try:
        of_run = run_length_arguments.or_else(of_run, run_of_file(whole))
        where, part, around = find_section(where, whole, section, dialect)
        plain: Any = completed(plain_config(where, as_section(part, dialect), dialect), around)
        arguments.within_limits(where, plain)
        context = ConfigContext(optimizer, param_name, in_epochs, of_run)
        if isinstance(plain, Mapping):
            scheduler = _scheduler(context, where, plain)
        else:
            scheduler = _of_list(context, where, *_marked_list(where, plain))
    except (TypeError, ValueError) as error:
        short = arguments.shortened(str(error))  # the path to an entry may be long
        if short == str(error):
            raise
        raise (TypeError if isinstance(error, TypeError) else ValueError)(short) from error
    remember_config(scheduler, _as_config(plain, param_name, of_run, in_epochs))
    return scheduler


def _scheduler(context: ConfigContext, where: str, config: Any) -> BaseParamScheduler:
    is_list = isinstance(config, Mapping) and "type" not in config and "schedulers" in config
    entry = read_entry(where, config, typed=not is_list)
    if is_list:
        for key in entry.values:
            if key not in LIST_KEYS:
                known = ", ".join(map(repr, LIST_KEYS))
                raise ValueError(
                    f"{where}[{arguments.shown(key)}] is not known beside a list of schedulers (known: {known})"
                )
        listed = read_entries(f"{where}['schedulers']", entry.values["schedulers"])
    context = _in_run(context, where, entry.values)
    if is_list:
        param_name = text(f"{where}['param_name']", entry.values.get("param_name", context.param_name))
        return _of_list(context.of(param_name), where, entry.values, listed)
    entry = entry.without("epoch_length", "run")
    if entry.type in SCHEDULERS:
        context, entry = in_interval(context, entry)
    if entry.type in SCHEDULERS:
        return lehr_scheduler(context, entry, _scheduler)
    if "." not in entry.type:
        refuse_type(entry)
    save_history = arguments.flag(f"{where}['save_history']", entry.values.get("save_history", False))
    return _from_base_values(context, partial(_of_entry, entry.without("save_history"), save_history))


def _in_run(context: ConfigContext, where: str, values: Mapping[str, Any]) -> ConfigContext:
    """Add to the context the length of the run in a mapping."""
    run, in_epochs = context.run, context.epoch_length
    if values.get("run") is not None:
        given = run_length_arguments.read(f"{where}['run']", values["run"])
        run = run_length_arguments.combined(where, run, given)
        in_epochs = None if "counts" in values["run"] else given.epoch_length or in_epochs
    if values.get("epoch_length") is not None:
        given = run_length_arguments.checked(where, {"epoch_length": values["epoch_length"]})
        run, in_epochs = run_length_arguments.combined(where, run, given), given.epoch_length
    return replace(context, epoch_length=in_epochs, run=run)


def _of_list(context: ConfigContext, where: str, options: Mapping[str, Any], listed: list[Entry]) -> BaseParamScheduler:
    return _from_base_values(context, partial(_of_entries, where, options, listed))


def _of_entries(
    where: str, options: Mapping[str, Any], listed: list[Entry], context: ConfigContext
) -> BaseParamScheduler:
    return scheduler_of_list(context, where, options, listed, _scheduler)


def _of_entry(entry: Entry, save_history: bool, context: ConfigContext) -> BaseParamScheduler:
    return scheduler_of([entry_schedule(context, entry)], save_history)


def _from_base_values(
    context: ConfigContext, make: Callable[[ConfigContext], BaseParamScheduler]
) -> BaseParamScheduler:
    """Make a scheduler that keeps its base values, and that can make its schedules again from other base values."""
    context = replace(context, uses=set())
    scheduler = make(context)
    for at, member in enumerate(members_of(scheduler)):
        target = target_of(member)
        if isinstance(target, ParamGroups) and (target.key, target.item) in context.uses:
            key = target.key, target.item
            start_from_base_values(scheduler, member, partial(_schedule_from, context, make, at, key))
    return scheduler


def _schedule_from(
    context: ConfigContext,
    make: Callable[[ConfigContext], BaseParamScheduler],
    at: int,
    key: Key,
    base: arguments.Number,
) -> Schedule:
    """Make the scheduler of a config from other base values, and return the schedule of its member ``at``."""
    scheduler = make(context.starting_from(key, base))
    return members_of(scheduler)[at].schedule


def _marked_list(where: str, config: Sequence[Any]) -> tuple[dict[str, Any], list[Entry]]:
    """Take the option ``sequential`` out of the entries of a list, and return the option and the entries."""
    listed = read_entries(where, config)
    if not any("sequential" in one.values for one in listed):
        return {}, listed
    marks = [arguments.flag(f"{one.where}['sequential']", one.values.get("sequential", False)) for one in listed]
    for entry, mark in zip(listed, marks, strict=True):
        if mark != marks[0]:
            raise ValueError(f"{entry.where}['sequential'] must be the same in all entries, given {mark}")
    return {"sequential": marks[0]}, [one.without("sequential") for one in listed]


def _as_config(config: Any, param_name: str, run: RunLength, in_epochs: int | None) -> dict[str, Any]:
    """Return the config as a mapping that includes the arguments of ``configure_scheduler``."""
    if isinstance(config, Mapping):
        given = dict(config)
    else:
        given = {"schedulers": [{k: v for k, v in one.items() if k != "sequential"} for one in config]}
        given |= {"sequential": True} if config[0].get("sequential", False) else {}
    if param_name != "lr":
        given.setdefault("param_name", param_name)
    if in_epochs is not None:
        given["epoch_length"] = in_epochs
    if length := run_length_arguments.as_data(run, in_epochs):
        given["run"] = {**given.get("run", {}), **length}
    try:
        return copied_config(given)  # a copy, because the user may change the config later
    except TypeError:
        return given
