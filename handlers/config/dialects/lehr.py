"""Config types for lehr's own schedulers, and the function that makes a scheduler from a config entry."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lehr.handlers import schedules
from lehr.handlers.config.argument_validators import text
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import (
    Entry,
    located,
    lookup,
    nonempty_list,
    read_entry,
    refuse_key,
    refuse_missing,
)
from lehr.handlers.config.run_length_arguments import UNKNOWN
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.decay_scheduler import DecayScheduler
from lehr.handlers.schedules import (
    Concatenation,
    CosineAnnealing,
    Cyclic,
    LinearCyclical,
    LinearInterpolation,
    OneCycle,
    RunLength,
)
from lehr.handlers.schedules.arguments import shown
from lehr.handlers.schedules.base import checked_schedule
from lehr.handlers.schedules.durations_to_events import in_events
from lehr.handlers.targets.group_selection import Groups
from lehr.handlers.targets.param_groups import ParamGroups

# Every DecayScheduler takes these keyword arguments. The values here are the defaults.
# fmt: off
OPTIONS: dict[str, Any] = {
    "relative": False, "begin": 0, "end": None, "interval": 1, "epoch_length": None, "run": None,
    "save_history": False, "param_group_index": None,
}
# fmt: on


@dataclass(frozen=True)
class SchedulerType:
    """One scheduler of lehr in the table ``SCHEDULERS``.

    Args:
        module: the module of the scheduler's class. A config cannot make lehr import any other module.
        durations: the class of the scheduler's schedule, whose fields show which arguments are durations. If the config
            has an ``epoch_length``, the durations are in epochs.
        counts_metrics: whether ``epoch_length`` has no effect, because the scheduler counts metrics, or because only
            the schedulers inside it have durations.
        python_only: whether the scheduler needs an argument that a file cannot hold, such as a function.
    """

    module: str
    durations: type | None = None
    counts_metrics: bool = False
    python_only: bool = False


SCHEDULERS = {
    "BatchRamp": SchedulerType("schedulers.batch_ramp", python_only=True),
    "BatchSizeScheduler": SchedulerType("schedulers.batch_size", python_only=True),
    "ChainedScheduler": SchedulerType("schedulers.chained", counts_metrics=True),
    "ConcatScheduler": SchedulerType("schedulers.concat", Concatenation),
    "ConstantScheduler": SchedulerType("schedulers.decays"),
    "CosineAnnealingScheduler": SchedulerType("schedulers.ignite_cycles", CosineAnnealing),
    "CosineDecayScheduler": SchedulerType("schedulers.cosine_decay"),
    "CosineRestartScheduler": SchedulerType("schedulers.cosine_decay"),
    "CyclicScheduler": SchedulerType("schedulers.triangular_cycles", Cyclic),
    "ExpStateScheduler": SchedulerType("schedulers.state_schedulers"),
    "ExponentialScheduler": SchedulerType("schedulers.decays"),
    "InverseSquareRootScheduler": SchedulerType("schedulers.decays"),
    "InverseTimeDecayScheduler": SchedulerType("schedulers.decays"),
    "LRScheduler": SchedulerType("schedulers.torch.lr_scheduler", python_only=True),
    "LambdaScheduler": SchedulerType("schedulers.factor_functions", python_only=True),
    "LambdaStateScheduler": SchedulerType("schedulers.state_schedulers", python_only=True),
    "LinearCyclicalScheduler": SchedulerType("schedulers.ignite_cycles", LinearCyclical),
    "LinearScheduler": SchedulerType("schedulers.decays"),
    "MetricScheduler": SchedulerType("schedulers.metric_scheduler", counts_metrics=True),
    "MultiStepScheduler": SchedulerType("schedulers.decays"),
    "MultiStepStateScheduler": SchedulerType("schedulers.state_schedulers"),
    "MultiplicativeScheduler": SchedulerType("schedulers.factor_functions", python_only=True),
    "OneCycleScheduler": SchedulerType("schedulers.one_cycle", OneCycle),
    "ParamGroupScheduler": SchedulerType("core.param_group_scheduler", counts_metrics=True),
    "ParamScheduler": SchedulerType("core.param_scheduler"),
    "PhaseScheduler": SchedulerType("schedulers.phases_on_demand"),
    "PiecewiseConstantScheduler": SchedulerType("schedulers.decays"),
    "PiecewiseLinear": SchedulerType("schedulers.piecewise_linear", LinearInterpolation),
    "PiecewiseLinearStateScheduler": SchedulerType("schedulers.state_schedulers"),
    "PolynomialScheduler": SchedulerType("schedulers.decays"),
    "ReduceLROnPlateauScheduler": SchedulerType("schedulers.reduce_on_plateau", counts_metrics=True),
    "ReduceOnPlateauScheduler": SchedulerType("schedulers.reduce_on_plateau", counts_metrics=True),
    "StateParamScheduler": SchedulerType("core.state_param_scheduler"),
    "StepScheduler": SchedulerType("schedulers.decays"),
    "StepStateScheduler": SchedulerType("schedulers.state_schedulers"),
    "WarmupStableDecayScheduler": SchedulerType("schedulers.warmup_stable_decay"),
}
REQUIRED = inspect.Parameter.empty
Nested = Callable[[ConfigContext, str, Any], BaseParamScheduler]


def class_of(name: str) -> Any:
    """Import and return the class of a scheduler."""
    return getattr(import_module(f"lehr.handlers.{SCHEDULERS[name].module}"), name)


def arguments_of(name: str) -> dict[str, Any]:
    """Return the default value of each argument of a scheduler. ``REQUIRED`` stands for no default value."""
    cls = class_of(name)
    _, *parameters = inspect.signature(cls.__init__).parameters.values()
    found = {one.name: one.default for one in parameters if one.kind is not one.VAR_KEYWORD}
    if issubclass(cls, DecayScheduler):
        found |= OPTIONS
    if name == "ReduceLROnPlateauScheduler":
        passed_on = {"verbose": False, **arguments_of("ReduceOnPlateauScheduler")}
        passed_on["min_lr"] = passed_on.pop("min_value")
        found |= {key: passed_on[key] for key in sorted(passed_on) if key not in (*found, "param_name")}
    return found


def lehr_scheduler(context: ConfigContext, entry: Entry, nested: Nested) -> BaseParamScheduler:
    """Make one of lehr's own schedulers from a config entry.

    Args:
        context: the parameter that the entry schedules.
        entry: the config entry, whose type has no prefix.
        nested: a function that makes the scheduler of a config inside the entry. Its arguments are the context, the
            path to the inner config, and the inner config.
    """
    where, name = entry.where, entry.type
    arguments, values = arguments_of(name), dict(entry.values)
    if "param_name" not in arguments and "param_name" in values:
        context = context.of(text(f"{where}['param_name']", values.pop("param_name")))
    if name == "ReduceLROnPlateauScheduler" and context.param_name != "lr":
        raise ValueError(
            f"{where}['type'] can schedule only 'lr', given {context.param_name!r}: use ReduceOnPlateauScheduler"
        )
    takes_optimizer = "optimizer" in arguments
    arguments.pop("optimizer", None)
    for key, value in values.items():
        if key not in arguments:
            refuse_key(where, key, arguments)
        values[key] = _argument(context, where, key, value, nested)
    if takes_optimizer and "param_name" in arguments:
        values.setdefault("param_name", context.param_name)
    if context.epoch_length is not None:
        values = located(where, _in_events, name, values, context.epoch_length, context.run)
    if "run" in arguments and context.run != UNKNOWN:
        values["run"] = context.run
    missing = [key for key, default in arguments.items() if default is REQUIRED and key not in values]
    refuse_missing(entry, missing)
    if name == "ParamGroupScheduler":
        _refuse_same_target(where, values["schedulers"])
    if takes_optimizer:
        values["optimizer"] = context.optimizer
    return located(where, class_of(name), **values)  # type: ignore[no-any-return]


def _refuse_same_target(where: str, schedulers: list[Any]) -> None:
    """Raise an error if two schedulers write the same parameter of the same param group."""
    writers: dict[tuple[Any, ...], int] = {}
    for at, writer in enumerate(schedulers):
        if not isinstance(writer, ParamScheduler):
            continue
        slot = ParamGroups(writer.optimizer, writer.param_name, writer.param_group_index)
        chosen = set(map(id, slot.groups()))
        for group in [number for number, one in enumerate(slot.optimizer.param_groups) if id(one) in chosen]:
            if (first := writers.setdefault((slot.key, slot.item, group), at)) != at:
                raise ValueError(
                    f"{where}['schedulers'][{at}] must write another parameter or another group than the scheduler "
                    f"at {first}, given {shown(writer.param_name)} of group {group} for both"
                )


def _argument(context: ConfigContext, where: str, key: str, value: Any, nested: Nested) -> Any:
    """Replace the mappings in an argument by the schedulers and schedules that they describe."""
    inner = f"{where}[{key!r}]"
    if key == "schedulers":
        return [nested(context, f"{inner}[{at}]", one) for at, one in enumerate(nonempty_list(inner, value))]
    if key in ("schedule", "flat") and isinstance(value, Mapping):
        return located(inner, checked_schedule, key, _made(inner, value))
    if key == "phases" and isinstance(value, list | tuple):
        return _made(inner, value)
    if key == "param_group_index" and isinstance(value, Mapping):
        for name in value:
            if name not in ("select", "added", "required"):
                refuse_key(inner, name, ["select", "added", "required"])
        return located(inner, Groups, **value)
    return value


def _made(where: str, value: Any) -> Any:
    """Replace the mappings in a value by the schedules and curves that they describe."""
    if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
        return [_made(f"{where}[{at}]", one) for at, one in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    entry = read_entry(where, value)
    cls = getattr(schedules, lookup(f"{where}['type']", entry.type, schedules.__all__))
    names = list(inspect.signature(cls).parameters)
    for key in entry.values:
        if key not in names:
            refuse_key(where, key, names)
    return located(where, cls, **{key: _made(f"{where}[{key!r}]", one) for key, one in entry.values.items()})


def _in_events(name: str, values: dict[str, Any], epoch_length: int, run: RunLength) -> dict[str, Any]:
    """Convert the durations among the arguments of a scheduler from epochs to events."""
    row = SCHEDULERS[name]
    if issubclass(class_of(name), DecayScheduler):
        if values.get("epoch_length") is not None:
            raise ValueError(
                f"epoch_length must be one number, given {epoch_length} and {shown(values['epoch_length'])}"
            )
        return {**values, "epoch_length": epoch_length}
    if row.counts_metrics:
        return values
    if row.durations is None:
        raise ValueError(f"epoch_length must be left out for {name}, because its arguments are not durations")
    if name == "OneCycleScheduler" and values.get("total_steps") is None:
        if values.get("steps_per_epoch") not in (None, epoch_length):
            raise ValueError(f"steps_per_epoch must be epoch_length, {epoch_length}, given {values['steps_per_epoch']}")
        return {**values, "steps_per_epoch": epoch_length}
    if name == "CyclicScheduler" and "step_size_up" not in values:
        raise ValueError(
            "step_size_up must be given together with epoch_length, because its default, 2000, is in events"
        )
    return in_events(row.durations, values, epoch_length, run)
