"""Whether schedulers are the same on all ranks of a distributed run."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine

from .base import BaseParamScheduler


class DriftCheck:
    """A handler that raises an error on every rank if schedulers differ from rank to rank.

    It compares their states, with the values that they have written, by one number of 8 bytes that the ranks exchange:
    cheap enough for each epoch. On a run of one rank it does nothing.

    Args:
        schedulers: one or more.

    Raises:
        TypeError: ``schedulers`` is no list or tuple of schedulers.
        ValueError: there are none.
        RuntimeError: at the event, on every rank, they differ; it says how on each rank.

    Example:
        >>> from ignite.engine import Events
        >>> from lehr.handlers import ParamScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> lr = ParamScheduler(optimizer, "lr", schedule=lambda event_index: 0.5**event_index)
        >>> trainer = Engine(lambda engine, batch: None)
        >>> _ = lr.attach(trainer)
        >>> _ = trainer.add_event_handler(Events.EPOCH_COMPLETED, DriftCheck([lr]))
        >>> _ = trainer.run([None] * 4, max_epochs=2)
    """

    def __init__(self, schedulers: Sequence[BaseParamScheduler]) -> None:
        if not isinstance(schedulers, list | tuple):
            raise TypeError(f"schedulers must be a list or tuple, given {schedulers!r}")
        if not schedulers:
            raise ValueError(f"schedulers must be one or more, given {schedulers!r}")
        for at, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, BaseParamScheduler):
                raise TypeError(f"schedulers[{at}] must be a scheduler, given {scheduler!r}")
        self.schedulers = list(schedulers)

    def __call__(self, engine: Engine | None = None) -> None:
        """Compare; all ranks must call it at the same time."""
        if idist.get_world_size() == 1:
            return
        states = [json.dumps(scheduler.state_dict()) for scheduler in self.schedulers]
        digest = hashlib.blake2b("\n".join(states).encode(), digest_size=8).digest()
        mine = torch.tensor([int.from_bytes(digest, "big", signed=True)])
        gathered: Any = idist.all_gather(mine)
        if len(set(gathered.tolist())) == 1:
            return
        # All ranks have seen the same numbers, and so come here together.
        told = "; ".join(map(_shown, self.schedulers))
        shown: Any = idist.all_gather(told)
        lines = [f"  rank {rank}: {one.strip()}" for rank, one in enumerate(shown)]
        raise RuntimeError("schedulers must be the same on all ranks, but differ:\n" + "\n".join(lines))


def _shown(scheduler: BaseParamScheduler) -> str:
    return f"{scheduler.param_name!r} at event {scheduler.event_index} with {scheduler._present()}"
