"""Makes the objects that a simulated run changes: empty engines, copies of the schedulers, and records of values."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from ignite.engine import Engine
from torch.utils.data import BatchSampler, DataLoader, TensorDataset

from lehr.handlers.core import for_plans_and_cli
from lehr.handlers.core.for_plans_and_cli import locations_of
from lehr.handlers.core.simulation.private_copies import private_copy
from lehr.handlers.schedulers.batch_size import BatchSizeScheduler

from .handler_discovery import AttachedHandler
from .simulated_scheduler import RecordedValues, SimulatedScheduler


def simulated_schedulers(
    handlers: Iterable[AttachedHandler], engines: Mapping[Engine, Engine], metrics: Collection[str]
) -> list[SimulatedScheduler]:
    """Return the schedulers that handlers call, with copies of them for a simulated run.

    Args:
        handlers: the handlers of the run.
        engines: maps each engine of the run to the empty engine that replaces it in the simulation.
        metrics: the names of the metrics of the run.
    """
    of_schedulers: dict[int, list[AttachedHandler]] = defaultdict(list)
    for handler in handlers:
        if handler.scheduler is not None:
            of_schedulers[id(handler.scheduler)].append(handler)
    originals = [of_scheduler[0].owner for of_scheduler in of_schedulers.values()]
    members = [member for original in originals for member in for_plans_and_cli.members_of(original)]
    loaders = dict.fromkeys(member.dataloader for member in members if isinstance(member, BatchSizeScheduler))
    replaced: list[tuple[object, object]] = [
        *engines.items(),
        *((loader, _empty_loader(loader)) for loader in loaders),
    ]
    copies = private_copy(originals, replaced=replaced)
    for copied in copies:
        for_plans_and_cli.prepare_copy(copied, metrics)
    engine = next(iter(engines.values()))  # the empty engine of the trainer
    locations = [locations_of(copied, engine) for copied in copies]
    return list(map(SimulatedScheduler, originals, copies, of_schedulers.values(), locations))


def recorded_values(
    schedulers: Iterable[SimulatedScheduler], engines: Mapping[Engine, Engine]
) -> dict[str, RecordedValues]:
    """Return an empty record for each name of the plan, with the locations of the schedulers that write under it.

    Args:
        schedulers: the schedulers of the run.
        engines: maps each engine of the run to the empty engine that replaces it in the simulation.
    """
    recorded: dict[str, RecordedValues] = {}
    for scheduler in schedulers:
        own_names = for_plans_and_cli.history_names(scheduler.copy, None)
        for handler in scheduler.writing_handlers:
            for own_name, locations in locations_of(scheduler.copy, engines[handler.engine]).items():
                # If torch writes a momentum beside the learning rate, the momentum has no history and keeps its name.
                name = handler.name if handler.name and own_name in own_names else own_name
                if locations:  # a scheduler has no locations if its param groups do not exist yet
                    recorded.setdefault(name, RecordedValues()).add(scheduler, locations)
    return recorded


def empty_engine(engine: Engine) -> Engine:
    """Return a new engine in the state of a given engine, without handlers, data or metrics."""
    empty = Engine(lambda engine, batch: None)
    left_out = ("batch", "output", "dataloader", "param_history")
    vars(empty.state).update({key: value for key, value in vars(engine.state).items() if key not in left_out})
    empty.state.metrics = {}
    return empty


def _empty_loader(loader: "DataLoader[Any]") -> "DataLoader[Any]":
    """Return a data loader that contains one number, with the batch size of a given data loader."""
    assert isinstance(loader.batch_sampler, BatchSampler)
    return DataLoader(TensorDataset(torch.empty(1)), batch_size=loader.batch_sampler.batch_size)
