"""Where schedulers write: each number that one of them sets, so that it can be read, named and compared."""

import math
from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import torch
from ignite.engine import Engine

from ..base import BaseParamScheduler
from ..batch_size import BatchSizeScheduler
from ..param_group_scheduler import ParamGroupScheduler
from ..param_scheduler import ParamScheduler
from ..schedules.live import stateful_parts
from ..state_param_scheduler import StateParamScheduler
from ..torch_steps import TorchSteps


class Place(NamedTuple):
    """One number that a scheduler writes.

    Args:
        holder: what it stands in: a param group, the state of an engine, a batch sampler.
        key: by which name it stands there.
        item: which item of a tuple it is; None for the whole.
        owner: the optimizer, engine or batch sampler.
        label: what the param group is called; empty where there are none.
    """

    holder: Any
    key: str
    item: int | None
    owner: Any
    label: str

    @property
    def identity(self) -> tuple[int, str, int | None]:
        """The same for two places where one number stands, also if it is a tensor that several groups share."""
        held = self.holder.get(self.key) if isinstance(self.holder, dict) else None
        return (id(held) if isinstance(held, torch.Tensor) else id(self.holder)), self.key, self.item

    @property
    def param_name(self) -> str:
        """The parameter, as a scheduler would be told to write it."""
        return self.key if self.item is None else f"{self.key}[{self.item}]"

    def read(self) -> list[float]:
        """What stands there: one number, or several where an engine's state has a list; NaN where there is none."""
        if isinstance(self.holder, dict):
            held = self.holder[self.key] if self.item is None else self.holder[self.key][self.item]
        else:
            held = getattr(self.holder, self.key, None)
        if isinstance(held, list | tuple):
            return [float(value) for value in held]
        return [math.nan if held is None else float(held)]


@singledispatch
def places_of(scheduler: BaseParamScheduler, engine: Engine) -> dict[str, list[Place]]:
    """The places where a scheduler writes at the events of an engine, by the names of their histories."""
    raise TypeError(f"it cannot be told where {scheduler!r} writes: it must be one of lehr's kinds of schedulers")


@places_of.register
def _(scheduler: ParamScheduler, engine: Engine) -> dict[str, list[Place]]:
    slot, optimizer = scheduler._slot, scheduler.optimizer
    places = {scheduler.param_name: _in_groups(optimizer, slot.groups(), slot.key, slot.item)}
    parts = stateful_parts(scheduler._planned)
    if any(isinstance(part, TorchSteps) and part.cycles_momentum for part in parts):  # which torch writes by itself
        key, item = ("betas", 0) if "betas" in optimizer.param_groups[0] else ("momentum", None)
        places.setdefault("momentum", _in_groups(optimizer, optimizer.param_groups, key, item))
    return places


@places_of.register
def _(scheduler: ParamGroupScheduler, engine: Engine) -> dict[str, list[Place]]:
    places: dict[str, list[Place]] = {}
    for name, writer in zip(scheduler.names, scheduler._writers, strict=True):
        for own_name, its_own in places_of(writer, engine).items():
            places.setdefault(name if own_name == writer.param_name else own_name, []).extend(its_own)
    return places


@places_of.register
def _(scheduler: StateParamScheduler, engine: Engine) -> dict[str, list[Place]]:
    return {scheduler.param_name: [Place(engine.state, scheduler.param_name, None, engine, "")]}


@places_of.register
def _(scheduler: BatchSizeScheduler, engine: Engine) -> dict[str, list[Place]]:
    sampler = scheduler.dataloader.batch_sampler
    return {scheduler.param_name: [Place(sampler, "batch_size", None, sampler, "")]}


def _in_groups(optimizer: Any, groups: Sequence[Any], key: str, item: int | None) -> list[Place]:
    numbers = {id(group): at for at, group in enumerate(optimizer.param_groups)}
    return [
        Place(group, key, item, optimizer, str(group.get("name", f"group {numbers[id(group)]}"))) for group in groups
    ]
