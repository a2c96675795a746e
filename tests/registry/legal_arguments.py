"""Legal arguments of every public scheduler, schedule, curve and rule: those of the first line of its picture.

Written out here are only those that need more than a picture shows: an optimizer, other schedulers, a metric.
"""

import inspect
import math
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

import gallery
import torch
from nonsense import cosine
from optimizers import make_optimizer, make_trainer
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader

from lehr import engine as lehr_engine
from lehr import handlers
from lehr.handlers import ParamScheduler
from lehr.handlers.schedulers.decay_scheduler import DecayScheduler, Options
from lehr.handlers.schedules import Anneal, Constant, Plateau, Scaling

LINE = Anneal(1.0, 0.5, duration=10)
Arguments = dict[str, Any]


def _of_picture(cls: type[Any], kwargs: Arguments, optimizer: torch.optim.Optimizer) -> Arguments:
    return {**kwargs, **({"optimizer": optimizer} if issubclass(cls, ParamScheduler) else {})}


# What makes the arguments of a scheduler for an optimizer of two groups.
SCHEDULERS: dict[str, Callable[[torch.optim.Optimizer], Arguments]] = {
    **{picture.name: partial(_of_picture, *picture.made[0]) for picture in gallery.SCHEDULERS if picture.made},
    "ParamScheduler": lambda optimizer: {"optimizer": optimizer, "param_name": "lr", "schedule": math.sqrt},
    "LambdaScheduler": lambda optimizer: {"optimizer": optimizer, "param_name": "lr", "factor_fn": math.exp},
    "MultiplicativeScheduler": lambda optimizer: {"optimizer": optimizer, "param_name": "lr", "factor_fn": math.cos},
    "ReduceOnPlateauScheduler": lambda optimizer: {
        "optimizer": optimizer,
        "param_name": "lr",
        "metric_name": "loss",
    },
    "ReduceLROnPlateauScheduler": lambda optimizer: {"optimizer": optimizer, "metric_name": "loss", "min_lr": 0.0},
    "LRScheduler": lambda optimizer: {"lr_scheduler": StepLR(optimizer, 3)},
    "ParamGroupScheduler": lambda optimizer: {"schedulers": [cosine(optimizer)], "names": ["lr"]},
    "ConcatScheduler": lambda optimizer: {"schedulers": [cosine(optimizer), cosine(optimizer)], "durations": [2]},
    "create_lr_scheduler_with_warmup": lambda optimizer: {
        "lr_scheduler": cosine(optimizer),
        "warmup_start_value": 0.0,
        "warmup_duration": 3,
    },
    "MetricScheduler": lambda optimizer: {
        "optimizer": optimizer,
        "param_name": "lr",
        "metric_name": "loss",
        "schedule": Plateau(initial_value=0.5),
    },
    "PhaseScheduler": lambda optimizer: {
        "optimizer": optimizer,
        "param_name": "lr",
        "phases": [Constant(0.5), Anneal(1.0, 0.0, duration=2)],
    },
    "ChainedScheduler": lambda optimizer: {"schedulers": [cosine(optimizer), cosine(optimizer)]},
    "BatchSizeScheduler": lambda optimizer: {
        "dataloader": DataLoader(torch.zeros(4)),
        "scheduler_fn": lambda epoch: 1 + epoch,
    },
    "BatchRamp": lambda optimizer: {
        "optimizer": optimizer,
        "dataloader": DataLoader(torch.zeros(4)),
        "sizes": [(0, 1), (2, 2)],
    },
    "LambdaStateScheduler": lambda optimizer: {"lambda_obj": math.sqrt, "param_name": "rate"},
    "StateParamScheduler": lambda optimizer: {"param_name": "rate", "schedule": math.sqrt},
    "configure_scheduler": lambda optimizer: {
        "optimizer": optimizer,
        "config": {"type": "StepScheduler", "step_size": 3},
    },
}
SCHEDULES: dict[str, Arguments] = {
    **{
        picture.name: picture.made[0][1]
        for pictures in gallery.SCHEDULES.values()
        for picture in pictures
        if picture.made
    },
    "CumulativeProduct": {"function": math.cos},
    "FunctionSchedule": {"function": math.cos},
    "Mapped": {"schedule": LINE, "function": math.cos},
    "RunLength": {"max_epochs": 10, "epoch_length": 500},
    # The rules of a Recursion, which have no picture of their own.
    "Addition": {"schedule": LINE},
    "Approach": {"weights": LINE, "end_value": 0.1, "base_value": 1.0},
    "Assignment": {"schedule": LINE},
    "Scaling": {"factors": LINE},
    "Turn": {"rule": Scaling(LINE)},
}
# Public classes and functions that are neither a schedule nor a scheduler.
OTHERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Groups": (handlers.Groups, {"select": None, "added": "adopt"}),
    "DriftCheck": (handlers.DriftCheck, {"schedulers": [cosine(make_optimizer())]}),
    "HistoryColumn": (lehr_engine.HistoryColumn, {"max_events": 5}),
    "ParamHistory": (lehr_engine.ParamHistory, {"max_events": 5}),
    "rank_by_bound": (
        # A legal number of events may take all memory.
        update_wrapper(partial(handlers.schedules.rank_by_bound, num_events=10), handlers.schedules.rank_by_bound),
        {"schedules": {"linear": LINE}, "distance": 1.0, "gradient_norms": 1.0},
    ),
    "preinitialize": (lehr_engine.preinitialize, {"optimizer": make_optimizer()}),
    "OptimizerEvents.attach": (
        lambda engine, optimizers: lehr_engine.OptimizerEvents.attach(engine, optimizers),
        {"engine": make_trainer(), "optimizers": make_optimizer()},
    ),
}


def arguments_of(name: str) -> list[str]:
    """The names of the arguments of a scheduler."""
    made = getattr(handlers, name)
    parameters = inspect.signature(made).parameters.values()
    named = [parameter.name for parameter in parameters if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    if inspect.isclass(made) and issubclass(made, DecayScheduler):
        named = [*named, *Options.__annotations__]
    return [*named, *(["min_lr", "factor", "cooldown"] if name == "ReduceLROnPlateauScheduler" else [])]
